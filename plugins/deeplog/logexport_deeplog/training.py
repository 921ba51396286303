"""Training of the embedding LSTM on the windows of one log. Same seed, same weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from logexport.errors import InputError, UsageError
from torch import Tensor, nn

from logexport_deeplog.model import EmbeddedEvents
from logexport_deeplog.windows import Windows

LARGEST_K = 20
_SCORING_BATCH = 1024


@dataclass(frozen=True)
class Settings:
    """How to train.

    Args:
        seq_len: events in a window.
        embed_dim, hidden_dim, num_layers: sizes of the model.
        epochs: at most so many passes over the windows.
        patience: passes without a lower held-out loss before training stops.
        learning_rate: Adam's.
        batch_size: windows in a step.
        holdout: share of the windows, or sessions, that is not trained on.
        seed: of the weights, the batches and the held-out sessions.
        device: a torch device, such as ``cpu`` or ``cuda``.
    """

    seq_len: int = 50
    embed_dim: int = 64
    hidden_dim: int = 128
    num_layers: int = 1
    epochs: int = 30
    patience: int = 5
    learning_rate: float = 0.002
    batch_size: int = 128
    holdout: float = 0.1
    seed: int = 0
    device: str = "cpu"


@dataclass(frozen=True)
class Epoch:
    """One pass: mean cross entropy, nats; ``held_out`` is None where nothing is held out."""

    number: int
    loss: float
    held_out: float | None


@dataclass(frozen=True)
class Trained:
    """What training gave.

    Args:
        state_dict: the weights of the best epoch, on the CPU.
        epochs: every pass that was made.
        best: the number of the epoch that the weights are of.
        flagged_share: by k from 1 to :data:`LARGEST_K`, the share of the held-out events that would
            be anomalies; empty where nothing is held out.
    """

    state_dict: Mapping[str, Tensor]
    epochs: tuple[Epoch, ...]
    best: int
    flagged_share: Mapping[int, float]


def train(
    windows: Windows,
    chosen: Tensor,
    held_out: Tensor,
    vocab_size: int,
    settings: Settings,
    on_batch: Callable[[int], None] = lambda _: None,
    on_epoch: Callable[[Epoch], None] = lambda _: None,
) -> Trained:
    """Train a model to predict the event after each window.

    Args:
        windows: of the whole log.
        chosen, held_out: numbers of the windows to train on, and to stop and report by.
        vocab_size: number of templates.
        settings: sizes and schedule.
        on_batch: called with the number of windows just trained on.
        on_epoch: called after each pass.

    Raises:
        UsageError: the device cannot be used.
        InputError: the loss stopped being a number.
    """
    device = _device(settings.device)
    order = torch.Generator().manual_seed(settings.seed)
    with _reproducible(settings.seed):
        model = EmbeddedEvents(
            vocab_size, settings.embed_dim, settings.hidden_dim, settings.num_layers
        ).to(device)
        optimizer = torch.optim.Adam(model.parameters(), lr=settings.learning_rate)
        epochs: list[Epoch] = []
        best, best_weights, lowest = 0, _copy(model), math.inf
        for number in range(1, settings.epochs + 1):
            shuffled = chosen[torch.randperm(len(chosen), generator=order)]
            loss = _one_pass(model, optimizer, windows, shuffled, settings, device, on_batch)
            _, held_out_loss = score(model, windows, held_out, device)
            epoch = Epoch(number, loss, held_out_loss)
            epochs.append(epoch)
            on_epoch(epoch)
            if not math.isfinite(loss + (held_out_loss or 0.0)):
                raise InputError(
                    f"training diverged: the loss of epoch {number} is {loss}",
                    f"Choose a smaller --learning-rate than {settings.learning_rate:g}.",
                )
            if held_out_loss is None or held_out_loss < lowest:
                best, best_weights = number, _copy(model)
                lowest = math.inf if held_out_loss is None else held_out_loss
            elif number - best >= settings.patience:
                break
        model.load_state_dict(best_weights)
        ranks, _ = score(model, windows, held_out, device)
    shares = {k: float((ranks >= k).double().mean()) for k in range(1, LARGEST_K + 1) if len(ranks)}
    return Trained(best_weights, tuple(epochs), best, shares)


def score(
    model: nn.Module, windows: Windows, chosen: Tensor, device: torch.device
) -> tuple[Tensor, float | None]:
    """Rank of each chosen window's actual event, int64, and the mean cross entropy (None of none).

    The rank is the number of logits greater than the actual event's.
    """
    ranks, total = [torch.zeros(0, dtype=torch.int64)], 0.0
    model.eval()
    with torch.no_grad():
        for part in torch.split(chosen, _SCORING_BATCH):
            if len(part) == 0:
                break
            events, actual = (tensor.to(device) for tensor in windows.take(part))
            logits = model(events)
            own = logits.gather(1, actual.unsqueeze(1))
            ranks.append((logits > own).sum(dim=1).cpu())
            total += float(nn.functional.cross_entropy(logits, actual, reduction="sum"))
    return torch.cat(ranks), total / len(chosen) if len(chosen) else None


def _one_pass(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    windows: Windows,
    shuffled: Tensor,
    settings: Settings,
    device: torch.device,
    on_batch: Callable[[int], None],
) -> float:
    model.train()
    total = 0.0
    for part in torch.split(shuffled, settings.batch_size):
        events, actual = (tensor.to(device) for tensor in windows.take(part))
        loss = nn.functional.cross_entropy(model(events), actual)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        total += float(loss.detach()) * len(part)
        on_batch(len(part))
    return total / len(shuffled)


def _device(name: str) -> torch.device:
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
