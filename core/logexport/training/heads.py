r"""Heads learned from lines: what stands before the message, from its kind and how it varies.

Lines are grouped by where their first time stands and how it is written. Of each group the columns
are read from the left, as far as at least :data:`AGREE` of the lines have the same kind of thing at
one place: a time, white space, a sign, brackets, a word. What a column of words is says how its
values look and vary: levels, numbers, ids, addresses, dotted names, places in source files.

The head ends where the message may begin. Times, levels, numbers, ids, brackets and what a sign
divides off are its fields; a word that only a space follows is the message's first word, unless a
field follows soon. So a head can be too short, and the name of a logger stays in the message. It is
not to be too long, since a word that is taken from the message is no longer seen: a last field of
words is given back if hardly more messages follow than it has values, as where one message makes up
most of a log, and whatever is divided off by ``=`` under a key that says no field.

What a pattern means :mod:`logexport.logs.headers` says. All that are learned are linear: none
repeats characters that what follows may begin with.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from logexport.logs.headers import Header
from logexport.training.times import escape, find_time, generalise_times

__all__ = ["learn_heads"]

AGREE = 0.92
"""So many of the lines of a group have a column in common."""
SMALLEST_SHARE = 0.05
"""A head is learned from at least so many of the lines."""
REACH = 200
"""A head's first time begins within so many characters."""
MOST_COLUMNS = 50
MOST_PENDING = 3  # words in a row that may belong to a head, if a field follows
MOST_HEADS = 32

_LEVELS = frozenset(
    word
    for words in (
        "debug info information informational notice warn warning error err crit critical alert",
        "emerg emergency fatal severe fine finer finest config trace verbose verb vrb dbg inf wrn",
        "eror ftl trc panic dpanic debug1 debug2 debug3 debug4 debug5 dbug trce warningfatal d! i!",
        "w! e!",
    )
    for word in words.split()
)
_DOUBTFUL_LEVELS = frozenset(
    word
    for words in (
        "note log default fault fail assert system success failure audit user",
        "detail hint statement context query location backtrace",
    )
    for word in words.split()
)
"""Levels of some programs: where they are not in small letters, or beside one of the others."""
_LETTERS = frozenset("DIWEFNTVCAPS")
_SYMBOLS = frozenset(".*#-!")
_KEYS = {
    **dict.fromkeys(("time", "ts", "t", "timestamp", "date", "datetime", "when"), ""),
    **dict.fromkeys(("level", "lvl", "severity", "loglevel", "sev", "l", "prio"), "level"),
    **dict.fromkeys(("pid", "process_id", "procid"), "pid"),
    **dict.fromkeys(("tid", "thread", "thread_id", "threadid", "thr"), "thread"),
    **dict.fromkeys(("host", "hostname", "node", "server", "machine"), "host"),
    **dict.fromkeys(("app", "program", "process", "service", "svc", "proc"), "process"),
    **dict.fromkeys(("logger", "module", "component", "class", "name", "category"), "logger"),
    **dict.fromkeys(("file", "caller", "src", "source", "func", "line", "at"), "source"),
    **dict.fromkeys(
        ("req", "request", "request_id", "requestid", "rid", "trace", "trace_id", "traceid"),
        "request",
    ),
    **dict.fromkeys(("span", "span_id", "correlation_id", "cid"), ""),
}
"""Keys before ``=`` that are of heads, and the field that they say."""
_FIRST_KEYS = {**_KEYS, "type": "action", "action": "action"}  # before the time

