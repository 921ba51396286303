"""Instants: when a record says that it happened.

No line is sorted by one; where the rules say so, they end sessions
(:mod:`logexport.logs.sessions`). An instant is a number of microseconds since 1970-01-01T00:00:00
UTC, of the years 1 to 9999 there, or null. The machine's clock, zone and language do not change it.

Rules (the reference; the engine's ``native/src/instants.c`` has the same):

- By rules of version 2 a header's pattern may name groups of :data:`TIME_GROUPS`, if it has the
  group ``timestamp`` too. If a record's field ``timestamp`` is from such a header, they say its
  time. Any other ``timestamp``, of a structured record or of a header without these groups, is read
  by the first of :data:`FORMS` that fits all of it. If none does, the instant is null.
- White space at both ends of a group is left out. A group that took no part or is empty is absent.
  Digits are ASCII digits, and leading zeros count as digits. Capital letters are read like small
  ones. If a group holds anything but what is told here, the instant is null.

===============  ===================================================================================
``year``         four digits, 0001 to 9999; or two: 69 to 99 are 1969 to 1999, 00 to 68 are 2000 to
                 2068 (POSIX, strptime)
``month``        one or two digits, 1 to 12, perhaps with ``月`` after them; or a name of
                 :data:`MONTHS`, long or short, perhaps with a dot, with or without its accents
``day``          one or two digits, 1 to 31, and no more than the month has
``day_of_year``  one to three digits, 1 to 365, or 366 in a leap year
``hour``         one or two digits, 0 to 24; with ``half`` 0 to 12, where 12 is 0
``minute``       one or two digits, 0 to 59
``second``       one or two digits, 0 to 60
``fraction``     of the second, at least one digit; what is finer than a microsecond is cut off
``half``         of the day: one of :data:`HALVES`, its dots and spaces (U+00A0 and U+202F too) left
                 out
``zone``         see below
``epoch``        since 1970: seconds, at most twelve digits, perhaps with ``.`` or ``,`` and a
                 fraction; or thirteen digits, milliseconds; sixteen, microseconds; nineteen,
                 nanoseconds. Beside it no other group counts
===============  ===================================================================================

- A date is a month and a day, or a day of the year, perhaps with a year. A clock is an hour,
  perhaps with a minute, perhaps with a second, perhaps with a fraction. A part that is left out at
  the end of a clock is zero. If there is neither a date nor a clock, or a part lacks the one that
  it belongs to, the instant is null.
- The second 60 is the instant of the second after 59: 23:59:60 is the next day's midnight.
- The hour 24 is the midnight that ends the day, and nothing but zeros follows.
- ``zone`` may be ``UTC`` or ``GMT`` or neither, then a sign (``+``, ``-`` or U+2212, a minus), then
  ``1``, ``01``, ``0100``, ``1:00`` or ``01:00``, at most 23:59. Behind them may follow ``[``, ``(``
  or white space, and anything after that. Such a zone is so far ahead of UTC. A text without this
  sign is a name or a city, and ignored: the time is UTC, as it is without a zone.
- A date without a clock is midnight, the one that begins the day.
- Without a year the instant is null, unless the first year is given. The first such time is of
  that year; each next one is of the earliest year that puts it no more than 31 days before the
  latest of them so far. Times are compared as they are written, zones left aside. So the year turns
  from December to January, and a line that comes late does not turn it. A day that its year does
  not have (29 February) is null.
- Without a date the day is that of the last record with a date and an instant, as it is written
  there; 1970-01-01 if there is none.

The latest time and the last day go on from line to line, over all files that are read as one log.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import NamedTuple

from logexport.errors import InputError
from logexport.logs.lines import WHITE_SPACE
from logexport.logs.patterns import compile_portable

__all__ = ["TIME_GROUPS", "InstantReader", "to_datetime"]

TIME_GROUPS = (
    *("year", "month", "day", "day_of_year", "hour", "minute", "second", "fraction", "half"),
    *("zone", "epoch"),
)
"""Groups of a header's pattern that say its time."""

