"""Trying whether the time of a pattern grows faster than the line.

Nothing is timed: a load on the machine would tell lies. The pattern's tree becomes a small program
that a backtracking matcher runs, as Python's ``re`` and PCRE2 do, and the matcher counts its steps
on lines that are made to be slow. They are made from the pattern: a text that leads up to a
repetition, then what may be repeated, many times, then something that ends it. A pattern counts as
growing if a line that is 4 times as long takes at least 8 times the steps.

What is found is true of the pattern as it is written. What is not found may still grow: the lines
are a choice, and the work is bounded (:data:`MOST_STEPS`, about a second).

Public libraries for this (checkers of regular expressions for denial of service) are written for
JavaScript and Java, or read another syntax than the portable subset.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from typing import TypeAlias

from logexport.logs import syntax
from logexport.logs.patterns import parse

__all__ = ["Growth", "describe_growth", "find_growth"]

SHORT = 160
"""Characters of a short line, about."""
TIMES_AS_LONG = 4
TIMES_AS_MANY = 8
"""So many times the steps are growth: of linear patterns 4, of quadratic ones 16 times."""
MOST_STEPS = 1_000_000
"""So many steps are spent on a pattern's short lines, and so many on the long ones."""
MOST_SHORT_STEPS = 100_000
"""A short line that takes more is not waited for."""
LONG_TRIALS = 12
"""So many of the short lines that took the most steps are made long."""

_PROBES = "a1A-_ .:/=,\"'[(<@\\\t\xe9\x01"
_SHOWN = 24  # characters of the repeated part, of a line that is shown


@dataclass(frozen=True)
class Growth:
    """A line that shows it, and what it takes.

    Args:
        line: the short line, shortened.
        characters, steps: of the short line.
        long_characters, long_steps: of the long one, as far as it was waited for; the same as those
            of the short one if that took too many.
    """

    line: str
    characters: int
    steps: int
    long_characters: int
    long_steps: int


def describe_growth(what: str, pattern: str, anchored: bool = False) -> str | None:
    """A warning of a pattern whose time grows faster than the line; None if it is not seen to.

    Args:
        what: what the pattern is, for the sentence: ``"mask 'ip'"``.
        pattern, anchored: see :func:`find_growth`.

    Raises:
        InputError: the pattern is not in the portable subset.
    """
    found = find_growth(pattern, anchored)
    if found is None:
        return None
    many = (
        f"at least {found.steps:,} steps for {found.characters:,} characters"
        if found.long_characters == found.characters
        else f"{found.steps:,} steps for {found.characters:,} characters, {found.long_steps:,} or "
        f"more for {found.long_characters:,}"
    )
    return (
        f"The {what} takes time that grows faster than the line: {many}, if a line is like "
        f"{found.line!r}. One long line of this kind holds up the log. Let a repetition begin only "
        r"where the character before cannot belong to it, such as (?<!\w)\w+, and let no two that "
        "follow each other read the same characters"
    )


@lru_cache(maxsize=64)
def find_growth(pattern: str, anchored: bool = False) -> Growth | None:
    """A line whose time grows faster than its length, or None if none of those tried is one.

    Args:
        pattern: a portable one.
        anchored: it is matched at the start of the line only, as a header is; else it is searched
            for until the line ends, as a mask is.

    Raises:
        InputError: the pattern is not in the portable subset.
    """
    tree = parse(pattern, "a pattern to be tried")
    matcher = _Matcher(tree, anchored)
    tried: dict[str, tuple[float, int, _Shape]] = {}  # the slowest of each repeated text
    left = MOST_STEPS
    for shape in _make_shapes(tree):
        text = shape.write(SHORT)
        steps = matcher.count(text, MOST_SHORT_STEPS)
        if steps >= MOST_SHORT_STEPS:
            return _describe(shape, steps, len(text), steps)
        best = tried.get(shape.run)
        if best is None or steps / len(text) > best[0]:
            tried[shape.run] = (steps / len(text), steps, shape)
        left -= steps
        if left <= 0:
            break
    slowest = sorted(tried.values(), key=lambda one: -one[0])
    left = MOST_STEPS
    for _, few, shape in slowest[:LONG_TRIALS]:
        text = shape.write(SHORT * TIMES_AS_LONG)
        many = few * TIMES_AS_MANY
        steps = matcher.count(text, many)
        if steps >= many:
            return _describe(shape, few, len(text), steps)
        left -= steps
        if left <= 0:
            break
    return None


