r"""Headers: what stands before the message on a line, by pattern.

Rules (the reference of headers):

- The header patterns are tried in their order, each anchored at the start of the decoded line; the
  first that matches wins. Its group ``message`` is the message (the empty text, if the group took
  no part in the match), ``timestamp``, ``host`` and ``process`` the fields of those names (null if
  the pattern lacks the group or it took no part).
- Where none matches, the whole line is the message and the fields are null.
- Nothing is stripped.

Timestamps are for people and for other tools: nothing in logexport orders lines by them, and no
verdict depends on them. See :class:`TimestampReader`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import NamedTuple

from logexport.errors import InputError
from logexport.logs.patterns import analyse, compile_portable

__all__ = [
    "ALOG_DETECT_HEADERS",
    "FORMATS",
    "PRESETS",
    "Fields",
    "Header",
    "HeaderMatcher",
    "TimestampReader",
    "headers_of",
    "parse_header",
]

GROUPS = ("timestamp", "host", "process", "message")
"""What a pattern may name by rules of version 1."""
FIELDS = (
    *("timestamp", "level", "logger", "host", "process", "pid", "thread", "source", "request"),
    *("code", "method", "status", "action", "priority"),
)
"""What a pattern may name beside the message by rules of version 2."""
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
    """What a line's header says. ``header`` is its name, None where no header matched."""

    message: str
    timestamp: str | None = None
    host: str | None = None
    process: str | None = None
    header: str | None = None
    next_line: bool = False
    others: Mapping[str, str] = _NOTHING


_MONTH = "[A-Z][a-z]{2}"
_CLOCK = r"\d{2}:\d{2}:\d{2}"
_ISO_DAY = r"\d{4}-\d{2}-\d{2}"
_ISO_TIME = rf"{_CLOCK}(?:[.,]\d{{1,9}})?"
_ISO_ZONE = r"(?:Z|[+-]\d{2}:?\d{2})"
# RFC 3164, 4.1: [<PRI>]Mmm dd hh:mm:ss HOST, the day padded with a space (or, in the wild, a zero).
_SYSLOG = rf"(?:<\d{{1,3}}>)?(?P<timestamp>{_MONTH} [ \d]\d {_CLOCK}) (?P<host>\S+)"
# The tag: a name, perhaps a version after a space ("syslogd 1.4.1:") or dashes before it
# ("-- root[12]:"), perhaps [pid]; then the kernel's own time since boot, whose padding would
# otherwise change the number of tokens.
_TAG = (
    r"(?P<process>(?:-- )?[^\s\[\]:]+(?: \d[\w.\-]*)?)(?:\[[\w.\-]*\])?:(?: +|$)"
    r"(?:\[ *\d+\.\d+\] )?(?P<message>.*)$"
)

