"""Heads learned from lines: what stands before the message, from its kind and how it varies."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from logexport.logs.headers import Header
from logexport.training.times import find_time, generalise_times

__all__ = ["learn_heads"]

AGREE = 0.92
SMALLEST = 0.05
REACH = 200  # characters that a head may begin in
_PUNCTUATION = '[](){}<>|:,;="'
_PAIRS = {"[": "]", "(": ")", "<": ">", "{": "}"}
_WORD = re.compile(r"[^\s\[\](){}<>|:,;=\"]+")
_DASHES = re.compile(r"-{1,3}(?=\s|$)|->(?=\s)|/(?=\s)|»(?=\s)|>(?=\s)")
_LEVEL_WORDS = set(
    [
        "debug",
        "info",
        "information",
        "informational",
        "notice",
        "warn",
        "warning",
        "error",
        "err",
        "crit",
        "critical",
        "alert",
        "emerg",
        "emergency",
        "fatal",
        "severe",
        "fine",
        "finer",
        "finest",
        "config",
        "trace",
        "verbose",
        "dbg",
        "inf",
        "wrn",
        "eror",
        "ftl",
        "trc",
        "panic",
        "note",
        "log",
        "debug1",
        "debug2",
        "debug3",
        "debug4",
        "debug5",
        "default",
        "fault",
        "default",
        "dbug",
        "fail",
        "trce",
        "assert",
        "d!",
        "i!",
        "w!",
        "e!",
        "(ii)",
        "(ww)",
        "(ee)",
        "(**)",
        "critical:",
        "system:",
        "success",
        "failure",
        "audit",
        "user",
        "debug:",
        "verb",
        "dpanic",
        "fatal:",
        "vrb",
        "warningfatal",
    ]
)
_LETTERS = set("DIWEFNTVCAPS")
_SYMBOLS = {".", "*", "#", "-", "!"}
_INTEGER = re.compile(r"[#*]?\d+(?:[-#.]\d+)*")
_HEX = re.compile(r"(?:0x)?[0-9a-fA-F]{4,}|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_ADDRESS = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}|[0-9a-fA-F:]*::[0-9a-fA-F:]*")


@dataclass
class _Item:
    kind: str  # time, space, sign, level, integer, hex, address, word, unit
    text: str = ""  # of a sign; the opener of a unit
    values: list[str] = field(default_factory=list)
    padded: bool = False
    optional: bool = False


@dataclass
class _Line:
    text: str
    time: tuple[int, int] | None
    place: int = 0


def learn_heads(texts: Sequence[str]) -> tuple[Header, ...]:
    """The headers of lines.

    Args:
        texts: decoded lines (or what structured ones were opened to), without continuation lines.
    """
    groups: dict[object, list[_Line]] = {}
    for text in texts:
        line = _Line(text, _time_of(text))
        groups.setdefault(_signature(line), []).append(line)
    patterns: list[str] = []
    for lines in sorted(groups.values(), key=len, reverse=True):
        # What the first head of a group does not match may have one of its own.
        for _ in range(3):
            if len(lines) < max(2, SMALLEST * len(texts)):
                break
            pattern = _learn(lines)
            if pattern is None or pattern in patterns:
                break
            patterns.append(pattern)
            match = re.compile(pattern, re.ASCII).match
            lines = [
                _Line(line.text, _time_of(line.text)) for line in lines if not match(line.text)
            ]
    return tuple(Header(f"head-{n}", pattern) for n, pattern in enumerate(patterns, 1))


def _time_of(text: str) -> tuple[int, int] | None:
    return find_time(text[:REACH])


def _signature(line: _Line) -> object:
    if line.time is None:
        return None
    begin, end = line.time
    before = re.sub(r"[^\W\d_][\w.-]*|\d+", "w", line.text[:begin])
    if before.count("w") > 6:
        return None
    return before.strip(), re.sub(r"\d+", "9", re.sub(r"[^\W\d_]+", "a", line.text[begin:end]))[:6]


def _next(line: _Line) -> tuple[str, str, int]:
    """Kind, text and end of what stands at the line's place."""
    text, place = line.text, line.place
    if place >= len(text):
        return "end", "", place
    if line.time is not None and place == line.time[0]:
        return "time", text[place : line.time[1]], line.time[1]
    character = text[place]
    if character.isspace():
        end = place
        while end < len(text) and text[end].isspace():
            end += 1
        return "space", text[place:end], end
    dashes = _DASHES.match(text, place)
    if dashes:
        return "sign", dashes[0], dashes.end()
    if character in _PUNCTUATION:
        return "sign", character, place + 1
    word = _WORD.match(text, place)
    assert word is not None
    end = word.end()
    if line.time is not None and place < line.time[0] < end:
        end = line.time[0]
    return "word", text[place:end], end


