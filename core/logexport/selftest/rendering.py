"""A log made from a vocabulary: for a bundle's self-test, and for a replay where no log is given.

Each template is filled with values that the masks turn back into it; every line is tried on the
real rules, and what does not come back as the intended template is not used. Among them stands
what logs hold in the field: lines of no template, broken UTF-8, CR LF, blank lines, NUL,
continuation lines. Nothing of it is from a user's log but the constant words of the templates.
"""

from __future__ import annotations

import io
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias

from logexport.logs.events import Event, EventReader
from logexport.logs.joining import read_alone
from logexport.logs.lines import iter_lines, tokens
from logexport.selftest.headers import MessageHeaders
from logexport.selftest.structure import StructuredLines
from logexport.selftest.values import ENDED_SESSIONS, SESSIONS, KeptValues, TokenValues
from logexport.types import (
    CountMatrix,
    EventWindow,
    NextEventTopK,
    ScoreThreshold,
    SessionCounts,
    Task,
)

if TYPE_CHECKING:
    from logexport.logs.preprocess import Preprocess
    from logexport.types import Vocabulary
    from logexport.verdicts.scorers import Scorer

__all__ = [
    "MAX_BYTES",
    "RenderedLog",
    "render_selftest",
]

MAX_BYTES = 64 << 10
"""Largest self-test log of a bundle."""

_LONGEST_USUAL, _CHOICES = 40, 64
"""Lines of a usual session, and templates that are tried for each of them, at most."""
_GAPS = ("  ", "\t", " \t ", "\x0b", "\x0c", " \r ")
"""White space that may stand between two tokens for one space."""


_TRACES = (
    (b"java.lang.IllegalStateException: selftest", b"\tat com.example.Shop.run(Shop.java:7)"),
    (
        b"Traceback (most recent call last):",
        b'  File "/srv/shop.py", line 7, in run',
        b"    take(item)",
        b"shop.StockError: selftest",
    ),
    (b"    an indented line",),
    (b"thread 'main' panicked at src/main.rs:7:5:", b"selftest", b"stack backtrace:"),
)
"""Continuation lines."""


@dataclass(frozen=True)
class RenderedLog:
    """A log made from a vocabulary, and what came of it.

    Args:
        data: the bytes.
        rendered: how many templates at least one line stands for could be made.
        skipped: indices of the templates that no value was found for, or that never win a match.
        lines: lines, blank ones included.
        unseen: lines that no template matches.
    """

    data: bytes
    rendered: int
    skipped: tuple[int, ...]
    lines: int
    unseen: int


def render_selftest(
    vocabulary: Vocabulary,
    preprocess: Preprocess,
    task: Task,
    seed: int = 0,
    max_bytes: int = MAX_BYTES,
    scorer: Scorer | None = None,
) -> RenderedLog:
    """Make a log of at most ``max_bytes`` from the templates.

    Args:
        vocabulary, preprocess: a model's.
        task: decides how many lines are wanted: enough to judge several windows, where they fit.
        seed: the same arguments give the same bytes.
        max_bytes: the largest size.
        scorer: the model; where it ranks next events, most lines are ones that it expects, so that
            the log holds normal lines and anomalies. Without it the order is random routines.
    """
    random = Random(seed)  # noqa: S311 - reproducible, not secret
    expected = None if scorer is None else _make_expected(task, scorer, random)
    usual = None if scorer is None else _make_usual(task, len(vocabulary), scorer, random)
    return _Renderer(vocabulary, preprocess, task, random, max_bytes, expected, usual).render_log()


Expected: TypeAlias = Callable[[Sequence[int]], int]
"""From the last events of a session to one that the model counts as normal next."""


def _make_expected(task: Task, scorer: Scorer, random: Random) -> Expected | None:
    """The model as a source of next events; None if its task is of another kind."""
    if not isinstance(task.input, EventWindow) or not isinstance(task.decision, NextEventTopK):
        return None
    import numpy as np

    length, output, top_k = task.input.length, task.decision.output, task.decision.top_k

    def expected(events: Sequence[int]) -> int:
        window = np.array([events[-length:]], dtype=np.int64)
        row = np.asarray(scorer(window)[output])[0]
        # Mostly the likeliest few, and at times the last rank that is still normal.
        rank = top_k - 1 if random.random() < 0.1 else random.randrange(min(3, top_k))
        return int(np.argsort(-row, kind="stable")[rank])

    return expected


Usual: TypeAlias = Callable[[Sequence[int]], "list[int]"]
"""From the templates that there are lines of to a session that the model finds near to normal."""


