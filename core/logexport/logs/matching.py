"""Templates to indices: which template of a vocabulary a masked line is.

Rules (the reference of matching):

- A template is split into tokens like a line (see :mod:`logexport.logs.lines`); its token ``<*>``
  stands for any one token. The template ``""`` (or one of white space only) has no token.
- A template matches a line of as many tokens when each of the template's tokens is ``<*>`` or equal
  to the line's token at that place, character by character. A token ``<*>`` of the line is a text
  like any other: it equals ``<*>`` only.
- Of several templates that match, ``specific`` prefers the fewest ``<*>``, ``general`` the most.
  Among those left, at the first token where two of them differ the constant wins over ``<*>``.
  (Two matching templates that differ at a place differ as constant and ``<*>``, so this decides.)
- Templates with the same tokens (they differ in white space only) match the same lines: the one
  whose string comes first in code point order stands for all of them. The index decides nothing.
- Reserved indices match no line.
- No match: the line is unseen.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal

from logexport.errors import InputError
from logexport.logs.lines import tokens

__all__ = [
    "WILDCARD",
    "Prefer",
    "TemplateMatcher",
]

Prefer = Literal["specific", "general"]

WILDCARD = "<*>"

_MEMO_ENTRIES = 65_536
_MEMO_LONGEST = 1024  # characters; longer lines are rare and would make the memo's size unbounded


class _Node:
    """A place in the templates of one token count."""

    __slots__ = ("constants", "index", "wildcard")

    def __init__(self) -> None:
        self.constants: dict[str, _Node] = {}
        self.wildcard: _Node | None = None
        self.index: int | None = None


class TemplateMatcher:
    """Finds the template of a masked line; time grows with the line, hardly with the vocabulary.

    Args:
        templates: by index.
        reserved: indices that are labels and match nothing.
        prefer: which of several matching templates is taken.
    """

    def __init__(
        self,
        templates: Sequence[str],
        reserved: Collection[int] = (),
        prefer: Prefer = "specific",
    ) -> None:
        if prefer not in ("specific", "general"):
            raise InputError(
                f"Templates cannot be matched by {prefer!r}", "Use specific or general."
            )
        self._fewest = prefer == "specific"
        self._roots: dict[int, _Node] = {}
        self._memo: dict[str, int | None] = {}
        held: dict[int, str] = {}
        for index, template in enumerate(templates):
            if index not in reserved:
                node = self._leaf(tokens(template))
                if node.index is None or template < held[node.index]:
                    node.index = index
                    held[index] = template

    def match(self, masked: str) -> int | None:
        """The index of the template that ``masked`` is, or None where it is unseen."""
        try:
            return self._memo[masked]
        except KeyError:
            pass
        index = self.match_tokens(tokens(masked))
        if len(masked) <= _MEMO_LONGEST:
            if len(self._memo) >= _MEMO_ENTRIES:
                self._memo.clear()
            self._memo[masked] = index
        return index

    def match_tokens(self, line: Sequence[str]) -> int | None:
        """As :meth:`match`, of a line that is split already; nothing is remembered."""
        root = self._roots.get(len(line))
        if root is None:
            return None
        best: int | None = None
        best_wildcards = 0
        length = len(line)
        # Depth first, constants before wildcards: of equal counts the first that is found has the
        # constant at the first difference.
        stack = [(root, 0, 0)]
        while stack:
            node, place, wildcards = stack.pop()
            while place < length:
                constant = node.constants.get(line[place])
                wildcard = node.wildcard
                place += 1
                if constant is not None:
                    if wildcard is not None:
                        stack.append((wildcard, place, wildcards + 1))
                    node = constant
                elif wildcard is not None:
                    node = wildcard
                    wildcards += 1
                else:
                    break
            else:
                if (
                    best is None
                    or (self._fewest and wildcards < best_wildcards)
                    or (not self._fewest and wildcards > best_wildcards)
                ):
                    best, best_wildcards = node.index, wildcards
        return best

    def _leaf(self, template: Sequence[str]) -> _Node:
        node = self._roots.setdefault(len(template), _Node())
        for token in template:
            if token == WILDCARD:
                if node.wildcard is None:
                    node.wildcard = _Node()
                node = node.wildcard
            else:
                node = node.constants.setdefault(token, _Node())
        return node
