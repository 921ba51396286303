"""``logexport deeplog train``: from sequences.parquet to a checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from logexport.checkpoints import check_checkpoint_path, save_checkpoint
from logexport.errors import InputError, UsageError
from logexport.training.loop import Epoch, training_record
from logexport.vocab import load_vocab

from logexport_deeplog.checkpoints import MAX_SEQ_LEN, PUBLISHED
from logexport_deeplog.fitting import fit_model
from logexport_deeplog.sequences import load_events
from logexport_deeplog.settings import Settings
from logexport_deeplog.windows import Windows, make_windows, split

TOO_SHORT_SHARE = 0.2
"""Share of events or sessions in sessions that are never judged, above which training warns."""


@dataclass(frozen=True)
class TrainResult:
    """What was trained, from what, and how well it does on what it was not trained on.

    Args:
        checkpoint: the file written.
        vocab_size, seq_len, top_k, parameters: of the model.
        epochs: every pass; ``best_epoch`` is the one that was kept.
        events, unseen_lines, sessions: in the log.
        trained_windows, held_out_windows: how many; ``held_out_by`` is ``sessions``, ``end`` (the
            last part of the log) or ``nothing``.
        flagged_share: by k, of the held-out events.
        warnings: sentences for the user.
    """

    checkpoint: Path
    vocab_size: int
    seq_len: int
    top_k: int
    parameters: int
    epochs: tuple[Epoch, ...]
    best_epoch: int
    events: int
    unseen_lines: int
    sessions: int
    trained_windows: int
    held_out_windows: int
    held_out_by: str
    flagged_share: Mapping[int, float]
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
        top_k: the k that the checkpoint recommends; None for 9, or one less than the vocabulary
            where that is smaller.
        on_plan, on_batch, on_epoch: progress.

    Raises:
        InputError: the files do not belong together, or hold no window to train on.
        UsageError: settings that cannot be used with this vocabulary or machine.
        OutputError: the checkpoint cannot be written.
    """
    check_checkpoint_path(output)
    if settings.seq_len > MAX_SEQ_LEN:
        raise UsageError(f"windows of more than {MAX_SEQ_LEN} events are not supported")
    vocabulary = load_vocab(vocab)
    top_k = _top_k(vocab, len(vocabulary), top_k)
    data = load_events(sequences, vocabulary, vocab)
    windows = make_windows(data.events, settings.seq_len, vocabulary.unknown)
    if len(windows) == 0:
        raise InputError(
            f"{sequences} has no session of more than {settings.seq_len} events: nothing to train "
            f"on (the {windows.sessions} sessions have {windows.events} events)",
            "Choose a smaller --seq-len, build without --session-by, or train on a longer log.",
        )
    chosen, held_out, held_out_by = split(windows, settings.holdout, settings.seed)
    warnings = _warnings(windows, settings, len(held_out))
    on_plan(Plan(len(chosen), len(held_out), warnings))
    trained = fit_model(windows, chosen, held_out, len(vocabulary), settings, on_batch, on_epoch)
    result = TrainResult(
        checkpoint=output,
        vocab_size=len(vocabulary),
        seq_len=settings.seq_len,
        top_k=top_k,
        parameters=sum(tensor.numel() for tensor in trained.state_dict.values()),
        epochs=trained.epochs,
        best_epoch=trained.best,
        events=windows.events,
        unseen_lines=windows.unseen,
        sessions=windows.sessions,
        trained_windows=len(chosen),
        held_out_windows=len(held_out),
        held_out_by=held_out_by,
        flagged_share=trained.flagged_share,
        warnings=warnings,
    )
    save_checkpoint(
        output,
        trained.state_dict,
        {
            "vocab_size": len(vocabulary),
            "seq_len": settings.seq_len,
            "embed_dim": settings.embed_dim,
            "hidden_dim": settings.hidden_dim,
            "num_layers": settings.num_layers,
            "top_k": top_k,
            "vocab_sha256": vocabulary.sha256(),
        },
        training_record(settings, result, data.rules),
    )
    return result


def _top_k(vocab: Path, size: int, wanted: int | None) -> int:
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
    return min(PUBLISHED["logexport"].top_k, size - 1) if wanted is None else wanted


def _warnings(windows: Windows, settings: Settings, held_out: int) -> tuple[str, ...]:
    warnings = []
    events = windows.short_events / windows.events
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
