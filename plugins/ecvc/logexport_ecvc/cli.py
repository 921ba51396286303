"""``logexport ecvc build`` and ``logexport ecvc train``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from logexport.cli.common import conclude, json_option, progress, say, to_json
from logexport.cli.plugin_commands import FILE, checkpoint_option

from logexport_ecvc.settings import Settings

if TYPE_CHECKING:
    from logexport_ecvc.train import TrainResult


@click.group()
def ecvc() -> None:
    """ECVC: from a parsed log to a checkpoint, without a network."""


@ecvc.command()
@click.option("--counts", type=FILE, required=True, help="session_counts.parquet of the build.")
@click.option("--vocab", type=FILE, required=True, help="vocab.json of the build.")
@checkpoint_option
@click.option(
    "--false-alarms",
    type=click.FloatRange(0.0, 1.0, min_open=True, max_open=True),
    default=Settings.false_alarms,
    show_default=True,
    help="Share of normal sessions that may be called anomalies: the budget of the threshold.",
)
@click.option(
    "--max-vectors",
    type=click.IntRange(1),
    default=Settings.max_vectors,
    show_default=True,
    help="Most count vectors to keep; of more, those are kept that the others are near to.",
)
@click.option(
    "--folds",
    type=click.IntRange(2, 100),
    default=Settings.folds,
    show_default=True,
    help="Parts of the sessions; each is judged by what the others make.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**63 - 1),
    default=Settings.seed,
    show_default=True,
    help="Of the parts that are drawn.",
)
@click.option(
    "--threads",
    type=click.IntRange(1, 1024),
    help="How many parts to judge at once.  [default: as many as there are processors]",
)
@json_option
def train(counts: Path, vocab: Path, output: Path, as_json: bool, **options: Any) -> None:
    """Keep the count vectors of normal sessions, and write them with thresholds.

    The thresholds are of sessions that are held out, drawn and by time. What the false alarms of
    other rates would be is printed, and stored in the checkpoint.
    """
    from logexport_ecvc.train import train_ecvc

    settings = Settings(**options)
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