_SIGNS = '[](){}<>|:,;="'
_PAIRS = {"[": "]", "(": ")", "<": ">", "{": "}", '"': '"'}
_CLASS = r'[^\s\[\](){}<>|:,;="]'
_NAME = rf"{_CLASS}+(?:::{_CLASS}+)*"
_WORD = re.compile(_NAME)
_DASHES = re.compile(r"(?:-{1,20}>?|/|»|>|~|\+|#|\*)(?=\s|$)")
_SOURCE = r"[^\s\[\](){}<>|,;=:\"]*\.[A-Za-z]{1,5}(?::\d+){1,2}(?::[\w.$<>~]+(?:\(\))?)?"
_SOURCE_PATTERN = re.compile(_SOURCE + r"(?=[\s\])}>|:,;-]|$)")
_OBJECT = re.compile(r'\{\s*"|\[\s*\{')
_INTEGER = re.compile(r"[#*]?\d+(?:[-#.]\d+)*")
_HEX = re.compile(
    r"0[xX][0-9a-fA-F]+|[0-9a-fA-F]{4,}|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
)
_ADDRESS = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}|[0-9a-fA-F:]*::[0-9a-fA-F:]*")
_DOTTED = re.compile(r"(?=[^.:$/]*[A-Za-z])[\w$-]+(?:(?:\.|::|/|\$)[\w$<>-]+)+(?:#\w+)?")
_DIGITS = re.compile(
    r"(?<![A-Za-z0-9])(?:0x)?(?=[0-9]*[A-Fa-f])(?=[A-Fa-f]*[0-9])[0-9A-Fa-f]{4,}(?![A-Za-z0-9])|\d+"
)
_CODE = re.compile(
    r"%[A-Z0-9_]+(?:-[A-Z0-9_]+)*-\d-[A-Za-z0-9_]+|[A-Z][A-Z0-9_]*-\d-[A-Z][A-Z0-9_]*"
    r"|[A-Z]{2,10}(?:\d{4,7}|-\d{3,7})[A-Z]?"
)
"""``%SYS-5-CONFIG_I``, ``AH00558``, ``MY-010116``: what says which message it is."""
_LETTERED = re.compile(r"[A-Z]/\S+")
_SPLITS = "/#."
_OF_WORDS = ("level", "code", "integer", "hex", "address", "id", "dotted", "word")


@dataclass
class _Line:
    """A line, and the place up to which its columns were read."""

    text: str
    time: tuple[int, int] | None
    place: int = 0


@dataclass
class _Column:
    """What stands at one place of the lines.

    Attributes:
        kind: ``time``, ``space``, ``sign``, ``unit`` (brackets and what they hold), ``attached``
            (brackets after a word that some lines have), ``source``; of words ``level``,
            ``code``, ``integer``, ``hex``, ``address``, ``id``, ``dotted`` or ``word``.
        text: of a sign; what opens a unit.
        values: the texts.
        inside: of a unit the kind of what it holds.
        optional: white space that some lines lack.
    """

    kind: str
    text: str = ""
    values: list[str] = field(default_factory=list)
    inside: str = ""
    optional: bool = False


def learn_heads(texts: Sequence[str], followed: Sequence[bool] = ()) -> tuple[Header, ...]:
    """The headers of lines, those of most lines first.

    Args:
        texts: decoded lines (or what structured ones were opened to), without continuation lines.
        followed: of each text whether lines without a time follow it, where a message may stand.
    """
    groups: dict[object, list[int]] = {}
    for number, text in enumerate(texts):
        groups.setdefault(_signature(text), []).append(number)
    found: dict[Header, int] = {}
    shorts: list[Header] = []
    smallest = max(2, SMALLEST_SHARE * len(texts))
    for left in groups.values():
        # What the first head of a group does not match may have one of its own.
        for _ in range(3):
            if len(left) < smallest:
                break
            with_lines = sum(followed[number] for number in left) if followed else 0
            lines = [texts[number] for number in left]
            columns = _read_columns([_Line(text, find_time(text[:REACH])) for text in lines])
            header = _learn(lines, columns, next_line=with_lines >= AGREE * len(left))
            if header is None:
                break
            match = _matcher(header.pattern)
            missed = [number for number in left if not match(texts[number])]
            found[header] = found.get(header, 0) + len(left) - len(missed)
            shorter = _shorten(columns, [texts[number] for number in missed])
            left = missed
            if shorter is not None:
                shorts.append(shorter)
    ordered = sorted(found, key=lambda header: -found[header])
    for short in shorts:
        better = (n for n, other in enumerate(ordered) if _takes_more(short, other, texts))
        ordered.insert(next(better, len(ordered)), short)
    ordered = _without_idle(ordered, texts)[:MOST_HEADS]
    return tuple(replace(header, name=f"head-{n}") for n, header in enumerate(ordered, 1))


def _matcher(pattern: str) -> Callable[[str], re.Match[str] | None]:
    return re.compile(pattern, re.ASCII).match


def _signature(text: str) -> object:
    """What lines of one head have in common: what stands before the time, and the time's form."""
    time = find_time(text[:REACH])
    if time is None:
        return None
    begin, end = time
    before = re.sub(r"[^\W\d_][\w.-]*|[\w.-]+", "w", text[:begin])
    if before.count("w") > 6:
        return None
    form = re.sub(r"\d+", "9", re.sub(r"[^\W\d_]+", "a", re.sub(" +", " ", text[begin:end])))
    return re.sub(r"\s+", " ", before).strip(), form[:6]