_METHODS = "GET|POST|PUT|DELETE|HEAD|OPTIONS|PATCH|CONNECT|TRACE|PROPFIND|PURGE|MKCOL|REPORT"
_COLUMN_PATTERN = r"""(?:"(?:[^"\\]|\\.)*"|\[[^\]]*\]|\([^)]*\)|\{[^}]*\}|[^\s"\[({]\S*)"""
_COLUMN = re.compile(_COLUMN_PATTERN)
_REQUEST = re.compile(rf'"?(?:{_METHODS})\b')
_STATUS = re.compile(r"(?:[A-Z_]+/|\(HTTP/[\d.]+ |)([1-5]\d\d)\)?,?")
_ACCESS_COLUMNS = 40


def _access(lines: list[_Line]) -> str | None:
    """The pattern of lines that say a request's method and the status of its answer."""
    rows = [[one[0] for one in _COLUMN.finditer(line.text)][:_ACCESS_COLUMNS] for line in lines]
    least = AGREE * len(rows)

    def column(pattern: re.Pattern[str]) -> int | None:
        votes = Counter(
            place
            for row in rows
            for place, text in enumerate(row)
            if pattern.match(text)
            if pattern is _REQUEST or pattern.fullmatch(text)
        )
        fitting = [place for place, count in votes.items() if count >= least]
        if pattern is _STATUS:
            fitting = [
                p for p in fitting if _looks_like_status([row[p] for row in rows if p < len(row)])
            ]
        return min(fitting, default=None)

    method, status = column(_REQUEST), column(_STATUS)
    if method is None or status is None:
        return None
    parts = []
    for place in range(max(method, status) + 1):
        sample = next(row[place] for row in rows if place < len(row))
        if place == method:
            quoted = sample.startswith('"')
            parts.append('"(?P<method>[A-Z]+)[^"]*"' if quoted else "(?P<method>[A-Z]+)")
        elif place == status:
            before = _STATUS.fullmatch(sample)
            lead = sample[: before.start(1)] if before else ""
            lead = r"[A-Z_]+/" if lead.endswith("/") else (r"\(HTTP/[\d.]+ " if lead else "")
            parts.append(lead + r"(?P<status>\d{3})")
        else:
            parts.append(_COLUMN_PATTERN)
    return r"\s*" + r"\s+".join(parts) + r".*(?P<message>)$"


def _looks_like_status(values: list[str]) -> bool:
    found = Counter(match[1] for value in values if (match := _STATUS.fullmatch(value)))
    usual = sum(
        found[code]
        for code in (
            "200",
            "201",
            "204",
            "206",
            "301",
            "302",
            "304",
            "400",
            "401",
            "403",
            "404",
            "500",
            "502",
            "503",
        )
    )
    return usual >= 0.8 * len(values)


def _learn(lines: list[_Line]) -> str | None:
    access = _access(lines)
    if access is not None:
        return access
    items = _grow(lines)
    cut = _cut(items, lines)
    if cut == 0:
        return None
    return _pattern(items[:cut])


