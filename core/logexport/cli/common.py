"""What several commands share: JSON on standard output, progress and prose on standard error."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document on standard output."
)


def emit_json(document: Any) -> None:
    """Print ``document`` as the one JSON document of a ``--json`` command."""
    click.echo(json.dumps(document, indent=2, ensure_ascii=False))


def say(text: str = "") -> None:
    """Prose for a person, on standard error."""
    click.echo(text, err=True)


@contextmanager
def progress(label: str, total: int | None, unit: str = "lines") -> Iterator[Callable[[int], None]]:
    """A progress bar on standard error; shown only on a terminal.

    Yields:
        a function that takes how many more ``unit`` are done.
    """
    stream = click.get_text_stream("stderr")
    with click.progressbar(
        length=total or 0,
        label=label,
        file=stream,
        show_pos=True,
        show_percent=bool(total),
        show_eta=bool(total),
        item_show_func=lambda _: unit,
    ) as bar:
        yield bar.update