def _learn(texts: Sequence[str], columns: list[_Column], *, next_line: bool) -> Header | None:
    """A group's head, or None if it has none.

    Args:
        texts: of the group.
        columns: that the texts have in common.
        next_line: the message may stand on the next line.
    """
    access = _find_access(texts)
    if access is not None:
        return Header("head", access)
    end = _find_end(columns)
    first_time = _find_first_time(columns)
    while end > max(first_time, 0):
        pattern = _write_pattern(columns, end)
        if pattern is None:
            return None
        match = _matcher(pattern)
        messages = [found["message"] for text in texts if (found := match(text)) is not None]
        empty = messages.count("") >= AGREE * len(messages)
        if empty and next_line:
            return Header("head", pattern, next_line=True)
        shorter = _give_back(columns[:end], messages)
        if shorter == end:
            return None if empty else Header("head", pattern)
        end = shorter
    return None


def _shorten(columns: list[_Column], missed: Sequence[str]) -> Header | None:
    """As much of a group's head as most lines have that the whole head does not match."""
    first_time = _find_first_time(columns)
    if first_time < 0 or not missed:
        return None
    for end in range(len(columns), first_time + 1, -1):
        last = columns[end - 1]
        if last.kind in ("space", "attached", "word", "dotted") and not _is_host(columns, end - 1):
            continue
        pattern = _write_pattern(columns, end)
        if pattern is None:
            return None
        match = _matcher(pattern)
        if sum(match(text) is not None for text in missed) >= AGREE * len(missed):
            return Header("head", pattern)
    return None


def _takes_more(header: Header, other: Header, texts: Sequence[str]) -> bool:
    """Whether a head leaves less of the lines that both match."""
    match, match_other = (_matcher(one.pattern) for one in (header, other))
    difference = 0
    for text in texts:
        found, found_other = match(text), match_other(text)
        if found is not None and found_other is not None:
            difference += len(found["message"]) - len(found_other["message"])
    return difference < 0


def _without_idle(headers: Sequence[Header], texts: Sequence[str]) -> list[Header]:
    """The headers that are the first to match one of the lines."""
    left = list(texts)
    busy = []
    for header in headers:
        match = _matcher(header.pattern)
        missed = [text for text in left if not match(text)]
        if len(missed) < len(left):
            busy.append(header)
        left = missed
    return busy


# --- columns --------------------------------------------------------------------------------------


def _next(line: _Line) -> tuple[str, str, int]:
    """Kind, text and end of what stands at the line's place."""
    text, place = line.text, line.place
    if place >= len(text) or _OBJECT.match(text, place):
        return "end", "", place
    if line.time is not None and place == line.time[0]:
        return "time", text[place : line.time[1]], line.time[1]
    character = text[place]
    if character.isspace():
        end = place
        while end < len(text) and text[end].isspace():
            end += 1
        return "space", text[place:end], end
    found = _DASHES.match(text, place)
    if found is not None:
        return "sign", found[0], found.end()
    if character in _SIGNS:
        return "sign", character, place + 1
    found = _SOURCE_PATTERN.match(text, place)
    if found is not None and (line.time is None or not place <= line.time[0] < found.end()):
        return "source", found[0], found.end()
    word = _WORD.match(text, place)
    if word is None:
        return "end", "", place
    end = word.end()
    if line.time is not None and place < line.time[0] < end:
        end = line.time[0]
    return "word", text[place:end], end


def _read_columns(lines: list[_Line]) -> list[_Column]:
    """The columns that the lines have in common, from the left."""
    columns: list[_Column] = []
    active = list(lines)
    least = AGREE * len(lines)
    while len(columns) < MOST_COLUMNS:
        found = [_next(line) for line in active]
        kinds = Counter(kind for kind, _, _ in found)
        kind = next(
            (one for one in ("space", "time", "source", "word") if kinds[one] >= least), None
        )
        sign = _most_common(text for one, text, _ in found if one == "sign")
        if kind is None and sign[1] >= least:
            unit = _read_unit(active, sign[0], least) if sign[0] in _PAIRS else None
            if unit is not None:
                columns.append(unit)
                active = [line for line in active if line.place >= 0]
                continue
            kind = "sign"
        if kind is None:
            column = _read_padding(active, least) or _read_attached(active, least)
            if column is None:
                break
            columns.append(column)
            continue
        column = _Column(kind, sign[0] if kind == "sign" else "")
        rest = []
        for line, (one, text, end) in zip(active, found, strict=True):
            if one == kind and (kind != "sign" or text == column.text):
                column.values.append(text)
                line.place = end
                rest.append(line)
                if kind == "time":
                    line.time = find_time(line.text[: max(REACH, end + 60)], end)
        if kind == "word":
            column.kind = _kind_of(column.values)
        if column.text == "=" and columns and columns[-1].kind == "level":
            columns[-1].kind = "word"  # the key of a value
        columns.append(column)
        active = rest
    _demote_levels(columns)
    return columns