def _grow(lines: list[_Line]) -> list[_Item]:
    items: list[_Item] = []
    active = list(lines)
    least = AGREE * len(lines)
    while len(items) < 50:
        found = [_next(line) for line in active]
        kinds = Counter(kind for kind, _, _ in found)
        if kinds["end"] > len(lines) - least:
            break
        spaces = kinds["space"]
        if len(lines) - least < spaces < least:
            # White space that some lines have: padding, if the same follows in all of them.
            saved = [line.place for line in active]
            for line, (kind, _, end) in zip(active, found, strict=True):
                if kind == "space":
                    line.place = end
            after = [_next(line) for line in active]
            signs = Counter(text for kind, text, _ in after if kind == "sign")
            if signs and signs.most_common(1)[0][1] >= least:
                items.append(_Item("space", optional=True, padded=True))
                continue
            for line, place in zip(active, saved, strict=True):
                line.place = place
            break
        item = None
        if spaces >= least:
            item = _Item("space", values=[text for kind, text, _ in found if kind == "space"])
            item.padded = len(set(map(len, item.values))) > 1 or len(item.values[0]) > 1
            keep = "space"
        elif kinds["time"] >= least:
            item = _Item("time", values=[text for kind, text, _ in found if kind == "time"])
            keep = "time"
        elif kinds["sign"] >= least:
            sign, count = Counter(text for kind, text, _ in found if kind == "sign").most_common(1)[
                0
            ]
            if count < least:
                attached = _attached(active, least)
                if attached is None:
                    break
                items.append(attached)
                continue
            unit = _unit(active, found, sign, least) if sign in _PAIRS else None
            if unit is not None:
                items.append(unit)
                active = [line for line, (_, text, _) in zip(active, found) if text == sign]
                continue
            item, keep = _Item("sign", sign), "sign"
            found = [(k if t == sign else "other", t, e) for k, t, e in found]
        elif kinds["word"] >= least:
            item = _Item("word", values=[text for kind, text, _ in found if kind == "word"])
            item.kind = _kind(item.values)
            keep = "word"
        if item is None:
            break
        items.append(item)
        rest = []
        for line, (kind, _, end) in zip(active, found, strict=True):
            if kind == keep:
                line.place = end
                rest.append(line)
                if kind == "time":
                    line.time = find_time(line.text[:REACH], end)
        active = rest
    return items


_UNITS = re.compile(r"(?:\[[^\]]*\]|\([^)]*\))+")


def _attached(active: list[_Line], least: float) -> _Item | None:
    """Brackets directly after a word that some lines have, if the same sign follows in all."""
    ends = []
    for line in active:
        match = _UNITS.match(line.text, line.place)
        ends.append(line.place if match is None else match.end())
    signs = Counter(line.text[end : end + 1] for line, end in zip(active, ends, strict=True))
    sign, count = signs.most_common(1)[0]
    if count < least or not sign or sign not in ":|>":
        return None
    for line, end in zip(active, ends, strict=True):
        line.place = end
    return _Item("attached")


def _unit(
    active: list[_Line], found: list[tuple[str, str, int]], opener: str, least: float
) -> _Item | None:
    """What stands in brackets, if it holds no time and does not look the same inside."""
    closer = _PAIRS[opener]
    ends: list[int] = []
    for line, (_, text, end) in zip(active, found, strict=True):
        place = line.text.find(closer, end, end + 100) if text == opener else -1
        inside = place >= 0 and line.time is not None and end <= line.time[0] <= place
        if inside or (place >= 0 and opener in line.text[end:place]):
            place = -1
        ends.append(place)
    if sum(place >= 0 for place in ends) < least:
        return None
    values = [
        line.text[end:place]
        for line, (_, _, end), place in zip(active, found, ends, strict=True)
        if place >= 0
    ]
    kind = _kind([value.strip() for value in values])
    for line, place in zip(active, ends, strict=True):
        if place >= 0:
            line.place = place + 1
    item = _Item("unit", opener, values)
    item.optional = kind == "level"
    item.padded = any(value != value.strip() for value in values)
    return item


def _kind(values: list[str]) -> str:
    """Of words."""
    total = len(values)
    lower = [value.lower() for value in values]
    if sum(value in _LEVEL_WORDS for value in lower) >= AGREE * total:
        return "level"
    if sum(value in _LETTERS for value in values) >= AGREE * total:
        return "level"
    if sum(value in _SYMBOLS for value in values) >= AGREE * total and len(set(values)) > 1:
        return "level"
    if sum(bool(_INTEGER.fullmatch(value)) for value in values) >= AGREE * total:
        return "integer"
    if sum(bool(_ADDRESS.fullmatch(value)) for value in values) >= AGREE * total:
        return "address"
    if sum(bool(_HEX.fullmatch(value)) for value in values) >= AGREE * total and any(
        any(c.isdigit() for c in value) for value in values
    ):
        return "hex"
    return "word"


