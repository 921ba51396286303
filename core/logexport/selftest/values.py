"""Values for the tokens of templates: text that a log could hold and that masks turn back."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from random import Random
from typing import TYPE_CHECKING

from logexport.logs.kept import ABSENT, SEVERITIES, KeptField, kept_tokens
from logexport.logs.lines import tokens
from logexport.logs.matching import HOLE, MARK_WILDCARD, WILDCARD
from logexport.logs.preprocess import LineParser
from logexport.logs.tokens import VALUE
from logexport.selftest.sampling import draw

if TYPE_CHECKING:
    from logexport.logs.preprocess import Preprocess

SESSIONS = 3
"""Sessions that a log is divided into, at most."""

ENDED_SESSIONS = 24
"""Sessions of a log whose model judges sessions that begin and end: their names, at most."""

_VALUES = 4
"""Different values kept for a token: few, so that sessions and windows come again."""
_TRIES = 200

# Values of the kinds that masks look for.
_SEEDS = (
    *("7", "42", "1234", "3", "-5", "3.14", "0", "12ms", "4KB"),
    *("0x1f", "0xBEEF", "00000000000a0000", "deadbeef12"),
    *("10.1.2.3", "192.168.7.1", "fe80::1:2", "2001:db8:0:1:2:3:4:5", "00:1b:2c:3d:4e:5f"),
    *("6fa459ea-ee8a-4ca4-894e-db77e160355e", "https://example.org/a"),
    *("/var/log/syslog", "/x", "~/notes.txt", "user42", "eth0", "a1", "pid=17", "uid=0"),
)
# For <*>: no white space in the sense of tokens; the last is bytes that are not UTF-8.
_WORDS = (
    "alpha",
    "bravo-x",
    "root",
    "(none)",
    "caf\u00e9",
    "\u65e5\u00a0\u2028z",
    "b\udcff\udcc3d",
)


class TokenValues:
    """Values for the tokens of templates, found by trying them on the masks.

    Args:
        preprocess: the rules of the log.
        random: what they are drawn by.
        sessions: how many names of sessions are looked for, if a pattern finds these.
    """

    def __init__(self, preprocess: Preprocess, random: Random, sessions: int = SESSIONS) -> None:
        self._rules = preprocess
        self._most = max(_VALUES, sessions)
        self._mask = LineParser(preprocess).mask
        self._random = random
        drawn: list[str] = []
        if preprocess.session.pattern is not None:  # first, so that sessions have lines
            drawn += _draw_values(preprocess.session.pattern, random, sessions)
        self._session_values = tuple(drawn)
        for mask in preprocess.masks:
            drawn += _draw_values(mask.pattern, random, 8)
        self._pool = tuple(dict.fromkeys([*drawn, *_SEEDS]))
        self._by_masked: dict[str, list[str]] = {}
        for value in self._pool:
            self._by_masked.setdefault(self._mask(value).text, []).append(value)
        # What may stand in a token for a value: whole results, and the names in replacements.
        names = {masked for masked in self._by_masked if "<" in masked}
        for mask in preprocess.masks:
            names.update(_find_literals(mask.replacement))
        self._names = sorted(names, key=lambda name: (-len(name), name))
        self._known: dict[str, tuple[str, ...]] = {}

    def find(self, token: str) -> tuple[str, ...]:
        """Values that the rules turn into what a template's token stands for; empty if none was
        found."""
        if token not in self._known:
            self._known[token] = self._search(token)
        return self._known[token]

    def is_value(self, text: str) -> bool:
        """Whether a token collapses with a neighbour of its kind."""
        return self._rules.tokens.collapse and self._mask(text).kinds == bytes([VALUE])

    def _search(self, token: str) -> tuple[str, ...]:
        matcher = self._rules.make_matcher([token])
        inner = self._rules.inner and HOLE.search(token) is not None
        candidates = self._candidates(token)
        most: int | None = self._most
        if token == WILDCARD or (inner and HOLE.fullmatch(token)):
            candidates, most = iter((*self._session_values, *_WORDS, *_SEEDS[:6])), None
        elif inner:
            candidates = self._inner_candidates(token)
        elif token == MARK_WILDCARD and self._rules.version > 1:
            candidates, most = iter(self._pool), None
        fitting = (
            value
            for value in candidates
            if len(tokens(value)) == 1 and matcher.match(self._mask(value)) == 0
        )
        found = dict.fromkeys(islice(fitting, most))
        if not inner and matcher.match(self._mask(token)) == 0:
            found[token] = None  # a name that a line may hold as it is
        return tuple(found)

    def _inner_candidates(self, token: str) -> Iterator[str]:
        """Texts with something in the place of each hole."""
        yield from self._session_values
        for text in (*_SEEDS[:3], *_WORDS):
            filled = HOLE.sub(lambda _, text=text: text, token)  # type: ignore[misc]
            yield from islice(self._candidates(filled), _VALUES)

    def _candidates(self, token: str) -> Iterator[str]:
        yield from self._by_masked.get(token, ())
        pieces = self._split(token)
        names = {text for text, is_name in pieces if is_name}
        if not names:
            yield token
            return
        options = {name: [*self._by_masked.get(name, ()), *self._pool] for name in names}
        for value in self._pool:  # the same value everywhere
            yield "".join(value if is_name else text for text, is_name in pieces)
        for attempt in range(_TRIES):
            # First the values that become the name by themselves, then any.
            parts = []
            for text, is_name in pieces:
                own = self._by_masked.get(text, ()) if attempt < _TRIES // 2 else ()
                parts.append(self._random.choice(own or options[text]) if is_name else text)
            yield "".join(parts)

    def _split(self, token: str) -> list[tuple[str, bool]]:
        pieces: list[tuple[str, bool]] = []
        at = start = 0
        while at < len(token):
            name = next((name for name in self._names if token.startswith(name, at)), None)
            if name is None:
                at += 1
                continue
            pieces += [(token[start:at], False), (name, True)]
            at = start = at + len(name)
        return [*pieces, (token[start:], False)]


class KeptValues:
    """Values for kept fields, found by trying them on the rules of their tokens."""

    def __init__(self, keep: Sequence[KeptField], random: Random) -> None:
        self._keep, self._random = keep, random

    def choose(self, words: Sequence[str]) -> dict[str, str | None] | None:
        """A value for each field whose token is given.

        Args:
            words: a template's first tokens, one for each kept field.

        Returns:
            The values; None for a field that must be absent. Fields that may be anything are left
            out. None if the tokens cannot be.
        """
        wanted: dict[str, list[tuple[KeptField, str]]] = {}
        for one, word in zip(self._keep, words, strict=True):
            if word != WILDCARD:
                wanted.setdefault(one.field, []).append((one, word))
        values: dict[str, str | None] = {}
        for field, pairs in wanted.items():
            if all(word == ABSENT for _, word in pairs):
                values[field] = None
                continue
            fitting = [
                value
                for value in _kept_candidates([word for _, word in pairs])
                if all(kept_tokens((one,), {field: value}) == (word,) for one, word in pairs)
            ]
            if not fitting:
                return None
            values[field] = self._random.choice(fitting)
        return values

    def agree(self, kept: Sequence[str], values: Mapping[str, str | None]) -> bool:
        """Whether a record's kept tokens are those of the values, as far as these say."""
        present = {field: value for field, value in values.items() if value is not None}
        return all(
            one.field not in values or token == wanted
            for one, token, wanted in zip(
                self._keep, kept, kept_tokens(self._keep, present), strict=True
            )
        )


def _kept_candidates(words: Sequence[str]) -> Iterator[str]:
    for word in dict.fromkeys(words):
        yield word
        if "_" in word.strip("_"):
            yield word.replace("_", " ")
        if word in SEVERITIES:
            severity = SEVERITIES.index(word)
            yield from (str(severity), str(8 + severity), str(160 + severity))
        if re.fullmatch("[0-9]xx", word):
            yield from (f"{word[0]}04", f"{word[0]}00")


def _draw_values(pattern: str, random: Random, count: int) -> list[str]:
    texts = (draw(pattern, random) for _ in range(4 * count))
    return list(dict.fromkeys(text for text in texts if len(tokens(text)) == 1))[:count]


def _find_literals(replacement: str) -> Iterator[str]:
    """The literal parts of a mask's replacement that look like a name, ``<ID>`` of ``\\1=<ID>``."""
    for part in re.split(r"\\[1-9\\]", replacement):
        start = part.find("<")
        if start >= 0:
            yield part[start:]
        elif part:
            yield part