def _find_first_time(columns: Sequence[_Column]) -> int:
    """The place of the first time, -1 if there is none."""
    return next((n for n, column in enumerate(columns) if column.kind == "time"), -1)


def _demote_levels(columns: list[_Column]) -> None:
    """Of words that look like levels one column is: the first that varies, else the first."""
    levels = [column for column in columns if "level" in (column.kind, column.inside)]
    for column in levels:
        if column is not max(levels, key=lambda one: len(set(one.values)) > 1):
            column.kind = "word" if column.kind == "level" else column.kind
            column.inside = "word" if column.inside == "level" else column.inside


def _most_common(texts: Iterable[str]) -> tuple[str, int]:
    return next(iter(Counter(texts).most_common(1)), ("", 0))


def _read_padding(active: list[_Line], least: float) -> _Column | None:
    """White space that some lines have: it fills a column up, before a time, sign or level."""
    ends = []
    for line in active:
        kind, _, end = _next(line)
        ends.append(end if kind == "space" else line.place)
    padded = [line for line, end in zip(active, ends, strict=True) if line.place < end]
    after = [
        _next(_Line(line.text, line.time, end)) for line, end in zip(active, ends, strict=True)
    ]
    sign = _most_common(text[0] for kind, text, _ in after if kind == "sign")
    words = [text for kind, text, _ in after if kind == "word"]
    timed = sum(kind == "time" for kind, _, _ in after) >= least
    leveled = len(words) >= least and _kind_of(words) == "level"
    if not padded or not (timed or leveled or sign[1] >= least):
        return None
    for line, end in zip(active, ends, strict=True):
        line.place = end
    return _Column("space", optional=True)


_BRACKETS = re.compile(r"(?:\[[^\]]*\]|\([^)]*\))+")


def _read_attached(active: list[_Line], least: float) -> _Column | None:
    """Brackets directly after a word that some lines have, if the same sign follows in all."""
    ends = []
    for line in active:
        match = _BRACKETS.match(line.text, line.place)
        ends.append(line.place if match is None else match.end())
    sign = _most_common(line.text[end : end + 1] for line, end in zip(active, ends, strict=True))
    if sign[1] < least or not sign[0] or sign[0] not in ":|>":
        return None
    for line, end in zip(active, ends, strict=True):
        line.place = end
    return _Column("attached")


_PLAIN_WORD = re.compile(r"(?<!\S)[A-Za-z]{2,}(?!\S)")


def _read_unit(active: list[_Line], opener: str, least: float) -> _Column | None:
    """Brackets or quotes and what they hold, if it is neither a time nor a text.

    Lines that have none are given the place -1.
    """
    closer = _PAIRS[opener]
    ends: list[int] = []
    for line in active:
        start = line.place + 1
        end = line.text.find(closer, start, start + REACH) if line.text[start - 1] == opener else -1
        if end >= 0 and (
            (line.time is not None and start <= line.time[0] <= end)
            or (opener != closer and opener in line.text[start:end])
        ):
            end = -1
        ends.append(end)
    if sum(end >= 0 for end in ends) < least:
        return None
    values = [
        line.text[line.place + 1 : end] for line, end in zip(active, ends, strict=True) if end >= 0
    ]
    if opener == '"' and sum(" " in value for value in values) * 3 > len(values):
        return None
    texts = [" ".join(_PLAIN_WORD.findall(value)) for value in values]
    if len(set(texts)) > 3 and sum(text.count(" ") >= 2 for text in texts) * 2 > len(texts):
        return None
    for line, end in zip(active, ends, strict=True):
        line.place = end + 1 if end >= 0 else -1
    inside = _kind_of([value.strip() for value in values])
    return _Column("unit", opener, values, inside)


