"""Templates to indices: which template of a vocabulary a masked line is.

Rules (the reference of matching):

- A template is split into tokens at white space (:mod:`logexport.logs.lines`). Its token ``<*>``
  stands for any one token. By rules of version 2 its token ``<*:mark>`` stands for any one token in
  which a mask put a character (:mod:`logexport.logs.tokens`); by those of version 1 it is a text
  like any other. The template ``""`` (or one of white space only) has no token.
- A template matches a line of as many tokens when each of the template's tokens stands for the
  line's token at that place or equals it, character by character. A token ``<*>`` of the line is a
  text like any other: it equals no constant.
- Of several templates that match, ``specific`` prefers the fewest ``<*>``, then the fewest
  ``<*:mark>``, ``general`` the most. Among those left, at the first token where two of them differ
  a constant goes before ``<*:mark>``, and that before ``<*>``.
- With ``inner`` (version 2) a *hole* is ``<*>``, or ``<:NAME:>`` of ASCII letters, digits, ``_``
  and ``-``. A template's token that is a hole stands for any token. A token that holds holes stands
  for the tokens that have a text of at least one character in the place of each of them. Of
  several templates that match, ``specific`` prefers the most characters that are in neither holes
  nor ``<*:mark>``, ``general`` the fewest.
- Of those left after all this, the template whose string comes first in code point order is taken.
  The index decides nothing.
- Reserved indices match no line.
- No match: the line is unseen.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Literal, TypeAlias

from logexport.errors import InputError
from logexport.logs.lines import tokens
from logexport.logs.tokens import WORD, Masked

__all__ = [
    "HOLE",
    "MARK_WILDCARD",
    "WILDCARD",
    "Prefer",
    "TemplateMatcher",
]

Prefer = Literal["specific", "general"]

WILDCARD = "<*>"
MARK_WILDCARD = "<*:mark>"

_MEMO_ENTRIES = 65_536
_MEMO_LONGEST = 1024  # characters; longer lines are rare and would make the memo's size unbounded

HOLE = re.compile(r"<\*>|<:[A-Za-z0-9_-]+:>")
"""What stands for a text inside a token, or for all of one."""

_CONSTANT = 0
_MARK: Literal[1] = 1
_ANY: Literal[2] = 2


class _Glob:
    """A token with holes: ``literals`` stand around them, and may be empty."""

    __slots__ = ("literals",)

    def __init__(self, literals: Sequence[str]) -> None:
        self.literals = tuple(literals)

    def fits(self, token: str) -> bool:
        """Whether the token is the literals with texts between; each is taken where it comes
        first."""
        first, *middle, last = self.literals
        at, end = len(first), len(token) - len(last)
        if at >= end or not (token.startswith(first) and token.endswith(last)):
            return False
        for literal in middle:
            at = token.find(literal, at + 1, end)
            if at < 0:
                return False
            at += len(literal)
        return at < end


_Part: TypeAlias = "str | _Glob | Literal[1, 2]"
"""A template's token: a constant, one with holes, _MARK or _ANY."""


class _Node:
    """A place in the templates of one token count."""

    __slots__ = ("any", "constants", "globs", "index", "mark", "rank")

    def __init__(self) -> None:
        self.constants: dict[str, _Node] = {}
        self.globs: dict[tuple[str, ...], tuple[_Glob, _Node]] = {}
        self.mark: _Node | None = None
        self.any: _Node | None = None
        self.index: int | None = None
        self.rank = 0


class TemplateMatcher:
    """Finds the template of a masked line; time grows with the line, hardly with the vocabulary.

    Args:
        templates: by index.
        reserved: indices that are labels and match nothing.
        prefer: which of several matching templates is taken.
        typed: whether ``<*:mark>`` stands for what masks wrote: the rules are of version 2.
        inner: whether ``<*>`` inside a token stands for a part of one.
    """

    def __init__(
        self,
        templates: Sequence[str],
        reserved: Collection[int] = (),
        prefer: Prefer = "specific",
        *,
        typed: bool = True,
        inner: bool = False,
    ) -> None:
        if prefer not in ("specific", "general"):
            raise InputError(
                f"Templates cannot be matched by {prefer!r}", "Use specific or general."
            )
        self._typed, self._inner = typed, inner
        self._sign = 1 if prefer == "specific" else -1
        self._roots: dict[int, _Node] = {}
        self._memo: dict[Masked, int | None] = {}
        split = [
            (self._order(parts), template, index, parts)
            for index, template in enumerate(templates)
            if index not in reserved
            for parts in [self._parts(template)]
        ]
        split.sort(key=lambda one: one[:3])
        for rank, (_, _, index, parts) in enumerate(split):
            node = self._leaf(parts)
            if node.index is None:
                node.index, node.rank = index, rank

    def match(self, masked: Masked) -> int | None:
        """The index of the template that ``masked`` is, or None where it is unseen."""
        try:
            return self._memo[masked]
        except KeyError:
            pass
        line = tokens(masked.text)
        index = self.match_tokens(line, masked.kinds or bytes(len(line)))
        if len(masked.text) <= _MEMO_LONGEST:
            if len(self._memo) >= _MEMO_ENTRIES:
                self._memo.clear()
            self._memo[masked] = index
        return index

    def match_tokens(self, line: Sequence[str], kinds: bytes) -> int | None:
        """As :meth:`match`, of a line that is split already; nothing is remembered."""
        root = self._roots.get(len(line))
        if root is None:
            return None
        best: _Node | None = None
        length = len(line)
        # Depth first. Each node is looked at once, so the templates bound the time.
        stack = [(root, 0)]
        while stack:
            node, place = stack.pop()
            if place == length:
                if best is None or node.rank < best.rank:
                    best = node
                continue
            token = line[place]
            place += 1
            if (child := node.constants.get(token)) is not None:
                stack.append((child, place))
            if node.mark is not None and kinds[place - 1] != WORD:
                stack.append((node.mark, place))
            if node.any is not None:
                stack.append((node.any, place))
            for glob, child in node.globs.values():
                if glob.fits(token):
                    stack.append((child, place))
        return None if best is None else best.index

    def _parts(self, template: str) -> list[_Part]:
        return [self._part(token) for token in tokens(template)]

    def _part(self, token: str) -> _Part:
        if self._typed and token == MARK_WILDCARD:
            return _MARK
        if token == WILDCARD or (self._inner and HOLE.fullmatch(token)):
            return _ANY
        literals = HOLE.split(token) if self._inner else [token]
        return token if len(literals) == 1 else _Glob(literals)

    def _order(self, parts: Sequence[_Part]) -> tuple[object, ...]:
        """What templates of one token count are ordered by, before their text; the preferred one
        is first."""
        if self._inner:
            literal = sum(
                len(part) if isinstance(part, str) else sum(map(len, part.literals))
                for part in parts
                if not isinstance(part, int)
            )
            return (-self._sign * literal,)
        kinds = tuple(part if isinstance(part, int) else _CONSTANT for part in parts)
        return (self._sign * kinds.count(_ANY), self._sign * kinds.count(_MARK), kinds)

    def _leaf(self, parts: Sequence[_Part]) -> _Node:
        node = self._roots.setdefault(len(parts), _Node())
        for part in parts:
            if isinstance(part, str):
                node = node.constants.setdefault(part, _Node())
            elif isinstance(part, _Glob):
                _, node = node.globs.setdefault(part.literals, (part, _Node()))
            elif part == _MARK:
                node.mark = node = node.mark or _Node()
            else:
                node.any = node = node.any or _Node()
        return node
