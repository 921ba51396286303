"""What a text must hold for a pattern to match anywhere in it, as the pattern's tree tells.

Of a text only the *kinds* of its characters are looked at: digits, letters a to f, other small
letters, A to F, other capitals, each other ASCII character, and all that is not ASCII. A pattern
cannot match where a character that it must take, or that a positive look-around must see, is of no
kind that the text holds. That is necessary and not sufficient: where the characters stand, negative
look-arounds, ``\\b`` and what may be left out are not looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from string import ascii_letters, ascii_lowercase, ascii_uppercase, digits, hexdigits
from typing import TypeAlias

from logexport.logs import syntax
from logexport.logs.patterns import parse

__all__ = ["Candidates"]

_NOT_ASCII = 0x80
_MOST_KNOWN = 4096
"""Sets of kinds that are remembered; logs have some hundreds."""


def _name_kinds() -> bytes:
    kinds = bytearray(min(byte, _NOT_ASCII) for byte in range(256))
    for char in digits + ascii_letters:
        alike = next(one for one in (digits, ascii_lowercase, ascii_uppercase) if char in one)
        kinds[ord(char)] = min(
            ord(one) for one in alike if (one in hexdigits) == (char in hexdigits)
        )
    return bytes(kinds)


_KINDS = _name_kinds()
"""The kind of each byte of UTF-8."""


@dataclass(frozen=True)
class _Need:
    """Kinds that must be there, and other needs: every one of them, or at least one."""

    every: bool
    parts: frozenset[_Need | int]

    def is_met(self, kinds: frozenset[int]) -> bool:
        """Whether a text that holds these kinds of characters is not ruled out."""
        return (all if self.every else any)(
            part in kinds if isinstance(part, int) else part.is_met(kinds) for part in self.parts
        )


_Part: TypeAlias = "_Need | int"

_NOTHING = _Need(True, frozenset())


def _join(parts: Iterable[_Part], every: bool) -> _Part:
    """One need of several, written with as few as can be."""
    found: set[_Part] = set()
    for part in parts:
        if part == _NOTHING:
            if not every:
                return _NOTHING
        elif isinstance(part, _Need) and part.every == every:
            found |= part.parts
        else:
            found.add(part)
    return found.pop() if len(found) == 1 else _Need(every, frozenset(found))


def _find_need(node: syntax.Alternatives | syntax.Sequence | syntax.Item) -> _Part:
    match node:
        case syntax.Alternatives(branches):
            return _join(map(_find_need, branches), every=False)
        case syntax.Sequence(items):
            return _join(map(_find_need, items), every=True)
        case syntax.Group(body):
            return _find_need(body)
        case syntax.Repeat(item, low):
            return _find_need(item) if low else _NOTHING
        case syntax.Look(_, negated, body):
            return _NOTHING if negated else _find_need(body)
        case syntax.Assertion():
            return _NOTHING
        case _:
            return _join(_find_kinds(node), every=False)


@lru_cache(maxsize=256)
def _find_kinds(node: syntax.Character) -> frozenset[int]:
    """The kinds of the characters that are in a set or class."""
    found = {_KINDS[code] for code in range(_NOT_ASCII) if syntax.holds(node, chr(code))}
    match node:
        case syntax.CharSet(negated, members):
            # Whatever is named, something beyond ASCII is not.
            beyond = negated or any(map(_reaches_beyond, members))
        case _:
            beyond = _reaches_beyond(node)
    return frozenset({*found, _NOT_ASCII} if beyond else found)


def _reaches_beyond(node: syntax.Character | syntax.Range) -> bool:
    match node:
        case syntax.Literal(char) | syntax.Range(_, char):
            return not char.isascii()
        case syntax.Class():
            return node.letter in "DSW"
        case _:
            return True


@lru_cache(maxsize=256)
def _find_pattern_need(pattern: str, where: str) -> _Need:
    return _Need(True, frozenset({_find_need(parse(pattern, where))}))


class Candidates:
    """Of some patterns those that may match in a text.

    Args:
        patterns: portable ones, by number, each with what it is, for an error.

    Raises:
        InputError: one is not portable.
    """

    def __init__(self, patterns: Sequence[tuple[str, str]]) -> None:
        self._all = tuple(range(len(patterns)))
        self._needs = [_find_pattern_need(*one) for one in patterns]
        self._known: dict[frozenset[int], tuple[int, ...]] = {}

    def find(self, text: str) -> tuple[int, ...]:
        """The numbers of the patterns that may match, in their order."""
        kinds = frozenset(text.encode("utf-8", "surrogatepass").translate(_KINDS))
        known = self._known.get(kinds)
        if known is not None:
            return known
        if len(self._known) >= _MOST_KNOWN:
            return self._all
        found = tuple(number for number, need in enumerate(self._needs) if need.is_met(kinds))
        self._known[kinds] = found
        return found
