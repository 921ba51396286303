"""``logexport plugins``: what was found, and in which state."""

from __future__ import annotations

from typing import Any

import click

from logexport.cli.common import emit_json, json_option


@click.group()
def plugins() -> None:
    """Show the installed plugins."""


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
