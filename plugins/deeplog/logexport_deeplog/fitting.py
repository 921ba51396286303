"""The embedding LSTM, fitted to the windows of one log. Same seed, same weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from logexport.training.loop import Epoch, find_device, fit, use_threads
from torch import Tensor, nn

from logexport_deeplog.model import EmbeddedEvents
from logexport_deeplog.settings import Settings
from logexport_deeplog.windows import Windows

_SCORING_BATCH = 1024


@dataclass(frozen=True)
class Trained:
    """What training gave.

    Args:
        state_dict: the weights of the best epoch, on the CPU.
        epochs: every pass that was made.
        best: the number of the epoch that the weights are of.
        threads, interrupted: see :class:`logexport.training.loop.Fitted`.
        ranks: int64, the rank of each held-out window's actual event.
    """

    state_dict: Mapping[str, Tensor]
    epochs: tuple[Epoch, ...]
    best: int
    threads: int
    interrupted: bool
    ranks: Tensor


def fit_model(
    windows: Windows,
    chosen: Tensor,
    held_out: Tensor,
    vocab_size: int,
    settings: Settings,
    on_batch: Callable[[int], None] = lambda _: None,
    on_epoch: Callable[[Epoch], None] = lambda _: None,
) -> Trained:
    """Fit a model that predicts the event after each window.

    Args:
        windows: of the whole log.
        chosen, held_out: numbers of the windows to train on, and to stop and report by.
        vocab_size: number of templates.
        settings: sizes and schedule.
        on_batch: called with the number of windows of each step.
        on_epoch: called after each pass.

    Raises:
        UsageError: the device cannot be used.
        InputError: the loss stopped being a number.
    """
    device = find_device(settings.device)

    def batch_loss(model: nn.Module, rows: Tensor) -> Tensor:
        events, actual = (tensor.to(device) for tensor in windows.take(chosen[rows]))
        return nn.functional.cross_entropy(model(events), actual)

    fitted = fit(
        lambda: EmbeddedEvents(
            vocab_size, settings.embed_dim, settings.hidden_dim, settings.num_layers
        ),
        len(chosen),
        batch_loss,
        lambda model: score(model, windows, held_out, device)[1],
        settings,
        on_batch,
        on_epoch,
    )
    with use_threads(fitted.threads):
        ranks, _ = score(fitted.model, windows, held_out, device)
    return Trained(
        fitted.state_dict,
        fitted.epochs,
        fitted.best,
        fitted.threads,
        fitted.interrupted,
        ranks,
    )


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
