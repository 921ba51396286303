"""Dates and times as logs write them: where one stands in a text, and a pattern for all of its kind."""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["find_time", "generalise_times"]

_MONTHS = [
    "jan",
    "january",
    "janv",
    "janvier",
    "januar",
    "enero",
    "ene",
    "gennaio",
    "gen",
    "jan.",
    "janv.",
    "janeiro",
    "feb",
    "february",
    "févr",
    "février",
    "fév",
    "februar",
    "febrero",
    "febbraio",
    "fevereiro",
    "fev",
    "feb.",
    "févr.",
    "fév.",
    "mar",
    "march",
    "mars",
    "märz",
    "mär",
    "mrz",
    "maart",
    "mrt",
    "marzo",
    "março",
    "mar.",
    "mär.",
    "apr",
    "april",
    "avr",
    "avril",
    "abril",
    "abr",
    "aprile",
    "apr.",
    "avr.",
    "abr.",
    "may",
    "mai",
    "mei",
    "mayo",
    "mag",
    "maggio",
    "maio",
    "may.",
    "mai.",
    "jun",
    "june",
    "juin",
    "juni",
    "junio",
    "giu",
    "giugno",
    "junho",
    "jun.",
    "jul",
    "july",
    "juil",
    "juillet",
    "juli",
    "julio",
    "lug",
    "luglio",
    "julho",
    "jul.",
    "juil.",
    "aug",
    "august",
    "août",
    "augustus",
    "ago",
    "agosto",
    "aug.",
    "ago.",
    "sep",
    "sept",
    "september",
    "septembre",
    "septiembre",
    "set",
    "settembre",
    "setembro",
    "sep.",
    "sept.",
    "oct",
    "october",
    "octobre",
    "okt",
    "oktober",
    "octubre",
    "ott",
    "ottobre",
    "outubro",
    "out",
    "oct.",
    "okt.",
    "nov",
    "november",
    "novembre",
    "noviembre",
    "novembro",
    "nov.",
    "dec",
    "december",
    "déc",
    "décembre",
    "dez",
    "dezember",
    "dic",
    "diciembre",
    "dicembre",
    "dezembro",
    "dec.",
    "déc.",
    "dez.",
]
_DAYS = [
    "mon",
    "tue",
    "wed",
    "thu",
    "fri",
    "sat",
    "sun",
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
]
_MONTH = "(?:" + "|".join(sorted(map(re.escape, _MONTHS), key=len, reverse=True)) + r"|\d{1,2}月)"
_DAY = "(?:" + "|".join(sorted(_DAYS, key=len, reverse=True)) + ")"
_ZONE_NAMES = (
    r"(?:UTC|GMT|Z|C[SE]?S?T|CET|CEST|CDT|EST|EDT|EET|EEST|WET|WEST|MST|MDT|PST|PDT|MSK|MSD|IST|JST"
    r"|KST|BST|HKT|SGT|A[EWC][SD]T|NZ[SD]T|BRT|ART|WIB)(?:[+-]\d{1,2})?"
)
_ZONE = rf"(?:[+\-\u2212]\d{{2}}(?::?\d{{2}})?(?![\d:])|(?-i:{_ZONE_NAMES})(?![A-Za-z]))"
_CITY = r"(?-i:\[[A-Z][A-Za-z]+/[A-Za-z_/]+\]|[A-Z][a-z]+/[A-Z][A-Za-z_/]+)"
_YEAR = r"(?:19|20)\d{2}(?![\d-])"
_AMPM = r"(?:[AaPp]\.? ?[Mm]\b\.?|πμ|μμ|오전|오후)"
_CLOCK = (
    r"(?:\d{1,2}:\d{2}:\d{1,2}(?:[.,:]\d{1,9})?|\d{1,2}:\d{2}(?![\d:])|\d{2}\.\d{2}\.\d{2}\.\d{3,9}"
    r"|\d{1,2}时\d{1,2}分\d{1,2}秒|\d{1,2}:\d{1,2}:\d{1,2}:\d{1,3})"
)
_COMPACT_CLOCK = r"\d{6}(?:[.,]\d{1,9})?(?!\d)"
_DATE = (
    r"(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}(?![\d])|\d{1,2}[-/.]\d{1,2}[-/.](?:\d{4}|\d{2})(?!\d)"
    rf"|\d{{1,2}}\.?[-/ ]{{1,2}}{_MONTH}(?:[-/ ]\d{{4}})?(?![\w])"
    rf"|{_MONTH}[-/ ]{{1,2}}\d{{1,2}}(?:st|nd|rd|th)?(?:,? \d{{4}})?(?!\w)"
    rf"|\d{{4}} {_MONTH} \d{{1,2}}"
    r"|\d{4}年\d{1,2}月\d{1,2}日|\d{4}-\d{3}(?!\d)|\d{8}|\d{6}(?= )|\d{1,2}[-/.]\d{1,2}(?!\d)"
    r")"
)
_SEPARATOR = r"(?:[T_:|.,\-/]|, | {1,3}|::)"
_TAIL = rf"(?: ?{_AMPM})?(?: ?{_ZONE})?(?: ?{_CITY})?(?: {_YEAR})?(?: {_ZONE})?"
_TIMES = (
    rf"(?:{_DAY},? )?{_DATE}{_SEPARATOR}{_CLOCK}{_TAIL}",
    rf"\d{{8}}[T\-:. _]?{_COMPACT_CLOCK}(?: ?{_ZONE})?",
    rf"\d{{6}} {_COMPACT_CLOCK}",
    r"\d{3}/\d{6}(?!\d)",
    rf"(?<!\d:){_CLOCK}{_TAIL}",
    r"\d{14}(?!\d)",
    r"@[0-9a-f]{24}(?![0-9a-f])",
    r"@?(?:1[0-9]{9}|[2-9]\d{9})(?:\.\d{1,9})?(?![\d.])",
    r"1\d{12}(?!\d)|1\d{15}(?!\d)|1\d{18}(?!\d)",
    rf"(?:{_DAY},? )?\d{{4}}[-/.]\d{{2}}[-/.]\d{{2}}(?!\d)",
    r"(?<=\[) *\d{1,9}\.\d{3,6}s?(?=\])",
    r"(?<=^[IWEFD])(?:0[1-9]|1[0-2])(?:[0-2]\d|3[01]) \d{2}:\d{2}:\d{2}\.\d{6}",
)
_TIME = re.compile(
    r"(?:(?<![\w.-])|(?<=^[IWEFD]))(?:" + "|".join(f"(?:{form})" for form in _TIMES) + ")",
    re.IGNORECASE,
)
_LETTER_TIME = re.compile(rf"(?<![\w.])([A-Z])(\d{{4}} {_CLOCK})")
_TAI64N = re.compile("@[0-9a-f]{24}")
_UPTIME = re.compile(r" *\d+\.\d+s?")
_PARTS = re.compile(r"\d+|[^\W\d_]+\.?|\s+|.", re.DOTALL)