MONTHS = (
    "jan january janv janvier januar ene enero gen gennaio januari janeiro",
    "feb february fevr fevrier fev februar febrero febbraio februari fevereiro",
    "mar march mars marz mrz marzo mrt maart marco",
    "apr april avr avril abr abril aprile",
    "may mai mayo mag maggio mei maio",
    "jun june juin juni junio giu giugno junho",
    "jul july juil juillet juli julio lug luglio julho",
    "aug august aout ago agosto augustus",
    "sep sept september septembre septiembre set settembre setembro",
    "oct october octobre okt oktober octubre ott ottobre out outubro",
    "nov november novembre noviembre novembro",
    "dec december decembre dez dezember dic diciembre dicembre dezembro",
)
"""The names of each month, without accents: English, French, German, Spanish, Italian, Dutch and
Portuguese."""

HALVES = ("am a 오전 上午 午前 πμ", "pm p 오후 下午 午後 μμ")
"""How the first and the second half of the day are written."""

FORMS = (
    r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)[T ](?P<hour>\d\d):(?P<minute>\d\d):"
    r"(?P<second>\d\d)(?:[.,](?P<fraction>\d{1,9}))?(?: ?(?P<zone>Z|[+-]\d\d:?\d\d))?$",
    r"(?P<month>[A-Z][a-z]{2})\s+(?P<day>\d{1,2})\s+"
    r"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)$",
    r"[A-Z][a-z]{2} (?P<month>[A-Z][a-z]{2})\s+(?P<day>\d{1,2}) "
    r"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)(?:\.(?P<fraction>\d{1,6}))? "
    r"(?P<year>\d{4})$",
    r"(?P<year>\d\d)(?P<month>\d\d)(?P<day>\d\d) (?P<hour>\d\d)(?P<minute>\d\d)(?P<second>\d\d)$",
    r"(?P<epoch>\d{10}(?:\.\d{1,9})?|\d{13}|\d{16}|\d{19})$",
)
"""How timestamps are read that no groups of a header say."""

_FORMS = [compile_portable(form, f"time {number}") for number, form in enumerate(FORMS)]
_MONTH_OF = {name: number for number, names in enumerate(MONTHS, 1) for name in names.split()}
_HALF_OF = {name: half for half, names in enumerate(HALVES) for name in names.split()}
_LENGTHS = (365, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)  # of a year, then of its months
_PLAIN = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZéÉûÛäÄçÇ", "abcdefghijklmnopqrstuvwxyzeeuuaacc")
_DOTS_AND_SPACES = str.maketrans("", "", ". \u00a0\u202f")
_OFFSET = re.compile(
    "(?:[Uu][Tt][Cc]|[Gg][Mm][Tt])?([+\\-\u2212])"
    r"(?:([0-9]{2})([0-9]{2})|([0-9]{1,2})(?::([0-9]{2}))?)(?![0-9:])(.?)",
    re.DOTALL,
)
_SIGNED = re.compile("(?:[Uu][Tt][Cc]|[Gg][Mm][Tt])?[+\\-\u2212]")
_EPOCH = re.compile("([0-9]+)(?:[.,]([0-9]+))?")

_SECOND = 1_000_000
_MINUTE = 60 * _SECOND
_DAY = 24 * 60 * _MINUTE
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_FIRST = (date.min.toordinal() - _EPOCH_DAY) * _DAY
_LAST = (date.max.toordinal() - _EPOCH_DAY + 1) * _DAY - 1
_LATE = 31 * _DAY


class WrittenTime(NamedTuple):
    """What a timestamp says by itself.

    Args:
        year: 0 if it has none.
        month: 0 if ``day`` is one of the year.
        day: 0 if there is no date.
        clock: microseconds since midnight, at most a day and a second.
        offset: minutes ahead of UTC.
    """

    year: int
    month: int
    day: int
    clock: int
    offset: int


