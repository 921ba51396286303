"""A portable pattern as a tree, and what is known of each part of it.

A pattern is :class:`Alternatives`, each a :class:`Sequence` of items; an item is a character
(:class:`Literal`, :class:`AnyChar`, :class:`Class`, :class:`CharSet`), an :class:`Assertion`, a
:class:`Look`, a :class:`Group` or a :class:`Repeat` of one item. The tree says what is written and
nothing else: ``[x]`` is a set of one character, ``(?:a)`` a group.
:func:`logexport.logs.patterns.parse` makes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TypeAlias

from logexport.logs.lines import WHITE_SPACE

_SPACES = frozenset(WHITE_SPACE)


@dataclass(frozen=True)
class Facts:
    """What is known of a part of a pattern, or of a whole one.

    Args:
        low, high: fewest and most characters that it matches; ``high`` None for no bound.
        size: estimate of PCRE2's compiled size, bytes.
        captures: number of capturing groups.
        names: of the named groups, in order.
        looks: holds a look-around.
        local: matches no white space and holds no ``^``, ``$`` or ``\\A``, look-arounds included.
            Whether such a pattern matches at a place of a token depends on that token alone, since
            ``\\b``, ``\\B`` and look-arounds then see white space as they see the text's ends.
    """

    low: int = 0
    high: int | None = 0
    size: int = 0
    captures: int = 0
    names: tuple[str, ...] = ()
    looks: bool = False
    local: bool = True


_CHARACTER_FACTS = {local: Facts(1, 1, 1, local=local) for local in (True, False)}
_ASSERTION_FACTS = {local: Facts(size=1, local=local) for local in (True, False)}

# --- characters -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Literal:
    """One character, however it is written."""

    char: str

    @property
    def facts(self) -> Facts:
        return _literal(self.char)


@lru_cache(maxsize=256)
def _literal(char: str) -> Facts:
    return Facts(1, 1, 1 + len(char.encode("utf-8")), local=char not in _SPACES)


@dataclass(frozen=True)
class AnyChar:
    """``.``: every character but LF."""

    @property
    def facts(self) -> Facts:
        return _CHARACTER_FACTS[False]


@dataclass(frozen=True)
class Class:
    """A class of ASCII characters, or of all but them: ``d``, ``s``, ``w``, ``D``, ``S``, ``W``."""

    letter: str

    @property
    def facts(self) -> Facts:
        return _CHARACTER_FACTS[not self.holds_spaces]

    @property
    def holds_spaces(self) -> bool:
        """Whether white space is in it: all of it, or none."""
        return self.letter in "sDW"


@dataclass(frozen=True)
class Range:
    """``low-high`` in a set, both included."""

    low: str
    high: str


Member: TypeAlias = Literal | Range | Class


@dataclass(frozen=True)
class CharSet:
    """``[...]``, or ``[^...]`` where ``negated``; the members in their order."""

    negated: bool
    members: tuple[Member, ...]

    @cached_property
    def facts(self) -> Facts:
        spaces: set[str] = set()
        wide = 0
        for member in self.members:
            match member:
                case Literal(char):
                    spaces |= _SPACES & {char}
                    wide += ord(char) > 127
                case Range(low, high):
                    spaces |= {char for char in _SPACES if low <= char <= high}
                    wide += ord(high) > 127
                case Class() if member.holds_spaces:
                    spaces |= _SPACES
        allowed = _SPACES - spaces if self.negated else spaces
        return Facts(1, 1, 40 + 10 * wide, local=not allowed)


Character: TypeAlias = Literal | AnyChar | Class | CharSet
"""What matches one character."""

CHARACTERS = (Literal, AnyChar, Class, CharSet)


def holds(item: Character | Member, char: str) -> bool:
    """Whether a character is one that an item of one character, or a member of a set, matches."""
    match item:
        case Literal(own):
            return own == char
        case AnyChar():
            return char != "\n"
        case Range(low, high):
            return low <= char <= high
        case Class(letter):
            small = letter.lower()
            inside = (
                char in WHITE_SPACE or char == "\n"
                if small == "s"
                else "0" <= char <= "9"
                or (small == "w" and (char == "_" or (char.isascii() and char.isalpha())))
            )
            return inside == (letter == small)
        case CharSet(negated, members):
            return any(holds(member, char) for member in members) != negated


# --- what takes no character ----------------------------------------------------------------------


@dataclass(frozen=True)
class Assertion:
    """``^``, ``$``, ``\\A``, ``\\b`` or ``\\B``, as it is written."""

    text: str

    @property
    def facts(self) -> Facts:
        return _ASSERTION_FACTS[self.text in ("\\b", "\\B")]


@dataclass(frozen=True)
class Look:
    """A look-around: ``ahead`` or behind, for what must stand there or, ``negated``, must not."""

    ahead: bool
    negated: bool
    body: Alternatives

    @cached_property
    def facts(self) -> Facts:
        inner = self.body.facts
        return Facts(size=inner.size + 4, looks=True, local=inner.local)


# --- what holds others ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Group:
    """A group.

    Args:
        body: what stands in it.
        number: of the capturing group, from 1 in the order of the opening brackets; None for
            ``(?:...)``.
        name: of a named one, else None.
    """

    body: Alternatives
    number: int | None = None
    name: str | None = None

    @cached_property
    def facts(self) -> Facts:
        inner = self.body.facts
        return Facts(
            low=inner.low,
            high=inner.high,
            size=inner.size + 2,
            captures=inner.captures + (self.number is not None),
            names=inner.names if self.name is None else (self.name, *inner.names),
            looks=inner.looks,
            local=inner.local,
        )


@dataclass(frozen=True)
class Repeat:
    """An item ``low`` to ``high`` times, None for no bound; ``lazy`` takes as few as it can."""

    item: Character | Group
    low: int
    high: int | None
    lazy: bool = False

    @cached_property
    def facts(self) -> Facts:
        item, high = self.item.facts, self.high
        copies = 1 if isinstance(self.item, CHARACTERS) else max(self.low, high or 0, 1)
        return Facts(
            low=item.low * self.low,
            high=None if high is None or item.high is None else item.high * high,
            size=(item.size + 6) * copies + 6,
            captures=item.captures,
            names=item.names,
            looks=item.looks,
            local=item.local,
        )


Item: TypeAlias = Character | Assertion | Look | Group | Repeat


@dataclass(frozen=True)
class Sequence:
    """Items one after another; none match the empty text."""

    items: tuple[Item, ...]

    @cached_property
    def facts(self) -> Facts:
        known = [item.facts for item in self.items]
        highs = [one.high for one in known]
        return Facts(
            low=sum(one.low for one in known),
            high=None if None in highs else sum(high for high in highs if high is not None),
            size=sum(one.size for one in known),
            captures=sum(one.captures for one in known),
            names=tuple(name for one in known for name in one.names),
            looks=any(one.looks for one in known),
            local=all(one.local for one in known),
        )


@dataclass(frozen=True)
class Alternatives:
    """What ``|`` divides, the first that matches first; one where there is no ``|``."""

    branches: tuple[Sequence, ...]

    @cached_property
    def facts(self) -> Facts:
        known = [branch.facts for branch in self.branches]
        highs = [one.high for one in known]
        return Facts(
            low=min(one.low for one in known),
            high=None if None in highs else max(high for high in highs if high is not None),
            size=sum(one.size + 3 for one in known) + 3,
            captures=sum(one.captures for one in known),
            names=tuple(name for one in known for name in one.names),
            looks=any(one.looks for one in known),
            local=all(one.local for one in known),
        )
