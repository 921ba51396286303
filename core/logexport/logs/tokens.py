"""Masked messages to tokens: where a token ends, which of them masks wrote, and what collapses.

Rules (the reference; the engine's ``native/src/tokens.c`` has the same), for rules of version 2:

- A masked text is split at white space, and each token again after every run of characters of
  ``split_after`` that no mask wrote, if something follows: ``a=b`` is ``a=`` and ``b``, ``key:``
  stays.
- A token is a *value* if a mask wrote at least one of its characters and all others are ASCII
  punctuation (ASCII that is neither letter, digit nor white space). It is *marked* if a mask wrote
  at least one and it is not a value. It is a *word* if no mask wrote any.
- With ``collapse`` a value becomes its first mark alone (the first run of characters that masks
  wrote), and of neighbouring values the first one stays.
- Kept fields are words. They stand before the message and take part in none of this.

By rules of version 1 a masked text is split at white space, and no token has a kind.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import compress
from typing import NamedTuple

from logexport.errors import InputError
from logexport.logs.lines import WHITE_SPACE
from logexport.logs.masks import Masker, Memo

__all__ = ["MARKED", "VALUE", "WORD", "Masked", "TokenRule", "Tokenizer"]

WORD, MARKED, VALUE = 0, 1, 2
"""Kinds of tokens."""

MOST_SPLIT_AFTER = 8
"""How many characters a token may be split after."""

_MARK = re.compile(rb"\x01+")
_INVERSE = bytes((1, 0)) + bytes(254)
_UNMARKED, _MARKED = 0, 1  # of a text's marks
_VALUE = bytes((VALUE,))
_NEIGHBOURS = 2 * _VALUE
_REPEATED = re.compile(b"(?<=" + _VALUE + b")" + _VALUE)
_LEFT_OUT = b"\x03"
_STAYS = bytes(kind != _LEFT_OUT[0] for kind in range(256))
_IN_WORDS = re.compile(r"[0-9A-Za-z]|[^\x00-\x7f]")


class Masked(NamedTuple):
    """What a record's template is looked for with.

    Args:
        text: the tokens joined by one blank. By rules of version 1 the masked message as it is.
        kinds: a byte for each token: :data:`WORD`, :data:`MARKED` or :data:`VALUE`. Empty by rules
            of version 1.
    """

    text: str
    kinds: bytes = b""


@dataclass(frozen=True)
class TokenRule:
    """How a masked message becomes tokens.

    Args:
        split_after: characters that end a token; at most eight different ones, ASCII punctuation.
        collapse: whether values lose their punctuation and neighbouring ones become one.

    Raises:
        InputError: a character is none of these, or stands there twice.
    """

    split_after: str = "=:"
    collapse: bool = True

    def __post_init__(self) -> None:
        if (
            len(self.split_after) > MOST_SPLIT_AFTER
            or len(set(self.split_after)) < len(self.split_after)
            or not set(self.split_after) <= set(string.punctuation)
        ):
            raise InputError(
                f"Tokens cannot be split after {self.split_after!r}",
                f"Name at most {MOST_SPLIT_AFTER} different characters of ASCII punctuation.",
            )


class Tokenizer:
    """The tokens of a log's messages; ``tokenizer(message)`` is their :class:`Masked`.

    If the masks are local (:class:`logexport.logs.masks.Masker`), the tokens of a message are those
    of its pieces between blanks, up to neighbours that collapse. The tokens of each piece are
    remembered. ``tests/logs`` compares it with :meth:`in_sequence`.
    """

    def __init__(self, masker: Masker, rule: TokenRule) -> None:
        self._masker = masker
        self._collapse = rule.collapse
        after = re.escape(rule.split_after)
        space = re.escape(WHITE_SPACE)
        word = f"[^{space}{after}]"
        self._token = re.compile(f"{word}*[{after}]+|{word}+" if after else f"{word}+")
        # What masks wrote splits nothing.
        self._hidden = str.maketrans(dict.fromkeys(rule.split_after, "x"))
        self._memo = Memo(self._tokenize)

    def __call__(self, message: str) -> Masked:
        """The tokens of a message."""
        if not self._masker.local:
            return self._tokenize(message)
        memo = self._memo
        pieces = [memo[piece] for piece in message.split(" ") if piece]
        text = " ".join([piece.text for piece in pieces if piece.text])
        kinds = b"".join([piece.kinds for piece in pieces])
        if self._collapse and _NEIGHBOURS in kinds:
            kinds = _REPEATED.sub(_LEFT_OUT, kinds)
            text = " ".join(compress(text.split(" "), kinds.translate(_STAYS)))
            kinds = kinds.translate(None, _LEFT_OUT)
        return Masked(text, kinds)

    def in_sequence(self, message: str) -> Masked:
        """The tokens by the definition: the whole message is masked, split, then collapsed."""
        return self._join(*self._masker.mark_in_sequence(message))

    def _tokenize(self, message: str) -> Masked:
        """As :meth:`in_sequence`, with short cuts."""
        text, marks = self._masker.mark(message)
        if _MARKED not in marks:
            found = self._token.findall(text)
            return Masked(" ".join(found), bytes(len(found)))
        if _UNMARKED not in marks and self._masker.local:  # so no white space is in it
            return Masked(text, _VALUE)
        return self._join(text, marks)

    def _join(self, text: str, marks: bytes) -> Masked:
        found = self._split(text, marks)
        pairs = list(_leave_neighbours_out(found) if self._collapse else found)
        return Masked(" ".join([token for token, _ in pairs]), bytes([kind for _, kind in pairs]))

    def _split(self, text: str, marks: bytes) -> Iterator[tuple[str, int]]:
        """The tokens of a masked text and their kinds; values are their first marks already."""
        for match in self._token.finditer(self._hide(text, marks)):
            begin, end = match.span()
            own = marks[begin:end]
            if 1 not in own:
                yield text[begin:end], WORD
            elif 0 in own and _IN_WORDS.search(
                "".join(compress(text[begin:end], own.translate(_INVERSE)))
            ):
                yield text[begin:end], MARKED
            else:
                if self._collapse:
                    begin += own.index(1)
                    behind = marks.find(0, begin, end)
                    end = end if behind < 0 else behind
                yield text[begin:end], VALUE

    def _hide(self, text: str, marks: bytes) -> str:
        """The text with letters in place of the characters that do not split since masks wrote
        them."""
        if not self._hidden or _MARKED not in marks:
            return text
        parts: list[str] = []
        at = 0
        for mark in _MARK.finditer(marks):
            parts.append(text[at : mark.start()])
            at = mark.end()
            parts.append(text[mark.start() : at].translate(self._hidden))
        return "".join([*parts, text[at:]])


def _leave_neighbours_out(found: Iterable[tuple[str, int]]) -> Iterator[tuple[str, int]]:
    """Of values that follow one another the first one alone."""
    before = WORD
    for token, kind in found:
        if kind != VALUE or before != VALUE:
            yield token, kind
        before = kind