def _kind_of(values: Sequence[str]) -> str:
    """What the words of a column are."""
    least = AGREE * len(values)

    def most(test: Callable[[str], object]) -> bool:
        return sum(bool(test(value)) for value in values) >= least

    distinct = set(values)
    if most(_is_level) and any(_is_sure_level(value) for value in distinct):
        return "level"
    if most(_LETTERS.__contains__) or (len(distinct) > 1 and most(_SYMBOLS.__contains__)):
        return "level"
    if len(distinct) > 1 and len(distinct) * 4 <= len(values) and most(_CODE.fullmatch):
        return "code"
    if most(_ADDRESS.fullmatch):
        return "address"
    if most(_INTEGER.fullmatch):
        return "integer"
    if most(_HEX.fullmatch) and any(re.search(r"\d", value) for value in values):
        return "hex"
    shapes = Counter(_DIGITS.sub("9", value) for value in values)
    shape, count = shapes.most_common(1)[0]
    if count >= least and "9" in shape and len(distinct) > max(3, len(values) / 8):
        return "id"
    if most(_DOTTED.fullmatch):
        return "dotted"
    return "word"


def _is_level(value: str) -> bool:
    word = value.strip("*!.:-").lower()
    return word in _LEVELS or word in _DOUBTFUL_LEVELS or value.lower() in _LEVELS


def _is_sure_level(value: str) -> bool:
    return _is_level(value) and (
        value != value.lower() or value.strip("*!.:-") in _LEVELS or value in _LEVELS
    )


# --- where the head ends --------------------------------------------------------------------------


def _find_end(columns: list[_Column]) -> int:
    """How many columns are the head; 0 if there is none.

    All before the first time are. Behind it words are pending until a field or a sign follows;
    those that never vary do not count.
    """
    end, pending, waits = 0, 0, False
    first_time = _find_first_time(columns)
    strong = first_time >= 0
    level = False
    for place, column in enumerate(columns):
        follows = columns[place + 1] if place + 1 < len(columns) else None
        kind = column.kind
        if place <= first_time:
            end = place + 1
            level = level or "level" in (kind, column.inside)
        elif place and columns[place - 1].text == "=" and end == place and kind in _OF_WORDS:
            end = place + 1  # the value of a key
            level = level or kind == "level"
        elif kind == "space":
            if waits and pending <= 2 and follows is not None and _is_column(columns, place):
                end, pending, waits = place + 1, 0, False
        elif (
            place <= 1
            and kind in ("word", "dotted")
            and not level
            and follows is not None
            and follows.kind == "unit"
            and all(map(_LETTERED.fullmatch, column.values))
            and _split_level(column.values) is not None
        ):
            end, strong, level = place + 1, True, True
        elif kind == "word" or (kind == "level" and (level or pending > 2)):
            pending += len(set(column.values)) > 1
            waits = True
            if pending > MOST_PENDING:
                break
        elif pending > 2 or (kind == "sign" and not _may_divide(columns, place)):
            break
        elif (
            waits
            and kind in ("integer", "hex", "address", "id")
            and columns[place - 1].kind != "sign"
        ):
            pending += pending > 0  # "worker 3 started" begins with a word
        elif kind != "attached":
            if kind in ("sign", "unit"):
                strong = strong or (column.text == "|" and place <= 2)
                strong = strong or (kind == "unit" and place == 0 and len(set(column.values)) > 1)
            if kind == "level":
                strong = strong or (follows is not None and follows.kind == "sign")
                strong = strong or (place <= 1 and _is_level_column(columns, place))
            if place == 0 and kind == "hex" and _runs(column.values):
                strong = strong or min(map(len, column.values)) >= 8
            level = level or "level" in (kind, column.inside)
            end, pending, waits = place + 1, 0, False
    return end if strong else 0


def _is_level_column(columns: list[_Column], place: int) -> bool:
    """Whether a level that begins the lines is in capitals, varies, and brackets follow it."""
    values = set(columns[place].values)
    after = [column.kind for column in columns[place + 1 : place + 3]]
    bracketed = after[:1] == ["unit"] or after == ["space", "unit"]
    return bracketed and len(values) > 1 and all(map(str.isupper, values))


def _runs(values: Sequence[str]) -> bool:
    """Whether a column has so many values that they are ids."""
    return len(set(values)) * 4 > len(values)


def _split_level(values: Sequence[str]) -> tuple[str, bool] | None:
    """The sign that divides a level from a name in all values, and whether the level is first."""
    for sign in _SPLITS:
        if not all(value.count(sign) == 1 for value in values):
            continue
        for first in (True, False):
            words = {value.split(sign)[0 if first else 1] for value in values}
            letters = sign == "/" and first and words <= _LETTERS
            if letters or all(word.lower() in _LEVELS for word in words):
                return sign, first
    return None


