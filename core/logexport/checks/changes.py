"""Lines of a log changed as the world changes them, and what becomes of their events.

:mod:`logexport.checks.events` says what must become of them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import NamedTuple

from logexport.checks.moving import MOVES, Found, Habits, find_times, move_times
from logexport.checks.redrawing import draw_value, find_ids, find_values
from logexport.logs.events import EventReader
from logexport.logs.joining import read_alone
from logexport.logs.preprocess import LineParser, ParsedLine, Preprocess
from logexport.types import JSONValue, Vocabulary

MOST_LINES = 1000
"""How many records are changed at most: enough to see one trouble in a hundred lines, in a few
seconds."""
LONGEST = 4096
"""Bytes of a record that is looked at: a time or a value is found in shorter ones as well, and the
time of all patterns together stays bounded."""
DRAWS = 2
"""How often the values of a line are drawn: a mask that misses one value in twenty is seen in one
line of ten then, and the time doubles with each."""
SEARCHED = 200
"""Wrong changes whose one cause is looked for, by making each change of a line alone."""
LEAST_LINES = 5
"""Sampled lines of an event before its words are looked at: of fewer, "most" says little."""
MOST = 0.9
"""A word is the event's if it stands in so many of its lines. A user's name that is ``root`` in two
lines of three is a value, and a line with another name is rightly the same event."""

_SEED = "events"
_SHOWN = 3
"""Kinds of trouble that are shown of each part, the most frequent ones."""
_SHORT = 120
_WORD = re.compile(r"[^\w\s]*([A-Za-z]{4,})[^\w\s]*", re.ASCII)
_LETTERS = "ghjklmnopqrstuvwxyz"
"""Of drawn words: none that is a digit of a hexadecimal number."""

Records = Iterable[tuple[int, "bytes | None"]]
"""Numbers of first lines and bytes; None in place of a record that was too long."""


class _Reading(NamedTuple):
    """What the bundle's rules make of a record."""

    template: int | None
    parsed: ParsedLine | None
    masked: str


class _Line(NamedTuple):
    """A record of the sample that is known to the vocabulary, with the times in it."""

    number: int
    text: str
    reading: _Reading
    times: list[Found]


class _Reader:
    """Texts of records to readings; what a record would be after other lines does not matter."""

    def __init__(self, rules: Preprocess, vocabulary: Vocabulary) -> None:
        self._parser = LineParser(replace(rules, continuation=False))
        self._matcher = EventReader(rules, vocabulary).matcher
        self._templates = vocabulary.templates

    def read(self, text: str) -> _Reading:
        """The reading of a text, nothing known of it if it is not one record."""
        records = read_alone(self._parser, text.encode("utf-8", "surrogateescape"))
        if len(records) != 1 or records[0].parsed is None:
            return _Reading(None, None, "")
        masked = self._parser.mask_record(records[0].parsed)
        return _Reading(self._matcher.match(masked), records[0].parsed, masked.text)

    def name_outcome(self, line: _Line, after: _Reading) -> dict[str, JSONValue]:
        """What a line was, and what it became."""
        was, now = (
            None if one.template is None else shorten(self._templates[one.template])
            for one in (line.reading, after)
        )
        return {"template": was, "became": now, "masked": shorten(after.masked)}

    def find_kept(self, text: str) -> list[str]:
        """The values of kept fields, as they stand in the first line."""
        fields = self._parser.find_fields(
            self._parser.preprocess.decode(text.encode("utf-8", "surrogateescape").split(b"\n")[0])
        )
        return [fields[one.field] for one in self._parser.preprocess.keep if one.field in fields]


