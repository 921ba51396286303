"""``logexport ecvc train``: from session_counts.parquet to a checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from logexport.checkpoints import check_checkpoint_path, save_checkpoint
from logexport.errors import InputError, UsageError
from logexport.training.budgets import Budget
from logexport.training.loop import count_processors, training_record
from logexport.vocab import load_vocab

from logexport_ecvc.budget import HeldOut, Point, choose, judge_held_out
from logexport_ecvc.checkpoints import LARGEST_FEATURES, MOST_CELLS
from logexport_ecvc.counts import SessionCounts, read_about, read_counts
from logexport_ecvc.model import ARCHITECTURE
from logexport_ecvc.settings import DEFAULT, Settings

LEAST_SESSIONS = 2


@dataclass(frozen=True)
class TrainResult:
    """What was trained, from what, and what it makes of sessions that it was not trained on.

    Args:
        checkpoint: the file written.
        feature_dim: columns: the vocabulary's size plus one.
        sessions: of the training; ``distinct`` of their vectors differ.
        vectors: how many of these are kept.
        largest_distance: of a vector that is not kept from the nearest that is; 0 if all are.
        not_kept_flagged: sessions of the training whose vector is not kept and that is farther than
            the budget's threshold from the nearest one.
        known: columns that any session has.
        shortest, longest: the fewest and the most lines of a session.
        false_alarms: the budget.
        held_out_sessions: how many the thresholds are taken from; each is judged by the others.
        thresholds: by name.
        curve: each rate's threshold, and how many held-out sessions it flags in each way.
        warnings: sentences for the user.
    """

    checkpoint: Path
    feature_dim: int
    sessions: int
    distinct: int
    vectors: int
    largest_distance: float
    not_kept_flagged: int
    known: int
    shortest: int
    longest: int
    false_alarms: float
    held_out_sessions: int
    thresholds: Mapping[str, float]
    curve: tuple[Mapping[str, Any], ...]
    warnings: tuple[str, ...]


def train_ecvc(
    counts: Path,
    vocab: Path,
    output: Path,
    settings: Settings,
    on_part: Callable[[], None] = lambda: None,
) -> TrainResult:
    """Take the counts of a log's sessions for normal ones, and write the checkpoint.

    Args:
        counts: ``session_counts.parquet``.
        vocab: the vocabulary that the build wrote beside it.
        output: ``.safetensors``, ``.pth`` or ``.pt``; replaced only when all is done.
        settings: the budget, the most vectors, and how sessions are held out.
        on_part: called ``2 * settings.folds`` times at most, as parts are judged.

    Raises:
        InputError: a file cannot be read, the vocabulary is another one, or the log has fewer than
            two sessions.
        UsageError: more vectors than a model can hold, or a file that is not a checkpoint's.
        OutputError: the checkpoint cannot be written.
    """
    check_checkpoint_path(output)
    vocabulary = load_vocab(vocab)
    features = len(vocabulary) + 1
    if read_about(counts)["vocab_sha256"] != vocabulary.sha256():
        raise InputError(
            f"{counts} was built with another vocabulary than {vocab}",
            "Name the vocab.json that `logexport ecvc build` wrote beside it.",
        )
    if features > LARGEST_FEATURES:
        raise InputError(
            f"{vocab} has {features - 1:,} templates; the model takes {LARGEST_FEATURES - 1:,}",
            "Parse the log with more of its masks.",
        )
    data = read_counts(counts, features - 1)
    _check_sessions(data)
    most = MOST_CELLS // features
    if min(settings.max_vectors, len(data.vectors)) > most:
        raise UsageError(
            f"--max-vectors {settings.max_vectors} is more than the {most} vectors of {features:,}"
            " columns that a model can hold",
            f"Choose --max-vectors {most} or fewer.",
        )
    threads = settings.threads or count_processors()
    held_out = judge_held_out(data.vectors, data.numbers, settings, threads, on_part)
    curve = held_out.curve(settings.false_alarms)
    normal, apart = choose(data.vectors, data.each, settings.max_vectors)
    flagged = int(data.each[apart > curve[-1].threshold].sum())
    result = TrainResult(
        checkpoint=output,
        feature_dim=features,
        sessions=len(data.numbers),
        distinct=len(data.vectors),
        vectors=len(normal.vectors),
        largest_distance=float(apart.max()),
        not_kept_flagged=flagged,
        known=int(normal.known.sum()),
        shortest=normal.shortest,
        longest=normal.longest,
        false_alarms=curve[-1].rate,
        held_out_sessions=held_out.sessions,
        thresholds={point.name: point.threshold for point in curve},
        curve=tuple(asdict(point) for point in curve),
        warnings=tuple(
            _warnings(
                held_out,
                held_out.budget(settings.false_alarms),
                curve[-1],
                len(data.vectors),
                len(normal.vectors),
            )
        ),
    )
    save_checkpoint(
        output,
        {
            "vectors": torch.from_numpy(normal.vectors.all_dense()),
            "known": torch.from_numpy(normal.known),
        },
        {
            "architecture": ARCHITECTURE,
            "feature_dim": features,
            "shortest": normal.shortest,
            "longest": normal.longest,
            "vocab_sha256": data.vocab_sha256,
        },
        training_record(settings, result, data.rules),
    )
    return result


def _check_sessions(data: SessionCounts) -> None:
    if len(data.numbers) < LEAST_SESSIONS:
        number = {0: "no session", 1: "one session"}[len(data.numbers)]
        raise InputError(
            f"{data.path} holds {number}: a model needs sessions to compare others with, and a"
            " threshold needs sessions that are held out",
            "Build it from a longer log, or with another --session-by.",
        )


def _warnings(
    held_out: HeldOut, budget: Budget, point: Point, distinct: int, kept: int
) -> list[str]:
    number = held_out.sessions
    warnings = list(budget.find_warnings())
    if point.threshold >= 1:
        found = "found by one of them"
        if point.threshold > 1:
            found = "found by both together, or by one of them and a large distance"
        more = "keep more by --max-vectors" if kept < distinct else "train on a longer log"
        warnings.append(
            f"The threshold {DEFAULT} is {point.threshold:.6g}: normal sessions differ so much."
            " A distance is at most 1, and a new event and a new length add 1 each. So a"
            f" session is only {found}. Allow more --false-alarms, or {more}."
        )
    if distinct * 2 > number >= 10:
        warnings.append(
            f"{distinct:,} of {number:,} sessions differ: most sessions of this log are like no"
            " other, and counts tell little of them."
        )
    return warnings
