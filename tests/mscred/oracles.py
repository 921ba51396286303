"""alog-detect's MSCRED as its author wrote it, to hold the plugin's against."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class Block(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        third = outputs // 3
        self.convs = nn.ModuleList(
            [
                nn.Conv2d(inputs, outputs - 2 * third, 3, padding=1),
                nn.Conv2d(inputs, third, 5, padding=2),
                nn.Conv2d(inputs, third, 7, padding=3),
            ]
        )
        self.bn = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.bn(torch.cat([conv(x) for conv in self.convs], dim=1)))


class Gate(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv_att = nn.Conv2d(channels, 1, kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(self.conv_att(x))


class AlogDetectMscred(nn.Module):
    """float32 ``[batch, 1, steps, features]``, standardised, to its reconstruction."""

    def __init__(self, channels: tuple[int, int, int] = (32, 64, 128)) -> None:
        super().__init__()
        a, b, c = channels
        self.encoder = nn.ModuleDict(
            {
                "conv1": Block(1, a),
                "conv2": Block(a, b),
                "conv3": Block(b, c),
                "att1": Gate(a),
                "att2": Gate(b),
                "att3": Gate(c),
            }
        )
        self.decoder = nn.ModuleDict(
            {
                "deconv3": nn.ConvTranspose2d(c, b, kernel_size=4, stride=2, padding=1),
                "deconv2": nn.ConvTranspose2d(b, a, kernel_size=4, stride=2, padding=1),
                "deconv1": nn.Conv2d(a, 1, kernel_size=3, padding=1),
            }
        )

    def forward(self, x: Tensor) -> Tensor:
        size = x.shape[2:]
        encoder, decoder = self.encoder, self.decoder
        out = functional.max_pool2d(encoder["att1"](encoder["conv1"](x)), 2)
        out = functional.max_pool2d(encoder["att2"](encoder["conv2"](out)), 2)
        out = encoder["att3"](encoder["conv3"](out))
        out = functional.relu(decoder["deconv3"](out))
        out = functional.relu(decoder["deconv2"](out))
        return functional.interpolate(
            decoder["deconv1"](out), size=size, mode="bilinear", align_corners=False
        )


def lively(model: nn.Module, seed: int = 5) -> nn.Module:
    """In eval mode, with weights and statistics as training leaves them: none at 0 or 1."""
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in model.state_dict().items():
        if name.endswith(("running_var", "bn.weight")):
            tensor.copy_(0.5 + torch.rand(tensor.shape, generator=generator))
        elif tensor.is_floating_point():
            tensor.copy_(0.15 * torch.randn(tensor.shape, generator=generator))
    return model.eval()