def _may_divide(columns: list[_Column], place: int) -> bool:
    """Whether a sign divides fields: a quote around a time, ``=`` in a rule or behind a key."""
    sign = columns[place].text
    before = columns[place - 1] if place else None
    after = columns[place + 1] if place + 1 < len(columns) else None
    if sign == '"':
        quotes = sum(column.text == '"' and column.kind == "sign" for column in columns[:place])
        return quotes % 2 == 1 or (after is not None and after.kind == "time")
    if sign != "=" or before is None or before.kind in ("space", "sign") or after is None:
        return True
    if after.kind == "space" or (after.kind == "sign" and after.text not in _PAIRS):
        return True
    return bool(before.values) and _most_common(before.values)[0].lower() in _KEYS


def _is_column(columns: list[_Column], place: int) -> bool:
    """Whether the white space behind a word ends a column: a tab, or both are equally wide."""
    space, before = columns[place], columns[place - 1]
    tabs = sum("\t" in text for text in space.values)
    if tabs and tabs >= AGREE * len(space.values):
        return True
    if before.kind not in _OF_WORDS or len(before.values) != len(space.values):
        return False
    widths = Counter(len(a) + len(b) for a, b in zip(before.values, space.values, strict=True))
    several = len(set(map(len, before.values))) > 1
    return several and widths.most_common(1)[0][1] >= AGREE * len(space.values)


def _give_back(columns: list[_Column], messages: Sequence[str]) -> int:
    """The end without a last field of words that may be the message's."""
    places = [
        place
        for place, column in enumerate(columns)
        if column.kind == "word" or (column.kind == "unit" and column.inside == "word")
    ]
    if not places:
        return len(columns)
    last = places[-1]
    fields = [c for c in columns[last + 1 :] if c.kind not in ("sign", "space", "attached")]
    if fields and len({_DIGITS.sub("9", message) for message in messages}) > 1:
        return len(columns)
    objects = sum(_OBJECT.match(message) is not None for message in messages)
    in_brackets = columns[last].kind == "unit" and len(set(columns[last].values)) > 1
    if objects >= AGREE * len(messages) or (in_brackets and len(set(messages)) == 1):
        return len(columns)
    if not _says_message(columns[last].values, messages):
        return len(columns)
    while last > 0 and columns[last - 1].kind == "space":
        last -= 1
    return last


def _says_message(values: Sequence[str], messages: Sequence[str]) -> bool:
    """Whether a column of words goes with what follows, as a message's first words do.

    It does not if it runs, if more texts follow than it has values, or if they are paired freely.
    """
    shapes = [_DIGITS.sub("9", message)[:60] for message in messages]
    distinct, words = len(set(shapes)), len(set(values))
    if distinct < 2 or len(shapes) != len(values):
        return distinct < 2
    pairs = len(set(zip(values, shapes, strict=True)))
    return not (_runs(values) or distinct > max(2, words) or pairs >= 1.5 * max(distinct, words))


# --- requests -------------------------------------------------------------------------------------

_METHODS = "GET|POST|PUT|DELETE|HEAD|OPTIONS|PATCH|CONNECT|TRACE|PROPFIND|PURGE|MKCOL|REPORT"
_CELL = r"""(?:"(?:[^"\\]|\\.)*"|\[[^\]]*\]|\([^)]*\)|\{[^}]*\}|[^\s"\[({]\S*)"""
_CELL_PATTERN = re.compile(_CELL)
_REQUEST = re.compile(rf'"?(?:{_METHODS})\b')
_STATUS = re.compile(r"(?:[A-Z_]+/|\(HTTP/[\d.]+ |)([1-5]\d\d)\)?,?")
_USUAL = frozenset(
    ("200", "201", "204", "206", "301", "302", "304", "400", "401", "403", "404", "500", "502")
)
_MOST_CELLS = 40


