"""``logexport plugins``: what was found and in which state; a new plugin; a plugin checked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from logexport.cli.common import emit_json, json_option, say

if TYPE_CHECKING:
    from logexport.testing import Outcome

_FILE = click.Path(path_type=Path)
_INPUTS = ("event_window", "count_matrix")
_DECISIONS = ("next_event_topk", "score_threshold")


@click.group()
def plugins() -> None:
    """Show the installed plugins, make a new one, check one."""


@plugins.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List every plugin with its distribution, version, hooks and state."""
    from logexport.host import default_host

    host = default_host()
    clashes = {name: owners for name, owners in host.models().items() if len(owners) > 1}
    documents: list[dict[str, Any]] = []
    for plugin in host.plugins:
        state = plugin.state
        if plugin.model is not None and plugin.model.name in clashes:
            others = [str(p) for p in clashes[plugin.model.name] if p is not plugin]
            state = f"model type {plugin.model.name!r} is also declared by {', '.join(others)}"
        documents.append(
            {
                "name": plugin.name,
                "distribution": plugin.distribution,
                "version": plugin.version,
                "module": plugin.module,
                "model": plugin.model.name if plugin.model else None,
                "summary": plugin.model.summary if plugin.model else None,
                "hooks": list(plugin.hooks),
                "state": state,
                "deprecations": list(plugin.deprecations),
            }
        )
    if as_json:
        emit_json({"plugins": documents})
        return
    for document in documents:
        head = f"{document['name']}  ({document['distribution']} {document['version']})"
        click.echo(f"{head}  {document['state']}")
        if document["summary"]:
            click.echo(f"    model {document['model']}: {document['summary']}")
        click.echo(f"    hooks: {', '.join(document['hooks']) or 'none'}")
        for sentence in document["deprecations"]:
            click.echo(f"    deprecated: {sentence}")


@plugins.command()
@click.argument("name")
@click.option(
    "--task", type=click.Choice(_INPUTS), default="event_window", show_default=True,
    help="What the model is shown: the last events of a session, or counts over many lines.",
)  # fmt: skip
@click.option(
    "--decision", type=click.Choice(_DECISIONS),
    help="How its output is read: the rank of an event, or a score against a threshold."
    "  [default: next_event_topk for event_window, score_threshold for count_matrix]",
)  # fmt: skip
@click.option(
    "-o", "--output-dir", type=_FILE, metavar="DIR",
    help="The new directory.  [default: logexport-NAME]",
)  # fmt: skip
@json_option
def new(name: str, task: str, decision: str | None, output_dir: Path | None, as_json: bool) -> None:
    """Make a package for the model type NAME: a small model that works, to be replaced by yours.

    It has hooks, a sample, a train command, tests, a README and tox.ini. Nothing is overwritten.
    """
    from logexport.cli import COMMANDS
    from logexport.scaffold import new_plugin

    made = new_plugin(name, task, decision, output_dir, COMMANDS)
    if as_json:
        emit_json(
            {
                "directory": str(made.directory),
                "distribution": made.distribution,
                "package": made.package,
                "files": list(made.files),
            }
        )
        return
    shown = output_dir or Path(made.distribution)
    say(f"{made.distribution}: {len(made.files)} files. Next:")
    say(f"    pip install ./{shown}" if not shown.is_absolute() else f"    pip install {shown}")
    say(f"    logexport run --model {name}")
    say(f"    logexport plugins check {name}")
    click.echo(made.directory)


@plugins.command()
@click.argument("name")
@click.option("--checkpoint", type=_FILE, help="Checkpoint to export.  [default: the sample]")
@click.option("--vocab", type=_FILE, help="Its vocabulary.  [default: beside the checkpoint]")
@click.option("--preprocess", type=_FILE, help="Its rules.  [default: beside the vocabulary]")
@click.option("--replay", type=_FILE, help="Raw log for the checks.  [default: the sample's]")
@click.option(
    "--option", "options", multiple=True, metavar="NAME=VALUE",
    help="An option of `logexport run`, such as top_k=5; repeatable.",
)  # fmt: skip
@json_option
def check(
    name: str,
    checkpoint: Path | None,
    vocab: Path | None,
    preprocess: Path | None,
    replay: Path | None,
    options: tuple[str, ...],
    as_json: bool,
) -> None:
    """Hold the installed plugin NAME to the contract of logexport.testing.

    NAME is a model type, or the name of a plugin that is none. Exports are made in a temporary
    directory. Exit status 1 where a check failed; each failure says what to change.
    """
    from logexport.errors import PluginError
    from logexport.testing import Subject, check_plugin

    given = dict(_option(text) for text in options)
    subject = Subject(
        name,
        checkpoint=checkpoint,
        vocab=vocab,
        preprocess=preprocess,
        replay=replay,
        options=given,
    )
    outcomes = check_plugin(subject, report=lambda one: say(f"{one.name}: {one.summary} …"))
    failed = [outcome for outcome in outcomes if outcome.status == "failed"]
    if as_json:
        emit_json({"plugin": name, "checks": [_outcome_json(outcome) for outcome in outcomes]})
        if failed:
            raise SystemExit(PluginError.exit_status)
        return
    for outcome in outcomes:
        click.echo(
            f"  {outcome.name:<12}  {outcome.status:<7}  {outcome.seconds:6.2f}  {outcome.message}"
        )
        if outcome.remedy:
            click.echo(f"{'':31}  change: {outcome.remedy}")
    if failed:
        names = ", ".join(outcome.name for outcome in failed)
        raise PluginError(
            f"{name} breaks the contract in {len(failed)} of {len(outcomes)} checks: {names}",
            "Each line above that failed says what to change.",
        )
    click.echo(f"{name} keeps the contract.")


def _option(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise click.UsageError(f"--option {text} is not of the form NAME=VALUE")
    return name.lstrip("-").replace("-", "_"), value


def _outcome_json(outcome: Outcome) -> dict[str, Any]:
    return {
        "name": outcome.name,
        "status": outcome.status,
        "message": outcome.message,
        "remedy": outcome.remedy,
        "seconds": round(outcome.seconds, 3),
    }
