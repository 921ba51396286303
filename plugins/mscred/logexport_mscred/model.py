"""A multi-scale convolutional autoencoder of count matrices, as alog-detect's ``mscred`` has it.

The name is that of Zhang et al., "A Deep Neural Network for Unsupervised Anomaly Detection and
Diagnosis in Multivariate Time Series Data", AAAI 2019. This architecture keeps its idea, a score
from the reconstruction of many scales, and is simpler: no signature matrices, no recurrence. It is
fully convolutional, so its weights fit any number of steps and features from 4 on.

The attributes' names are those of the checkpoints.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

ARCHITECTURE = "multiscale-conv-autoencoder"
KERNELS = (3, 5, 7)
SMALLEST_SIDE = 4
"""Fewest steps and features: two poolings by 2 must leave something."""


def split_channels(channels: int) -> tuple[int, ...]:
    """Channels of the parallel convolutions: evenly, the remainder to the first."""
    share = channels // len(KERNELS)
    return (channels - share * (len(KERNELS) - 1), *[share] * (len(KERNELS) - 1))


class MultiScale(nn.Module):
    """Parallel convolutions of several sizes, joined and normalised."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(
            nn.Conv2d(inputs, own, kernel, padding=kernel // 2)
            for own, kernel in zip(split_channels(outputs), KERNELS, strict=True)
        )
        self.bn = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        joined = torch.cat([conv(x) for conv in self.convs], dim=1)
        out: Tensor = torch.relu(self.bn(joined))
        return out


class Attention(nn.Module):
    """Each place weighted by a number from 0 to 1."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv_att = nn.Conv2d(channels, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x * torch.sigmoid(self.conv_att(x))
        return out


class Encoder(nn.Module):
    """float32 ``[batch, 1, steps, features]`` to ``[batch, channels, steps//4, features//4]``."""

    def __init__(self, channels: tuple[int, int, int]) -> None:
        super().__init__()
        first, second, third = channels
        self.conv1, self.att1 = MultiScale(1, first), Attention(first)
        self.conv2, self.att2 = MultiScale(first, second), Attention(second)
        self.conv3, self.att3 = MultiScale(second, third), Attention(third)
        self.pool = nn.MaxPool2d(2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(self.att1(self.conv1(x)))
        x = self.pool(self.att2(self.conv2(x)))
        out: Tensor = self.att3(self.conv3(x))
        return out


class Decoder(nn.Module):
    """The encoder's result to one channel, four times as large."""

    def __init__(self, channels: tuple[int, int, int]) -> None:
        super().__init__()
        first, second, third = channels
        self.deconv3 = nn.ConvTranspose2d(third, second, 4, stride=2, padding=1)
        self.deconv2 = nn.ConvTranspose2d(second, first, 4, stride=2, padding=1)
        self.deconv1 = nn.Conv2d(first, 1, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.deconv3(x))
        x = torch.relu(self.deconv2(x))
        out: Tensor = self.deconv1(x)
        return out


class Autoencoder(nn.Module):
    """Standardised counts to their reconstruction, float32 ``[batch, 1, steps, features]``.

    Sides that 4 does not divide come back from the decoder shorter, and are resized as by
    ``interpolate(mode="bilinear", align_corners=False)``, here a product with constant matrices:
    PyTorch and ONNX Runtime each round the coordinates of a resize to float32 in their own way, and
    differ by up to 1e-4 for that alone.

    Args:
        channels: of the three blocks, each at least 3.
        steps, features: sizes of a sample, each at least :data:`SMALLEST_SIDE`. They are constants
            of the graph, not read from the input: an exporter cannot take them for dynamic.
    """

    resize_steps: Tensor
    resize_features: Tensor

    def __init__(self, channels: tuple[int, int, int], steps: int, features: int) -> None:
        super().__init__()
        self.size = (steps, features)
        self.encoder = Encoder(channels)
        self.decoder = Decoder(channels)
        self.register_buffer("resize_steps", linear_resize(4 * (steps // 4), steps), False)
        to_features = linear_resize(4 * (features // 4), features).T.contiguous()
        self.register_buffer("resize_features", to_features, False)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.decoder(self.encoder(x))
        steps, features = self.size
        if features % 4:
            out = out @ self.resize_features
        if steps % 4:
            out = self.resize_steps @ out
        return out


def linear_resize(given: int, wanted: int) -> Tensor:
    """Weights float32 ``[wanted, given]`` of a linear resize, half-pixel centres, clamped ends."""
    place = (torch.arange(wanted, dtype=torch.float64) + 0.5) * given / wanted - 0.5
    place = place.clamp(0, given - 1)
    low = place.floor()
    weights = torch.zeros(wanted, given, dtype=torch.float64)
    row = torch.arange(wanted)
    weights[row, low.long()] = 1 - (place - low)
    weights[row, (low.long() + 1).clamp(max=given - 1)] += place - low
    return weights.to(torch.float32)


class CountScorer(nn.Module):
    """Raw counts to the score and its share by template: the whole graph.

    Standardisation is done in double and rounded once, so that its result does not depend on how
    large the counts of a column are beside their deviation.

    Args:
        autoencoder: in eval mode.
        mean, deviation: float64 ``[features]``; 0 and 1 leave the counts as they are.
    """

    mean: Tensor
    deviation: Tensor
    of_cells: Tensor
    of_steps: Tensor

    def __init__(self, autoencoder: Autoencoder, mean: Tensor, deviation: Tensor) -> None:
        super().__init__()
        self.autoencoder = autoencoder
        self.register_buffer("mean", mean.to(torch.float64))
        self.register_buffer("deviation", deviation.to(torch.float64))
        # Means as products with constant rows: ONNX Runtime's ReduceMean rounds by where a sample
        # lies in the batch, its MatMul does not.
        steps, features = autoencoder.size
        cells = steps * features
        self.register_buffer("of_cells", torch.full((cells, 1), 1 / cells), persistent=False)
        self.register_buffer("of_steps", torch.full((1, steps), 1 / cells), persistent=False)

    def forward(self, input_features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Score a batch.

        Args:
            input_features: float32 ``[batch_size, 1, steps, features]``, raw counts.

        Returns:
            ``reconstructed``, float32 like the input, standardised units; ``reconstruction_error``,
            float32 ``[batch_size]``, the mean squared error of a sample; ``feature_error``, float32
            ``[batch_size, features]``, what each template adds to it: its sum is the error.
        """
        standard = standardise(input_features, self.mean, self.deviation)
        reconstructed = self.autoencoder(standard)
        squared = (reconstructed - standard) ** 2
        steps, features = self.autoencoder.size
        error = (squared.reshape(-1, steps * features) @ self.of_cells).reshape(-1)
        by_step = squared.reshape(-1, steps, features)
        feature_error = (self.of_steps @ by_step).reshape(-1, features)
        return reconstructed, error, feature_error


def standardise(counts: Tensor, mean: Tensor, deviation: Tensor) -> Tensor:
    """Counts ``[..., features]`` to float32 in units of the deviation, through double."""
    return ((counts.to(torch.float64) - mean) / deviation).to(torch.float32)
