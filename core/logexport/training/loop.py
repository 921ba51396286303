"""The training loop that ``train`` commands share: seeded, reproducible, stopped early.

What a batch's loss is, and what validation means, is the model's. Importing this module does not
import torch: a plugin's settings extend :class:`Schedule`, and its commands take their options from
them (:func:`logexport.cli.plugin_commands.schedule_options`).
"""

from __future__ import annotations

import copy
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from logexport.errors import InputError, UsageError
from logexport.threads import use_threads

if TYPE_CHECKING:
    import torch
    from _typeshed import DataclassInstance
    from torch import Tensor, nn

__all__ = [
    "Epoch",
    "Fitted",
    "Schedule",
    "count_processors",
    "find_device",
    "fit",
    "training_record",
    "use_threads",
]

_QUICK_STEP = 0.1
"""Seconds of a training step that one thread is kept for, whatever others would take."""
_WORTHWHILE = 2 / 3
"""Share of one thread's time that several threads must not exceed to be taken."""
_TIMED_STEPS = 3


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to train.

    Args:
        epochs: at most so many passes.
        patience: passes without a lower validation loss before training stops.
        learning_rate: Adam's.
        batch_size: rows in a step.
        seed: of the weights and of the order of rows.
        device: a torch device, such as ``cpu`` or ``cuda``.
        threads: that torch computes with on the CPU; None for one, or for torch's own number where
            that is measured to be worth it.
    """

    epochs: int
    patience: int
    learning_rate: float
    batch_size: int
    seed: int = 0
    device: str = "cpu"
    threads: int | None = None


@dataclass(frozen=True)
class Epoch:
    """One pass: the mean loss of what is trained on, and of what is not (None where all is)."""

    number: int
    loss: float
    validation_loss: float | None


@dataclass(frozen=True)
class Fitted:
    """What training gave.

    Args:
        model: on its device, with the weights of the best epoch.
        state_dict: those weights, on the CPU.
        epochs: every pass that was made.
        best: the number of the epoch that the weights are of.
        threads: that torch computed with.
        interrupted: whether SIGINT ended it before the schedule did.
    """

    model: nn.Module
    state_dict: Mapping[str, Tensor]
    epochs: tuple[Epoch, ...]
    best: int
    threads: int
    interrupted: bool


def fit(
    make_model: Callable[[], nn.Module],
    rows: int,
    batch_loss: Callable[[nn.Module, Tensor], Tensor],
    validation_loss: Callable[[nn.Module], float | None],
    schedule: Schedule,
    on_batch: Callable[[int], None] = lambda _: None,
    on_epoch: Callable[[Epoch], None] = lambda _: None,
) -> Fitted:
    """Train a model; the same arguments and number of threads give the same weights, to the bit, on
    one machine.

    SIGINT ends the training once an epoch is done, and the best epoch so far is given; before that
    it is raised.

    Args:
        make_model: makes it; called once, with random numbers seeded.
        rows: how many there are to train on.
        batch_loss: the mean loss, scalar, of the rows whose numbers (int64 ``[n]``) it is given.
        validation_loss: the mean loss of what is not trained on, by which training stops; None
            where nothing is: then the last epoch is taken. Called after each pass.
        schedule: how long and how fast.
        on_batch: called with the number of rows just trained on.
        on_epoch: called after each pass.

    Raises:
        UsageError: the device cannot be used.
        InputError: the loss stopped being a number.
        KeyboardInterrupt: SIGINT came before the first epoch was done.
    """
    import torch

    device = find_device(schedule.device)
    order = torch.Generator().manual_seed(schedule.seed)
    with _reproducible(schedule.seed):
        model = make_model().to(device)
        threads = schedule.threads
        if threads is None:
            few = torch.arange(min(rows, schedule.batch_size))
            threads = _choose_threads(model, few, batch_loss)
        optimizer = torch.optim.Adam(model.parameters(), lr=schedule.learning_rate)
        epochs: list[Epoch] = []
        kept, lowest, interrupted = _Kept(0, _copy(model)), math.inf, False
        with use_threads(threads):
            try:
                for number in range(1, schedule.epochs + 1):
                    shuffled = torch.randperm(rows, generator=order)
                    model.train()
                    loss = _one_pass(model, optimizer, shuffled, batch_loss, schedule, on_batch)
                    model.eval()
                    validation = validation_loss(model)
                    epochs.append(Epoch(number, loss, validation))
                    on_epoch(epochs[-1])
                    if not math.isfinite(loss + (validation or 0.0)):
                        raise InputError(
                            f"training diverged: the loss of epoch {number} is {loss}",
                            f"Choose a smaller --learning-rate than {schedule.learning_rate:g}.",
                        )
                    if validation is None or validation < lowest:
                        kept = _Kept(number, _copy(model))
                        lowest = math.inf if validation is None else validation
                    elif number - kept.number >= schedule.patience:
                        break
            except KeyboardInterrupt:
                if kept.number == 0:
                    raise
                interrupted = True
        model.load_state_dict(kept.weights)
        model.eval()
    return Fitted(model, kept.weights, tuple(epochs), kept.number, threads, interrupted)


class _Kept(NamedTuple):
    """The best epoch so far, in one piece: SIGINT may come between any two statements."""

    number: int
    weights: dict[str, Tensor]


def _choose_threads(
    model: nn.Module, rows: Tensor, batch_loss: Callable[[nn.Module, Tensor], Tensor]
) -> int:
    """One thread, or torch's own number if steps of training are measured to be worth it.

    Torch starts a thread a processor, and in every operation they wait for each other. Measured on
    two processors that other programs used too, steps of the default sizes took 0.6 to 1.1 times
    as long on one thread as on two, and quick ones a twelfth.
    """
    import torch

    many = min(torch.get_num_threads(), count_processors())
    if many == 1 or len(rows) == 0 or next(model.parameters()).device.type != "cpu":
        return 1
    trial = copy.deepcopy(model).train()

    def time_step(threads: int) -> float:
        with use_threads(threads):
            begun = time.perf_counter()
            batch_loss(trial, rows).backward()  # type: ignore[no-untyped-call]
            trial.zero_grad(set_to_none=True)
            return time.perf_counter() - begun

    with torch.random.fork_rng(devices=()):
        time_step(1)  # the first one allocates
        if time_step(1) < _QUICK_STEP:
            return 1
        time_step(many)
        pairs = [(time_step(1), time_step(many)) for _ in range(_TIMED_STEPS)]
    one, several = zip(*pairs, strict=True)
    return many if max(several) <= _WORTHWHILE * min(one) else 1


def count_processors() -> int:
    """How many this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _one_pass(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    shuffled: Tensor,
    batch_loss: Callable[[nn.Module, Tensor], Tensor],
    schedule: Schedule,
    on_batch: Callable[[int], None],
) -> float:
    import torch

    total = 0.0
    for part in torch.split(shuffled, schedule.batch_size):
        loss = batch_loss(model, part)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        total += float(loss.detach()) * len(part)
        on_batch(len(part))
    return total / len(shuffled)


def find_device(name: str) -> torch.device:
    """A torch device by name, tried.

    Raises:
        UsageError: it cannot be used here.
    """
    import torch

    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UsageError(
            f"the device {name!r} cannot be used: {reason}", "Choose another --device, such as cpu."
        ) from error
    return device


def training_record(
    settings: DataclassInstance, result: DataclassInstance, preprocess: Mapping[str, Any] | None
) -> dict[str, Any]:
    """What a checkpoint keeps of its training: who wrote it, how it was trained, what came of it.
    For the ``settings`` of :func:`logexport.checkpoints.save_checkpoint`.

    Args:
        settings: how it was trained.
        result: what came of it; its ``checkpoint``, a path, is left out.
        preprocess: the document of the rules of the training log, or None where it is not known.
    """
    from logexport.version import __version__

    outcome = {name: value for name, value in asdict(result).items() if name != "checkpoint"}
    return {
        "written_by": f"logexport {__version__}",
        "training": asdict(settings),
        "preprocess": preprocess,
        **outcome,
    }


@contextmanager
def _reproducible(seed: int) -> Iterator[None]:
    """Seeded random numbers and deterministic kernels, and the caller's afterwards."""
    import torch

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