def _find_access(texts: Sequence[str]) -> str | None:
    """The pattern of lines that say a request's method and the status of its answer.

    The method and the class of the status are the event; the message is empty.
    """
    rows = [[cell[0] for cell in _CELL_PATTERN.finditer(text)][:_MOST_CELLS] for text in texts]
    method = _find_cell(rows, lambda cell: _REQUEST.match(cell) is not None)
    status = _find_cell(rows, lambda cell: _STATUS.fullmatch(cell) is not None, _are_statuses)
    if method is None or status is None:
        return None
    parts = []
    for place in range(max(method, status) + 1):
        sample = next(row[place] for row in rows if place < len(row))
        if place == method:
            quoted = sample.startswith('"')
            parts.append(
                '"(?P<method>[A-Z]+)(?:[^A-Z"][^"]*)?"' if quoted else "(?P<method>[A-Z]+)"
            )
        elif place == status:
            found = _STATUS.fullmatch(sample)
            lead = sample[: found.start(1)] if found else ""
            lead = r"[A-Z_]+/" if lead.endswith("/") else (r"\(HTTP/[\d.]+ " if lead else "")
            parts.append(lead + r"(?P<status>\d{3})")
        else:
            parts.append(_CELL)
    return r"\s*" + r"\s+".join(parts) + r".*(?P<message>)$"


def _find_cell(
    rows: Sequence[Sequence[str]],
    test: Callable[[str], bool],
    judge: Callable[[Sequence[str]], bool] = bool,
) -> int | None:
    """The first place at which the cells of most rows pass a test."""
    votes = Counter(place for row in rows for place, cell in enumerate(row) if test(cell))
    fitting = [
        place
        for place, count in votes.items()
        if count >= AGREE * len(rows) and judge([row[place] for row in rows if place < len(row)])
    ]
    return min(fitting, default=None)


def _are_statuses(cells: Sequence[str]) -> bool:
    codes = Counter(found[1] for cell in cells if (found := _STATUS.fullmatch(cell)))
    return sum(codes[code] for code in _USUAL) >= 0.8 * len(cells)


# --- patterns -------------------------------------------------------------------------------------


class _Piece(NamedTuple):
    """The pattern of a column: what stands around a field, the field's name, and the field."""

    before: str
    name: str
    field: str
    after: str = ""


def _write_pattern(columns: list[_Column], end: int) -> str | None:
    """The pattern of a head, the columns before ``end``; None if its times are not alike."""
    pieces = []
    first_time = _find_first_time(columns)
    for place, column in enumerate(columns[:end]):
        if column.kind == "time":
            times = generalise_times(column.values, named=place == first_time)
            if times is None:
                return None
            padding = "" if times.startswith(" ") or not _is_divided(columns, place) else r"\s*"
            pieces.append(_Piece(padding, "timestamp" if place == first_time else "", times))
        elif column.kind == "unit":
            pieces.append(_write_unit(column, place, columns))
        else:
            pieces.append(_write_column(column, place, columns))
    if columns[end - 1].kind == "space":
        pieces.pop()
    # A field is the first of its name behind the time; else the first before it.
    places = sorted(range(len(pieces)), key=lambda place: (place < first_time, place))
    named = {pieces[place].name: place for place in reversed(places)}
    return (
        "".join(
            before + (f"(?P<{name}>{field})" if name and named[name] == place else field) + after
            for place, (before, name, field, after) in enumerate(pieces)
        )
        + r"\s*(?P<message>.*)$"
    )


def _is_divided(columns: list[_Column], place: int) -> bool:
    """Whether a column begins the line, or a sign stands before it."""
    return place == 0 or columns[place - 1].kind == "sign"


def _write_column(column: _Column, place: int, columns: list[_Column]) -> _Piece:
    if column.kind == "space":
        after = columns[place + 1] if place + 1 < len(columns) else None
        pads = after is not None and after.kind == "time" and _is_divided(columns, place)
        return _Piece(r"\s*" if column.optional or pads else r"\s+", "", "")
    if column.kind == "sign":
        return _Piece(escape(column.text), "", "")
    if column.kind == "attached":
        return _Piece(r"(?:\[[^\]]*\]|\([^)]*\))*", "", "")
    if column.kind == "source":
        return _Piece("", "source", _SOURCE)
    is_letter = column.kind == "level" and all("A" <= value <= "Z" for value in column.values)
    name = _field_of(column.kind, column.values, columns, place)
    if name == "pid":
        return _write_pid(column.values)
    split = None if _has_level(columns) else _split_level(column.values)
    if split is not None and name in ("", "process", "logger"):
        return _write_split(split, _CLASS)
    return _Piece("", name, "[A-Z]" if is_letter and {*map(len, column.values)} == {1} else _NAME)