PRESETS: dict[str, tuple[Header, ...]] = {
    # RFC 5424, 6: <PRI>VERSION TIMESTAMP HOST APP-NAME PROCID MSGID SD [BOM MSG]; "-" is null.
    "rfc5424": (
        Header(
            "rfc5424",
            rf"<\d{{1,3}}>\d{{1,2}} (?:-|(?P<timestamp>{_ISO_DAY}T{_ISO_TIME}{_ISO_ZONE})) "
            r"(?:- |(?P<host>\S+) )(?:- |(?P<process>\S+) )\S+ \S+ "
            r'(?:-|(?:\[[^\s=\]"]+(?: [^\s=\]"]+="(?:[^"\\\]]|\\.)*")*\])+)'
            "(?: |$)\ufeff?(?P<message>.*)$",
        ),
    ),
    # yymmdd hhmmss thread level class: message
    "hdfs": (
        Header(
            "hdfs",
            r"(?P<timestamp>\d{6} \d{6}) \d+ [A-Z]+ (?P<process>[^\s:]+):(?: |$)(?P<message>.*)$",
        ),
    ),
    # [Www Mmm dd hh:mm:ss[.uuuuuu] yyyy] [[module:]level] [[pid n[:tid n]]] message
    "apache": (
        Header(
            "apache",
            rf"\[(?P<timestamp>{_MONTH} {_MONTH} [ \d]\d {_CLOCK}(?:\.\d{{1,6}})? \d{{4}})\] "
            r"\[(?:(?P<process>[\w.\-]+):|:)?[a-z]+[0-9]?\](?: \[pid \d+(?::tid \d+)?\])?"
            r"(?: |$)(?P<message>.*)$",
        ),
    ),
    # RFC 3164; the second for lines without a tag, such as "last message repeated 2 times"
    "syslog": (
        Header("syslog", rf"{_SYSLOG} {_TAG}"),
        Header("syslog-untagged", rf"{_SYSLOG}(?: |$)(?P<message>.*)$"),
    ),
    # seconds since boot, perhaps with the level before and the caller after; or dmesg -T
    "dmesg": (
        Header(
            "dmesg",
            r"(?:<\d{1,3}>)?\[ *\d+\.\d+\](?:\[ *[CT]\d+\])?(?: |$)(?P<message>.*)$",
        ),
        Header(
            "dmesg-time",
            rf"\[(?P<timestamp>{_MONTH} {_MONTH} [ \d]\d {_CLOCK} \d{{4}})\]"
            r"(?: |$)(?P<message>.*)$",
        ),
    ),
    # java.util.logging's SimpleFormatter; newer ones write U+202F before AM and PM
    "java-util-logging": (
        Header(
            "java-util-logging",
            rf"(?P<timestamp>{_MONTH} \d{{1,2}}, \d{{4}} \d{{1,2}}:\d{{2}}:\d{{2}}"
            "(?:[ \u202f][AP]M)?"
            r") (?P<process>[\w.$]+) [^\s]+$(?P<message>)",
            next_line=True,
        ),
    ),
    # .NET's console logger: "info: Category[0]", perhaps with a time before it; the level is kept
    "dotnet-console": (
        Header(
            "dotnet-console",
            rf"(?:\[?(?P<timestamp>(?:{_ISO_DAY}[T ])?{_ISO_TIME}(?: ?{_ISO_ZONE})?)\]? )?"
            r"(?P<message>trce|dbug|info|warn|fail|crit): (?P<process>[\w.`+<>]+)\[-?\d+\]$",
            next_line=True,
        ),
    ),
    # logcat -v long; the level is kept
    "logcat-long": (
        Header(
            "logcat-long",
            rf"\[ (?P<timestamp>\d{{2}}-\d{{2}} {_CLOCK}\.\d{{3}}) +\d+: *\d+ "
            r"(?P<message>[VDIWEFA])/(?P<process>[^\s]+) *\]$",
            next_line=True,
        ),
    ),
    # ISO 8601; the first is syslog with such a time (RFC 3339), as rsyslog writes it
    "iso8601": (
        Header(
            "iso8601-syslog",
            rf"(?P<timestamp>{_ISO_DAY}T{_ISO_TIME}{_ISO_ZONE}) (?P<host>[\w.\-]+) {_TAG}",
        ),
        Header(
            "iso8601",
            rf"\[?(?P<timestamp>{_ISO_DAY}[T ]{_ISO_TIME}(?: ?{_ISO_ZONE})?)\]?"
            r"(?:[ :]+|$)(?P<message>.*)$",
        ),
    ),
    "plain": (),
}
"""Header patterns by the name of their format, the most specific first."""

ALOG_DETECT_HEADERS = (
    Header(
        "alog-detect-syslog",
        r"^(?P<timestamp>[A-Z][a-z]{2}\s+\d{1,2}\s+\d{2}:\d{2}:\d{2})\s+(?P<host>[\w.\-]+)\s+"
        r"(?P<process>[\w\-/.]+)(?:\[\d+\])?:\s+(?P<message>.*)$",
    ),
    Header("alog-detect-dmesg", r"^\[\s*\d+\.\d+\]\s+(?P<message>.*)$"),
)
"""The rules of alog-detect, as they are; never detected, since ``syslog`` matches more."""

FORMATS = (*PRESETS, "alog-detect")
"""What ``--format`` takes, beside ``auto``."""


def headers_of(format_name: str) -> tuple[Header, ...]:
    """The headers of a preset or of ``alog-detect``.

    Raises:
        InputError: no format of that name.
    """
    if format_name == "alog-detect":
        return ALOG_DETECT_HEADERS
    if format_name not in PRESETS:
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

    Raises:
        InputError: a pattern that is not portable, lacks the group ``message``, has a named group
            that logexport does not know, or a name that is given twice.
    """

    def __init__(self, headers: Sequence[Header], known: Sequence[str] = GROUPS) -> None:
        self.headers = tuple(headers)
        names = [header.name for header in self.headers]
        self._steps: list[
            tuple[
                Callable[[str], re.Match[str] | None],
                str,
                bool,
                tuple[int, ...],
                tuple[tuple[str, int], ...],
            ]
        ] = []
        for header in self.headers:
            where = f"header {header.name!r}"
            if names.count(header.name) > 1:
                raise InputError(f"Two headers are named {header.name!r}", "Rename one of them.")
            pattern = compile_portable(header.pattern, where)
            groups = analyse(header.pattern, where).names
            if "message" not in groups or not set(groups) <= {"message", *known}:
                lacks = "" if "message" in groups else ", but not message"
                raise InputError(
                    f"The pattern of {where} names the groups ({', '.join(groups)}){lacks}",
                    "Name the group (?P<message>...), and none but these beside it: "
                    f"{', '.join(name for name in known if name != 'message')}.",
                )
            numbers = tuple(
                pattern.groupindex.get(name, 0)
                for name in ("message", "timestamp", "host", "process")
            )
            others = tuple(
                (name, number) for name, number in pattern.groupindex.items() if name not in GROUPS
            )
            self._steps.append((pattern.match, header.name, header.next_line, numbers, others))

    def match(self, text: str) -> Fields:
        """The header's fields and the message of a decoded line."""
        for match, name, next_line, (message, timestamp, host, process), others in self._steps:
            found = match(text)
            if found is not None:
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
                )
        return Fields(text)


