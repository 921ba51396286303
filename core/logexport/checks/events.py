"""Are the events of a log what they must be in any log?

Every other check compares the product with itself: heads, masks and templates that misread a log
misread it in training, in the reference and in the engine alike. This one changes lines of the log
as the world does, by rules of its own (:mod:`logexport.checks.moving`,
:mod:`logexport.checks.redrawing`), and looks at what becomes of their events:

- *Time moves on*: a line with other dates and times is the same event.
- *Values change*: a line with other numbers, addresses and ids is the same event.
- *Words matter*: a line with another word in place of one that most lines of its event have is
  another event, or unseen.

What is found goes into figures, and into warnings below the limits here; it fails no run. Of a log
nothing is shown but changed times, drawn values and masked text: a bundle may go where the log may
not.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import NamedTuple

from logexport.checks.context import Context
from logexport.checks.moving import MOVES, Found, Habits, find_times, move_times
from logexport.checks.redrawing import draw_value, find_ids, find_values
from logexport.logs.events import EventReader
from logexport.logs.joining import RecordReader, read_alone
from logexport.logs.lines import LogLine, iter_logs
from logexport.logs.preprocess import LineParser, ParsedLine, Preprocess
from logexport.training.line_tables import read_parsed, read_sequences
from logexport.training.sampling import sample_lines
from logexport.types import CheckResult, JSONValue, Vocabulary

NAME = "events"

MOST_LINES = 1000
"""How many records are changed at most: enough to see one trouble in a hundred lines, in a few
seconds."""
LONGEST = 4096
"""Bytes of a record that is looked at: a time or a value is found in shorter ones as well, and the
time of all patterns together stays bounded."""
DRAWS = 2
"""How often the values of a line are drawn: a mask that misses one value in twenty is seen in one
line of ten then, and the time doubles with each."""
LEAST_LINES = 5
"""Sampled lines of an event before its words are looked at: of fewer, "most" says little."""
MOST = 0.9
"""A word is the event's if it stands in so many of its lines. A user's name that is ``root`` in two
lines of three is a value, and a line with another name is rightly the same event."""

TIMES_LIMIT = 0.99
"""Time moves in every line of every log, so what is not the same event after it is lost for good.
One line in a hundred is left for texts that only look like a time."""
VALUES_LIMIT = 0.98
"""Some values are names to their log (``port 22``), and some words of digits are told as values
that nobody would mask: two lines in a hundred are left for both."""
WORDS_LIMIT = 0.9
"""Names of users, hosts and files are words too, and an event that was seen with one of them alone
is right to hold another: one line in ten is left for them."""

_SEED = "events"
_SHOWN = 3
"""Kinds of trouble that are shown of each part, the most frequent ones."""
_SHORT = 120
_WORD = re.compile(r"[^\w\s]*([A-Za-z]{4,})[^\w\s]*", re.ASCII)
_LETTERS = "ghjklmnopqrstuvwxyz"
"""Of drawn words: none that is a digit of a hexadecimal number."""

RETRAIN = "then build and train anew"
REMEDY_OLD = (
    "the rules are of version 1, which know few heads and values: parse the log anew without"
    f" --preprocess, {RETRAIN}"
)


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

    def read(self, text: str) -> _Reading:
        """The reading of a text, nothing known of it if it is not one record."""
        records = read_alone(self._parser, text.encode("utf-8", "surrogateescape"))
        if len(records) != 1 or records[0].parsed is None:
            return _Reading(None, None, "")
        masked = self._parser.mask_record(records[0].parsed)
        return _Reading(self._matcher.match(masked), records[0].parsed, masked)

    def kept(self, text: str) -> list[str]:
        """The values of kept fields, as they stand in the first line."""
        fields = self._parser.find_fields(
            self._parser.preprocess.decode(text.encode("utf-8", "surrogateescape").split(b"\n")[0])
        )
        return [fields[one.field] for one in self._parser.preprocess.keep if one.field in fields]


@dataclass
class _Part:
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

    def add(self, is_right: bool) -> None:
        self.changes += 1
        self.right += is_right

    def trouble(self, kind: tuple[JSONValue, ...], example: dict[str, JSONValue]) -> None:
        count, first = self.troubles.get(kind, (0, example))
        self.troubles[kind] = count + 1, first

    @property
    def share(self) -> float | None:
        """Of the changes that became what they must; cut, so that 1 is all of them."""
        return None if not self.changes else self.right * 10_000 // self.changes / 10_000

    def worst(self) -> list[dict[str, JSONValue]]:
        """The kinds of trouble that most changes had."""
        counted = sorted(self.troubles.values(), key=lambda one: -one[0])
        return [{"part": self.name, "changes": count, **one} for count, one in counted[:_SHOWN]]

    def figures(self) -> dict[str, JSONValue]:
        return {
            "lines": self.lines,
            "changes": self.changes,
            "right": self.right,
            "share": self.share,
            "kinds_of_trouble": len(self.troubles),
        }

    def said(self) -> str:
        """The share in words."""
        return "none" if self.share is None else f"{self.share:.2%}"


def events(context: Context) -> CheckResult:
    """Change lines of the replayed log, or of the parsed one, and look at their events."""
    source, rules, records = _sample(context)
    if source is None:
        reason = (
            "no log: no --replay, and no parsed.parquet beside the vocabulary (--parsed) or"
            " sequences.parquet with lines"
        )
        return CheckResult(NAME, "skipped", "bundle", reason)
    reader = _Reader(rules, context.vocab)
    lines, unseen, long = _known(reader, records)
    times = _move_times(reader, lines, context.vocab)
    values = _draw_values(reader, lines, context.vocab)
    words = _replace_words(reader, lines, context.vocab)
    parts = (times, values, words)
    found = (
        f"{len(lines)} records of {source.name} ({unseen} more unseen): the same event when times"
        f" move {times.said()}, when values change {values.said()}; another when a word"
        f" does {words.said()}"
    )
    figures: dict[str, JSONValue] = {
        "records": len(lines),
        "unseen": unseen,
        "too_long": long,
        **{part.name: part.figures() for part in parts},
        "first": [one for part in parts for one in part.worst()],
    }
    warnings = tuple(_warnings(parts, rules, source))
    return CheckResult(NAME, "passed", "bundle", found, figures, warnings)


_Records = Iterable[tuple[int, "bytes | None"]]
"""Numbers of first lines and bytes; None in place of a record that was too long."""


def _sample(context: Context) -> tuple[Path | None, Preprocess, _Records]:
    """Records spread over the log, the file that they are from, and the rules to read them by."""
    request, rules = context.request, context.bundled.preprocess
    if request.replay is not None:
        lines = sample_lines([iter_logs([request.replay], rules.reading)], rules)
        read = RecordReader(LineParser(rules)).read(lines)
        return request.replay, rules, ((one.number, _raw(one.raw, one.parsed)) for one in read)
    if request.parsed is not None:
        parsed = read_parsed(request.parsed)
        if not parsed.written_by_logexport:  # messages: their heads are gone
            rules = replace(rules, headers=(), structured=(), keep=())
        rows: Iterable[tuple[int, bytes | None]] = ((one.line_no, one.raw) for one in parsed)
    elif request.sequences is not None and read_sequences(request.sequences).holds_lines:
        rows = ((one.line_no, one.raw) for one in read_sequences(request.sequences))
    else:
        return None, rules, ()
    as_lines = (LogLine(number, raw or b"", raw is None) for number, raw in rows)
    sample = sample_lines([as_lines], rules)
    path = request.parsed or request.sequences
    return path, rules, ((one.number, None if one.oversize else one.raw) for one in sample)


def _raw(raw: bytes, parsed: ParsedLine | None) -> bytes | None:
    return None if parsed is None else raw


def _known(reader: _Reader, records: _Records) -> tuple[list[_Line], int, int]:
    """Of the records that the vocabulary knows at most so many; how many it does not know, and how
    many are too long."""
    lines = []
    unseen = long = 0
    for number, raw in records:
        if raw is None or len(raw) > LONGEST:
            long += 1
            continue
        text = raw.decode("utf-8", "surrogateescape")
        reading = reader.read(text)
        if reading.template is None:
            unseen += 1
        else:
            lines.append(_Line(number, text, reading, []))
    step = -(-len(lines) // MOST_LINES) or 1
    taken = [line._replace(times=find_times(line.text)) for line in lines[::step]]
    return taken, unseen, long


def _move_times(reader: _Reader, lines: Sequence[_Line], vocab: Vocabulary) -> _Part:
    """(a) Time moves on."""
    part = _Part("times")
    habits = Habits.of(found for line in lines for found in line.times)
    for line in lines:
        times = line.times
        changes = part.changes
        for move in MOVES if times else ():
            moved = move_times(line.text, times, move, habits)
            if moved == line.text:
                continue
            after = reader.read(moved)
            part.add(after.template == line.reading.template)
            if after.template == line.reading.template:
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
            part.trouble(
                (times[culprit].form, move.name, head),
                {
                    "line": line.number,
                    "before": _shorten(line.text[start:end]),
                    "after": _shorten(moved[start : end + len(moved) - len(line.text)]),
                    "head_lost": head,
                    **_outcome(line, after, vocab),
                },
            )
        part.lines += part.changes > changes
    return part


def _draw_values(reader: _Reader, lines: Sequence[_Line], vocab: Vocabulary) -> _Part:
    """(b) Values change."""
    part = _Part("values")
    ids = find_ids(line.text for line in lines)
    for line in lines:
        values = find_values(line.text, line.times, reader.kept(line.text), ids)
        part.lines += bool(values)
        for draw in range(DRAWS if values else 0):
            random = Random(f"{_SEED} {line.number} {draw}")  # noqa: S311
            drawn = [draw_value(line.text[one.start : one.end], one.kind, random) for one in values]
            spans = [(one.start, one.end) for one in values]
            after = reader.read(_replace(line.text, spans, drawn))
            part.add(after.template == line.reading.template)
            if after.template == line.reading.template:
                continue
            shown, kind = ", ".join(drawn), "several"
            for value, span, text in zip(values, spans, drawn, strict=True):
                reading = reader.read(_replace(line.text, [span], [text]))
                if reading.template != line.reading.template:
                    shown, kind, after = text, value.kind, reading
                    break
            head = _header(after) != _header(line.reading)
            part.trouble(
                (kind, head or line.reading.template),
                {
                    "line": line.number,
                    "kind": kind,
                    "after": _shorten(shown),
                    "head_lost": head,
                    **_outcome(line, after, vocab),
                },
            )
    return part


def _replace_words(reader: _Reader, lines: Sequence[_Line], vocab: Vocabulary) -> _Part:
    """(c) Words matter."""
    part = _Part("words")
    words = [_find_words(line) for line in lines]
    totals = Counter(line.reading.template for line in lines)
    counts = Counter(
        (line.reading.template, place, word)
        for line, found in zip(lines, words, strict=True)
        for place, word, _ in found
    )
    there = {word for found in words for _, word, _ in found}
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
        part.add(after.template != template)
        if after.template == template:
            part.trouble(
                (template, place),
                {
                    "line": line.number,
                    "before": _shorten(word),
                    "after": _shorten(other),
                    **_outcome(line, after, vocab),
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


def _outcome(line: _Line, after: _Reading, vocab: Vocabulary) -> dict[str, JSONValue]:
    """What a line was, and what it became."""
    templates = vocab.templates

    def name(reading: _Reading) -> str | None:
        return None if reading.template is None else _shorten(templates[reading.template])

    return {"template": name(line.reading), "became": name(after), "masked": _shorten(after.masked)}


def _shorten(text: str) -> str:
    """A text for a report: one line of bounded length, and valid UTF-8."""
    text = " ".join(text.encode("utf-8", "surrogateescape").decode("utf-8", "replace").split())
    return text if len(text) <= _SHORT else f"{text[: _SHORT - 1]}…"


def _warnings(parts: Sequence[_Part], rules: Preprocess, source: Path) -> Iterator[str]:
    """One for each part below its limit: what was seen, an example, and the remedy."""
    times, values, words = parts
    old = rules.version == 1
    if times.share is not None and times.share < TIMES_LIMIT:
        one = times.worst()[0]
        remedy = f"describe the head of such lines by --header, or the time by --mask, {RETRAIN}"
        yield (
            f"{times.changes - times.right} of {times.changes} changes of lines of {source.name}"
            " that moved nothing but their dates and times made another event of them, or an"
            f" unseen one (line {one['line']}: {one['before']} to {one['after']});"
            f" {REMEDY_OLD if old else remedy}"
        )
    if values.share is not None and values.share < VALUES_LIMIT:
        one = values.worst()[0]
        remedy = f"name what varies by --mask NAME=PATTERN=>REPLACEMENT, {RETRAIN}"
        yield (
            f"{values.changes - values.right} of {values.changes} changes of lines of"
            f" {source.name} that drew nothing but their values anew made another event of them,"
            f" or an unseen one (line {one['line']}: {one['after']} became {one['masked']!r});"
            f" {REMEDY_OLD if old else remedy}"
        )
    if words.share is not None and words.share < WORDS_LIMIT:
        one = words.worst()[0]
        remedy = (
            "look at such templates by logexport templates, give parse an edited list by"
            f" --templates, {RETRAIN}"
        )
        yield (
            f"{words.changes - words.right} of {words.changes} lines of {source.name} stayed the"
            " same event when one of its words was replaced by one that the log does not hold"
            f" (line {one['line']}: {one['before']}, in {one['template']!r}): their templates would"
            f" swallow new messages; {remedy}"
        )
