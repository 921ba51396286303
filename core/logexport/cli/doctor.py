"""``logexport doctor``: versions of all that matters, strategies, what ``auto`` would take."""

from __future__ import annotations

import platform
import sys
from typing import TYPE_CHECKING, Any

import click

from logexport.cli.common import emit_json, json_option

if TYPE_CHECKING:
    from logexport.host import Host

PACKAGES = (
    "logexport",
    "torch",
    "onnx",
    "onnxruntime",
    "onnxscript",
    "numpy",
    "pyarrow",
    "safetensors",
    "jsonschema",
    "pluggy",
    "click",
    "packaging",
)
OPTIONAL = {
    "onnxscript": "needed by the dynamo exporter only: pip install 'logexport[dynamo]'",
}


@click.command()
@json_option
def doctor(as_json: bool) -> None:
    """Show versions, which export strategies are usable and why, and what auto would take."""
    document = examine()
    if as_json:
        emit_json(document)
    else:
        _show(document)


def examine() -> dict[str, Any]:
    """Everything that decides how an export goes here, as one JSON document."""
    from importlib.metadata import PackageNotFoundError, version

    from logexport.exporters import TorchEnvironment, explain, known_rows
    from logexport.host import default_host

    versions: dict[str, str | None] = {}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = None
    environment = TorchEnvironment.installed()
    host = default_host()
    reports = explain(environment, host.strategies())
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "executable": sys.executable,
        "versions": versions,
        "strategies": [
            {
                "name": report.name,
                "usable": report.usable,
                "tested": report.tested,
                "reason": report.reason,
                "opsets": list(report.opsets),
                "default_opset": report.default_opset,
                "auto": report.auto,
            }
            for report in reports
        ],
        "auto": [r.name for r in sorted(reports, key=lambda r: r.auto or 0) if r.auto],
        "known": [_row(row) for row in known_rows(environment)],
        "engine": _engine(host),
        "plugins": [
            {"name": plugin.name, "distribution": plugin.distribution, "state": plugin.state}
            for plugin in host.plugins
        ],
    }


def _engine(host: Host) -> dict[str, Any]:
    """The C engine: its program and version, or how to get it."""
    from logexport.engine import HOW_TO_GET, EngineError, last_line, run_engine
    from logexport.errors import UsageError

    try:
        command = host.engine_command()
        if command is None:
            return {"program": None, "version": None, "state": f"not installed. {HOW_TO_GET}"}
        done = run_engine(command, "--version", runtime=False)
    except (EngineError, UsageError) as error:
        return {"program": None, "version": None, "state": str(error)}
    return {"program": command[0], "version": last_line(done.stdout), "state": "ok"}


def _row(row: Any) -> dict[str, Any]:
    from dataclasses import asdict

    return {key: str(value) if value is not None else None for key, value in asdict(row).items()}


def _show(document: dict[str, Any]) -> None:
    click.echo(f"python {document['python']} ({document['executable']})")
    click.echo(document["platform"])
    click.echo("\npackages:")
    for package, version in document["versions"].items():
        missing = f"not installed; {OPTIONAL.get(package, 'pip install logexport')}"
        click.echo(f"  {package}: {version or missing}")
    click.echo("\nexport strategies:")
    from logexport.exporters import opset_range

    for strategy in document["strategies"]:
        state = "usable" if strategy["usable"] else "not usable"
        untested = "" if strategy["tested"] else ", untested"
        reason = strategy["reason"].removeprefix("untested: ")  # `untested` says it already
        click.echo(f"  {strategy['name']}: {state}{untested}: {reason}")
        if strategy["usable"]:
            opsets = opset_range(strategy["opsets"])
            click.echo(f"    opsets {opsets}, default {strategy['default_opset']}")
    click.echo(f"  auto takes: {', then '.join(document['auto']) or 'nothing'}")
    if document["known"]:
        click.echo("\nknown of this torch:")
        for row in document["known"]:
            click.echo(
                f"  {row['strategy']}, {row['construct']}: {row['verdict']} on torch {row['torch']}"
                f" ({row['checked']}): {row['note']}"
            )
    engine = document["engine"]
    click.echo("\nC engine:")
    click.echo(
        f"  {engine['version']} ({engine['program']})"
        if engine["program"]
        else f"  {engine['state']}"
    )
    click.echo("\nplugins:")
    for plugin in document["plugins"]:
        click.echo(f"  {plugin['name']} ({plugin['distribution']}): {plugin['state']}")
