"""The autoencoder, fitted to the samples of one log. Same seed, same weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from logexport.training.loop import Epoch, find_device, fit
from torch import Tensor, nn

from logexport_mscred.model import Autoencoder, CountScorer, standardise
from logexport_mscred.parts import Parts
from logexport_mscred.settings import Settings

_SCORING_BATCH = 64


@dataclass(frozen=True)
class Trained:
    """What training gave: weights of the best epoch on the CPU, every pass, the best's number; and
    threads and whether it was interrupted, as :class:`logexport.training.loop.Fitted` has them."""

    state_dict: Mapping[str, Tensor]
    epochs: tuple[Epoch, ...]
    best: int
    threads: int
    interrupted: bool


@dataclass(frozen=True)
class Scale:
    """Mean and population deviation of each column, float64; 1 for one that never varied."""

    mean: Tensor
    deviation: Tensor
    constant: int

    @classmethod
    def of(cls, counts: np.ndarray) -> Scale:
        """Of counts ``[windows, features]``; ``constant`` is how many columns never varied."""
        values = counts.astype(np.float64)
        # Equality, not a deviation of 0: rounding of the mean could leave a little.
        never = (values == values[:1]).all(axis=0)
        mean = np.where(never, values[0], values.mean(axis=0))
        deviation = np.where(never, 1.0, values.std(axis=0))
        return cls(torch.from_numpy(mean), torch.from_numpy(deviation), int(never.sum()))


def fit_model(
    samples: np.ndarray,
    scale: Scale,
    parts: Parts,
    settings: Settings,
    on_batch: Callable[[int], None] = lambda _: None,
    on_epoch: Callable[[Epoch], None] = lambda _: None,
) -> Trained:
    """Fit a network that reconstructs standardised counts.

    Args:
        samples: float32 ``[samples, 1, steps, features]``, raw counts.
        scale: of the training part.
        parts: which samples are trained on and stopped by.
        settings: sizes and schedule.
        on_batch: called with the number of samples of each step.
        on_epoch: called after each pass.

    Raises:
        UsageError: the device cannot be used.
        InputError: the loss stopped being a number.
    """
    device = find_device(settings.device)

    def batch_loss(model: nn.Module, rows: Tensor) -> Tensor:
        counts = torch.from_numpy(samples[rows.numpy()])
        standard = standardise(counts, scale.mean, scale.deviation).to(device)
        return nn.functional.mse_loss(model(standard), standard)

    def validation_loss(model: nn.Module) -> float | None:
        if not len(parts.stop):
            return None
        assert isinstance(model, Autoencoder)  # noqa: S101 - what is fitted
        return float(score(model, samples, scale, parts.stop, device).mean())

    fitted = fit(
        lambda: Autoencoder(settings.channels, settings.steps, samples.shape[3]),
        len(parts.train),
        batch_loss,
        validation_loss,
        settings,
        on_batch,
        on_epoch,
    )
    return Trained(
        fitted.state_dict, fitted.epochs, fitted.best, fitted.threads, fitted.interrupted
    )


def score(
    model: Autoencoder, samples: np.ndarray, scale: Scale, chosen: range, device: torch.device
) -> np.ndarray:
    """Reconstruction errors of the chosen samples, float32 ``[n]``, by the module of the graph."""
    scorer = CountScorer(model, scale.mean, scale.deviation).to(device).eval()
    errors = [np.zeros(0, dtype=np.float32)]
    with torch.no_grad():
        for first in range(chosen.start, chosen.stop, _SCORING_BATCH):
            part = samples[first : min(first + _SCORING_BATCH, chosen.stop)]
            _, error, _ = scorer(torch.from_numpy(np.ascontiguousarray(part)).to(device))
            errors.append(error.cpu().numpy())
    return np.concatenate(errors)
