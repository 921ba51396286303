r"""Dates and times as logs write them: where one stands, and a pattern for all that are alike.

A time is a date, a clock, or both in either order, in any of the spellings that strftime of some
program and locale gives, or an epoch, a TAI64N label, or seconds since boot.

A date such as ``03/07/25`` can be read in three ways. One that gives the 13th month falls out, then
one by which a month changes more often than a day. Of those that are left the one with the latest
year wins; then year first with ``-``, month first with ``/``, day first with ``.``.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from logexport.logs.instants import HALVES, MONTHS

__all__ = ["escape", "find_time", "generalise_times"]

_ACCENTS = {"a": "[aä]", "c": "[cç]", "e": "[eé]", "u": "[uû]"}
_NAMES = sorted({name for names in MONTHS for name in names.split()}, key=len, reverse=True)
_MONTH_NAME = "(?:" + "|".join("".join(_ACCENTS.get(c, c) for c in name) for name in _NAMES) + ")"
_DAY = "(?:(?:mon|tues|wednes|thurs|fri|satur|sun)day|mon|tue|wed|thu|fri|sat|sun)"
_MONTH = rf"(?:{_MONTH_NAME}\.?|\d{{1,2}}月)"
_IS_MONTH = re.compile(_MONTH_NAME, re.IGNORECASE).fullmatch
_IS_DAY = re.compile(_DAY, re.IGNORECASE).fullmatch
_ZONE_NAMES = (
    r"(?:UTC|GMT|Z|C[SE]?S?T|CET|CEST|CDT|EST|EDT|EET|EEST|WET|WEST|MST|MDT|PST|PDT|MSK|MSD|IST"
    r"|JST|KST|BST|HKT|SGT|A[EWC][SD]T|NZ[SD]T|BRT|ART|WIB)(?:[+-]\d{1,2})?"
)
_OFFSET = r"[+\-\u2212]\d{2}(?::?\d{2})?(?!\d|:\d)"
_ZONE = rf"(?:{_OFFSET}|\({_OFFSET}\)|(?-i:{_ZONE_NAMES})(?![A-Za-z]))"
_CITY = r"(?-i:\[[A-Z][A-Za-z]+/[A-Za-z_/]+\]|[A-Z][a-z]+/[A-Z][A-Za-z_/]+)"
_YEAR = r"(?:19|20)\d{2}(?![\d-])"
_OTHER_HALVES = "|".join(name for names in HALVES for name in names.split() if not name.isascii())
_HALF = rf"(?:[AaPp]\.? ?[Mm]\b\.?|{_OTHER_HALVES})"
_CLOCK = (
    rf"(?:(?:(?:{_OTHER_HALVES}) ?)?\d{{1,2}}:\d{{2}}:\d{{1,2}}(?:[.,:]\d{{1,9}})?"
    r"(?!\d|[A-Fa-f](?![A-Za-z])|:[0-9A-Fa-f]{2}(?![0-9A-Za-z]))"
    r"|(?<!\w:)\d{1,2}:\d{2}(?![\d:])|\d{2}\.\d{2}\.\d{2}\.\d{3,9}"
    r"|\d{1,2}[时時]\d{1,2}分\d{1,2}秒|\d{1,2}:\d{1,2}:\d{1,2}:\d{1,3}(?![\dA-Fa-f:]))"
)
_COMPACT_CLOCK = r"\d{6}(?:[.,]\d{1,9})?(?!\d)"
_DATE = (
    r"(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}(?![\d])|\d{1,2}[-/.]\d{1,2}[-/.](?:\d{4}|\d{2})(?!\d)"
    rf"|\d{{1,2}}\.?[-/ ]{{1,2}}{_MONTH}(?:[-/ ]\d{{4}})?(?![\w])"
    rf"|{_MONTH}[-/ ]{{1,2}}\d{{1,2}}(?:st|nd|rd|th)?(?:,? \d{{4}})?(?!\w)"
    rf"|\d{{4}}[ /-]{_MONTH}[ /-]\d{{1,2}}"
    rf"|\d{{1,2}}{_MONTH_NAME}(?:\d{{4}}|\d{{2}})(?!\w)|\d{{4}}:\d{{2}}:\d{{2}}(?=[-T ]\d)"
    r"|\d{4}年\d{1,2}月\d{1,2}日|\d{4}-\d{3}(?!\d)|\d{8}|\d{6}(?= )|\d{1,2}[-/.]\d{1,2}(?!\d)"
    r")"
)
_SEPARATOR = r"(?:[T_:|.,\-/]|, | {1,3}|::)"
_TAIL = rf"(?: ?{_HALF})?(?: ?{_ZONE})?(?: ?{_CITY})?(?: {_YEAR})?(?: {_ZONE})?"
_TIMES = (
    rf"(?:{_DAY},? )?{_DATE}{_SEPARATOR}{_CLOCK}{_TAIL}",
    rf"\d{{8}}[T\-:. _]?{_COMPACT_CLOCK}(?: ?{_ZONE})?",
    rf"\d{{6}} {_COMPACT_CLOCK}",
    r"\d{3}/\d{6}(?!\d)",
    rf"{_CLOCK}(?: {_HALF})? (?:{_DAY},? )?{_DATE}(?![\w:])",
    r"(?:0[1-9]|1[0-2])(?:[0-2]\d|3[01]) \d{2}:\d{2}:\d{2}\.\d{3,6}",
    r"(?<![\d:])[0-5]\d:[0-5]\d\.\d{3}(?![\d.:])",
    rf"(?<!\d:){_CLOCK}{_TAIL}",
    r"\d{14}(?!\d)",
    r"@[0-9a-f]{24}(?![0-9a-f])",
    r"@?(?:1[0-9]{9}|[2-9]\d{9})(?:\.\d{1,9})?(?![\d.])",
    r"1\d{12}(?!\d)|1\d{15}(?!\d)|1\d{18}(?!\d)",
    rf"(?:{_DAY},? )?\d{{4}}[-/.]\d{{2}}[-/.]\d{{2}}(?!\d)",
    r"(?<=\[) *\d{1,9}\.\d{3,6}s?(?=\])",
)
_TIME = re.compile(
    r"(?:(?<![\w.-])|(?<=^[IWEFD]))(?:" + "|".join(f"(?:{form})" for form in _TIMES) + ")",
    re.IGNORECASE,
)
_TAI64N = re.compile("@[0-9a-f]{24}")
_UPTIME = re.compile(r" *\d{1,9}\.\d{3,6}s?")
MOST_FORMS = 4
"""So many ways to write a time make one pattern; more are not times."""


def find_time(text: str, start: int = 0) -> tuple[int, int] | None:
    """Where the first time at or after ``start`` stands."""
    found = _TIME.search(text, start)
    return None if found is None else found.span()


def generalise_times(times: Sequence[str], *, named: bool = True) -> str | None:
    """A portable pattern for times that are written alike, None if they are not.

    Args:
        times: of one place in the lines of a log.
        named: groups name the parts (:mod:`logexport.logs.instants`), where all are written in one
            way; a fraction may be missing.
    """
    if all(_TAI64N.fullmatch(time) for time in times):
        return "@[0-9a-f]{24}"
    if all(_UPTIME.fullmatch(time) and len(time.strip()) < 18 for time in times) and not all(
        _EPOCH.fullmatch(time) for time in times
    ):
        return r" *\d+\.\d+s?"
    forms: dict[tuple[object, ...], list[list[_Part]]] = {}
    for time in times:
        parts = _divide(time)
        key = tuple((p.role, "" if p.role else p.text) for p in parts if p.role != "fraction")
        forms.setdefault(key, []).append(parts)
    if len(forms) > MOST_FORMS:
        return None
    patterns = [_write(rows, named=named and len(forms) == 1) for rows in forms.values()]
    distinct = list(dict.fromkeys(patterns))
    return distinct[0] if len(distinct) == 1 else "(?:" + "|".join(distinct) + ")"


def escape(text: str) -> str:
    """The portable pattern of a text; unlike :func:`re.escape` it leaves what means nothing."""
    return re.sub(r"([\\\[\](){}.*+?^$|])", r"\\\1", text)


# --- the parts of a time --------------------------------------------------------------------------


class _Part(NamedTuple):
    """A piece of a time: a number or word by its role, or what stands between them (no role)."""

    role: str
    text: str


_EPOCH = re.compile(r"@?(\d{10}(?:\.\d{1,9})?|\d{13}|\d{16}|\d{19})")
_PIECES = re.compile(
    rf"(?P<half>{_HALF}(?!\w))|(?P<city>{_CITY})"
    rf"|(?P<zone>(?<=[\d ]){_OFFSET}(?![-.])|\({_OFFSET}\)|(?<![A-Za-z]){_ZONE_NAMES}(?![A-Za-z]))"
    r"|(?P<number>\d+)|(?P<word>[^\W\d_]+\.?)|(?P<space> +)|(?P<other>.)",
    re.DOTALL,
)


def _divide(time: str) -> list[_Part]:
    """The parts of a time; those of a date are ``date-1``… where their order is not yet known."""
    epoch = _EPOCH.fullmatch(time)
    if epoch is not None:
        return [*([_Part("", "@")] if time[0] == "@" else []), _Part("epoch", epoch[1])]
    pieces: list[_Part] = []
    for match in _PIECES.finditer(time):
        kind, text = str(match.lastgroup), match[0]
        word = text.lower().rstrip(".")
        if kind == "zone" and not _may_be_zone(pieces):
            # The sign of "2024-11-14" divides a date.
            pieces += [_Part("", text[0]), _Part("number", text[1:])]
        elif kind in ("half", "zone", "city", "number"):
            pieces.append(_Part(kind, text))
        elif kind == "word" and _IS_MONTH(word):
            pieces.append(_Part("name", text))
        elif kind == "word" and _IS_DAY(word):
            pieces.append(_Part("weekday", text))
        elif kind == "space":
            pieces.append(_Part("space", text))
        else:
            pieces.append(_Part("", text))
    return _name_numbers(pieces)


def _may_be_zone(before: Sequence[_Part]) -> bool:
    """Whether a clock stands before."""
    numbers = [part for part in before if part.role == "number"]
    colons = sum(part.text in (":", "时", "時", "分") for part in before)
    return colons > 0 or any(len(part.text) in (6, 14) for part in numbers[1:] or numbers)


_HOURLESS = re.compile(r"N:N\.J")
_CLOCK_PARTS = re.compile(r"N[:时時]N(?:[:分]N(?:[.,:][NYJL]|秒)?|\.J$)?")
_DOTTED_CLOCK = re.compile(r"N\.N\.N\.[NYJL]$")
_SLOTS: tuple[tuple[re.Pattern[str], tuple[str, ...]], ...] = tuple(
    (re.compile(pattern), roles)
    for pattern, roles in (
        (r"Y年N月N日", ("year", "month", "day")),
        (r"[NY][-/.]N[-/.][NY]", ("date-1", "date-2", "date-3")),
        (r"Y[-/ ]M[-/ ]N", ("year", "name", "day")),
        (r"NM[YN]", ("day", "name", "year")),
        (r"N\.?[-/ ]+M[-/ ]Y", ("day", "name", "year")),
        (r"N\.?[-/ ]+M", ("day", "name")),
        (r"M[-/ ]+N,? Y", ("name", "day", "year")),
        (r"M[-/ ]+N", ("name", "day")),
        (r"N月 N", ("month", "day")),
        (r"Y-J", ("year", "day_of_year")),
        (r"N[-/.]N", ("pair-1", "pair-2")),
    )
)


def _name_numbers(pieces: list[_Part]) -> list[_Part]:
    letters = []
    for part in pieces:
        if part.role == "number":
            letters.append(
                {4: "Y", 3: "J"}.get(len(part.text), "N" if len(part.text) <= 2 else "L")
            )
        else:
            known = {"name": "M", "weekday": "W", "zone": "Z", "city": "C", "half": "H"}
            letters.append(known.get(part.role) or (" " if part.role == "space" else part.text[0]))
    skeleton = "".join(letters)
    roles = [part.role for part in pieces]

    def give(start: int, end: int, given: Sequence[str]) -> None:
        left = iter(given)
        for place in range(start, end):
            if roles[place] in ("number", "name"):
                roles[place] = next(left, roles[place])

    if skeleton.startswith("Y:N:N"):
        give(0, 5, ("year", "month", "day"))
        skeleton = "#" * 5 + skeleton[5:]
    clock = _CLOCK_PARTS.search(skeleton) or _DOTTED_CLOCK.search(skeleton)
    if clock is not None:
        hourless = _HOURLESS.fullmatch(skeleton) is not None
        give(*clock.span(), ("hour", "minute", "second", "fraction")[hourless:])
        skeleton = skeleton[: clock.start()] + "#" * len(clock[0]) + skeleton[clock.end() :]
    for pattern, names in _SLOTS:
        date = pattern.search(skeleton)
        if date is not None:
            give(*date.span(), names)
            break
    for place, part in enumerate(pieces):
        if roles[place] == "number":
            roles[place] = _compact(part.text, roles)
    return [_Part(role, part.text) for role, part in zip(roles, pieces, strict=True)]


def _compact(text: str, roles: Sequence[str]) -> str:
    """The role of a number by its digits: parts without a sign between them, or a year."""
    seen = [role for role in roles if role and role not in ("space", "number")]
    if "hhmmss" in seen or "yyyymmddhhmmss" in seen:
        return "fraction"
    if len(text) == 14:
        return "yyyymmddhhmmss"
    if len(text) == 8:
        return "yyyymmdd"
    if len(text) == 6:
        has_date = any(role in ("yyyymmdd", "yymmdd", "day_of_year", "name") for role in seen)
        return "hhmmss" if has_date or "pair-1" in seen else "yymmdd"
    if len(text) == 4:
        return "year" if {"day", "name", "month"} & set(seen) else "mmdd"
    if len(text) == 3 and "year" not in seen:
        return "day_of_year" if "hour" not in seen else "number"
    return "number"


# --- patterns -------------------------------------------------------------------------------------

_COMPACTS = {
    "yyyymmddhhmmss": ("year", "month", "day", "hour", "minute", "second"),
    "yyyymmdd": ("year", "month", "day"),
    "yymmdd": ("year", "month", "day"),
    "hhmmss": ("hour", "minute", "second"),
    "mmdd": ("month", "day"),
}
_WORD = r"[^\s\d,/\[\]:-]{2,10}"
_WIDE = {
    "name": _WORD,
    "weekday": _WORD,
    "half": rf"(?:[AaPp]\.? ?[Mm]\.?|{_OTHER_HALVES})",
    "zone": "(?:[A-Za-z]{1,5})?(?:[+\\-\u2212]\\d{1,2}(?::?\\d{2})?)?",
    "city": r"\[?[A-Za-z]+/[A-Za-z_/]+\]?",
    "fraction": r"\d{1,9}",
}


def _write(rows: list[list[_Part]], *, named: bool) -> str:
    """The pattern of times whose parts have the same roles."""
    with_fraction = [row for row in rows if any(part.role == "fraction" for part in row)]
    sample = (with_fraction or rows)[0]
    order = _order(rows)
    used: set[str] = set()

    def group(role: str, pattern: str) -> str:
        if not named or role in used:
            return pattern
        used.add(role)
        return f"(?P<{role}>{pattern})"

    out: list[str] = []
    for place, (role, text) in enumerate(sample):
        role = order.get(role, role)
        after = sample[place + 1].role if place + 1 < len(sample) else ""
        if role in _COMPACTS:
            for name in _COMPACTS[role]:
                digits = 4 if name == "year" and role.startswith("yyyy") else 2
                out.append(group(name, rf"\d{{{digits}}}"))
        elif role == "space":
            before = sample[place - 1].role if place else ""
            dates = {"number", "name", "day", "hour", "month", "weekday"}
            out.append(" {1,3}" if {after, before} & dates else " ")
        elif role == "fraction":
            separator = out.pop()
            value = separator + group("fraction", _WIDE["fraction"])
            out.append(value if len(with_fraction) == len(rows) else f"(?:{value})?")
        elif role == "epoch":
            digits = len(text.split(".")[0])
            out.append(
                group("epoch", rf"\d{{{digits}}}" + (r"(?:\.\d{1,9})?" if digits == 10 else ""))
            )
        elif role in _WIDE:
            name = {"name": "month"}.get(role, role)
            wide = _WIDE[role]
            wide = wide if role in ("weekday", "city") else group(name, wide)
            out.append(rf"\({wide}\)" if role == "zone" and text[0] == "(" else wide)
        elif role == "year":
            out.append(group("year", rf"\d{{{len(text)}}}"))
        elif role == "day_of_year":
            out.append(group(role, r"\d{3}"))
        elif role in ("month", "day", "hour", "minute", "second"):
            out.append(group(role, r"\d{1,2}"))
        elif role == "number":
            out.append(r"\d{1,2}" if len(text) <= 2 else rf"\d{{{len(text)}}}")
        else:
            out.append(escape(text))
    return "".join(out)


_TRIPLES = {
    "-": (("year", "month", "day"), ("day", "month", "year"), ("month", "day", "year")),
    "/": (("month", "day", "year"), ("year", "month", "day"), ("day", "month", "year")),
    ".": (("day", "month", "year"), ("year", "month", "day"), ("month", "day", "year")),
}
_PAIRS = {
    "-": (("month", "day"), ("day", "month")),
    "/": (("month", "day"), ("day", "month")),
    ".": (("day", "month"), ("month", "day")),
}


def _order(rows: Sequence[Sequence[_Part]]) -> dict[str, str]:
    """Which of a date's numbers is the year, the month and the day."""
    for slot, orders in (("date", _TRIPLES), ("pair", _PAIRS)):
        names = [f"{slot}-{n}" for n in range(1, 4 if slot == "date" else 3)]
        dates = Counter(tuple(part.text for part in row if part.role in names) for row in rows)
        if not any(dates):
            continue
        first = next(place for place, part in enumerate(rows[0]) if part.role == names[0])
        sign = rows[0][first + 1].text
        fitting = [
            order
            for order in orders.get(sign, orders["-"])
            if all(_is_date(order, date) for date in dates)
        ]
        best = min(fitting, key=lambda order: _doubt(order, list(dates)), default=orders["-"][0])
        return dict(zip(names, best, strict=True))
    return {}


def _doubt(order: Sequence[str], dates: Sequence[Sequence[str]]) -> tuple[bool, int]:
    """Less for a better order: no slower part varies more than a faster one, a later year."""
    columns = dict(zip(order, zip(*dates, strict=True), strict=True))
    counts = [len(set(columns[name])) for name in ("year", "month", "day") if name in columns]
    short = [int(year) for year in columns.get("year", ()) if len(year) == 2]
    return counts != sorted(counts), -max(short, default=0)


def _is_date(order: Sequence[str], date: Sequence[str]) -> bool:
    values = dict(zip(order, date, strict=True))
    wide = [name for name, text in values.items() if len(text) == 4]
    return (
        1 <= int(values["month"]) <= 12 and 1 <= int(values["day"]) <= 31 and wide in ([], ["year"])
    )
