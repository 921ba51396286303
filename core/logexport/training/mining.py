"""Mining templates from masked lines: by their shape, whatever the order in which they come.

What is done (:class:`TemplateMiner`, :class:`Rules` has the figures):

1. Lines with the same tokens are a group; values (tokens of marks and punctuation) count as equal.
2. If groups differ at one place only, and what stands there varies, the place becomes a wildcard:
   ``<*:mark>`` if a mask put something into each token there, else ``<*>``. Rare tokens vary: those
   that are in less than a small share of all lines. States, methods and levels are few, and each is
   often, however long the log is. It takes five rare words to vary, or four rare names (a word with
   a digit or a mark inside, or with parts like a path or a class, which are never often enough to
   stay), or twelve of any. Where only marked tokens stand, a value beside them is enough.
   It takes more for a first word, and for one that leaves a single word. A word that leaves none
   never varies: the template would take in every line of its length.
3. If many groups have all of their frequent tokens in common and differ at several places by tokens
   that are in few groups each, these places become ``<*>`` together.
4. A group joins the most general one that covers it.
5. All of this again, until nothing changes.

A log that is repeated with other values has the same shares of lines, so it has the same templates.

The lines that are looked at are a sample: of all distinct lines those with the smallest hashes. The
sample knows how often each occurred, since a line that stays in it to the end was in it from the
line's first occurrence on. A line that no template matches can be added for another round, which
goes on from the templates of the round before. Each line of a sample matches a template, because
places only ever become more general.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from hashlib import blake2b
from heapq import heappop, heappush
from operator import mul
from random import Random
from typing import Any, TypeAlias

from logexport.logs.lines import tokens
from logexport.logs.matching import MARK_WILDCARD, WILDCARD
from logexport.logs.tokens import MARKED, VALUE, WORD, Masked

__all__ = ["LineSample", "Rules", "TemplateMiner", "describe_miner"]


@dataclass(frozen=True)
class Rules:
    """What makes a place vary. The defaults were chosen on six of seven public logs at a time, for
    the seventh (``benchmarks/templates.py``).

    Args:
        words: so many rare words vary.
        names: so many rare names, or tokens with a mark, vary.
        few: more tokens than these vary, however often each one is.
        often: a share of all lines; a token that has it is not rare.
        first: how many times as many a first word needs.
        lonely: how many times as many a word needs that leaves one word only.
        groups: so many groups have a skeleton (the third step).
        ratio: a token of a skeleton is in so many times as many groups as one that varies.
    """

    words: int = 5
    names: int = 4
    few: int = 12
    often: float = 0.002
    first: int = 3
    lonely: int = 4
    groups: int = 10
    ratio: int = 10


def describe_miner(rules: Rules | None = None) -> dict[str, Any]:
    """What the metadata of ``parsed.parquet`` say of the miner."""
    return {"name": "shape", **asdict(rules or Rules())}


class LineSample:
    """Of all distinct lines those with the smallest hashes, and how often each occurred.

    What it holds does not depend on the order of the lines.

    Args:
        lines: how many distinct lines are held at most.
        characters: how many characters they have together at most; one line is always held.

    Attributes:
        total: how many lines were added.
        share: of all distinct lines, how many are held, as the hashes tell it: 1.0 if all are.
    """

    def __init__(self, lines: int, characters: int) -> None:
        self.total = 0
        self.share = 1.0
        self._most = lines
        self._room = characters
        self._counts: dict[Masked, int] = {}
        self._largest: list[tuple[int, Masked]] = []  # a heap of negative hashes
        self._limit = 1 << 64

    def __len__(self) -> int:
        return len(self._counts)

    def add(self, line: Masked) -> None:
        """Count one line."""
        self.total += 1
        count = self._counts.get(line)
        if count is not None:
            self._counts[line] = count + 1
            return
        hashed = _hash_line(line)
        if hashed >= self._limit:
            return
        self._counts[line] = 1
        heappush(self._largest, (-hashed, line))
        self._room -= len(line.text)
        while len(self._counts) > 1 and (len(self._counts) > self._most or self._room < 0):
            negative, dropped = heappop(self._largest)
            del self._counts[dropped]
            self._room += len(dropped.text)
            self._limit = -negative
            self.share = self._limit / (1 << 64)

    def items(self) -> Iterable[tuple[Masked, int]]:
        """The lines that are held, with how often each occurred."""
        return self._counts.items()


def _hash_line(line: Masked) -> int:
    digest = blake2b(line.text.encode("utf-8", "surrogatepass"), digest_size=8)
    digest.update(b"\n" + line.kinds)
    return int.from_bytes(digest.digest(), "big")


_Shape: TypeAlias = tuple[int, ...]
"""Tokens of a group by their numbers, every value as :data:`_ANY_VALUE`."""

_ANY_VALUE, _ANY_MARK, _ANY = 0, 1, 2
_GENERAL = (_ANY_MARK, _ANY)
_VARIES = -1  # in a skeleton


@dataclass
class _Group:
    """Lines that a template matches.

    Args:
        lines: how many there are, as far as the sample tells.
        written: the template's tokens by their numbers; in the place of a value its mark, or
            ``<*:mark>`` if there are several.
    """

    lines: int
    written: list[int]

    def join(self, other: _Group) -> None:
        """Take in another group of as many tokens."""
        self.lines += other.lines
        for place, (mine, theirs) in enumerate(zip(self.written, other.written, strict=True)):
            if mine != theirs and mine != _ANY:
                self.written[place] = _ANY if theirs == _ANY else _ANY_MARK


class _Words:
    """Numbers of tokens, and what is known of each.

    Attributes:
        numbers: of texts with their kinds, from 1.
        texts, kinds: as the log has them.
        is_word: has a letter, and no mark.
        is_path: has parts like a path or class, beside a mark or not.
        is_name: has such parts or a digit, and no mark.
        shapes: what stands for each in a shape.
        values: random, to tell sums of tokens apart.
    """

    def __init__(self) -> None:
        self._random = Random(0)  # noqa: S311 - hashes, no secrets
        self._weights: list[int] = []
        self.values = [self._random.getrandbits(64) for _ in range(3)]
        self.numbers: dict[tuple[str, int], int] = {}
        self.texts = ["", MARK_WILDCARD, WILDCARD]
        self.kinds = [VALUE, MARKED, WORD]
        self.shapes = [_ANY_VALUE, _ANY_MARK, _ANY]
        self.is_name = [False, False, False]
        self.is_path = [False, False, False]
        self.is_word = [False, False, False]

    def number(self, text: str, kind: int) -> int:
        """The number of a token; of a wildcard's text that stands in a log, that of a wildcard."""
        known = self.numbers.get((text, kind))
        if known is not None:
            return known
        if text in (WILDCARD, MARK_WILDCARD):
            number = _ANY if kind == WORD else _ANY_MARK
        else:
            number = len(self.texts)
            self.texts.append(text)
            self.kinds.append(kind)
            self.shapes.append(_ANY_VALUE if kind == VALUE else number)
            self.values.append(self._random.getrandbits(64))
            self.is_path.append(kind != VALUE and bool(_PATH.search(text)))
            self.is_name.append(kind == WORD and bool(_PATH.search(text) or _DIGIT.search(text)))
            self.is_word.append(kind == WORD and bool(_LETTER.search(text)))
        self.numbers[text, kind] = number
        return number

    def weigh(self, length: int) -> list[int]:
        """Random factors of so many places at least."""
        while len(self._weights) < length:
            self._weights.append(self._random.getrandbits(64) | 1)
        return self._weights