def _cut(items: list[_Item], lines: list[_Line]) -> int:
    """How many items are the head."""
    good, pending, strong, level = 0, 0, False, False
    seen_time = False
    for place, item in enumerate(items):
        follows = items[place + 1] if place + 1 < len(items) else None
        if item.kind == "space":
            if pending and follows is not None and _is_column(items, place):
                good, pending = place + 1, 0
            continue
        if item.kind == "attached":
            continue
        if item.kind == "time":
            good, pending, seen_time, strong = place + 1, 0, True, True
        elif item.kind == "level":
            if pending <= 2 and not level:
                good, pending, level = place + 1, 0, True
                strong = strong or (follows is not None and follows.kind == "sign")
            else:
                pending += 1
        elif item.kind == "unit":
            if pending > 2:
                break
            good, pending = place + 1, 0
            if place == 0 and len(set(item.values)) > 1:
                strong = True
            level = level or item.optional
        elif item.kind in ("integer", "hex", "address"):
            if pending:
                pending += 1
            elif seen_time or place == 0 or items[place - 1].text in (":", "#", "=", "["):
                good = place + 1
        elif item.kind == "sign":
            if pending <= 2:
                if item.text == '"':
                    break
                good, pending = place + 1, 0
                if item.text == "|" and place <= 2:
                    strong = True
            else:
                break
        else:
            pending += 1
            if pending > 3:
                break
    return good if strong else 0


def _is_column(items: list[_Item], place: int) -> bool:
    """Whether the space fills a column up: word and space together are equally wide."""
    space, before = items[place], items[place - 1]
    if not space.padded or before.kind != "word" or len(before.values) != len(space.values):
        return False
    widths = Counter(len(a) + len(b) for a, b in zip(before.values, space.values, strict=True))
    several = len(set(map(len, before.values))) > 1
    return several and widths.most_common(1)[0][1] >= AGREE * len(space.values)


def _is_host(items: list[_Item], place: int) -> bool:
    """As syslog has it: the word between the time and a process."""
    kinds = [item.kind for item in items[max(place - 2, 0) : place + 3]]
    after = [item.text or item.kind for item in items[place + 3 : place + 5]]
    return kinds == ["time", "space", "word", "space", "word"] and (
        after[:1] == [":"] or after[:2] in (["[", ":"], ["attached", ":"])
    )


_CLASS = r'[^\s\[\](){}<>|:,;="]'


def _pattern(items: list[_Item]) -> str | None:
    out: list[str] = []
    named: set[str] = set()

    def name(group: str, text: str) -> str:
        if group in named:
            return text
        named.add(group)
        return f"(?P<{group}>{text})"

    for place, item in enumerate(items):
        after = items[place + 1 : place + 4]
        texts = [one.text or one.kind for one in after]
        if item.kind == "time":
            pattern = generalise_times(item.values)
            if pattern is None:
                return None
            out.append(name("timestamp", pattern))
        elif item.kind == "space":
            out.append(" *" if item.optional else (r"\s+" if item.padded or True else " "))
        elif item.kind == "sign":
            out.append(re.escape(item.text).replace(r"\-", "-").replace(r"\>", ">"))
        elif item.kind == "unit":
            closer = re.escape(_PAIRS[item.text]) if item.text in "[({" else ">"
            inside = r"[^\]]*" if item.text == "[" else rf"[^{_PAIRS[item.text]}]*"
            if item.optional:
                stripped = (
                    r"\s*"
                    + name(
                        "level",
                        rf"[^\s{chr(92) + ']' if item.text == '[' else _PAIRS[item.text]}]+",
                    )
                    + r"\s*"
                )
                inside = stripped
            opener = re.escape(item.text) if item.text in "[({" else "<"
            out.append(opener + inside + closer)
        elif item.kind == "attached":
            out.append(r"(?:\[[^\]]*\]|\([^)]*\))*")
        elif item.kind == "level":
            out.append(name("level", _CLASS + "+"))
        elif item.kind == "word" and (
            texts[:1] == [":"] or texts[:2] in (["[", ":"], ["attached", ":"])
        ):
            out.append(name("process", _CLASS + "+"))
        elif item.kind == "word" and _is_host(items, place):
            out.append(name("host", _CLASS + "+"))
        else:
            out.append(_CLASS + "+")
    return "".join(out) + r"(?:\s+|$)?(?P<message>.*)$".replace("(?:\\s+|$)?", r"\s*")
