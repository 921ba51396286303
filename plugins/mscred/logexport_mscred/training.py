"""Training of the autoencoder on the samples of one log. Same seed, same weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from logexport.errors import InputError, UsageError
from torch import Tensor, nn

from logexport_mscred.model import CHANNELS, Autoencoder, CountScorer, standardise
from logexport_mscred.parts import Parts

_SCORING_BATCH = 64


@dataclass(frozen=True)
class Settings:
    """How to train.

    Args:
        steps: windows in a sample.
        channels: of the encoder's blocks.
        epochs: at most so many passes over the samples.
        patience: passes without a lower loss on the part to stop by before training stops.
        learning_rate: Adam's.
        batch_size: samples in a step.
        holdout: share of the samples that thresholds are taken from.
        seed: of the weights and the batches.
        device: a torch device, such as ``cpu`` or ``cuda``.
    """

    steps: int = 20
    channels: tuple[int, int, int] = CHANNELS
    epochs: int = 50
    patience: int = 5
    learning_rate: float = 0.001
    batch_size: int = 32
    holdout: float = 0.2
    seed: int = 0
    device: str = "cpu"


@dataclass(frozen=True)
class Epoch:
    """One pass: mean squared errors; ``stop`` is None where the log has no part to stop by."""

    number: int
    loss: float
    stop: float | None


@dataclass(frozen=True)
class Trained:
    """What training gave: weights of the best epoch on the CPU, every pass, the best's number."""

    state_dict: Mapping[str, Tensor]
    epochs: tuple[Epoch, ...]
    best: int


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


def train(
    samples: np.ndarray,
    scale: Scale,
    parts: Parts,
    settings: Settings,
    on_batch: Callable[[int], None] = lambda _: None,
    on_epoch: Callable[[Epoch], None] = lambda _: None,
) -> Trained:
    """Train a network to reconstruct standardised counts.

    Args:
        samples: float32 ``[samples, 1, steps, features]``, raw counts.
        scale: of the training part.
        parts: which samples are trained on and stopped by.
        settings: sizes and schedule.
        on_batch: called with the number of samples just trained on.
        on_epoch: called after each pass.

    Raises:
        UsageError: the device cannot be used.
        InputError: the loss stopped being a number.
    """
    device = find_device(settings.device)
    order = torch.Generator().manual_seed(settings.seed)
    with _reproducible(settings.seed):
        model = Autoencoder(settings.channels, settings.steps, samples.shape[3]).to(device)
        optimizer = torch.optim.Adam(model.parameters(), lr=settings.learning_rate)
        epochs: list[Epoch] = []
        best, best_weights, lowest = 0, _copy(model), math.inf
        for number in range(1, settings.epochs + 1):
            shuffled = torch.randperm(len(parts.train), generator=order)
            loss = _one_pass(model, optimizer, samples, scale, shuffled, settings, device, on_batch)
            stop = None
            if len(parts.stop):
                stop = float(score(model, samples, scale, parts.stop, device).mean())
            epochs.append(Epoch(number, loss, stop))
            on_epoch(epochs[-1])
            judged = loss if stop is None else stop
            if not math.isfinite(loss + judged):
                raise InputError(
                    f"training diverged: the loss of epoch {number} is {loss}",
                    f"Choose a smaller --learning-rate than {settings.learning_rate:g}.",
                )
            if judged < lowest:
                best, best_weights, lowest = number, _copy(model), judged
            elif number - best >= settings.patience:
                break
    return Trained(best_weights, tuple(epochs), best)


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


def _one_pass(
    model: Autoencoder,
    optimizer: torch.optim.Optimizer,
    samples: np.ndarray,
    scale: Scale,
    shuffled: Tensor,
    settings: Settings,
    device: torch.device,
    on_batch: Callable[[int], None],
) -> float:
    model.train()
    total = 0.0
    for part in torch.split(shuffled, settings.batch_size):
        counts = torch.from_numpy(samples[part.numpy()])
        standard = standardise(counts, scale.mean, scale.deviation).to(device)
        loss = nn.functional.mse_loss(model(standard), standard)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        total += float(loss.detach()) * len(part)
        on_batch(len(part))
    return total / len(shuffled)


def find_device(name: str) -> torch.device:
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UsageError(
            f"the device {name!r} cannot be used: {reason}", "Choose another --device, such as cpu."
        ) from error
    return device


@contextmanager
def _reproducible(seed: int) -> Iterator[None]:
    """Seeded random numbers and deterministic kernels, and the caller's afterwards."""
    before = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        # The kernels used here are deterministic on the CPU; elsewhere torch warns where not.
        torch.use_deterministic_algorithms(True, warn_only=True)
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(before, warn_only=warn_only)


def _copy(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().clone() for name, tensor in model.state_dict().items()}
