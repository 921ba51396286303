"""``logexport deeplog build`` and ``logexport deeplog train``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from logexport.cli.common import conclude, json_option, to_json, warn
from logexport.cli.plugin_commands import (
    FILE,
    build_options,
    checkpoint_option,
    describe_training,
    false_alarms_option,
    matching_progress,
    schedule_options,
    size_options,
    training_progress,
)

from logexport_deeplog.settings import Settings

if TYPE_CHECKING:
    from logexport_deeplog.train import Plan, TrainResult


@click.group()
def deeplog() -> None:
    """DeepLog: from a parsed log to a checkpoint."""


@deeplog.command()
@build_options(sessions=True)
@click.option(
    "--no-boundaries",
    is_flag=True,
    help="Train neither how sessions begin nor how they end: no start before a session's first line"
    " and no end after its last one.",
)
@json_option
def build(
    parsed: Path,
    as_json: bool,
    no_boundaries: bool,
    idle_lines: int | None,
    idle_seconds: int | None,
    close_pattern: str | None,
    **options: Any,
) -> None:
    """Write vocab.json, sequences.parquet and preprocess.json from a parsed log.

    The vocabulary is the log's templates, sorted. Every line is matched against it again, so that
    training sees the events that detection will see.

    Sessions by a pattern or a field begin and end: the vocabulary reserves two more entries, the
    first line of a session is judged, and so is that no line follows its last one. --idle-lines,
    --idle-seconds and --close-pattern say when a session ends; detection keeps to it.
    """
    from logexport.training.sessions import EndOptions

    from logexport_deeplog.build import build_sequences

    ends = EndOptions(idle_lines, idle_seconds, close_pattern)
    with matching_progress(parsed) as done:
        result = build_sequences(
            parsed, **options, ends=ends, boundaries=not no_boundaries, on_lines=done
        )
    for warning in result.warnings:
        warn(warning)
    sentences = [
        f"{result.lines:,} lines, {result.templates:,} entries in the vocabulary,"
        f" {result.unseen:,} lines unseen"
    ]
    if result.description is not None:
        sentences.append(result.description)
    files = (result.vocab, result.sequences, result.preprocess)
    conclude(to_json(result), as_json, sentences, *files)


@deeplog.command()
@click.option("--sequences", type=FILE, required=True, help="sequences.parquet of the build.")
@click.option("--vocab", type=FILE, required=True, help="vocab.json of the same build.")
@checkpoint_option
@schedule_options(
    Settings,
    holdout="Share of the log, or of its sessions, that is not trained on.",
    seed="Of the weights, the order of the windows and the held-out sessions.",
)
@click.option(
    "--seq-len",
    type=click.IntRange(1),
    default=Settings.seq_len,
    show_default=True,
    help="Events in a window.",
)
@size_options(Settings, embed_dim="Size of an event's vector.", hidden_dim="Size of the LSTM.")
@size_options(Settings, 64, num_layers="Layers of the LSTM.")
@click.option(
    "--top-k",
    type=click.IntRange(1),
    help="The k that the checkpoint recommends.  [default: the smallest by which the held-out part"
    " has no more anomalies than --false-alarms]",
)
@false_alarms_option
@json_option
def train(
    sequences: Path,
    vocab: Path,
    output: Path,
    top_k: int | None,
    false_alarms: float | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Train a model to predict the next event, and write its checkpoint.

    Ctrl-C ends the training early: the best epoch so far is kept, and the exit status is 0. Before
    the first epoch is done nothing is written, and the exit status is 130.
    """
    from logexport_deeplog.train import train_deeplog

    settings = Settings(**options)
    with training_progress(settings.epochs) as shown:

        def on_plan(plan: Plan) -> None:
            shown.begin(
                plan.trained_windows,
                f"{plan.trained_windows:,} windows to train on, {plan.held_out_windows:,} held out",
                warnings=plan.warnings,
            )

        result = train_deeplog(
            *(sequences, vocab, output, settings, top_k, false_alarms),
            *(on_plan, shown.batch, shown.epoch),
        )
    shown.warn(result.warnings)
    conclude(to_json(result), as_json, _report(result), result.checkpoint)


def _report(result: TrainResult) -> Iterator[str]:
    yield describe_training(result.epochs, result.best_epoch, result.parameters, result.interrupted)
    if result.unseen_lines:
        yield f"{result.unseen_lines:,} lines match no template and were left out"
    if not result.flagged_share:
        return
    events, sessions = result.flagged_share, result.flagged_sessions
    if sessions:
        yield (
            f"share of the {result.held_out_sessions:,} held-out sessions, and of their events,"
            " that is flagged, by k:"
        )
    else:
        yield f"share of the {result.held_out_windows:,} held-out events that is flagged, by k:"
    for k, share in events.items():
        columns = [sessions[k], share] if sessions else [share]
        shares = "".join(f"  {100 * one:7.3f} %" for one in columns)
        yield f"  {k:2d}{shares}{'  (taken)' if k == result.top_k else ''}"
    if result.top_k_by == "budget":
        unit = "sessions" if sessions else "events"
        yield (
            f"k = {result.top_k} is the smallest by which at most"
            f" {100 * (result.false_alarms or 0):g} % of these {unit} are flagged (--false-alarms)"
        )
