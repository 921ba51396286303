"""Texts that a regular expression matches, drawn at random: values that a mask turns back.

A drawn text is a guess: assertions and look-arounds are not looked at. Who draws tries the text on
the real pattern and keeps what works.

The self-tests of published bundles were drawn from the tree of Python's own parser, and a pattern
shall give the same texts for the same seed for ever. That parser simplifies what is written, and
each choice of a simplified pattern takes its random number, so a tree is first turned into a plan
by the same rules:

- a group that captures nothing is dissolved into what stands around it;
- what all alternatives begin with, if it is a character or an assertion, is moved before them, as
  often as there is such a beginning;
- alternatives that are then one character each, ``.`` and negated sets excepted, are one set;
- a character is a set of one; no set has a member twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from random import Random
from typing import TypeAlias

from logexport.logs import syntax
from logexport.logs.patterns import parse

_MORE = 3
"""Repetitions drawn beyond the fewest that a quantifier asks for."""

_PLAIN = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_PRINTABLE = _PLAIN + "-_./:=+%@#~!$&*,;?^|'\"`()[]{}<>\\ \t"


def draw(pattern: str, random: Random, groups: Mapping[str, str] | None = None) -> str:
    """A text that ``pattern`` (with ``re.ASCII``) probably matches.

    Args:
        pattern: a portable pattern.
        random: the source of choices.
        groups: the texts of named groups, taken as they are.

    Raises:
        InputError: the pattern is not in the portable subset.
    """
    return "".join(_draw(_planned(pattern), random, groups or {}))


# --- the plan -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Set:
    """One character: one of the members, or none of them."""

    negated: bool
    members: tuple[syntax.Member, ...]

    @property
    def literal(self) -> str | None:
        """The character, where there is but one."""
        if not self.negated and len(self.members) == 1:
            (member,) = self.members
            if isinstance(member, syntax.Literal):
                return member.char
        return None

    @cached_property
    def choices(self) -> tuple[str, ...]:
        """What is drawn from: plain characters if any is in the set, other printable ones, else
        those beyond ASCII that it lists."""
        chosen = [char for char in _PRINTABLE if self._holds(char) != self.negated]
        plain = [char for char in chosen if char in _PLAIN]
        if not self.negated:
            literals = (one.char for one in self.members if isinstance(one, syntax.Literal))
            chosen += [char for char in literals if ord(char) > 127]
        return tuple(plain or chosen or ["x"])

    def _holds(self, char: str) -> bool:
        for member in self.members:
            match member:
                case syntax.Literal(own):
                    found = own == char
                case syntax.Range(low, high):
                    found = low <= char <= high
                case syntax.Class(letter):
                    found = char in _class(letter)
            if found:
                return True
        return False


@lru_cache(maxsize=6)
def _class(letter: str) -> frozenset[str]:
    """The printable characters of a class."""
    return frozenset(re.findall(rf"\{letter}", _PRINTABLE, re.ASCII))


@dataclass(frozen=True)
class _AnyChar:
    """``.``."""


@dataclass(frozen=True)
class _Nothing:
    """An assertion: nothing is drawn, but alternatives may begin with the same."""

    text: str


# Of those that hold others, no two are the same to Python's parser: alternatives that begin with
# equal groups keep them.


@dataclass(frozen=True, eq=False)
class _Look:
    """A look-around: nothing is drawn."""


@dataclass(frozen=True, eq=False)
class _Captured:
    """What a capturing group holds."""

    name: str | None
    plan: _Plan


@dataclass(frozen=True, eq=False)
class _Choice:
    """One of several."""

    plans: tuple[_Plan, ...]


@dataclass(frozen=True, eq=False)
class _Repeated:
    """A plan ``low`` to ``high`` times."""

    plan: _Plan
    low: int
    high: int


_Step: TypeAlias = "_Set | _AnyChar | _Nothing | _Look | _Captured | _Choice | _Repeated"
_Plan: TypeAlias = "tuple[_Step, ...]"


@lru_cache(maxsize=256)
def _planned(pattern: str) -> _Plan:
    return _alternatives(parse(pattern, "a text to be drawn"))


def _alternatives(body: syntax.Alternatives) -> _Plan:
    branches = [_sequence(branch) for branch in body.branches]
    if len(branches) == 1:
        return branches[0]
    common = 0
    while all(len(branch) > common for branch in branches):
        if any(branch[common] != branches[0][common] for branch in branches):
            break
        common += 1
    before, rests = branches[0][:common], [branch[common:] for branch in branches]
    sets = [
        rest[0]
        for rest in rests
        if len(rest) == 1 and isinstance(rest[0], _Set) and not rest[0].negated
    ]
    if len(sets) == len(rests):
        return (*before, _Set(False, _distinct(one for each in sets for one in each.members)))
    return (*before, _Choice(tuple(rests)))


def _sequence(sequence: syntax.Sequence) -> _Plan:
    steps: list[_Step] = []
    for item in sequence.items:
        steps += _steps(item)
    return tuple(steps)


def _steps(item: syntax.Item) -> _Plan:
    match item:
        case syntax.Group(body, None):
            return _alternatives(body)
        case syntax.Group(body, _, name):
            return (_Captured(name, _alternatives(body)),)
        case syntax.Repeat(inner, low, high):
            most = low + _MORE if high is None else min(high, low + _MORE)
            return (_Repeated(_steps(inner), low, most),)
        case syntax.CharSet(negated, members):
            return (_Set(negated, _distinct(members)),)
        case syntax.Literal() | syntax.Class():
            return (_Set(False, (item,)),)
        case syntax.AnyChar():
            return (_AnyChar(),)
        case syntax.Assertion(text):
            return (_Nothing(text),)
        case syntax.Look():
            return (_Look(),)


def _distinct(members: Iterable[syntax.Member]) -> tuple[syntax.Member, ...]:
    return tuple(dict.fromkeys(members))


# --- the drawing ----------------------------------------------------------------------------------


def _draw(plan: _Plan, random: Random, fixed: Mapping[str, str]) -> list[str]:
    out: list[str] = []
    for step in plan:
        match step:
            case _Set():
                out.append(step.literal or random.choice(step.choices))
            case _AnyChar():
                out.append(random.choice(_PLAIN))
            case _Captured(name, inner):
                if name is not None and name in fixed:
                    out.append(fixed[name])
                else:
                    out += _draw(inner, random, fixed)
            case _Choice(plans):
                out += _draw(random.choice(plans), random, fixed)
            case _Repeated(inner, low, high):
                for _ in range(random.randint(low, high)):
                    out += _draw(inner, random, fixed)
    return out