_WRITTEN = re.compile(r"<[A-Z][A-Z0-9_]*>")  # by a mask, if the rules keep no kinds of tokens
_DIGIT = re.compile(r"[0-9]")
_PATH = re.compile(r"[A-Za-z][./\\$@][A-Za-z]")  # com.example.Class, user@host
_LETTER = re.compile(r"[^\W\d_]")
_WRAP = (1 << 64) - 1
_SAMPLE_LINES = 20_000
_SAMPLE_CHARACTERS = 32 * 1024 * 1024
_MOST_LOOPS = 32  # of merging; each has made places more general, and logs take three or four


class TemplateMiner:
    """Finds the templates of lines. Memory is bounded by a sample and the templates.

    Args:
        kept: how many tokens at the beginning of each line are kept fields, which never vary.
        typed: whether templates may hold ``<*:mark>``, which rules of version 1 do not know.
        rules: what makes a place vary.
        sample_lines: how many distinct lines a round looks at; as many as there are templates, if
            these are more, so that the rounds of a log of any length are few.
        sample_characters: how many characters these lines have together.
    """

    def __init__(
        self,
        kept: int = 0,
        typed: bool = True,
        rules: Rules | None = None,
        sample_lines: int = _SAMPLE_LINES,
        sample_characters: int = _SAMPLE_CHARACTERS,
    ) -> None:
        self.rules = rules or Rules()
        self._kept = kept
        self._typed = typed
        self._lines, self._characters = sample_lines, sample_characters
        self._sample = LineSample(sample_lines, sample_characters)
        self._total = 0  # lines of the log
        self._words = _Words()
        self._groups: dict[_Shape, _Group] = {}

    def add(self, line: Masked) -> None:
        """Add a masked line to the sample of the next round."""
        self._sample.add(line)

    def mine(self) -> list[str]:
        """The templates of all lines that were sampled in this round and before, in code point
        order; the next round begins.
        """
        self._take_sample()
        for _ in range(_MOST_LOOPS):
            before = set(self._groups)
            while self._merge_places():
                pass
            self._merge_skeletons()
            self._join_covered()
            if before == set(self._groups):
                break
        return sorted({self._write(group) for group in self._groups.values()})

    def _take_sample(self) -> None:
        """Make groups of the sampled lines, and begin another sample."""
        sample = self._sample
        self._total = max(self._total, sample.total)  # the first round counts every line
        shapes = self._words.shapes
        for line, count in sample.items():
            written = self._number_tokens(line)
            shape = tuple(map(shapes.__getitem__, written))
            self._add_group(shape, _Group(round(count / sample.share), written))
        most = max(self._lines, len(self._groups))
        self._sample = LineSample(most, self._characters * -(-most // self._lines))

    def _number_tokens(self, line: Masked) -> list[int]:
        texts = tokens(line.text)
        kinds = line.kinds or [MARKED if _WRITTEN.search(text) else WORD for text in texts]
        known, number = self._words.numbers.get, self._words.number
        return [known(pair) or number(*pair) for pair in zip(texts, kinds, strict=True)]

    def _add_group(self, shape: _Shape, group: _Group) -> None:
        same = self._groups.setdefault(shape, group)
        if same is not group:
            same.join(group)

    def _write(self, group: _Group) -> str:
        texts = self._words.texts
        return " ".join(
            WILDCARD if token == _ANY_MARK and not self._typed else texts[token]
            for token in group.written
        )

    # --- the second step --------------------------------------------------------------------------

    def _merge_places(self) -> bool:
        """Make every place general that varies; whether there was one."""
        chosen: dict[_Shape, list[tuple[int, int, int]]] = defaultdict(list)
        for place, shapes in self._find_neighbours():
            general, distinct = self._judge_place(place, shapes)
            if general is not None:
                for shape in shapes:
                    chosen[shape].append((-distinct, place, general))
        for shape, places in chosen.items():
            self._generalise(shape, sorted(places))
        return bool(chosen)

    def _find_neighbours(self) -> Iterator[tuple[int, list[_Shape]]]:
        """Places, each with the groups that differ there only."""
        # By the random sum of all tokens but one. Two sums that are equal by chance would mislead a
        # judgement, no more.
        found: dict[int, tuple[int, list[_Shape]]] = {}
        values = self._words.values
        for shape in self._groups:
            length = len(shape)
            parts = list(map(mul, map(values.__getitem__, shape), self._words.weigh(length)))
            total = sum(parts)
            for place in range(self._kept, length):
                if shape[place] not in _GENERAL:
                    rest = (total - parts[place]) & _WRAP
                    known = found.get(rest)
                    if known is None:
                        found[rest] = (place, [shape])
                    else:
                        known[1].append(shape)
        for place, shapes in found.values():
            if len(shapes) > 1:
                yield place, shapes

    def _judge_place(self, place: int, shapes: Sequence[_Shape]) -> tuple[int | None, int]:
        """What a place becomes, None for what it is, and how many different tokens stand there."""
        rules, words = self.rules, self._words
        often = rules.often * self._total
        values = marked = plain = rare_names = rare_words = 0
        for shape in shapes:
            token = shape[place]
            is_rare = self._groups[shape].lines < often
            if token == _ANY_VALUE:
                values += 1
            elif words.kinds[token] != WORD:
                marked += 1
                rare_names += is_rare or words.is_path[token]
            else:
                plain += 1
                if words.is_name[token]:
                    rare_names += is_rare or words.is_path[token]
                else:
                    rare_words += is_rare
        distinct = values + marked + plain
        if not plain:
            varies = bool(values) or rare_names >= rules.names or marked > rules.few
            return (_ANY_MARK if varies else None), distinct
        left = self._count_words(shapes[0]) - words.is_word[shapes[0][place]]
        if left == 0:
            return None, distinct
        is_first = place == self._kept and any(self._is_plain(shape[place]) for shape in shapes)
        factor = max(rules.lonely if left == 1 else 1, rules.first if is_first else 1)
        varies = (
            values + rare_names >= rules.names * factor
            or rare_words >= rules.words * factor
            or marked + plain > rules.few * factor
        )
        return (_ANY if varies else None), distinct

    def _is_plain(self, token: int) -> bool:
        """Whether a token is a word of letters only, as far as the miner cares."""
        words = self._words
        return words.kinds[token] == WORD and not words.is_name[token]

    def _count_words(self, shape: _Shape) -> int:
        """How many words a group has beside its kept fields."""
        is_word = self._words.is_word
        return sum(is_word[token] for token in shape[self._kept :])

    def _generalise(self, shape: _Shape, places: Iterable[tuple[int, int, int]]) -> None:
        """Make places of a group general, as long as a word is left."""
        group = self._groups.pop(shape)
        tokens_now = list(shape)
        left = self._count_words(shape)
        for _, place, general in places:
            word = self._words.is_word[tokens_now[place]]
            if left > word or general == _ANY_MARK:
                left -= word
                tokens_now[place] = general
                group.written[place] = general
        self._add_group(tuple(tokens_now), group)

    # --- the third step ---------------------------------------------------------------------------

    def _merge_skeletons(self) -> None:
        """Make all places general at which groups differ that share their frequent tokens."""
        by_length: dict[int, list[_Shape]] = defaultdict(list)
        for shape in self._groups:
            by_length[len(shape)].append(shape)
        found: dict[_Shape, list[_Shape]] = defaultdict(list)
        for same in by_length.values():
            if len(same) >= self.rules.groups:
                support = [Counter(column) for column in zip(*same, strict=True)]
                for shape in same:
                    skeleton = self._find_skeleton(shape, support)
                    if skeleton is not None:
                        found[skeleton].append(shape)
        for skeleton, shapes in found.items():
            places = [place for place, token in enumerate(skeleton) if token == _VARIES]
            needed = self.rules.groups * (self.rules.first if self._kept in places else 1)
            distinct = min(len({shape[place] for shape in shapes}) for place in places)
            if len(shapes) >= needed and 2 * distinct >= needed:
                for shape in shapes:
                    self._generalise(shape, [(0, place, _ANY) for place in places])

    def _find_skeleton(self, shape: _Shape, support: Sequence[Counter[int]]) -> _Shape | None:
        """The tokens of a group that are in many more groups than its others, which are left open;
        None if less than two are, or less than two words are left."""
        is_word = self._words.is_word
        message = range(self._kept, len(shape))
        counts = [column[token] for column, token in zip(support, shape, strict=True)]
        frequent = max((counts[place] for place in message if is_word[shape[place]]), default=0)
        most = frequent // self.rules.ratio
        skeleton = list(shape)
        for place in message:
            if counts[place] <= most and shape[place] not in (_ANY_VALUE, *_GENERAL):
                skeleton[place] = _VARIES
        words = sum(token != _VARIES and is_word[token] for token in skeleton[self._kept :])
        return tuple(skeleton) if skeleton.count(_VARIES) > 1 and words > 1 else None

    # --- the fourth step --------------------------------------------------------------------------

    def _join_covered(self) -> None:
        """Add each group that more general ones cover to the most general of these."""
        roots: dict[int, _Node] = {}
        for shape in self._groups:
            if any(token in _GENERAL for token in shape):
                node = roots.setdefault(len(shape), _Node())
                for token in shape:
                    node = node.children.setdefault(token, _Node())
                node.shape = shape
        joins = {
            shape: cover
            for shape in self._groups
            if len(shape) in roots and (cover := self._find_cover(shape, roots[len(shape)]))
        }
        for shape, cover in joins.items():
            self._groups[cover].join(self._groups[shape])
        for shape in joins:
            del self._groups[shape]

    def _find_cover(self, shape: _Shape, root: _Node) -> _Shape | None:
        """The most general group that covers another one, if there is one."""
        kinds = self._words.kinds
        nodes = [root]
        for token in shape:
            ways = {token, _ANY}
            if token == _ANY_VALUE or (token != _ANY and kinds[token] != WORD):
                ways.add(_ANY_MARK)
            nodes = [node.children[way] for node in nodes for way in ways if way in node.children]
            if not nodes:
                return None
        covers = [node.shape for node in nodes if node.shape is not None and node.shape != shape]
        return max(covers, key=self._rank_generality, default=None)

    def _rank_generality(self, shape: _Shape) -> tuple[int, int, list[str]]:
        """Orders groups by how general they are; those that are equally so by their text."""
        return (
            shape.count(_ANY),
            shape.count(_ANY_MARK),
            [self._words.texts[token] for token in shape],
        )


class _Node:
    """A place in the shapes of general groups."""

    __slots__ = ("children", "shape")

    def __init__(self) -> None:
        self.children: dict[int, _Node] = {}
        self.shape: _Shape | None = None
