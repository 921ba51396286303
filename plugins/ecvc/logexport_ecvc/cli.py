"""``logexport ecvc build`` and ``logexport ecvc train``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from logexport.cli.common import conclude, json_option, progress, say, to_json, warn
from logexport.cli.plugin_commands import (
    FILE,
    build_options,
    checkpoint_option,
    false_alarms_option,
    matching_progress,
    schedule_options,
    size_options,
)

from logexport_ecvc.settings import Settings

if TYPE_CHECKING:
    from logexport_ecvc.train import TrainResult


@click.group()
def ecvc() -> None:
    """ECVC: from a parsed log to a checkpoint, without a network."""


@ecvc.command()
@build_options(sessions=True)
@json_option
def build(
    parsed: Path,
    as_json: bool,
    idle_lines: int | None,
    idle_seconds: int | None,
    close_pattern: str | None,
    **options: Any,
) -> None:
    """Write vocab.json, session_counts.parquet and preprocess.json from a parsed log.

    The vocabulary is the log's templates, sorted; --vocab takes that of another model's build, so
    that one bundle can hold both. Every line is matched against it again, so that training counts
    what detection will count.

    Sessions are by a pattern or a field, since others do not end. --idle-lines, --idle-seconds and
    --close-pattern say when a session ends; detection keeps to it.
    """
    from logexport.training.sessions import EndOptions

    from logexport_ecvc.build import build_session_counts

    ends = EndOptions(idle_lines, idle_seconds, close_pattern)
    with matching_progress(parsed) as done:
        result = build_session_counts(parsed, **options, ends=ends, on_lines=done)
    for warning in result.warnings:
        warn(warning)
    summary = (
        f"{result.lines:,} lines, {result.templates:,} entries in the vocabulary,"
        f" {result.unseen:,} lines unseen, {result.nameless:,} of no session"
    )
    files = (result.vocab, result.session_counts, result.preprocess)
    conclude(to_json(result), as_json, [summary, result.description], *files)


@ecvc.command()
@click.option("--counts", type=FILE, required=True, help="session_counts.parquet of the build.")
@click.option("--vocab", type=FILE, required=True, help="vocab.json of the build.")
@checkpoint_option
@false_alarms_option
@size_options(
    Settings,
    max_vectors="Most count vectors to keep; of more, those are kept that the others are near to.",
)
@click.option(
    "--folds",
    type=click.IntRange(2, 100),
    default=Settings.folds,
    show_default=True,
    help="Parts of the sessions; each is judged by what the others make.",
)
@schedule_options(
    Settings,
    seed="Of the parts that are drawn.",
    threads="Parts to judge at once.  [default: as many as there are processors]",
)
@json_option
def train(
    counts: Path,
    vocab: Path,
    output: Path,
    false_alarms: float | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Keep the count vectors of normal sessions, and write them with thresholds.

    The thresholds are of sessions that are held out, drawn and by time. What the false alarms of
    other rates would be is printed, and stored in the checkpoint.
    """
    from logexport_ecvc.train import train_ecvc

    settings = Settings(false_alarms, **options)
    with progress("Judging held-out sessions", 2 * settings.folds, "parts") as done:
        result = train_ecvc(counts, vocab, output, settings, lambda: done(1))
    for warning in result.warnings:
        say(f"Warning: {warning}")
    conclude(to_json(result), as_json, _report(result), result.checkpoint)


def _report(result: TrainResult) -> Iterator[str]:
    yield (
        f"{result.sessions:,} sessions of {result.shortest:,} to {result.longest:,} lines,"
        f" {result.distinct:,} of them distinct; {result.vectors:,} vectors kept,"
        f" {result.known:,} of {result.feature_dim:,} columns known"
    )
    if result.vectors < result.distinct:
        yield (
            f"a vector that is not kept is at most {result.largest_distance:.4g} from one that is;"
            f" {result.not_kept_flagged:,} sessions of the training are flagged for that"
        )
    yield f"thresholds, from {result.held_out_sessions:,} sessions, each judged by the others:"
    yield "    name    false alarms    threshold    flagged: drawn     by time"
    for point in result.curve:
        yield (
            f"  {point['name']:>6}  {point['rate']:>14.3%}  {point['threshold']:>11.6g}"
            f"  {point['drawn']:>16,}  {point['time']:>10,}"
        )