@dataclass
class Part:
    """What became of changed lines.

    Attributes:
        lines: how many were changed; ``changes`` in all, ``right`` of them became what they must.
        troubles: the others, by their kind: how many, and the first of them.
    """

    name: str
    lines: int = 0
    changes: int = 0
    right: int = 0
    troubles: dict[tuple[JSONValue, ...], tuple[int, dict[str, JSONValue]]] = field(
        default_factory=dict
    )

    def count(self, is_right: bool) -> bool:
        """Count a change; whether it is one to be looked into."""
        self.changes += 1
        self.right += is_right
        return not is_right and self.changes - self.right <= SEARCHED

    def add_trouble(self, kind: tuple[JSONValue, ...], example: dict[str, JSONValue]) -> None:
        """Count a kind of trouble; the first example stands for it."""
        count, first = self.troubles.get(kind, (0, example))
        self.troubles[kind] = count + 1, first

    @property
    def share(self) -> float | None:
        """Of the changes that became what they must; cut, so that 1 is all of them."""
        return None if not self.changes else self.right * 10_000 // self.changes / 10_000

    def worst(self) -> list[dict[str, JSONValue]]:
        """The kinds of trouble that most of the changes had that were looked into."""
        counted = sorted(self.troubles.values(), key=lambda one: -one[0])
        return [{"part": self.name, "count": count, **one} for count, one in counted[:_SHOWN]]

    def to_json(self) -> dict[str, JSONValue]:
        """What goes into figures."""
        return {
            "lines": self.lines,
            "changes": self.changes,
            "right": self.right,
            "share": self.share,
            "kinds_of_trouble": len(self.troubles),
        }

    def describe(self) -> str:
        """The share in words."""
        return "no line has any" if self.share is None else f"{self.share:.2%} of {self.changes}"


class Examined(NamedTuple):
    """What was found in a sample of a log.

    Args:
        lines: records that were changed, at most :data:`MOST_LINES`.
        unseen: records that the vocabulary does not know, and that were left out.
        too_long: records longer than :data:`LONGEST`, left out too.
        times, values, words: see :mod:`logexport.checks.events`.
    """

    lines: int
    unseen: int
    too_long: int
    times: Part
    values: Part
    words: Part


def examine(records: Records, rules: Preprocess, vocabulary: Vocabulary) -> Examined:
    """Change the records of a sample, and see what becomes of them.

    Args:
        records: of the log, in their order.
        rules: how they are read.
        vocabulary: by which they are matched.
    """
    reader = _Reader(rules, vocabulary)
    lines, unseen, too_long = _find_known(reader, records)
    return Examined(
        len(lines),
        unseen,
        too_long,
        _move_times(reader, lines),
        _draw_values(reader, lines),
        _replace_words(reader, lines),
    )