def _make_usual(task: Task, templates: int, scorer: Scorer, random: Random) -> Usual | None:
    """The model as a source of sessions; None if its task is of another kind."""
    if not isinstance(task.input, SessionCounts) or not isinstance(task.decision, ScoreThreshold):
        return None
    import numpy as np

    from logexport.verdicts.tasks import count_session

    output, threshold = task.decision.output, task.decision.threshold

    def score(sessions: Sequence[Sequence[int]]) -> np.ndarray:
        rows = [count_session(Counter(one), len(one), templates) for one in sessions]
        return np.asarray(scorer(np.stack([*rows, rows[0]]))[output])[:-1]

    def usual(usable: Sequence[int]) -> list[int]:
        # From one line on, whichever next one brings it nearest to what is normal.
        session = [random.choice(usable)]
        best = float(score([session])[0])
        for _ in range(_LONGEST_USUAL):
            if best <= threshold:
                break
            few = random.sample(usable, min(len(usable), _CHOICES))
            scores = score([[*session, one] for one in few])
            session.append(few[int(scores.argmin())])
            best = float(scores.min())
        return session

    return usual


class _Renderer:
    """Makes one log."""

    def __init__(
        self,
        vocabulary: Vocabulary,
        preprocess: Preprocess,
        task: Task,
        random: Random,
        max_bytes: int,
        expected: Expected | None = None,
        usual: Usual | None = None,
    ) -> None:
        self._vocabulary, self._preprocess, self._task = vocabulary, preprocess, task
        self._random, self._max_bytes = random, max_bytes
        self._expected, self._usual = expected, usual
        self._reader = EventReader(preprocess, vocabulary)
        self._sessions = ENDED_SESSIONS if task.needs_sessions else SESSIONS
        self._values = TokenValues(preprocess, random, self._sessions)
        self._kept = KeptValues(preprocess.keep, random)
        self._headers = MessageHeaders(preprocess, random)
        self._structure = StructuredLines(preprocess, random)
        self._kept_count = len(preprocess.keep)
        self._limit = preprocess.max_line_bytes

    def render_log(self) -> RenderedLog:
        sample: dict[int, bytes] = {}
        skipped = []
        reserved = set(self._vocabulary.reserved.values())
        for index in range(len(self._vocabulary)):
            if index in reserved:
                continue
            line = self._render(index, 0)
            if line is None:
                skipped.append(index)
            else:
                sample[index] = line
        slots = self._slots(sample)
        out: list[bytes] = []
        size = 0
        for line in self._lines(self._fitting(sample, slots), slots):
            if size + len(line) > self._max_bytes:
                break
            out.append(line)
            size += len(line)
        data = b"".join(out)
        if data.endswith(b"\n") and not data.endswith((b"\n\n", b"\r\n")):
            data = data[:-1]  # the last line of a log needs no LF
        lines = list(iter_lines(io.BytesIO(data), self._preprocess.reading))
        unseen = sum(event.template is None for event in self._reader.read(lines))
        return RenderedLog(data, len(sample), tuple(skipped), len(lines), unseen)

    # --- how much ---

    def _wanted(self) -> int:
        """Non-blank lines needed for a few windows of one session."""
        task = self._task.input
        if isinstance(task, EventWindow):
            return task.length + 20
        if isinstance(task, CountMatrix):
            return (task.steps - 1) * task.stride + task.lines + 2 * task.stride
        if isinstance(task, SessionCounts):
            return 20
        return 100

    def _slots(self, sample: dict[int, bytes]) -> int:
        """Sessions that lines are divided into: several, where each still fills its windows."""
        if self._preprocess.session.by == "none" or not sample:
            return 1
        mean = sum(map(len, sample.values())) / len(sample)
        fit = int(self._max_bytes / mean / (2 * self._wanted()))
        return max(1, min(self._sessions, fit))

    def _fitting(self, sample: dict[int, bytes], slots: int) -> list[int]:
        """The templates to use: all, or the shortest, where long lines would be too few."""
        room = 0.85 * self._max_bytes / (self._wanted() * slots)
        by_length = sorted(sample, key=lambda index: (len(sample[index]), index))
        total = 0
        for count, index in enumerate(by_length, start=1):
            total += len(sample[index])
            if total > room * count and count > 8:
                return by_length[: count - 1]
        return by_length

    # --- lines ---

    def _lines(self, templates: list[int], slots: int) -> Iterator[bytes]:
        """Routines of templates, with noise; without end, or until every name had its session."""
        noise = self._noise()
        routines = [self._routine(templates) for _ in range(slots)]
        places = [0] * slots
        names = list(range(slots))
        usable = set(templates)
        last = [self._begin() for _ in range(slots)]
        live = list(range(slots))
        while live:
            if not templates or self._random.random() < 0.04:
                yield next(noise)
                continue
            slot = self._random.choice(live)
            if places[slot] >= len(routines[slot]) or self._random.random() < 0.01:
                routines[slot], places[slot] = self._routine(templates), 0
                if self._task.needs_sessions:  # another session takes the place of this one
                    names[slot] += slots
                    last[slot] = self._begin()
                    if names[slot] >= self._sessions:
                        live.remove(slot)
                        continue
            index = routines[slot][places[slot]]
            places[slot] += 1
            full = self._expected is not None and len(last[slot]) == last[slot].maxlen
            if self._expected is not None and full and self._random.random() < 0.8:
                likely = self._expected(tuple(last[slot]))
                index = likely if likely in usable else index
            line = self._render(index, names[slot])
            if line is not None:
                last[slot].append(index)
                yield line + (b"\r\n" if self._random.random() < 0.1 else b"\n")

    def _begin(self) -> deque[int]:
        """The window of a session that begins."""
        task = self._task.input
        if not isinstance(task, EventWindow):
            return deque(maxlen=0)
        before = () if task.start is None else (task.start,) * task.length
        return deque(before, maxlen=task.length)

    def _routine(self, templates: list[int]) -> list[int]:
        """Some templates in an order, repeated: what a service does again and again."""
        if not templates:
            return []
        if self._usual is not None and self._random.random() < 0.8:
            return self._usual(templates)
        few = self._random.sample(templates, min(len(templates), self._random.randint(3, 12)))
        return few * self._random.randint(1, 4)

    def _render(self, index: int, slot: int) -> bytes | None:
        """A line that is the template ``index``, or None if no values make it so."""
        words = tokens(self._vocabulary.templates[index])
        kept_words, words = words[: self._kept_count], words[self._kept_count :]
        if len(kept_words) < self._kept_count or self._kept.choose(kept_words) is None:
            return None
        choices = [self._values.find(word) for word in words]
        if not all(choices):
            return None
        by_slot = self._preprocess.session.by == "regex"
        for attempt in range(48 if kept_words else 12):
            chosen = [
                values[slot % len(values)]
                if by_slot and attempt < 4
                else self._random.choice(values)
                for values in choices
            ]
            if attempt % 2:
                self._part_values(chosen, choices)
            gap = " " if attempt or self._random.random() < 0.95 else self._random.choice(_GAPS)
            text = gap.join(chosen)
            kept = self._kept.choose(kept_words) or {}
            if attempt % 12 < 9:  # a header may hold words of a message that this one has not
                text = self._headers.put_before(text, slot, kept)
            raw = self._put_around(text, slot, kept).encode("utf-8", "surrogateescape")
            event = self._event(raw)
            if event is not None and event.template == index:
                return raw
        return None

    def _part_values(self, chosen: list[str], choices: Sequence[Sequence[str]]) -> None:
        """Put words for some of the values that would collapse with the one before them."""
        for place in range(1, len(chosen)):
            if self._values.is_value(chosen[place - 1]) and self._values.is_value(chosen[place]):
                others = [text for text in choices[place] if not self._values.is_value(text)]
                if others:
                    chosen[place] = self._random.choice(others)

    def _put_around(
        self, text: str, slot: int, kept: Mapping[str, str | None] = MappingProxyType({})
    ) -> str:
        """Each line of a text as a line of some structured form."""
        return "\n".join(self._structure.put_around(line, slot, kept) for line in text.split("\n"))

    def _event(self, raw: bytes) -> Event | None:
        """The event of a line alone, or of the lines of one record; None if it is not one."""
        records = read_alone(self._reader.parser, raw)
        return self._reader.event_of(records[0]) if len(records) == 1 else None

    def _noise(self) -> Iterator[bytes]:
        """Blank lines, lines of no template and damaged ones, in turn."""
        number = 0
        while True:
            for raw in self._odd(number):
                number += 1
                yield raw + (b"\r\n" if number % 5 == 0 else b"\n")

    def _odd(self, number: int) -> Iterable[bytes]:
        words = " ".join(f"w{self._random.randrange(1000)}x" for _ in range(1 + number % 17))
        text = self._headers.put_before(f"selftest unseen {words}", number)
        plain = self._put_around(text, number).encode("utf-8", "replace")
        yield plain
        yield b""
        yield plain[: len(plain) // 2] + b"\xff\xfe\xe6\x97 \xc3" + plain[len(plain) // 2 :]
        yield b" \t "
        yield plain + b"\x00\x01\x7f \xed\xa0\x80 \xf0\x9f"
        yield b"\xef\xbb\xbf" + plain
        if self._preprocess.continuation:
            yield from _TRACES[number % len(_TRACES)]
        for piece in self._structure.pieces(f"selftest pieces {words}"):
            yield piece.encode("utf-8")
        if self._limit < self._max_bytes // 16:
            yield b"long " * (self._limit // 5 + 2)