def find_time(text: str, start: int = 0) -> tuple[int, int] | None:
    """Where the first time at or after ``start`` stands."""
    found = _TIME.search(text, start)
    return None if found is None else found.span()


def generalise_times(times: Sequence[str]) -> str | None:
    """A portable pattern for times that are written alike, None if they are not."""
    if all(_TAI64N.fullmatch(time) for time in times):
        return "@[0-9a-f]{24}"
    if all(_UPTIME.fullmatch(time) for time in times):
        return r" *\d+\.\d+s?"
    skeletons: dict[tuple[str, ...], list[list[str]]] = {}
    for time in times:
        parts = _PARTS.findall(time)
        skeletons.setdefault(tuple(map(_kind, parts)), []).append(parts)
    patterns = [_pattern(rows) for rows in skeletons.values()]
    if len(patterns) > 4:
        return None
    distinct = list(dict.fromkeys(patterns))
    return distinct[0] if len(distinct) == 1 else "(?:" + "|".join(distinct) + ")"


def _kind(part: str) -> str:
    if part.isdigit():
        return "9"
    if part.isspace():
        return " "
    if part[0].isalpha():
        word = part.lower()
        if word in _MONTHS or word in _DAYS:
            return "name"
        if part in ("T", "t"):
            return part
        if word.rstrip(".") in ("am", "pm", "a", "p", "m"):
            return "ampm"
        if part.isupper() or part == "z":
            return "zone"
        return part
    return part


def _pattern(rows: list[list[str]]) -> str:
    out = ""
    kinds = [_kind(part) for part in rows[0]]
    for place, kind in enumerate(kinds):
        values = [row[place] for row in rows]
        if kind == "9":
            out += _digits(values, kinds, place)
        elif kind == " ":
            out += " {1,3}" if place + 1 < len(kinds) and kinds[place + 1] in ("9", "name") else " "
        elif kind == "name":
            out += r"[^\s\d,/\[\]:-]{3,10}"
        elif kind == "ampm":
            out += r"[AaPp.Mm]{1,4}"
        elif kind == "zone":
            out += "[A-Za-z]{1,5}"
        elif kind in ("+", "-") and place + 1 < len(kinds) and place > 4:
            out += "[+-]" if kinds[place + 1] == "9" else re.escape(kind)
        else:
            out += re.escape(kind) if kind in r"\.[]{}()*+?^$|" else kind
    return out


def _digits(values: list[str], kinds: list[str], place: int) -> str:
    widths = {len(value) for value in values}
    width = max(widths)
    before = kinds[place - 1] if place else ""
    if width <= 2:
        return r"\d{1,2}"
    if before in (".", ",", ":") and width in (3, 4, 5, 6, 7, 8, 9) and place >= 4:
        return r"\d{1,9}"
    if len(widths) == 1:
        return rf"\d{{{width}}}"
    return rf"\d{{{min(widths)},{width}}}"
