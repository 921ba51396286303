r"""Values in lines of a log, found and drawn anew in their shape: for the check ``events``.

Like :mod:`logexport.checks.moving`, nothing here is shared with the masks that it judges.

What is a value, so that a line with another one is the same event in any log:

- UUIDs, MAC and IP addresses, hexadecimal runs that are marked as such (``0x``, after ``@``, or at
  least seven digits of both kinds), durations and sizes with their units, versions, the two random
  parts of a pod's name, and numbers.
- Digits within a name (``eth0``, ``node-246``, ``job_17_0020``) if the log shows that they vary, or
  if they are many: see :data:`MOST_NAMES` and :data:`LONG_NUMBER`. ``x86_64``, ``sha256``, ``utf8``
  and ``IPv4`` look the same, but each names one thing: a line with another name tells of another
  thing, so they stay.

What stays besides: the times that were found, values of kept fields, since they are part of the
event; a syslog priority and what stands with it, which is a severity; keys of JSON and logfmt,
which the program names; the protocol in ``HTTP/1.1``; escapes of all kinds (``\u00e9``, ``\042``,
``%20``, colours), whose digits spell a character; and what looks like a time of day.

Drawn digits keep what a reader of numbers could rely on: leading zeros, and that there are none;
octets and ports up to their largest; the first two digits of what may be an epoch, and eight digits
that are a date.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import datetime
from ipaddress import AddressValueError, IPv6Address
from random import Random
from typing import NamedTuple

from logexport.checks.moving import Found

__all__ = ["Value", "draw_value", "find_ids", "find_values"]

MOST_NAMES = 4
"""Of names that differ in digits alone a log holds so many at most (``sha1``, ``sha224``,
``sha256``, ``sha512``); if there are more spellings, the digits are a value."""
LONG_NUMBER = 6
"""So many digits in a row are a value in whatever word they stand; names have at most five."""


class Value(NamedTuple):
    """A value in a text: where it stands, and as what it is drawn."""

    start: int
    end: int
    kind: str


_X = "[0-9a-fA-F]"
_UNIT = r"(?:[nuµm]?s|[mh]|min|B|bytes|[kKMGTP](?:i?[bB])?|[kMG]?Hz|%)"
_POD = "[2456789bcdfghjklmnpqrstvwxz]"
_STAYS = "stays"

_MARKED = re.compile(
    "|".join(
        f"(?P<{kind}>{pattern})"
        for kind, pattern in (
            (
                _STAYS,
                r"^(?:\d+ )?<\d{1,3}>(?:\d{1,2} )?"
                r"|\x1b\[[0-?]*[ -/]*[@-~]"
                r"|\\(?:u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|[0-7]{3}|[^0-9])|%[0-9A-Fa-f]{2}"
                r'|"[^"\\]{1,64}"[ ]?:'
                r"|\b[A-Za-z_][\w.\-]{0,63}(?==)"
                r"|\bHTTP/\d(?:\.\d)?\b"
                r"|(?<![\w.:])\d{1,2}:\d\d(?::\d\d)?(?![\w:])",
            ),
            ("uuid", rf"(?<![0-9A-Za-z]){_X}{{8}}-(?:{_X}{{4}}-){{3}}{_X}{{12}}(?![0-9A-Za-z])"),
            (
                "mac",
                rf"(?<![\w:]){_X}{{2}}(?P<mark>[:-])(?:{_X}{{2}}(?P=mark)){{4}}{_X}{{2}}(?![\w:])",
            ),
            ("ipv6", rf"(?<![\w:.])(?:{_X}{{0,4}}:){{2,7}}{_X}{{0,4}}(?![\w:])(?!\.\d)"),
            ("ipv4", r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?!\w)(?!\.\d)"),
            ("prefixed", rf"(?<![0-9A-Za-z])0[xX]{_X}+(?![0-9A-Za-z])"),
            ("at", r"(?<=[\w\]]@)(?=[a-f]*\d)[1-9a-f][0-9a-f]{3,15}(?![\w.])"),
            ("pod", rf"(?<=[a-z0-9]-)(?=[a-z]*\d){_POD}{{8,10}}-(?=[a-z]*\d){_POD}{{5}}(?![\w\-])"),
            ("number", rf"(?<![\w.])(?:\d+(?:(?:\.\d+)?{_UNIT}|[dw])){{1,6}}(?!\w)"),
            ("duration", r"(?<!\w)P(?:\d+[YMWD])*(?:T(?:\d+(?:\.\d+)?[HMS])+)?(?!\w)"),
            (
                "run",
                r"(?<![0-9A-Za-z])(?:(?=\d*[a-f])(?=[a-f]*\d)[0-9a-f]{7,}"
                r"|(?=\d*[A-F])(?=[A-F]*\d)[0-9A-F]{7,})(?![0-9A-Za-z])",
            ),
        )
    ),
    re.ASCII,
)
"""What shows by its form what it is; the first that fits, from left to right."""
_WORD = re.compile(r"\w+(?:[\-.]\w+)*")
_PLAIN = re.compile(r"\d[\d_.\-]*|[vV]\d+(?:\.\d+)+|\d+(?:\.\d+)?[eE]-?\d+", re.ASCII)
"""Words that are numbers."""
_DIGITS = re.compile("[0-9]+")
_LONG = re.compile(rf"[0-9]{{{LONG_NUMBER}}}")


def find_values(
    text: str, times: Iterable[Found], kept: Iterable[str], ids: Collection[str]
) -> list[Value]:
    """The values in a text, in their order.

    Args:
        text: a line, or several.
        times: of the text, which stay.
        kept: texts that stay, wherever they stand for themselves.
        ids: shapes of words whose digits vary, see :func:`find_ids`.
    """
    values = []
    for start, end in _gaps(text, _staying(text, times, kept)):
        found = [
            Value(match.start(), match.end(), str(match.lastgroup))
            for match in _MARKED.finditer(text, start, end)
            if _is_value(match)
        ]
        values += [value for value in found if value.kind != _STAYS]
        for left, right in _gaps(text, ((one.start, one.end) for one in found), start, end):
            values += _find_in_words(text, left, right, ids)
    return sorted(values)


def find_ids(texts: Iterable[str]) -> frozenset[str]:
    """The shapes of words of which a log has more spellings than names have."""
    spellings: dict[str, set[str]] = {}
    for text in texts:
        for match in _WORD.finditer(text):
            if _DIGITS.search(match[0]):
                known = spellings.setdefault(_shape(match[0]), set())
                if len(known) <= MOST_NAMES:
                    known.add(match[0])
    return frozenset(shape for shape, known in spellings.items() if len(known) > MOST_NAMES)


def draw_value(text: str, kind: str, random: Random) -> str:
    """Another value of the same shape.

    Args:
        text: the value.
        kind: of :class:`Value`.
        random: where it is drawn from.
    """
    if kind == "uuid":  # version and variant are the program's
        drawn = _draw_hex(text, random)
        return drawn[:14] + text[14] + drawn[15:19] + text[19] + drawn[20:]
    if kind == "ipv4":
        return ".".join(str(_draw_octet(octet, random)) for octet in text.split("."))
    if kind == "ipv6":
        return ":".join(_draw_significant(group, random, _draw_hex) for group in text.split(":"))
    if kind in ("mac", "run"):
        return _draw_hex(text, random)
    if kind == "prefixed":
        return text[:2] + _draw_significant(text[2:], random, _draw_hex)
    if kind == "at":
        return _draw_significant(text, random, _draw_hex)
    if kind == "pod":
        drawn = re.sub("[0-9]", lambda _: random.choice("2456789"), text)
        return re.sub("[a-z]", lambda _: random.choice("bcdfghjklmnpqrstvwxz"), drawn)
    if kind == "port":
        return str(random.randint(10_000, 65_535))
    return _DIGITS.sub(lambda match: _draw_number(match[0], random), text)


def _staying(text: str, times: Iterable[Found], kept: Iterable[str]) -> Iterator[tuple[int, int]]:
    for found in times:
        yield found.match.span()
    for value in kept:
        if value:
            for match in re.finditer(rf"(?<![\w.]){re.escape(value)}(?!\w|\.\w)", text):
                yield match.span()


def _gaps(
    text: str, spans: Iterable[tuple[int, int]], start: int = 0, end: int | None = None
) -> Iterator[tuple[int, int]]:
    """What lies between spans, which may overlap."""
    for left, right in sorted(spans):
        if start < left:
            yield start, left
        start = max(start, right)
    end = len(text) if end is None else end
    if start < end:
        yield start, end


def _is_value(match: re.Match[str]) -> bool:
    """Whether it is what its form says."""
    if match.lastgroup == "ipv4":
        return all(int(octet) < 256 for octet in match[0].split("."))
    if match.lastgroup == "ipv6":
        try:
            IPv6Address(match[0])
        except AddressValueError:
            return False
        return bool(_DIGITS.search(match[0]))
    return match.lastgroup != "duration" or bool(_DIGITS.search(match[0]))


def _find_in_words(text: str, start: int, end: int, ids: Collection[str]) -> Iterator[Value]:
    for match in _WORD.finditer(text, start, end):
        word = match[0]
        if not _DIGITS.search(word):
            continue
        if len(word) == 5 and word.isdigit() and text[match.start() - 1 : match.start()] == ":":
            yield Value(*match.span(), "port")
        elif _PLAIN.fullmatch(word) or _shape(word) in ids or _LONG.search(word):
            yield Value(*match.span(), "number")


def _shape(word: str) -> str:
    return _DIGITS.sub("0", word)


def _draw_hex(text: str, random: Random) -> str:
    digits = "0123456789ABCDEF" if re.search("[A-F]", text) else "0123456789abcdef"
    return re.sub("[0-9a-fA-F]", lambda _: digits[int(random.random() * 16)], text)


def _draw_significant(text: str, random: Random, draw: Callable[[str, Random], str]) -> str:
    """Draw what follows leading zeros, so that it does not begin with one."""
    rest = text.lstrip("0")
    zeros = text[: len(text) - len(rest)]
    drawn = draw(rest, random)
    while drawn.startswith("0"):
        drawn = draw(rest, random)
    return zeros + drawn


def _draw_octet(octet: str, random: Random) -> str:
    if len(octet) == 1:
        return octet if octet == "0" else str(random.randint(1, 9))
    if octet[0] == "0":
        return octet
    return str(random.randint(10, 99) if len(octet) == 2 else random.randint(100, 255))


def _draw_number(digits: str, random: Random) -> str:
    if len(digits) == 1:
        return random.choice("0123456789")
    if len(digits) == 8 and _is_date(digits):
        return digits
    if len(digits) in (10, 13, 16, 19) and digits[0] in "12":  # perhaps an epoch
        return digits[:2] + "".join(random.choices("0123456789", k=len(digits) - 2))
    return _draw_significant(
        digits, random, lambda rest, source: "".join(source.choices("0123456789", k=len(rest)))
    )


def _is_date(digits: str) -> bool:
    try:
        return 1970 <= datetime.strptime(digits, "%Y%m%d").year <= 2100
    except ValueError:
        return False