def _find_known(reader: _Reader, records: Records) -> tuple[list[_Line], int, int]:
    """Records that the vocabulary knows, how many it does not, and how many are too long."""
    lines = []
    unseen = too_long = 0
    for number, raw in records:
        if raw is None or len(raw) > LONGEST:
            too_long += 1
            continue
        text = raw.decode("utf-8", "surrogateescape")
        reading = reader.read(text)
        if reading.template is None:
            unseen += 1
        else:
            lines.append(_Line(number, text, reading, []))
    step = -(-len(lines) // MOST_LINES) or 1
    taken = [line._replace(times=find_times(line.text)) for line in lines[::step]]
    return taken, unseen, too_long


def _move_times(reader: _Reader, lines: Sequence[_Line]) -> Part:
    """(a) Time moves on."""
    part = Part("times")
    habits = Habits.of(found for line in lines for found in line.times)
    for line in lines:
        times = line.times
        changes = part.changes
        for move in MOVES if times else ():
            moved = move_times(line.text, times, move, habits)
            if moved == line.text:
                continue
            after = reader.read(moved)
            if not part.count(after.template == line.reading.template):
                continue
            culprit = 0
            for place, found in enumerate(times) if len(times) > 1 else ():
                alone = move_times(line.text, [found], move, habits)
                reading = reader.read(alone)
                if reading.template != line.reading.template:
                    culprit, after, moved = place, reading, alone
                    break
            head = _header(after) != _header(line.reading)
            start, end = times[culprit].match.span()
            part.add_trouble(
                (times[culprit].form, move.name, head),
                {
                    "line": line.number,
                    "before": shorten(line.text[start:end]),
                    "after": shorten(moved[start : end + len(moved) - len(line.text)]),
                    "head_lost": head,
                    **reader.name_outcome(line, after),
                },
            )
        part.lines += part.changes > changes
    return part


def _draw_values(reader: _Reader, lines: Sequence[_Line]) -> Part:
    """(b) Values change."""
    part = Part("values")
    ids = find_ids(line.text for line in lines)
    for line in lines:
        values = find_values(line.text, line.times, reader.find_kept(line.text), ids)
        part.lines += bool(values)
        for draw in range(DRAWS if values else 0):
            random = Random(f"{_SEED} {line.number} {draw}")  # noqa: S311
            drawn = [draw_value(line.text[one.start : one.end], one.kind, random) for one in values]
            spans = [(one.start, one.end) for one in values]
            after = reader.read(_replace(line.text, spans, drawn))
            if not part.count(after.template == line.reading.template):
                continue
            shown, kind = ", ".join(drawn), "several"
            for value, span, text in zip(values, spans, drawn, strict=True):
                reading = reader.read(_replace(line.text, [span], [text]))
                if reading.template != line.reading.template:
                    shown, kind, after = text, value.kind, reading
                    break
            head = _header(after) != _header(line.reading)
            part.add_trouble(
                (kind, head, None if head else line.reading.template),
                {
                    "line": line.number,
                    "kind": kind,
                    "after": shorten(shown),
                    "head_lost": head,
                    **reader.name_outcome(line, after),
                },
            )
    return part


def _replace_words(reader: _Reader, lines: Sequence[_Line]) -> Part:
    """(c) Words matter."""
    part = Part("words")
    words = [_find_words(line) for line in lines]
    totals = Counter(line.reading.template for line in lines)
    counts = Counter(
        (line.reading.template, place, word)
        for line, found in zip(lines, words, strict=True)
        for place, word, _ in found
    )
    there = {word for line in lines for word in re.findall("[A-Za-z]+", line.text)}
    for line, found in zip(lines, words, strict=True):
        template = line.reading.template
        total = totals[template]
        own = [one for one in found if counts[template, one[0], one[1]] >= MOST * total]
        if total < LEAST_LINES or not own:
            continue
        random = Random(f"{_SEED} {line.number} word")  # noqa: S311
        place, word, start = random.choice(own)
        other = _draw_word(word, there, random)
        after = reader.read(_replace(line.text, [(start, start + len(word))], [other]))
        part.lines += 1
        if part.count(after.template != template):
            part.add_trouble(
                (template, place),
                {
                    "line": line.number,
                    "before": shorten(word),
                    "after": shorten(other),
                    **reader.name_outcome(line, after),
                },
            )
    return part


def _find_words(line: _Line) -> list[tuple[int, str, int]]:
    """The words of a record's message: the token's place in it, the word, its start in the text."""
    message = "" if line.reading.parsed is None else line.reading.parsed.message
    start = line.text.rfind(message) if message else -1
    if start < 0:
        return []
    times = [found.match.span() for found in line.times]
    found = []
    for place, token in enumerate(re.finditer(r"[^ \t\v\f\r\n]+", message)):
        word = _WORD.fullmatch(token[0])
        if word is not None:
            begin = start + token.start() + word.start(1)
            if not any(left <= begin < right for left, right in times):
                found.append((place, word[1], begin))
    return found


def _draw_word(word: str, there: set[str], random: Random) -> str:
    """Another word in the letters of one, which is not there."""
    style: Callable[[str], str] = str.lower
    if word.isupper():
        style = str.upper
    elif word[0].isupper():
        style = str.capitalize
    while True:
        drawn = style("".join(random.choices(_LETTERS, k=8)))
        if drawn not in there:
            return drawn


def _replace(text: str, spans: Sequence[tuple[int, int]], others: Sequence[str]) -> str:
    pieces = []
    at = 0
    for (start, end), other in zip(spans, others, strict=True):
        pieces += [text[at:start], other]
        at = end
    return "".join((*pieces, text[at:]))


def _header(reading: _Reading) -> str | None:
    return None if reading.parsed is None else reading.parsed.header


def shorten(text: str) -> str:
    """A text for a report: one line of bounded length, and valid UTF-8."""
    text = " ".join(text.encode("utf-8", "surrogateescape").decode("utf-8", "replace").split())
    return text if len(text) <= _SHORT else f"{text[: _SHORT - 1]}…"
