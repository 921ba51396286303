"""What several commands share: JSON on standard output, progress and prose on standard error."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    from logexport.errors import LogexportError
    from logexport.host import Host

__all__ = [
    "conclude",
    "emit_json",
    "json_option",
    "progress",
    "say",
    "to_json",
    "visible",
    "warn",
]

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document on standard output."
)


def emit_json(document: Any) -> None:
    """Print ``document`` as the one JSON document of a ``--json`` command."""
    import json

    text = json.dumps(document, indent=2, ensure_ascii=False)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:  # a path that is no UTF-8: escaped, the document still is
        text = json.dumps(document, indent=2)
    click.echo(text)


def to_json(result: DataclassInstance) -> dict[str, Any]:
    """A dataclass as the document of ``--json``: what JSON holds, and paths as their text.

    Raises:
        TypeError: it holds something else.
    """
    import json
    from dataclasses import asdict

    document: dict[str, Any] = json.loads(json.dumps(asdict(result), default=os.fspath))
    return document


def conclude(document: Any, as_json: bool, sentences: Iterable[str], *paths: Path) -> None:
    """End a command: one JSON document, or sentences on standard error and the files that it made
    on standard output.

    Args:
        document: for ``--json``, such as :func:`to_json` gives.
        as_json: whether it is asked for.
        sentences: for a person; made only for one.
        paths: of the files.
    """
    if as_json:
        emit_json(document)
        return
    for sentence in sentences:
        say(sentence)
    for path in paths:
        click.echo(os.fsencode(path))  # its very bytes, which need not be text


def installed_plugins() -> Host:
    """The host of the installed plugins."""
    # Imports leave no garbage; looking for it takes a tenth of the time of a --help.
    gc.disable()
    try:
        from logexport.host import default_host

        return default_host()
    finally:
        gc.enable()


def report_broken_plugins(host: Host) -> None:
    """Name every plugin that takes no part, with its reason, on standard error, and every one that
    printed to standard output where it was found."""
    for plugin in host.plugins:
        if not plugin.ok:
            say(f"Warning: {plugin} takes no part: {plugin.state}")
    for notice in host.notices:
        say(f"Warning: {notice}.")


def error_json(error: LogexportError) -> dict[str, Any]:
    """An error as the one JSON document of a ``--json`` command."""
    from logexport.errors import CheckFailedError

    document: dict[str, Any] = {
        "error": {
            "kind": type(error).__name__,
            "problem": str(error),
            "remedy": error.remedy,
            "exit_status": error.exit_status,
        }
    }
    if isinstance(error, CheckFailedError):
        from logexport.publishing.reports import check_json

        document["checks"] = [check_json(check) for check in error.checks]
    return document


def abandon_output() -> None:
    """Give standard output up: what it still holds must not be written, and fail, at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def say(text: str = "") -> None:
    """Prose for a person, on standard error."""
    click.echo(text, err=True)


def visible(text: str) -> str:
    """Text of a log for a terminal: what cannot be printed is escaped."""
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)


def warn(warning: str) -> None:
    """A warning, which has no full stop, on standard error."""
    say(f"Warning: {warning}.")


def try_sessions(
    _context: click.Context, _option: click.Parameter, value: str | None
) -> str | None:
    """Callback of ``--session-by``: warn of a pattern whose time grows faster than the line."""
    from logexport.errors import InputError
    from logexport.logs.preprocess import SessionRule

    if value is not None:
        try:
            pattern = SessionRule.from_option(value, fields=True).pattern
        except InputError:  # whoever takes the option refuses it
            pattern = None
        if pattern is not None:
            _warn_of_growth("pattern of sessions", pattern)
    return value


def try_close_pattern(
    _context: click.Context, _option: click.Parameter, value: str | None
) -> str | None:
    """Callback of ``--close-pattern``: as :func:`try_sessions`."""
    if value is not None:
        _warn_of_growth("pattern that closes sessions", value)
    return value


def _warn_of_growth(what: str, pattern: str) -> None:
    from logexport.errors import InputError
    from logexport.logs.growth import describe_growth

    try:
        warning = describe_growth(what, pattern)
    except InputError:  # whoever takes the option refuses it
        return
    if warning is not None:
        warn(warning)


@contextmanager
def progress(label: str, total: int | None, unit: str = "lines") -> Iterator[Callable[[int], None]]:
    """A progress bar on standard error; shown only on a terminal.

    Yields:
        a function that takes how many more ``unit`` are done.
    """
    with click.progressbar(
        length=total or 0,
        label=f"{label} ({unit})",
        file=sys.stderr,
        show_pos=True,
        show_percent=bool(total),
        show_eta=bool(total),
    ) as bar:
        yield bar.update