def _write_unit(column: _Column, place: int, columns: list[_Column]) -> _Piece:
    opener, closer = escape(column.text), escape(_PAIRS[column.text])
    if column.text == "<" and place == 0 and all(map(str.isdigit, column.values)):
        return _Piece(opener, "priority", r"\d{1,3}", closer)
    values = [value.strip() for value in column.values]
    name = _field_of(column.inside, values, columns, place)
    padding = r"\s*" if values != column.values else ""
    if column.inside == "level":
        return _Piece(opener + padding, name, rf"[^\s{closer}]+", padding + closer)
    if name == "pid":
        inside = _write_pid(values)
        after = inside.after + padding + closer
        return _Piece(opener + padding + inside.before, name, inside.field, after)
    split = None if padding or _has_level(columns) else _split_level(column.values)
    if split is not None:
        inside = _write_split(split, f"[^{closer}]")
        return _Piece(opener + inside.before, inside.name, inside.field, inside.after + closer)
    return _Piece(opener, name, f"[^{closer}]*", closer)


def _has_level(columns: Sequence[_Column]) -> bool:
    return any("level" in (column.kind, column.inside) for column in columns)


def _write_pid(values: Sequence[str]) -> _Piece:
    """A process's number, which ``#`` may stand before or a thread's follow."""
    sign = "#" if all(value.strip().startswith("#") for value in values) else ""
    thread = "" if all(value.strip().lstrip("#").isdigit() for value in values) else r"[#-]\d+"
    return _Piece(sign, "pid", r"\d+", thread)


def _write_split(split: tuple[str, bool], one: str) -> _Piece:
    """A level and a name that a sign divides; ``one`` is a character of a name."""
    sign, first = split
    name = f"{one[:-1]}{sign}]*"
    level = "[A-Za-z]+[0-9]?"
    if first:
        return _Piece("", "level", level, escape(sign) + name)
    return _Piece(name + escape(sign), "level", level)


def _field_of(kind: str, values: Sequence[str], columns: list[_Column], place: int) -> str:
    """The field that a column of words or a unit is, or the empty text."""
    before = columns[place - 1] if place else None
    if before is not None and before.text == "=" and place > 1:
        timed = any(column.kind == "time" for column in columns[:place])
        key = _most_common(columns[place - 2].values)[0].lower()
        return (_KEYS if timed else _FIRST_KEYS).get(key, "")
    after = [column.text or column.kind for column in columns[place + 1 : place + 4]]
    if after[:1] == ["="]:
        return ""
    if kind == "level":
        return "level"
    if kind == "code":
        return "host" if _is_host(columns, place) else "code"
    if kind in ("hex", "id") and _runs(values):
        return "request" if kind == "hex" else ""
    if kind == "integer":
        return "pid" if _is_pid(columns, place) else ""
    if kind == "address":
        return "host" if _is_host(columns, place) else ""
    if _is_host(columns, place):
        return "host"
    if columns[place].kind == "unit":
        threads = sum(bool(re.search(r"\d$|^main$|[Tt]hread", value)) for value in values)
        return "thread" if threads * 2 > len(values) else ("logger" if kind == "dotted" else "")
    if after[:1] == [":"] or after[:2] in (["[", ":"], ["attached", ":"]) or after[:1] == ["["]:
        return "logger" if kind == "dotted" else "process"
    return "logger" if kind == "dotted" else ""


_PROCESS = re.compile(r"#\d{1,20}|\d{1,20}")
_PROCESS_THREAD = re.compile(r"\d{1,20}[#-]\d{1,20}")


def _is_pid(columns: list[_Column], place: int) -> bool:
    """Whether a number is the first in brackets, or behind the time, and does not count up."""
    numbers = [
        column
        for column in columns[:place]
        if "integer" in (column.kind, column.inside) and column.text != "<"
    ]
    timed = any(column.kind == "time" for column in columns[:place])
    values = [value.strip() for value in columns[place].values]
    if numbers or not (timed or columns[place].kind == "unit"):
        return False
    if all(map(_PROCESS.fullmatch, values)) or all(map(_PROCESS_THREAD.fullmatch, values)):
        first = [int(re.split("[#-]", value.lstrip("#"))[0]) for value in values]
        return not (_runs(values) and first == sorted(first))
    return False


def _is_host(columns: list[_Column], place: int) -> bool:
    """As syslog has it: the word between the time and a process."""
    kinds = [column.kind for column in columns[max(place - 2, 0) : place + 3]]
    names = ("word", "code", "id", "dotted", "address")
    after = [column.text or column.kind for column in columns[place + 3 : place + 5]]
    return (
        len(kinds) == 5
        and kinds[:2] == ["time", "space"]
        and kinds[2] in names
        and kinds[3] == "space"
        and kinds[4] in names
        and (after[:1] == [":"] or after[:1] in (["["], ["attached"]))
    )
