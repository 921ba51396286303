"""Options that say how a log is to be read: those that ``parse`` and ``heads`` share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from logexport.cli.common import progress
from logexport.logs.decoding import ENCODINGS
from logexport.logs.headers import FORMATS

if TYPE_CHECKING:
    from logexport.logs.kept import KeptField
    from logexport.logs.preprocess import Preprocess

__all__ = ["RulesOptions", "describe_kept", "rules_options", "show_progress"]

_OPTIONS = (
    click.option(
        "--format", "format_name", type=click.Choice(["auto", *FORMATS]),
        help="Header of the lines.  [default: auto, what a sample of the log has]",
    ),
    click.option(
        "--header", "headers", multiple=True, metavar="NAME=PATTERN",
        help="Header of your own, instead of --format: a regular expression from the line's start"
        " with the groups message and, if any, timestamp, level, host, process and the like."
        " Repeat; the first match wins.",
    ),
    click.option(
        "--keep", multiple=True, metavar="FIELD[=text|severity|class]",
        help="Field of headers or structured lines that stays in the event, beside those that do"
        " by themselves: level, priority, method, status, action, code. Repeat.",
    ),
    click.option(
        "--drop", multiple=True, metavar="FIELD",
        help="Field that does not stay in the event. Repeat.",
    ),
    click.option(
        "--message-key", metavar="KEY",
        help="Key of the message in JSON or logfmt lines; keys inside one another are joined by"
        " dots.  [default: found in a sample of the log]",
    ),
    click.option(
        "--no-structured", is_flag=True,
        help="Read JSON, Docker's json-file, CRI and logfmt as text.",
    ),
    click.option(
        "--continuation/--no-continuation", default=None,
        help="Whether stack traces and indented lines belong to the record before."
        "  [default: yes]",
    ),
    click.option(
        "--preprocess", type=click.Path(path_type=Path), metavar="FILE",
        help="Take the rules of this preprocess.json, but for what other options say.",
    ),
    click.option(
        "--max-line-bytes", type=click.IntRange(1, 1 << 30), metavar="N",
        help="Longer lines are unseen.  [default: 1048576]",
    ),
    click.option(
        "--encoding", type=click.Choice(ENCODINGS),
        help="What a file without a byte order mark is.  [default: utf-8]",
    ),
)  # fmt: skip


@dataclass(frozen=True)
class RulesOptions:
    """The values of these options."""

    format_name: str | None
    headers: tuple[str, ...]
    keep: tuple[str, ...]
    drop: tuple[str, ...]
    message_key: str | None
    no_structured: bool
    continuation: bool | None
    preprocess: Path | None
    max_line_bytes: int | None
    encoding: str | None

    def load(self) -> Preprocess:
        """The rules of ``--preprocess``, or those that are taken without it.

        Raises:
            InputError: the file cannot be read or used.
        """
        from logexport.logs.preprocess import Preprocess

        return Preprocess() if self.preprocess is None else Preprocess.load(self.preprocess)

    def request(self, rules: Preprocess) -> dict[str, Any]:
        """The arguments of a :class:`logexport.training.rules.RulesRequest`.

        Args:
            rules: those of :meth:`load`, perhaps with what other options say.

        Raises:
            UsageError: options exclude each other.
            InputError: the value of one cannot be read.
        """
        from logexport.errors import UsageError
        from logexport.logs.headers import parse_header
        from logexport.training.keeping import parse_kept

        if self.headers and self.format_name is not None:
            raise UsageError("--header and --format exclude each other", "Give only one of them.")
        if self.message_key is not None and self.no_structured:
            raise UsageError(
                "--message-key and --no-structured exclude each other", "Give only one of them."
            )
        if self.no_structured:
            rules = replace(rules, structured=())
        if self.continuation is not None:
            rules = rules.with_continuation(self.continuation)
        if self.max_line_bytes is not None:
            rules = replace(rules, max_line_bytes=self.max_line_bytes)
        if self.encoding is not None:
            rules = rules.with_encoding(self.encoding)
        is_new = self.preprocess is None
        return {
            "format": self.format_name or ("auto" if is_new and not self.headers else None),
            "headers": tuple(map(parse_header, self.headers)),
            "preprocess": rules,
            "find_forms": is_new and not self.no_structured,
            "find_kept": is_new,
            "message_key": self.message_key,
            "keep": tuple(map(parse_kept, self.keep)),
            "drop": self.drop,
        }


def rules_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command these options, as one argument ``options``."""

    @wraps(command)
    def with_options(**values: Any) -> None:
        names = RulesOptions.__dataclass_fields__
        chosen = RulesOptions(**{name: values.pop(name) for name in names})
        command(**values, options=chosen)

    for option in reversed(_OPTIONS):
        with_options = option(with_options)
    return with_options


def describe_kept(kept: Iterable[KeptField]) -> str:
    """The fields that stay in the event, and as what."""
    return (
        ", ".join(one.field if one.form == "text" else f"{one.field} as {one.form}" for one in kept)
        or "none"
    )


def show_progress(stack: ExitStack, label: str) -> Callable[[int, int], None]:
    """A function that takes the bytes done and the bytes in all.

    The bar opens at the first call, when the size of the logs is known. If there turn out to be
    more bytes, it waits until as large a share of them is done as it shows.
    """
    update: Callable[[int], None] | None = None
    shown = length = 0

    def show(done: int, total: int) -> None:
        nonlocal update, shown, length
        if update is None:
            update, length = stack.enter_context(progress(label, total, "bytes")), total
        now = done if total == length else done * length // total
        if now > shown:
            update(now - shown)
            shown = now

    return show