_MONTHS = {
    name: number
    for number, name in enumerate(
        ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), 1
    )
}
_ISO = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?(?: ?(Z|[+-]\d\d:?\d\d))?",
    re.ASCII,
)
_YEARLESS = re.compile(r"([A-Z][a-z]{2})\s+(\d{1,2})\s+(\d\d):(\d\d):(\d\d)", re.ASCII)
_WEEKDAY = re.compile(
    r"[A-Z][a-z]{2} ([A-Z][a-z]{2})\s+(\d{1,2}) (\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))? (\d{4})",
    re.ASCII,
)
_COMPACT = re.compile(r"(\d\d)(\d\d)(\d\d) (\d\d)(\d\d)(\d\d)", re.ASCII)


class TimestampReader:
    """Header texts to naive datetimes, in UTC where the text names a zone.

    Understood: ISO 8601 (``T`` or a space, fraction after ``.`` or ``,`` cut to microseconds,
    zone), ``Sun Dec 04 04:47:44.123456 2005``, ``081109 203615`` (years 2000 to 2099) and the
    year-less ``Jun 14 15:16:01``. Anything else, a date that does not exist and a leap second are
    null.

    A year-less time is null unless ``year`` is given. The first such time is of that year; each
    next one is of the earliest year that puts it no more than 31 days before the latest one so far.
    So the year turns from December to January, and a line that comes late does not turn it. (The
    29th of February is null where that year has none.)

    Args:
        year: of the first year-less timestamp, or None.
    """

    def __init__(self, year: int | None = None) -> None:
        if year is not None and not 1 <= year <= 9998:
            raise InputError(f"{year} is not a year", "Use four digits, such as 2024.")
        self._year = year
        self._latest: datetime | None = None
        self._remembered: tuple[str, datetime | None] = ("", None)

    def read(self, text: str | None) -> datetime | None:
        """The time that ``text`` says, or None."""
        if not text:
            return None
        if text == self._remembered[0]:  # many lines share a second
            return self._remembered[1]
        value = self._read(text)
        self._remembered = (text, value)
        return value

    def _read(self, text: str) -> datetime | None:
        try:
            if match := _ISO.fullmatch(text):
                year, month, day, hour, minute, second = map(int, match.group(1, 2, 3, 4, 5, 6))
                micro = int((match[7] or "")[:6].ljust(6, "0"))
                return datetime(year, month, day, hour, minute, second, micro) - _offset(match[8])
            if match := _YEARLESS.fullmatch(text):
                return self._with_year(match)
            if match := _WEEKDAY.fullmatch(text):
                day, hour, minute, second, year = map(int, match.group(2, 3, 4, 5, 7))
                micro = int((match[6] or "").ljust(6, "0"))
                return datetime(year, _MONTHS[match[1]], day, hour, minute, second, micro)
            if match := _COMPACT.fullmatch(text):
                year, month, day, hour, minute, second = map(int, match.groups())
                return datetime(2000 + year, month, day, hour, minute, second)
        except (ValueError, KeyError, OverflowError):
            pass  # a time that does not exist: null, as the docstring says
        return None

    def _with_year(self, match: re.Match[str]) -> datetime | None:
        if self._year is None:
            return None
        month = _MONTHS[match[1]]
        day, hour, minute, second = map(int, match.group(2, 3, 4, 5))
        if self._latest is None:
            self._latest = datetime(self._year, month, day, hour, minute, second)
            return self._latest
        earliest = self._latest - timedelta(days=31)
        for year in range(max(earliest.year, 1), earliest.year + 2):
            # Compared as numbers: 29 February of another year is no datetime.
            if (year, month, day, hour, minute, second) >= earliest.timetuple()[:6]:
                value = datetime(year, month, day, hour, minute, second)
                self._latest = max(self._latest, value)
                return value
        return None


def _offset(zone: str | None) -> timedelta:
    if zone is None or zone == "Z":
        return timedelta()
    hours, minutes = int(zone[1:3]), int(zone[-2:])
    if minutes > 59:
        raise ValueError(zone)
    offset = timedelta(hours=hours, minutes=minutes)
    return -offset if zone[0] == "-" else offset
