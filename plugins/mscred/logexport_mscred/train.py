"""``logexport mscred train``: from window_counts.parquet to a checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from logexport.checkpoints import check_checkpoint_path, save_checkpoint
from logexport.errors import InputError, UsageError
from logexport.training.budgets import OF_OTHERS, Budget
from logexport.training.loop import Epoch, find_device, training_record, use_threads

from logexport_mscred.checkpoints import DEVIATION, LARGEST_SIDE, MEAN
from logexport_mscred.counts import WindowCounts, read_counts
from logexport_mscred.fitting import Scale, fit_model, score
from logexport_mscred.model import ARCHITECTURE, KERNELS, SMALLEST_SIDE, Autoencoder
from logexport_mscred.parts import Parts, divide
from logexport_mscred.settings import Settings
from logexport_mscred.thresholds import NAMES, curve_of, needed, thresholds_of


@dataclass(frozen=True)
class TrainResult:
    """What was trained, from what, and what it makes of windows that it was not trained on.

    Args:
        checkpoint: the file written.
        num_templates, steps, lines, stride, parameters: of the model.
        epochs: every pass; ``best_epoch`` is the one that was kept.
        threads: that torch computed with; ``interrupted``: whether SIGINT ended the training.
        constant_columns: templates whose count never varied in the training part; deviation 1.
        windows: samples of the log; ``trained_windows``, ``stop_windows`` and ``held_out_windows``
            are those of each part, ``gap`` the samples left out between two parts.
        false_alarms: the budget, a share of the held-out samples.
        thresholds: by name, of the held-out part; those that it is too small for are not there.
        curve: by a share of the held-out samples, the threshold that at most so many exceed.
        warnings: sentences for the user.
    """

    checkpoint: Path
    num_templates: int
    steps: int
    lines: int
    stride: int
    parameters: int
    epochs: tuple[Epoch, ...]
    best_epoch: int
    threads: int
    interrupted: bool
    constant_columns: int
    windows: int
    trained_windows: int
    stop_windows: int
    held_out_windows: int
    gap: int
    false_alarms: float
    thresholds: Mapping[str, float]
    curve: Mapping[float, float]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """What is known before the first epoch, for a progress display."""

    parts: Parts
    constant_columns: int
    warnings: tuple[str, ...]


def train_mscred(
    window_counts: Path,
    output: Path,
    settings: Settings,
    false_alarms: float | None = None,
    on_plan: Callable[[Plan], None] = lambda _: None,
    on_batch: Callable[[int], None] = lambda _: None,
    on_epoch: Callable[[Epoch], None] = lambda _: None,
) -> TrainResult:
    """Train on the counts of a log and write the checkpoint.

    Args:
        window_counts: ``window_counts.parquet``, logexport's or alog-detect's.
        output: ``.pth``, ``.pt`` or ``.safetensors``; replaced only when training is done.
        settings: sizes and schedule.
        false_alarms: the budget, see :mod:`logexport.training.budgets`; None for the default one.
        on_plan, on_batch, on_epoch: progress.

    Raises:
        InputError: the file cannot be read, or is too short or too narrow to train on.
        UsageError: settings that cannot be used.
        OutputError: the checkpoint cannot be written.
        KeyboardInterrupt: SIGINT came before the first epoch was done, or while the result was
            made; nothing is written then.
    """
    _check(output, settings)
    data = read_counts(window_counts)
    samples = data.samples(settings.steps)
    _check_data(data, len(samples), settings)
    parts = divide(len(samples), settings.steps, data.lines, data.stride, settings.holdout)
    if false_alarms is not None and not len(parts.held_out):
        raise UsageError(
            f"--false-alarms {false_alarms:g} cannot be met: nothing of {window_counts} is held out"
            " to count them",
            "Leave it out, or hold out more by --holdout; a longer log may be needed.",
        )
    total = len(parts.held_out)
    budget = Budget(false_alarms or OF_OTHERS, total, "windows", false_alarms is None)
    scale = Scale.of(data.counts[parts.train_rows])
    warnings = (*_warnings(parts, settings, scale, data), *budget.find_warnings())
    on_plan(Plan(parts, scale.constant, warnings))
    trained = fit_model(samples, scale, parts, settings, on_batch, on_epoch)
    model = Autoencoder(settings.channels, settings.steps, data.features)
    model.load_state_dict(dict(trained.state_dict))
    # On the CPU, where detection runs, whatever device trained.
    with use_threads(trained.threads):
        scores = score(model, samples, scale, parts.held_out, find_device("cpu"))
    result = TrainResult(
        checkpoint=output,
        num_templates=data.features,
        steps=settings.steps,
        lines=data.lines,
        stride=data.stride,
        parameters=sum(tensor.numel() for tensor in model.parameters()),
        epochs=trained.epochs,
        best_epoch=trained.best,
        threads=trained.threads,
        interrupted=trained.interrupted,
        constant_columns=scale.constant,
        windows=len(samples),
        trained_windows=len(parts.train),
        stop_windows=len(parts.stop),
        held_out_windows=len(parts.held_out),
        gap=parts.gap,
        false_alarms=budget.share,
        thresholds=thresholds_of(scores, budget),
        curve=curve_of(scores),
        warnings=warnings,
    )
    save_checkpoint(
        output,
        {**trained.state_dict, MEAN: scale.mean, DEVIATION: scale.deviation},
        {
            "architecture": ARCHITECTURE,
            "num_templates": data.features,
            "steps": settings.steps,
            "lines": data.lines,
            "stride": data.stride,
            "vocab_sha256": data.vocab_sha256,
        },
        training_record(settings, result, data.rules),
    )
    return result


def _check(output: Path, settings: Settings) -> None:
    check_checkpoint_path(output)
    if not SMALLEST_SIDE <= settings.steps <= LARGEST_SIDE:
        raise UsageError(
            f"{settings.steps} windows in a sample are not from {SMALLEST_SIDE} to {LARGEST_SIDE}",
            "Choose another --window-size.",
        )
    if min(settings.channels) < len(KERNELS):
        raise UsageError(
            f"a block cannot have {min(settings.channels)} channels: it has {len(KERNELS)} parallel"
            " convolutions",
            f"Choose {len(KERNELS)} or more for each of --channels.",
        )


def _check_data(data: WindowCounts, samples: int, settings: Settings) -> None:
    if not SMALLEST_SIDE <= data.features <= LARGEST_SIDE:
        raise InputError(
            f"{data.path} counts {data.features} templates; the network takes from {SMALLEST_SIDE}"
            f" to {LARGEST_SIDE}",
            "Parse a log with more kinds of lines, or with more of its masks switched off.",
        )
    if samples < 2:
        raise InputError(
            f"{data.path} has {len(data.counts)} windows: too few for two samples of"
            f" {settings.steps}",
            "Choose a smaller --window-size, build with smaller --lines, or take a longer log.",
        )


def _warnings(
    parts: Parts, settings: Settings, scale: Scale, data: WindowCounts
) -> tuple[str, ...]:
    warnings = []
    if scale.constant:
        warnings.append(
            f"{scale.constant} of {data.features} templates have the same count in every window of"
            " the training part; their deviation is taken as 1."
        )
    if not len(parts.held_out):
        if settings.holdout > 0:
            warnings.append(
                "The log is too short to hold a part of it out: the checkpoint has no thresholds,"
                " and an export needs --threshold with a number."
            )
        return tuple(warnings)
    missing = [name for name in NAMES if len(parts.held_out) < needed(name)]
    if missing:
        warnings.append(
            f"{len(parts.held_out):,} held-out windows are too few for {' and '.join(missing)}"
            f" (at least {', '.join(f'{needed(name):,}' for name in missing)})."
        )
    if not len(parts.stop):
        warnings.append(
            "The log is too short for a part to stop by: training stops when its own loss no longer"
            " falls."
        )
    return tuple(warnings)
