"""``logexport deeplog train``: from sequences.parquet to a checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from logexport.checkpoints import check_checkpoint_path, save_checkpoint
from logexport.errors import InputError, UsageError
from logexport.training.loop import Epoch, training_record
from logexport.types import Vocabulary
from logexport.vocab import load_vocab

from logexport_deeplog.build import END, START
from logexport_deeplog.checkpoints import MAX_SEQ_LEN, PUBLISHED
from logexport_deeplog.curves import Curve, make_curve
from logexport_deeplog.fitting import fit_model
from logexport_deeplog.sequences import load_events
from logexport_deeplog.settings import Settings
from logexport_deeplog.windows import Boundaries, Windows, make_windows, split

TOO_SHORT_SHARE = 0.2
"""Share of events or sessions in sessions that are never judged, above which training warns."""


@dataclass(frozen=True)
class TrainResult:
    """What was trained, from what, and how well it does on what it was not trained on.

    Args:
        checkpoint: the file written.
        vocab_size, seq_len, top_k, parameters: of the model.
        top_k_by: ``option``; ``budget``; ``nearest``, if no k is within the budget; ``default``, if
            nothing is held out.
        start, end: the reserved entries that sessions begin and end with, or None.
        ends_trained: how many ends of sessions were trained on.
        epochs: every pass; ``best_epoch`` is the one that was kept.
        threads: that torch computed with; ``interrupted``: whether SIGINT ended the training.
        events, unseen_lines, sessions: in the log.
        trained_windows, held_out_windows: how many; ``held_out_by`` is ``sessions``, ``end`` (the
            last part of the log) or ``nothing``.
        held_out_sessions: how many are held out whole; ``held_out_unseen`` of them have a line that
            matches no template, which is an anomaly whatever k is.
        false_alarms: the budget, a share of the held-out sessions, or of the held-out events if no
            sessions are held out whole.
        flagged_share: by k, of the held-out events; ``flagged_sessions``: of the held-out sessions,
            those with such an event.
        warnings: sentences for the user.
    """

    checkpoint: Path
    vocab_size: int
    seq_len: int
    top_k: int
    top_k_by: str
    start: int | None
    end: int | None
    ends_trained: int
    parameters: int
    epochs: tuple[Epoch, ...]
    best_epoch: int
    threads: int
    interrupted: bool
    events: int
    unseen_lines: int
    sessions: int
    trained_windows: int
    held_out_windows: int
    held_out_by: str
    held_out_sessions: int
    held_out_unseen: int
    false_alarms: float | None
    flagged_share: Mapping[int, float]
    flagged_sessions: Mapping[int, float]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """What is known before the first epoch, for a progress display."""

    trained_windows: int
    held_out_windows: int
    warnings: tuple[str, ...]


def train_deeplog(
    sequences: Path,
    vocab: Path,
    output: Path,
    settings: Settings,
    top_k: int | None = None,
    false_alarms: float | None = None,
    on_plan: Callable[[Plan], None] = lambda _: None,
    on_batch: Callable[[int], None] = lambda _: None,
    on_epoch: Callable[[Epoch], None] = lambda _: None,
) -> TrainResult:
    """Train on the events of a log and write the checkpoint.

    Args:
        sequences: ``sequences.parquet``.
        vocab: the vocabulary that it was made with.
        output: ``.pth``, ``.pt`` or ``.safetensors``; replaced only when training is done.
        settings: sizes and schedule.
        top_k: the k that the checkpoint recommends; None for the smallest one within the budget,
            or, if nothing is held out, for 9 or one less than the vocabulary.
        false_alarms: the budget, see :mod:`logexport.training.budgets`; None for the default one.
        on_plan, on_batch, on_epoch: progress.

    Raises:
        InputError: the files do not belong together, or hold no window to train on.
        UsageError: settings that cannot be used with this vocabulary or machine.
        OutputError: the checkpoint cannot be written.
        KeyboardInterrupt: SIGINT came before the first epoch was done, or while the result was
            made; nothing is written then.
    """
    check_checkpoint_path(output)
    if settings.seq_len > MAX_SEQ_LEN:
        raise UsageError(f"windows of more than {MAX_SEQ_LEN} events are not supported")
    vocabulary = load_vocab(vocab)
    _check_k(vocab, len(vocabulary), top_k)
    data = load_events(sequences, vocabulary, vocab)
    boundaries = data.boundaries
    windows = make_windows(data.events, settings.seq_len, vocabulary.unknown, boundaries)
    if len(windows) == 0:
        raise InputError(
            f"{sequences} has no session of more than {settings.seq_len} events: nothing to train "
            f"on (the {windows.sessions} sessions have {windows.events} events)",
            "Choose a smaller --seq-len, build without --session-by, or train on a longer log.",
        )
    parts = split(windows, settings.holdout, settings.seed)
    if false_alarms is not None and top_k is None and not len(parts.held_out):
        raise UsageError(
            f"--false-alarms {false_alarms:g} cannot be met: nothing of {sequences} is held out to"
            " count them",
            "Leave it out, or hold out more by --holdout; a longer log may be needed.",
        )
    warnings = _warnings(windows, settings, len(parts.held_out), vocabulary, boundaries)
    on_plan(Plan(len(parts.train), len(parts.held_out), warnings))
    trained = fit_model(
        windows, parts.train, parts.held_out, len(vocabulary), settings, on_batch, on_epoch
    )
    curve = make_curve(windows, parts, trained.ranks, false_alarms)
    k, k_by, k_warnings = _settle_k(len(vocabulary), windows, curve, top_k)
    ends = 0
    if boundaries is not None:
        ends = int((windows.targets(parts.train) == boundaries.end).sum())
    result = TrainResult(
        checkpoint=output,
        vocab_size=len(vocabulary),
        seq_len=settings.seq_len,
        top_k=k,
        top_k_by=k_by,
        start=None if boundaries is None else boundaries.start,
        end=None if boundaries is None else boundaries.end,
        ends_trained=ends,
        parameters=sum(tensor.numel() for tensor in trained.state_dict.values()),
        epochs=trained.epochs,
        best_epoch=trained.best,
        threads=trained.threads,
        interrupted=trained.interrupted,
        events=windows.events,
        unseen_lines=windows.unseen,
        sessions=windows.sessions,
        trained_windows=len(parts.train),
        held_out_windows=len(parts.held_out),
        held_out_by=parts.by,
        held_out_sessions=len(parts.sessions),
        held_out_unseen=0 if curve is None else curve.with_unseen,
        false_alarms=None if curve is None else curve.budget.share,
        flagged_share={} if curve is None else curve.flagged(curve.ranks, k),
        flagged_sessions={} if curve is None else curve.flagged(curve.worst, k),
        warnings=(*warnings, *k_warnings),
    )
    bounds = {} if boundaries is None else {**asdict(boundaries), "ends_trained": ends}
    save_checkpoint(
        output,
        trained.state_dict,
        {
            "vocab_size": len(vocabulary),
            "seq_len": settings.seq_len,
            "embed_dim": settings.embed_dim,
            "hidden_dim": settings.hidden_dim,
            "num_layers": settings.num_layers,
            "top_k": k,
            "vocab_sha256": vocabulary.sha256(),
            **bounds,
        },
        training_record(settings, result, data.rules),
    )
    return result


def _check_k(vocab: Path, size: int, wanted: int | None) -> None:
    if size < 2:
        raise InputError(
            f"{vocab} has one entry: with one kind of event none can be a surprise",
            "Parse a log with more kinds of lines, or with more of its masks switched off.",
        )
    if wanted is not None and wanted >= size:
        raise UsageError(
            f"--top-k {wanted} is not smaller than the vocabulary ({size} entries): no event could "
            "ever be an anomaly",
            "Choose a smaller one.",
        )


def _settle_k(
    size: int, windows: Windows, curve: Curve | None, wanted: int | None
) -> tuple[int, str, tuple[str, ...]]:
    """The k, where it is from, and what to warn of."""
    warnings = [] if curve is None else list(_budget_warnings(curve))
    if wanted is not None:
        k, k_by = wanted, "option"
        warnings.clear()  # of a budget that is not asked for
    elif curve is None:
        k, k_by = min(PUBLISHED["logexport"].top_k, size - 1), "default"
    else:
        k, k_by = min(curve.choose_k(), size - 1), "budget"
        if curve.share_at(k) > curve.budget.share:
            k_by = "nearest"
            warnings.append(
                f"A budget of {curve.budget.share:.3g} of the {curve.budget.unit} cannot be met:"
                f" the nearest is {curve.share_at(k):.3g}, at k = {k}, which is the largest one for"
                f" {size} entries."
            )
    occur = len(np.unique(windows.targets(torch.arange(len(windows))).numpy()))
    if 2 * k >= occur:
        warnings.append(
            f"k = {k} is at least half of the {occur} events that ever occur: an event is an"
            f" anomaly only if {k} of them are likelier, so that few troubles are found. A smaller"
            " --top-k, a larger --false-alarms or a longer training log finds more."
        )
    return k, k_by, tuple(warnings)


def _budget_warnings(curve: Curve) -> Iterator[str]:
    yield from curve.budget.find_warnings()
    if curve.with_unseen > curve.budget.allowed:
        yield (
            f"{curve.with_unseen:,} of the {curve.budget.total:,} held-out sessions have lines that"
            " match no template, and are anomalies whatever k is: more than the budget allows. k is"
            " chosen without them; a vocabulary of this log's own templates knows its lines."
        )


def _warnings(
    windows: Windows,
    settings: Settings,
    held_out: int,
    vocabulary: Vocabulary,
    boundaries: Boundaries | None,
) -> tuple[str, ...]:
    warnings = []
    if boundaries is None and vocabulary.reserved.keys() >= {START, END}:
        warnings.append(
            "The vocabulary reserves a start and an end, but the sequences have none: the model is"
            " not trained on how sessions begin and end. Build them with --session-by and a"
            " pattern for that."
        )
    events = windows.short_events / max(windows.events, 1)
    sessions = windows.short_sessions / windows.sessions
    if max(events, sessions) > TOO_SHORT_SHARE:
        warnings.append(
            f"{windows.short_sessions:,} of {windows.sessions:,} sessions, with "
            f"{windows.short_events:,} of {windows.events:,} events, are too short for a window of "
            f"{settings.seq_len} and can never be judged; a smaller --seq-len judges more."
        )
    if held_out == 0 and settings.holdout > 0:
        warnings.append(
            "The log is too short to hold a part of it out: training cannot stop early, and how "
            "many normal events are flagged is not known."
        )
    return tuple(warnings)
