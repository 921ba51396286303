r"""Dates and times in lines of a log, found and moved: for the check ``events``.

Nothing here is shared with what reads heads, masks values or reads instants, and none of it may
be: the check compares those with the world, so it looks at the world by itself.

A time is found by its form (:data:`_FORMS`), moved, and written back as the log writes it: as many
digits, the same padding, the same kind of names. All moves are whole hours, so minutes, seconds and
their fractions stay as they are. A time that cannot be moved without a guess stays too: the pad of
a number below ten, and which number of ``05/06/2024`` is the day, is told by other lines
(:class:`Habits`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

__all__ = ["MOVES", "Found", "Habits", "Move", "find_times", "move_times"]


@dataclass(frozen=True)
class Move:
    """How far time moves.

    Args:
        name: for reports.
        delta: whole hours.
        zone: what is meant is the same instant in another zone; ``delta`` is not looked at.
    """

    name: str
    delta: timedelta = timedelta()
    zone: bool = False


MOVES = (
    Move("hour", timedelta(hours=1)),
    Move("day", timedelta(days=1)),
    Move("month", timedelta(days=31)),
    Move("year", timedelta(days=366)),
    Move("zone", zone=True),
)
"""31 days lead out of any month and 366 out of any year; the way back is as long."""

_MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July", "August"),
    *("September", "October", "November", "December"),
)
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_SUMMER = dict(
    re.findall(
        r"(\w+) (\w+)",
        "CET CEST EET EEST WET WEST EST EDT CST CDT MST MDT PST PDT AKST AKDT NST NDT AST ADT"
        " AEST AEDT NZST NZDT",
    )
)
"""Names of zones and those for summer. Who writes UTC or GMT always does: they stay."""
_WINTER = {summer: winter for winter, summer in _SUMMER.items()}

_YEARS = (1970, 2100)
"""Other four digits are hardly a year."""
_EPOCHS = (946_684_800, 4_102_444_800)
"""Seconds of 2000 and 2100: other ten digits are hardly a time."""
_LEAP_YEAR = 2024  # in place of a year that is not written: it has all days


def _any(names: Iterable[str]) -> str:
    """Names in full or by their first three letters, in any letters."""
    return "(?i:" + "|".join(f"{name[:3]}(?:{name[3:]})?" for name in names) + ")"


_NAME = rf"(?P<name>{_any(_MONTHS)})"
_WEEKDAY = rf"(?:(?P<weekday>{_any(_WEEKDAYS)})(?:,? ))?"
_YEAR = r"(?P<year>(?:19|20)\d{2})"
_CLOCK = (
    r"(?P<hour>\d{1,2})(?P<colon>[:.,])[0-5]\d"
    r"(?:(?P=colon)[0-5]\d(?:[.,:]\d{1,9})?(?!\d))?(?:[ \u202f]?(?P<half>[AaPp])\.?[Mm]\b\.?)?"
)
_FULL_CLOCK = (
    r"(?P<hour>\d{1,2}):[0-5]\d:[0-5]\d(?:[.,:]\d{1,9})?(?!\d)"
    r"(?:[ \u202f]?(?P<half>[AaPp])\.?[Mm]\b\.?)?"
)
_ZONE = (
    r"(?: ?(?P<zone>Z(?!\w)|[+-][01]\d(?::?[0-5]\d)?(?![\d:])"
    rf"|(?:{'|'.join((*_SUMMER, *_WINTER))})\b))?"
)
_OTHER_ZONE = r"(?: (?:[A-Z]{3,5}|[+-]\d{4}))?"  # within a date, where it stays
_TIME = rf"(?:(?:[T _:\-]|::|, | at )(?:{_CLOCK}){_ZONE})?"
_NEEDED = rf"[T ]{{1,2}}{_FULL_CLOCK}{_ZONE}"
_TIME_KEYS = (
    "@?timestamp|@?time|ts|t|epoch|date|datetime|asctime|eventtime|created|time_?stamp_?ms|ts_?ms"
)
_START = r"(?<![0-9A-Za-z])(?<![0-9][.,/\-])"
_END = r"(?![0-9])(?![.:/\-][0-9]{3})"

_FORMS: Mapping[str, re.Pattern[str]] = {
    name: re.compile(pattern, re.ASCII)
    for name, pattern in {
        "year first": rf"{_START}{_WEEKDAY}{_YEAR}(?P<dash>[-/.])(?P<month>\d{{1,2}})(?P=dash)"
        rf"(?P<day>\d{{1,2}})(?!\d){_TIME}{_END}",
        "day, name, year": rf"{_START}{_WEEKDAY}(?P<day>\d{{1,2}})[-/ ]{_NAME}[-/ ,]{{1,2}}{_YEAR}"
        rf"(?!\d){_TIME}{_END}",
        "day, name": rf"{_START}{_WEEKDAY}(?P<day>\d{{1,2}})[-/ ]{_NAME}{_NEEDED}{_END}",
        "name, day, year": rf"{_START}{_WEEKDAY}{_NAME} (?P<day> ?\d{{1,2}})(?:,? ){_YEAR}"
        rf"(?!\d){_TIME}{_END}",
        "year, name, day": rf"{_START}{_YEAR}[-/ ]{_NAME}[-/ ](?P<day> ?\d{{1,2}}){_NEEDED}{_END}",
        "name, day": rf"{_START}{_WEEKDAY}{_NAME}[- ](?P<day> ?\d{{1,2}}){_NEEDED}"
        rf"(?:{_OTHER_ZONE} {_YEAR})?{_END}",
        "two, two, year": rf"{_START}(?P<one>\d{{1,2}})(?P<dash>[-/.])(?P<two>\d{{1,2}})(?P=dash)"
        rf"{_YEAR}(?!\d){_TIME}{_END}",
        "two, two, two": rf"{_START}(?P<one>\d{{1,2}})(?P<dash>[-/.])(?P<two>\d{{1,2}})(?P=dash)"
        rf"(?P<three>\d\d){_NEEDED}{_END}",
        "two, two": rf"{_START}(?P<month>\d\d)[-/.](?P<day>\d\d){_NEEDED}{_END}",
        "year first, no marks": rf"{_START}{_YEAR}(?P<month>\d\d)(?P<day>\d\d)"
        rf"(?:[T _:.\-]?(?P<hour2>[0-2]\d)(?:[0-5]\d){{2}}(?:[.,]\d{{1,9}})?|[T _\-]{_FULL_CLOCK})"
        rf"{_ZONE}(?!\w)",
        "short year, no marks": r"(?:^|(?<=[\[<(>|]))(?P<short>\d\d)(?P<month>\d\d)(?P<day>\d\d)"
        r" (?:(?P<hour>[0-2]\d)(?:[0-5]\d){2}|(?P<hour2>[ \d]?\d)(?::[0-5]\d){2})(?!\w)",
        "month and day, no marks": rf"(?<!\w)[A-Z](?P<month>\d\d)(?P<day>\d\d) {_FULL_CLOCK}(?!\w)",
        "clock": rf"{_START}(?<![/\-.])(?<!\d:){_FULL_CLOCK}{_ZONE}{_END}(?![\w/])",
        "clock without seconds": r"(?<![\w/\-.:])(?P<hour>\d{1,2}):[0-5]\d ?(?P<half>[AP])M\b",
        "epoch": r"(?:^(?:<\d{1,3}>)?[\[(<{\"]*|\baudit\("
        rf"|\"(?i:{_TIME_KEYS})\"[ ]?:[ ]?\"?|\b(?:{_TIME_KEYS})=\"?)"
        r"(?P<epoch>\d{19}|\d{16}|\d{13}|\d{10})(?:\.\d{1,9})?(?![\w.\-])",
        "epoch with fraction": r"(?<![\w.\-/])(?P<epoch>\d{10})\.\d{3,9}(?![\w.\-/])",
    }.items()
}
_FIXED = frozenset(
    (
        *("two, two", "year first, no marks", "short year, no marks"),
        "month and day, no marks",
    )
)
"""Forms whose date and hour have two digits always."""
_ORDERS = {"two, two, year": ("dm", "md"), "two, two, two": ("ymd", "mdy", "dmy")}
"""What the numbers of a form may be, where it is not told by their digits."""
_NUMBERS = ("one", "two", "three")


class Found(NamedTuple):
    """A time in a text: its form, and what matched it."""

    form: str
    match: re.Match[str]


def find_times(text: str) -> list[Found]:
    """Dates and times in a text, in their order; of two that overlap the earlier, longer one."""
    found = [
        Found(form, match)
        for form, pattern in _FORMS.items()
        for match in pattern.finditer(text)
        if _is_plausible(form, match)
    ]
    found.sort(key=lambda one: (one.match.start(), -one.match.end()))
    times: list[Found] = []
    for one in found:
        if not times or one.match.start() >= times[-1].match.end():
            times.append(one)
    return times


def _is_plausible(form: str, match: re.Match[str]) -> bool:
    if match.groupdict().get("epoch"):
        return _EPOCHS[0] <= int(match["epoch"][:10]) < _EPOCHS[1]
    return any(_read(match, _fields(match, order)) for order in _ORDERS.get(form, ("",)))


def _fields(match: re.Match[str], order: str) -> dict[str, str]:
    """What is written, by what it means: group of the form to group of :func:`_read`."""
    groups = match.groupdict()
    meaning = {"d": "day", "m": "month", "y": "short"}
    fields = {
        name.rstrip("2"): name
        for name, text in groups.items()
        if text is not None and name not in (*_NUMBERS, "dash", "colon")
    }
    for group, letter in zip(_NUMBERS, order, strict=False):
        fields[meaning[letter]] = group
    return fields


def _read(match: re.Match[str], fields: Mapping[str, str]) -> datetime | None:
    """The hour that is written, None if there is none such."""

    def number(field: str, otherwise: int) -> int:
        return int(match[fields[field]]) if field in fields else otherwise

    year = number("year", _LEAP_YEAR)
    if "short" in fields:
        short = number("short", 0)
        year = short + (1900 if short >= 70 else 2000)
    name = match[fields["name"]][:3].title() if "name" in fields else None
    month = number("month", 6) if name is None else _index(_MONTHS, name) + 1
    hour = number("hour", 12)
    if "half" in fields:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + 12 * (match[fields["half"]] in "Pp")
    try:
        read = datetime(year, month, number("day", 15), hour)
    except ValueError:
        return None
    return read if _YEARS[0] <= year <= _YEARS[1] else None


def _index(names: Iterable[str], short: str) -> int:
    return [name[:3] for name in names].index(short)


@dataclass(frozen=True)
class Habits:
    """How a log writes its times, where one line does not tell.

    Args:
        pads: what stands before one digit, by form and field.
        orders: what the numbers of a form with such marks between them are.
        long_months: forms that write months in full, for ``May``.
    """

    pads: Mapping[tuple[str, str], str]
    orders: Mapping[tuple[str, str], str]
    long_months: frozenset[str]

    @classmethod
    def of(cls, times: Iterable[Found]) -> Habits:
        """What the times of many lines tell."""
        pads: dict[tuple[str, str], Counter[str]] = {}
        months: dict[str, Counter[bool]] = {}
        unclear: dict[tuple[str, str], list[re.Match[str]]] = {}
        for form, match in times:
            if form in _ORDERS:
                unclear.setdefault((form, match["dash"]), []).append(match)
            for field, group in _fields(match, "").items():
                text = match[group]
                if field in ("month", "day", "hour") and int(text) < 10:
                    pads.setdefault((form, field), Counter())[text[:-1]] += 1
                if field == "name" and text.title() != "May":
                    months.setdefault(form, Counter())[len(text) > 3] += 1
            if form in _ORDERS:  # either number shows how both are written
                for text in (match["one"], match["two"]):
                    if int(text) < 10:
                        for field in ("day", "month"):
                            pads.setdefault((form, field), Counter())[text[:-1]] += 1
        return cls(
            {key: counted.most_common(1)[0][0] for key, counted in pads.items()},
            {key: _find_order(key[0], matches) for key, matches in unclear.items()},
            frozenset(form for form, counted in months.items() if counted[True] > counted[False]),
        )


def _find_order(form: str, matches: Sequence[re.Match[str]]) -> str:
    """What the numbers are: dates in most lines; then the day varies most; then as by AM and PM."""
    halves = any(match["half"] for match in matches)

    def fitness(order: str) -> tuple[int, int, bool]:
        fits = sum(_read(match, _fields(match, order)) is not None for match in matches)
        days = {match[_NUMBERS[order.index("d")]] for match in matches}
        return fits, len(days), halves and order[0] == "m"

    return max(_ORDERS[form], key=fitness)


def move_times(
    text: str, times: Iterable[Found], move: Move, habits: Habits, back: bool = False
) -> str:
    """The text with times moved; the same text if none of them can be.

    Args:
        text: a line, or several.
        times: of the text, as :func:`find_times` gives them, or some of these.
        move: how far.
        habits: of the log.
        back: move the other way. Of zones both ways are one: CET and CEST change places.
    """
    pieces = []
    at = 0
    for found in times:
        for start, end, new in _moved(found, move, habits, back):
            pieces += [text[at:start], new]
            at = end
    return "".join((*pieces, text[at:]))


def _moved(found: Found, move: Move, habits: Habits, back: bool) -> list[tuple[int, int, str]]:
    """What is written in place of parts of a time: (start, end, text), in order."""
    form, match = found
    order = habits.orders.get((form, match["dash"]), "") if form in _ORDERS else ""
    fields = _fields(match, order)
    delta = -move.delta if back else move.delta
    written: dict[str, str] = {}
    if move.zone:
        other = _other_zone(match, fields)
        if other is None:
            return []
        written["zone"], hours = other
        delta = timedelta(hours=hours)
    if "epoch" in fields:
        digits = match["epoch"]
        moved = str(int(digits) + int(delta.total_seconds()) * 10 ** (len(digits) - 10))
        return [(*match.span("epoch"), moved)] if len(moved) == len(digits) else []
    then = _read(match, fields)
    if then is None:
        return []
    if abs(delta) >= timedelta(days=366) and not {"year", "short"} & fields.keys():
        return []  # a year later it looks the same
    now = then + delta
    try:
        written.update(_write(form, match, fields, then, now, habits))
    except LookupError:
        return []
    return sorted((*match.span(fields[field]), text) for field, text in written.items())


def _write(
    form: str,
    match: re.Match[str],
    fields: Mapping[str, str],
    then: datetime,
    now: datetime,
    habits: Habits,
) -> Iterator[tuple[str, str]]:
    """The fields of a time that differ, as the log writes them.

    Raises:
        LookupError: nothing tells how.
    """
    if not _YEARS[0] <= now.year <= _YEARS[1]:
        raise LookupError(now.year)
    twelve = "half" in fields
    values = {
        "day": (then.day, now.day),
        "month": (then.month, now.month),
        "hour": (_on_dial(then.hour), _on_dial(now.hour)) if twelve else (then.hour, now.hour),
    }
    for field, (old, new) in values.items():
        if field in fields and old != new:
            text = match[fields[field]]
            yield field, _pad(form, field, text, new, habits)
    if then.year != now.year:
        if "year" in fields:
            yield "year", str(now.year)
        if "short" in fields:
            yield "short", f"{now.year % 100:02d}"
    if "name" in fields and then.month != now.month:
        text = match[fields["name"]]
        is_long = form in habits.long_months if text.title() == "May" else len(text) > 3
        yield "name", _like(text, _MONTHS[now.month - 1], is_long)
    if "weekday" in fields and then.date() != now.date():
        text = match[fields["weekday"]]
        place = _index(_WEEKDAYS, text[:3].title()) + (now.date() - then.date()).days
        yield "weekday", _like(text, _WEEKDAYS[place % 7], len(text) > 3)
    if twelve and then.hour // 12 != now.hour // 12:
        text = match[fields["half"]]
        yield "half", text.translate(str.maketrans("AaPp", "PpAa"))


def _on_dial(hour: int) -> int:
    return (hour - 1) % 12 + 1


def _pad(form: str, field: str, text: str, new: int, habits: Habits) -> str:
    if new >= 10:
        return str(new)
    if int(text) < 10:
        return f"{text[:-1]}{new}"
    if form in _FIXED:
        return f"0{new}"
    return f"{habits.pads[form, field]}{new}"


def _like(text: str, name: str, is_long: bool) -> str:
    """A name in the letters of another."""
    name = name if is_long else name[:3]
    return name.upper() if text.isupper() else name.lower() if text.islower() else name


def _other_zone(match: re.Match[str], fields: Mapping[str, str]) -> tuple[str, int] | None:
    """Another zone's text and the hours that its clocks are ahead; None if there is no zone."""
    if "zone" not in fields:
        return None
    zone = match[fields["zone"]]
    if zone == "Z":
        # RFC 3339 takes either for UTC, but only after its own form of a time.
        return ("+00:00", 0) if "T" in match[0] and "dash" in match.groupdict() else None
    if zone in _SUMMER:
        return _SUMMER[zone], 1
    if zone in _WINTER:
        return _WINTER[zone], -1
    hours = int(zone[1:3]) * (-1 if zone[0] == "-" else 1)
    # An odd hour gets the even one above it, and an even one the odd one below: it leads back.
    ahead = 1 if hours % 2 else -1
    minutes = zone[3:].lstrip(":")
    if zone[0] == "-" and hours == 0 and minutes.strip("0"):
        return None
    if minutes.strip("0") and (hours < 0) != (hours + ahead < 0):
        return None  # half an hour on the other side of zero is another half
    if not -12 <= hours + ahead <= 14:
        return None
    sign = "-" if hours + ahead < 0 else "+"
    return f"{sign}{abs(hours + ahead):02d}{zone[3:]}", ahead