def _describe(shape: _Shape, steps: int, long_characters: int, long_steps: int) -> Growth:
    line = f"{shape.before}{shape.run * max(_SHOWN // len(shape.run), 1)}…{shape.after}"
    return Growth(
        line,
        len(shape.write(SHORT)),
        steps,
        long_characters,
        long_steps,
    )


# --- lines ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Shape:
    """Lines that differ in how often ``run`` stands in them."""

    before: str
    run: str
    after: str

    def write(self, length: int) -> str:
        return self.before + self.run * max(length // len(self.run), 1) + self.after


def _make_shapes(tree: syntax.Alternatives) -> Iterator[_Shape]:
    """Lines to try, the likeliest first."""
    probes = _choose_probes(tree)
    leads: dict[str, None] = {"": None}
    bodies: dict[str, None] = {}
    likely = _collect(tree, "", leads, bodies)
    for text in (*leads, likely, likely[:-1]):
        if text:
            bodies.setdefault(text)
    ends = dict.fromkeys(("", probes[-1], "\x01"))
    runs = dict.fromkeys((*islice(bodies, 16), *probes))
    pairs = [a + b for a in probes[:6] for b in probes[:6] if a != b]
    for some in (runs, pairs):
        for lead in islice(leads, 12):
            for run in some:
                for end in ends:
                    yield _Shape(lead, run, end)


def _choose_probes(tree: syntax.Alternatives) -> list[str]:
    """Characters that the pattern tells apart, one of each kind; last one that fits the least."""
    characters = list(dict.fromkeys(_find_characters(tree)))
    literals = [one.char for one in characters if isinstance(one, syntax.Literal)]
    kinds: dict[tuple[bool, ...], str] = {}
    for char in dict.fromkeys((*literals, *_PROBES)):
        kinds.setdefault(tuple(syntax.holds(one, char) for one in characters), char)
    found = sorted(kinds.items(), key=lambda kind: -sum(kind[0]))
    return [char for _, char in (*found[:14], found[-1])]


def _find_characters(body: syntax.Alternatives) -> Iterator[syntax.Character]:
    for branch in body.branches:
        for item in branch.items:
            inner = item.item if isinstance(item, syntax.Repeat) else item
            if isinstance(inner, syntax.CHARACTERS):
                yield inner
            elif isinstance(inner, (syntax.Group, syntax.Look)):
                yield from _find_characters(inner.body)


def _collect(
    body: syntax.Alternatives, lead: str, leads: dict[str, None], bodies: dict[str, None]
) -> str:
    """Note what leads up to each repetition, and what each repeats; a text of the first branch."""
    first = None
    for branch in body.branches:
        text = lead
        for item in branch.items:
            match item:
                case syntax.Repeat(inner, low, high):
                    leads.setdefault(text)
                    if isinstance(inner, syntax.Group):
                        once = _collect(inner.body, text, leads, bodies)[len(text) :]
                        full = _write(inner.body, 1)
                        if high is None or high > 1:
                            for one in (once, full):
                                if one:
                                    bodies.setdefault(one)
                    else:
                        once = _write_character(inner)
                    text += once * max(low, 1 if high is None else 0)
                case syntax.Group(inner):
                    text = _collect(inner, text, leads, bodies)
                case syntax.Look(inner):
                    pass
                case syntax.Assertion():
                    pass
                case _:
                    text += _write_character(item)
        if first is None:
            first = text
    return lead if first is None else first


def _write(body: syntax.Alternatives, least: int) -> str:
    """A text of the last branch, what may be left out written ``least`` times."""
    out = ""
    for item in body.branches[-1].items:
        match item:
            case syntax.Repeat(inner, low):
                text = (
                    _write(inner.body, least)
                    if isinstance(inner, syntax.Group)
                    else _write_character(inner)
                )
                out += text * max(low, least)
            case syntax.Group(inner):
                out += _write(inner, least)
            case syntax.Assertion() | syntax.Look():
                pass
            case _:
                out += _write_character(item)
    return out


def _write_character(item: syntax.Character) -> str:
    if isinstance(item, syntax.Literal):
        return item.char
    members = item.members if isinstance(item, syntax.CharSet) else ()
    own = (
        member.char if isinstance(member, syntax.Literal) else member.low
        for member in members
        if not isinstance(member, syntax.Class)
    )
    return next((char for char in (*_PROBES, *own) if syntax.holds(item, char)), "a")


# --- the matcher ----------------------------------------------------------------------------------


@dataclass
class _Read:
    """Reads one character; ``known`` are those that were asked for."""

    item: syntax.Character
    known: dict[str, bool] = field(default_factory=dict)


@dataclass
class _Split:
    """Goes on at ``first``, and at ``second`` if that fails."""

    first: int
    second: int = 0


@dataclass
class _Jump:
    to: int


@dataclass
class _Ask:
    """Holds or not, and reads nothing; ``width`` is what a look-behind goes back."""

    text: str
    inner: list[_Step] | None = None
    width: int = 0
    negated: bool = False


_Step: TypeAlias = "_Read | _Split | _Jump | _Ask"


class _TooManyError(Exception):
    """The steps are used up."""


class _Matcher:
    """Counts the steps that a backtracking matcher goes.

    Args:
        tree: the pattern.
        anchored: see :func:`find_growth`.
    """

    def __init__(self, tree: syntax.Alternatives, anchored: bool) -> None:
        self._program: list[_Step] = []
        self._anchored = anchored
        _translate(tree, self._program)
        self._steps = self._most = 0

    def count(self, text: str, most: int) -> int:
        """The steps until all matches of a text are found; ``most`` if that is not enough."""
        self._steps, self._most = 0, most
        at = 0
        try:
            while at <= len(text):
                end = self._match(self._program, text, at)
                if self._anchored:
                    break
                at = at + 1 if end is None or end <= at else end
        except _TooManyError:
            return most
        return self._steps

    def _match(self, program: list[_Step], text: str, start: int) -> int | None:
        """The end of the match at a place, or None."""
        stack = [(0, start)]
        steps, end = 0, len(program)
        most = self._most - self._steps
        length = len(text)
        while stack:
            step, at = stack.pop()
            while True:
                steps += 1
                if steps > most:
                    raise _TooManyError
                if step == end:
                    self._steps += steps
                    return at
                one = program[step]
                if type(one) is _Read:
                    if at == length:
                        break
                    char = text[at]
                    holds = one.known.get(char)
                    if holds is None:
                        holds = one.known[char] = syntax.holds(one.item, char)
                    if not holds:
                        break
                    at += 1
                    step += 1
                elif type(one) is _Split:
                    stack.append((one.second, at))
                    step = one.first
                elif type(one) is _Jump:
                    step = one.to
                else:
                    assert type(one) is _Ask  # noqa: S101 - there is no other
                    self._steps += steps
                    holds = self._ask(one, text, at)
                    self._steps -= steps
                    most = self._most - self._steps
                    if not holds:
                        break
                    step += 1
        self._steps += steps
        return None

    def _ask(self, one: _Ask, text: str, at: int) -> bool:
        if one.inner is not None:
            start = at - one.width
            found = start >= 0 and self._match(one.inner, text, start) is not None
            return found != one.negated
        if one.text in ("^", "\\A"):
            return at == 0
        if one.text == "$":
            return at == len(text)
        before = at > 0 and syntax.holds(_WORD, text[at - 1])
        after = at < len(text) and syntax.holds(_WORD, text[at])
        return (before != after) == (one.text == "\\b")


_WORD = syntax.Class("w")


def _translate(body: syntax.Alternatives, program: list[_Step]) -> None:
    """Append the steps of alternatives, the first of which is tried first."""
    ends: list[_Jump] = []
    for number, branch in enumerate(body.branches):
        split = None
        if number + 1 < len(body.branches):
            split = _Split(len(program) + 1)
            program.append(split)
        for item in branch.items:
            _translate_item(item, program)
        if split is not None:
            ends.append(_Jump(0))
            program.append(ends[-1])
            split.second = len(program)
    for end in ends:
        end.to = len(program)


def _translate_item(item: syntax.Item, program: list[_Step]) -> None:
    match item:
        case syntax.Assertion(text):
            program.append(_Ask(text))
        case syntax.Look(ahead, negated, body):
            inner: list[_Step] = []
            _translate(body, inner)
            program.append(_Ask("", inner, 0 if ahead else body.facts.low, negated))
        case syntax.Group(body):
            _translate(body, program)
        case syntax.Repeat(inner_item, low, high, lazy):
            _translate_repeat(
                lambda: _translate_item(inner_item, program), program, low, high, lazy
            )
        case _:
            program.append(_Read(item))


def _translate_repeat(
    write: Callable[[], None], program: list[_Step], low: int, high: int | None, lazy: bool
) -> None:
    """Append an item as often as it must stand, and then as often as it may."""
    for _ in range(low):
        write()
    splits: list[tuple[_Split, int]] = []
    for _ in range(1 if high is None else high - low):
        split = _Split(0)
        splits.append((split, len(program)))
        program.append(split)
        write()
    if high is None:
        program.append(_Jump(splits[0][1]))
    for split, at in splits:
        inside, behind = at + 1, len(program)
        split.first, split.second = (behind, inside) if lazy else (inside, behind)
