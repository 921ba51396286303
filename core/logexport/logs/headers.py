r"""Headers: what stands before the message on a line, by pattern.

Rules (the reference of headers):

- The header patterns are tried in their order, each anchored at the start of the decoded line; the
  first that matches wins. Its group ``message`` is the message (the empty text, if the group took
  no part in the match), ``timestamp``, ``host`` and ``process`` the fields of those names (null if
  the pattern lacks the group or it took no part).
- Where none matches, the whole line is the message and the fields are null.
- Nothing is stripped.

Timestamps are for people and for other tools: nothing in logexport orders lines by them, and no
verdict depends on them. :mod:`logexport.logs.instants` says how they are read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from logexport.errors import InputError
from logexport.logs.instants import TIME_GROUPS
from logexport.logs.patterns import analyse, compile_portable
from logexport.logs.presets import NAMES, read_preset

__all__ = [
    "ALOG_DETECT_HEADERS",
    "FORMATS",
    "PRESETS",
    "Fields",
    "Header",
    "HeaderMatcher",
    "headers_of",
    "parse_header",
]

GROUPS = ("timestamp", "host", "process", "message")
"""What a pattern may name by rules of version 1."""
FIELDS = (
    *("timestamp", "level", "logger", "host", "process", "pid", "thread", "source", "request"),
    *("code", "method", "status", "action", "priority", "msgid"),
)
"""What a pattern may name beside the message by rules of version 2; and, if ``timestamp`` is one of
them, :data:`logexport.logs.instants.TIME_GROUPS`."""
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")


@dataclass(frozen=True)
class Header:
    """One header: a portable pattern with the group ``message`` and any of :data:`FIELDS`.

    Args:
        name: of the header.
        pattern: matched at the start of a line.
        next_line: the message stands on the next line, or goes on there
            (:mod:`logexport.logs.joining`).
    """

    name: str
    pattern: str
    next_line: bool = False


_NOTHING: Mapping[str, str] = MappingProxyType({})


class Fields(NamedTuple):
    """What a line's header says.

    Args:
        message, timestamp, host, process: groups.
        header: its name, None if no header matched.
        next_line: see :class:`Header`.
        others: further fields, by their names.
        time: its match, if groups of time say its timestamp.
    """

    message: str
    timestamp: str | None = None
    host: str | None = None
    process: str | None = None
    header: str | None = None
    next_line: bool = False
    others: Mapping[str, str] = _NOTHING
    time: re.Match[str] | None = None


class _Presets(Mapping[str, tuple[Header, ...]]):
    """The headers of each preset, read from its file when they are asked for."""

    def __getitem__(self, name: str) -> tuple[Header, ...]:
        if name not in NAMES:
            raise KeyError(name)
        return tuple(map(header_of, read_preset(name)["headers"]))

    def __iter__(self) -> Iterator[str]:
        return iter(NAMES)

    def __len__(self) -> int:
        return len(NAMES)


def header_of(entry: Mapping[str, str]) -> Header:
    """A header as ``preprocess.json`` and the files of presets have it."""
    return Header(entry["name"], entry["pattern"], "message" in entry)


PRESETS: Mapping[str, tuple[Header, ...]] = _Presets()
"""Headers by the name of their format, the most specific first (:mod:`logexport.logs.presets`)."""

ALOG_DETECT_HEADERS = (
    Header(
        "alog-detect-syslog",
        r"^(?P<timestamp>[A-Z][a-z]{2}\s+\d{1,2}\s+\d{2}:\d{2}:\d{2})\s+(?P<host>[\w.\-]+)\s+"
        r"(?P<process>[\w\-/.]+)(?:\[\d+\])?:\s+(?P<message>.*)$",
    ),
    Header("alog-detect-dmesg", r"^\[\s*\d+\.\d+\]\s+(?P<message>.*)$"),
)
"""The rules of alog-detect, as they are; never detected, since ``syslog`` matches more."""

FORMATS = (*NAMES, "alog-detect")
"""What ``--format`` takes, beside ``auto``."""


def headers_of(format_name: str) -> tuple[Header, ...]:
    """The headers of a preset or of ``alog-detect``.

    Raises:
        InputError: no format of that name.
    """
    if format_name == "alog-detect":
        return ALOG_DETECT_HEADERS
    if format_name not in NAMES:
        raise InputError(
            f"There is no log format {format_name!r}", f"Use auto or one of {', '.join(FORMATS)}."
        )
    return PRESETS[format_name]


def parse_header(text: str) -> Header:
    """Read ``NAME=PATTERN``.

    Raises:
        InputError: another form; the pattern is checked when it is compiled.
    """
    name, equals, pattern = text.partition("=")
    if not equals or not NAME.fullmatch(name):
        raise InputError(
            f"The header {text!r} is not of the form NAME=PATTERN",
            r"For example: --header 'app=(?P<timestamp>\S+) (?P<process>\w+): (?P<message>.*)'.",
        )
    return Header(name, pattern)


class HeaderMatcher:
    """The headers of a log, compiled.

    Args:
        headers: in their order.
        known: the fields that a pattern may name.
        times: it may name groups of time.

    Raises:
        InputError: a pattern that is not portable, lacks the group ``message``, has a named group
            that logexport does not know, groups of time without ``timestamp``, or a name that is
            given twice.
    """

    def __init__(
        self, headers: Sequence[Header], known: Sequence[str] = GROUPS, times: bool = False
    ) -> None:
        self.headers = tuple(headers)
        names = [header.name for header in self.headers]
        self._steps: list[
            tuple[
                Callable[[str], re.Match[str] | None],
                str,
                bool,
                bool,
                tuple[int, ...],
                tuple[tuple[str, int], ...],
            ]
        ] = []
        allowed = {"message", *known, *(TIME_GROUPS if times else ())}
        for header in self.headers:
            where = f"header {header.name!r}"
            if names.count(header.name) > 1:
                raise InputError(f"Two headers are named {header.name!r}", "Rename one of them.")
            pattern = compile_portable(header.pattern, where)
            groups = analyse(header.pattern, where).names
            if "message" not in groups or not set(groups) <= allowed:
                lacks = "" if "message" in groups else ", but not message"
                bound = "none" if times else "by rules of version 1 none"
                raise InputError(
                    f"The pattern of {where} names the groups ({', '.join(groups)}){lacks}",
                    f"Name the group (?P<message>...), and {bound} but these beside it: "
                    f"{', '.join(name for name in known if name != 'message')}.",
                )
            timed = not set(groups).isdisjoint(TIME_GROUPS)
            if timed and "timestamp" not in groups:
                raise InputError(
                    f"The pattern of {where} names groups of time, but not timestamp",
                    "Put the groups of time into a group (?P<timestamp>...).",
                )
            numbers = tuple(
                pattern.groupindex.get(name, 0)
                for name in ("message", "timestamp", "host", "process")
            )
            others = tuple(
                (name, number)
                for name, number in pattern.groupindex.items()
                if name not in GROUPS and name not in TIME_GROUPS
            )
            self._steps.append(
                (pattern.match, header.name, header.next_line, timed, numbers, others)
            )

    def match(self, text: str) -> Fields:
        """The header's fields and the message of a decoded line."""
        for match, name, next_line, timed, numbers, others in self._steps:
            found = match(text)
            if found is not None:
                message, timestamp, host, process = numbers
                return Fields(
                    found[message] or "",
                    found[timestamp] if timestamp else None,
                    found[host] if host else None,
                    found[process] if process else None,
                    name,
                    next_line,
                    {other: found[number] for other, number in others if found[number] is not None}
                    if others
                    else _NOTHING,
                    found if timed and found[timestamp] is not None else None,
                )
        return Fields(text)
