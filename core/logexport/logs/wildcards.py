"""Which templates say nothing: nearly all of their tokens are wildcards or marks.

A line of such a template is an event that any line of its length could be. A token is counted as

- *open* where nothing but a wildcard (``<*>``, ``<*:mark>``, ``<:NAME:>``), a mark of a mask and
  punctuation stand in it,
- a *word* where anything else stands in it: ``blk_<*>`` is a word,
- neither where it is punctuation alone, or the level of a kept field: that says how bad an event
  is, not what it is.
"""

from __future__ import annotations

import re
import string

from logexport.logs.lines import tokens
from logexport.logs.preprocess import Preprocess

__all__ = ["WildcardFinder", "are_too_many"]

OPEN_SHARE = 0.75
"""A template is nearly all wildcards where at least this share of its open tokens and words is
open: one word beside two values names an event ("took 5 ms", "user 7 connected"), one in four
tokens seldom does. No template of seven public logs is so open."""

MOST_RECORDS = 0.05
"""Of a log's records such templates may have this share together: as much as
:mod:`logexport.checks.known_lines` allows of unseen lines, for as little is known of these."""

_WILDCARD = r"<\*(?::mark)?>|<:[A-Za-z0-9_-]+:>"
_REFERENCE = re.compile(r"\\[1-9\\]")
_NOT_WORDS = frozenset(string.punctuation + "\n")


class WildcardFinder:
    """Finds templates that are nearly all wildcards, by the rules that their lines are read with.

    Args:
        rules: their masks say which texts are marks, their kept fields which tokens come first.
    """

    def __init__(self, rules: Preprocess) -> None:
        marks = {
            piece
            for mask in rules.masks
            for piece in _REFERENCE.split(mask.replacement)
            if not _NOT_WORDS.issuperset(piece)
        }
        longest_first = sorted(map(re.escape, marks), key=lambda mark: (-len(mark), mark))
        self._open = re.compile("|".join((_WILDCARD, *longest_first)))
        self._levels = tuple(
            kept.field == "level" or kept.form == "severity" for kept in rules.keep
        )

    def is_nearly_all_wildcards(self, template: str) -> bool:
        """Whether :data:`OPEN_SHARE` or more of what a template says is open."""
        opened = words = 0
        for place, token in enumerate(tokens(template)):
            rest, marks = self._open.subn("", token)
            if not _NOT_WORDS.issuperset(rest):
                words += place >= len(self._levels) or not self._levels[place]
            elif marks:
                opened += 1
        return opened > 0 and opened >= OPEN_SHARE * (opened + words)


def are_too_many(held: int, records: int) -> bool:
    """Whether templates that are nearly all wildcards have too many of a log's records."""
    return held > MOST_RECORDS * records