def read_time(groups: Mapping[str, str | None]) -> WrittenTime | None:
    """What groups of :data:`TIME_GROUPS` say; None if they do not say a time."""
    texts: dict[str, str] = {}
    for name in TIME_GROUPS:
        text = (groups.get(name) or "").strip(WHITE_SPACE)
        if text:
            texts[name] = text
    if "epoch" in texts:
        return _read_epoch(texts["epoch"])
    date_parts, clock = _read_date(texts), _read_clock(texts)
    offset = _read_zone(texts.get("zone", ""))
    if date_parts is None or clock is None or offset is None:
        return None
    if date_parts == _NO_DATE and "hour" not in texts:
        return None
    return WrittenTime(*date_parts, clock, offset)


def to_datetime(instant: int) -> datetime:
    """The naive time in UTC of an instant."""
    return datetime(1970, 1, 1) + timedelta(microseconds=instant)


class InstantReader:
    """Timestamps to instants; one for one log, in the order of its records.

    Args:
        year: of the first time without a year; None: such times are null.

    Raises:
        InputError: the year is not one from 1 to 9998.
    """

    def __init__(self, year: int | None = None) -> None:
        if year is not None and not 1 <= year <= 9998:
            raise InputError(f"{year} is not a year", "Use four digits, such as 2024.")
        self._year = 0 if year is None else year
        self._latest: int | None = None  # of those without a year, as written
        self._day = 0  # of the last date, since 1970
        self._remembered: tuple[str, WrittenTime | None] = ("", None)

    def read(
        self, timestamp: str | None, groups: Mapping[str, str | None] | None = None
    ) -> int | None:
        """The instant of a record.

        Args:
            timestamp: its field.
            groups: those of its header, if they say the time.
        """
        if timestamp is None:
            return None
        written = self._read_form(timestamp) if groups is None else read_time(groups)
        return None if written is None else self._place(written)

    def _read_form(self, timestamp: str) -> WrittenTime | None:
        if timestamp != self._remembered[0]:  # many lines share a second
            found = (form.match(timestamp) for form in _FORMS)
            groups = next((match.groupdict() for match in found if match is not None), {})
            self._remembered = (timestamp, read_time(groups))
        return self._remembered[1]

    def _place(self, written: WrittenTime) -> int | None:
        """The instant of a time, by what the times before it say."""
        if written.day == 0:
            return _in_range(self._day * _DAY + written.clock - written.offset * _MINUTE)
        year = written.year or self._find_year(written)
        if not 1 <= year <= 9999 or written.day > _length(year, written.month):
            return None
        day = _count_days(year, written)
        local = day * _DAY + written.clock
        instant = _in_range(local - written.offset * _MINUTE)
        if instant is not None:
            self._day = day
            if not written.year:
                self._latest = local if self._latest is None else max(self._latest, local)
        return instant

    def _find_year(self, written: WrittenTime) -> int:
        """The year of a date that has none; 0 if it is not known."""
        if self._latest is None:
            return self._year
        earliest = max(self._latest - _LATE, _FIRST)
        year = date.fromordinal(earliest // _DAY + _EPOCH_DAY).year
        return year + (_count_days(year, written) * _DAY + written.clock < earliest)


# --- the groups -----------------------------------------------------------------------------------

_NO_DATE = (0, 0, 0)


def _read_number(text: str, digits: int, low: int, high: int) -> int | None:
    if len(text) > digits or not (text.isascii() and text.isdigit()):
        return None
    number = int(text)
    return number if low <= number <= high else None


def _read_year(text: str) -> int | None:
    year = _read_number(text, 4, 0, 9999)
    if year is None or len(text) not in (2, 4):
        return None
    if len(text) == 2:
        return year + (1900 if year >= 69 else 2000)
    return year or None


def _read_month(text: str) -> int | None:
    if text[0] in "0123456789":
        return _read_number(text.removesuffix("月"), 2, 1, 12)
    return _MONTH_OF.get(text.translate(_PLAIN).removesuffix("."))


def _read_date(texts: Mapping[str, str]) -> tuple[int, int, int] | None:
    """Year, month and day as in :class:`WrittenTime`; None if they are not a date."""
    year: int | None = 0
    month: int | None = 0
    if "year" in texts:
        year = _read_year(texts["year"])
    if "day_of_year" in texts:
        day = _read_number(texts["day_of_year"], 3, 1, 366)
        if "month" in texts or "day" in texts:
            return None
    elif "month" in texts and "day" in texts:
        month, day = _read_month(texts["month"]), _read_number(texts["day"], 2, 1, 31)
    else:
        return None if {"year", "month", "day"} & set(texts) else _NO_DATE
    if year is None or month is None or day is None:
        return None
    return year, month, day


def _read_clock(texts: Mapping[str, str]) -> int | None:
    """Microseconds since midnight; 0 if there is no clock, None if the parts are not one."""
    hour: int | None = 0
    minute: int | None = 0
    second: int | None = 0
    micros: int | None = 0
    parts = [name in texts for name in ("hour", "minute", "second", "fraction")]
    if parts != sorted(parts, reverse=True) or ("half" in texts and not parts[0]):
        return None
    if "hour" in texts:
        hour = _read_number(texts["hour"], 2, 0, 12 if "half" in texts else 24)
    if "minute" in texts:
        minute = _read_number(texts["minute"], 2, 0, 59)
    if "second" in texts:
        second = _read_number(texts["second"], 2, 0, 60)
    if "fraction" in texts:
        micros = _read_fraction(texts["fraction"])
    if hour is None or minute is None or second is None or micros is None:
        return None
    if "half" in texts:
        half = _HALF_OF.get(texts["half"].translate(_DOTS_AND_SPACES).translate(_PLAIN))
        if half is None:
            return None
        hour = hour % 12 + 12 * half
    rest = minute * _MINUTE + second * _SECOND + micros
    return None if hour == 24 and rest > 0 else hour * 60 * _MINUTE + rest


def _read_fraction(text: str) -> int | None:
    """Microseconds."""
    return int(text[:6].ljust(6, "0")) if text.isascii() and text.isdigit() else None


def _read_zone(text: str) -> int | None:
    """Minutes ahead of UTC; None if there is a sign and no offset after it."""
    if not _SIGNED.match(text):
        return 0
    found = _OFFSET.match(text)
    if found is None or (found[6] and found[6] not in "[(" + WHITE_SPACE):
        return None
    hours, minutes = int(found[2] or found[4]), int(found[3] or found[5] or 0)
    if hours > 23 or minutes > 59:
        return None
    offset = hours * 60 + minutes
    return offset if found[1] == "+" else -offset


def _read_epoch(text: str) -> WrittenTime | None:
    found = _EPOCH.fullmatch(text)
    if found is None:
        return None
    digits, fraction = found[1], found[2]
    if len(digits) <= 12:
        instant = int(digits) * _SECOND + (_read_fraction(fraction) or 0 if fraction else 0)
    elif len(digits) in (13, 16, 19) and fraction is None:
        instant = int(digits[:16].ljust(16, "0"))
    else:
        return None
    if instant > _LAST:
        return None
    day, clock = divmod(instant, _DAY)
    written = date.fromordinal(day + _EPOCH_DAY)
    return WrittenTime(written.year, written.month, written.day, clock, 0)


# --- the calendar ---------------------------------------------------------------------------------


def _length(year: int, month: int) -> int:
    """The days of a month, or of the year for 0."""
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return _LENGTHS[month] + (leap and month in (0, 2))


def _count_days(year: int, written: WrittenTime) -> int:
    """The days since 1970; a day that the month does not have is counted into the next one."""
    return date(year, written.month or 1, 1).toordinal() - _EPOCH_DAY + written.day - 1


def _in_range(instant: int) -> int | None:
    return instant if _FIRST <= instant <= _LAST else None
