"""`logexport transformer build` and `logexport transformer train`."""

from __future__ import annotations

from pathlib import Path

import click
from logexport.cli.common import emit_json, json_option, say

_FILE = click.Path(path_type=Path)


@click.group()
def transformer() -> None:
    """Transformer: from a parsed log to a checkpoint."""


@transformer.command()
@click.option("--parsed", type=_FILE, required=True, help="parsed.parquet of `logexport parse`.")
@click.option("-o", "--output-dir", type=_FILE, required=True, help="Where the three files go.")
@click.option("--vocab", type=_FILE, help="Use this vocabulary.  [default: the log's templates]")
@json_option
def build(parsed: Path, output_dir: Path, vocab: Path | None, as_json: bool) -> None:
    """Write vocab.json, sequences.parquet and preprocess.json from a parsed log."""
    from logexport_transformer.build import build as build_files

    built = build_files(parsed, output_dir, vocab)
    if as_json:
        emit_json({name: _plain(value) for name, value in vars(built).items()})
        return
    say(f"{built.lines:,} lines, {built.templates:,} templates, {built.unseen:,} lines unseen")
    for path in (built.vocab, built.sequences, built.preprocess):
        click.echo(path)


def _size(flag: str, default: int, text: str) -> click.Option:
    return click.Option(
        [flag], type=click.IntRange(1, 65_536), default=default, show_default=True, help=text
    )


def _train(sequences: Path, vocab: Path, output: Path, as_json: bool, **settings: int) -> None:
    """Train a model to predict the next event, and write its checkpoint."""
    from logexport_transformer.train import Settings, train

    def on_epoch(number: int, loss: float) -> None:
        say(f"epoch {number}: loss {loss:.4f}")

    trained = train(sequences, vocab, output, Settings(**settings), on_epoch)
    if as_json:
        emit_json({name: _plain(value) for name, value in vars(trained).items()})
        return
    say(
        f"{trained.parameters:,} parameters, {trained.windows:,} windows; k = {trained.top_k} flags"
        f" {100 * trained.flagged_share:.2f} % of the {trained.held_out:,} held-out events"
    )
    click.echo(trained.checkpoint)


def _plain(value: object) -> object:
    return str(value) if isinstance(value, Path) else value


transformer.add_command(
    click.Command(
        "train",
        callback=_train,
        help=_train.__doc__,
        params=[
            click.Option(["--sequences"], type=_FILE, required=True, help="Of the build."),
            click.Option(["--vocab"], type=_FILE, required=True, help="Of the same build."),
            click.Option(
                ["-o", "--output"], type=_FILE, required=True, help=".pth, .pt or .safetensors."
            ),
            _size("--seq-len", 10, "Events in a window."),
            _size("--width", 32, "Size of an event's vector."),
            _size("--heads", 2, "Heads of attention."),
            _size("--layers", 2, "Layers."),
            _size("--epochs", 10, "Passes over the windows."),
            _size("--batch-size", 128, "Windows in a step."),
            click.Option(["--seed"], type=click.IntRange(0), default=0, show_default=True),
            click.Option(["--json", "as_json"], is_flag=True, help="Print one JSON document."),
        ],
    )
)
