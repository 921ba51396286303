"""A log made from a vocabulary: for a bundle's self-test, and for a replay where no log is given.

Each template is filled with values that the masks turn back into it; every line is tried on the
real rules, and what does not come back as the intended template is not used. Among them stands what
logs hold in the field: lines of no template, broken UTF-8, CR LF, blank lines, NUL. Nothing of it
is from a user's log but the constant words of the templates.
"""

from __future__ import annotations

import io
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, TypeAlias

from logexport.logs.events import Event, EventReader
from logexport.logs.headers import Header, HeaderMatcher
from logexport.logs.lines import LogLine, iter_lines, tokens
from logexport.logs.masks import Masker
from logexport.logs.matching import WILDCARD
from logexport.selftest.sampling import draw
from logexport.types import CountMatrix, EventWindow, NextEventTopK, Task

if TYPE_CHECKING:
    from logexport.bundle import BundledModel
    from logexport.logs.preprocess import Preprocess
    from logexport.types import Vocabulary
    from logexport.verdicts.scorers import Scorer

__all__ = [
    "RenderedLog",
    "render_selftest",
    "write_selftest",
]

MAX_BYTES = 64 << 10
"""Largest self-test log of a bundle."""

_VALUES = 4
"""Different values kept for a token: few, so that sessions and windows come again."""
_TRIES = 200
_SESSIONS = 3

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

_HEADERS = (
    "{month} {day:2d} {clock} {host} app[{n}]: {message}",
    "{month} {day:2d} {clock} {host} {message}",
    "<13>1 2024-06-{day:02d}T{clock}Z {host} app {n} - - {message}",
    "0811{day:02d} {digits} {n} INFO app.Server: {message}",
    "[Sun Jun {day:2d} {clock} 2024] [error] {message}",
    "[{n:5d}.{digits}] {message}",
    "[Sun Jun {day:2d} {clock} 2024] {message}",
    "2024-06-{day:02d}T{clock}Z {host} app[{n}]: {message}",
    "2024-06-{day:02d} {clock},123 {message}",
)
"""Headers as logs have them, preferred to drawn ones where the rules take them."""


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
    expected = None if scorer is None else _expected(task, scorer, random)
    return _Renderer(vocabulary, preprocess, task, random, max_bytes, expected).log()


def write_selftest(model: BundledModel, log: Path, verdicts: Path, seed: int = 0) -> RenderedLog:
    """Write a model's self-test: lines, and the reference's verdicts by ONNX Runtime on its graph.

    Raises:
        BundleError: the graph cannot be run, or its outputs are not what its task says.
    """
    from logexport.detect import detect
    from logexport.verdicts.scorers import OnnxRuntimeScorer

    scorer = OnnxRuntimeScorer(model.onnx)
    made = render_selftest(model.vocab, model.preprocess, model.task, seed, scorer=scorer)
    log.write_bytes(made.data)
    with io.BytesIO(made.data) as stream:
        lines = iter_lines(stream, model.preprocess.max_line_bytes)
        records = detect(lines, model, scorer=scorer)
        text = "".join(record.to_line() + "\n" for record in records)
    verdicts.write_bytes(text.encode("utf-8"))
    return made


Expected: TypeAlias = Callable[[Sequence[int]], int]
"""From the last events of a session to one that the model counts as normal next."""


def _expected(task: Task, scorer: Scorer, random: Random) -> Expected | None:
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


class _Values:
    """Values for the tokens of templates, found by trying them on the masks."""

    def __init__(self, preprocess: Preprocess, random: Random) -> None:
        self._mask = Masker(preprocess.masks)
        self._random = random
        drawn: list[str] = []
        if preprocess.session.pattern is not None:  # first, so that sessions have lines
            drawn += _draws(preprocess.session.pattern, random, _SESSIONS)
        self._session_values = tuple(drawn)
        for mask in preprocess.masks:
            drawn += _draws(mask.pattern, random, 8)
        self._pool = tuple(dict.fromkeys([*drawn, *_SEEDS]))
        self._by_masked: dict[str, list[str]] = {}
        for value in self._pool:
            self._by_masked.setdefault(self._mask(value), []).append(value)
        # What may stand in a token for a value: whole results, and the names in replacements.
        names = {masked for masked in self._by_masked if "<" in masked}
        for mask in preprocess.masks:
            names.update(_literals(mask.replacement))
        self._names = sorted(names, key=lambda name: (-len(name), name))
        self._known: dict[str, tuple[str, ...]] = {}

    def of(self, token: str) -> tuple[str, ...]:
        """Values that the masks turn into ``token``; empty if none was found."""
        if token not in self._known:
            self._known[token] = self._find(token)
        return self._known[token]

    def _find(self, token: str) -> tuple[str, ...]:
        if token == WILDCARD:
            free = [*self._session_values, *_WORDS, *_SEEDS[:6]]
            return tuple(value for value in free if len(tokens(self._mask(value))) == 1)
        found: dict[str, None] = {}
        for value in self._candidates(token):
            if self._mask(value) == token and len(tokens(value)) == 1:
                found[value] = None
                if len(found) == _VALUES:
                    break
        if not found and self._mask(token) == token:
            return (token,)  # a name that a line may hold as it is
        return tuple(found)

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


def _draws(pattern: str, random: Random, count: int) -> list[str]:
    texts = (draw(pattern, random) for _ in range(4 * count))
    return list(dict.fromkeys(text for text in texts if len(tokens(text)) == 1))[:count]


def _literals(replacement: str) -> Iterator[str]:
    """The literal parts of a mask's replacement that look like a name, ``<ID>`` of ``\\1=<ID>``."""
    for part in re.split(r"\\[1-9\\]", replacement):
        start = part.find("<")
        if start >= 0:
            yield part[start:]
        elif part:
            yield part


class _Headers:
    """Headers for messages, each tried on the user's patterns."""

    def __init__(self, preprocess: Preprocess, random: Random) -> None:
        self._matcher = HeaderMatcher(preprocess.headers)
        self._random = random
        self._hosts = ("alpha", "bravo", "charlie-9")
        self._ticks = 0
        self._makers: list[Callable[[str, str], str]] = []
        for header in preprocess.headers:
            maker = self._maker(header)
            if maker is not None:
                self._makers.append(maker)

    def before(self, message: str, slot: int) -> str:
        """The message with a header before it; as it is where the rules have none."""
        self._ticks += 1
        if not self._makers or self._random.random() < 0.03:
            return message
        maker = self._makers[0]
        if self._random.random() < 0.1:
            maker = self._random.choice(self._makers)
        return maker(message, self._hosts[slot % len(self._hosts)])

    def _maker(self, header: Header) -> Callable[[str, str], str] | None:
        for form in _HEADERS:

            def plausible(message: str, host: str, form: str = form) -> str:
                second = self._ticks
                clock = f"{second // 3600 % 24:02d}:{second // 60 % 60:02d}:{second % 60:02d}"
                return form.format(
                    month="Jun",
                    day=14,
                    clock=clock,
                    digits=clock.replace(":", ""),
                    host=host,
                    n=100 + second % 900,
                    message=message,
                )

            if self._works(header, plausible):
                return plausible
        for _ in range(20):
            seed = self._random.getrandbits(32)

            def drawn(message: str, host: str, seed: int = seed) -> str:
                groups = {"message": message, "host": host}
                return draw(header.pattern, Random(seed), groups)  # noqa: S311

            if self._works(header, drawn):
                return drawn

            def hostless(message: str, host: str, seed: int = seed) -> str:
                return draw(header.pattern, Random(seed), {"message": message})  # noqa: S311

            if self._works(header, hostless):
                return hostless
        return None

    def _works(self, header: Header, maker: Callable[[str, str], str]) -> bool:
        for message in ("connection closed", "x"):
            fields = self._matcher.match(maker(message, self._hosts[0]))
            if fields.header != header.name or fields.message != message:
                return False
        return True


class _Renderer:
    """One log."""

    def __init__(
        self,
        vocabulary: Vocabulary,
        preprocess: Preprocess,
        task: Task,
        random: Random,
        max_bytes: int,
        expected: Expected | None = None,
    ) -> None:
        self._vocabulary, self._preprocess, self._task = vocabulary, preprocess, task
        self._random, self._max_bytes, self._expected = random, max_bytes, expected
        self._reader = EventReader(preprocess, vocabulary)
        self._values = _Values(preprocess, random)
        self._headers = _Headers(preprocess, random)
        self._limit = preprocess.max_line_bytes

    def log(self) -> RenderedLog:
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
        size, unseen = 0, 0
        for line, is_unseen in self._lines(self._fitting(sample, slots), slots):
            if size + len(line) > self._max_bytes:
                break
            out.append(line)
            size += len(line)
            unseen += is_unseen
        data = b"".join(out)
        if data.endswith(b"\n") and not data.endswith((b"\n\n", b"\r\n")):
            data = data[:-1]  # the last line of a log needs no LF
        return RenderedLog(data, len(sample), tuple(skipped), len(out), unseen)

    # --- how much ---

    def _wanted(self) -> int:
        """Non-blank lines needed for a few windows of one session."""
        task = self._task.input
        if isinstance(task, EventWindow):
            return task.length + 20
        if isinstance(task, CountMatrix):
            return (task.steps - 1) * task.stride + task.lines + 2 * task.stride
        return 100

    def _slots(self, sample: dict[int, bytes]) -> int:
        """Sessions that lines are divided into: several, where each still fills its windows."""
        if self._preprocess.session.by == "none" or not sample:
            return 1
        mean = sum(map(len, sample.values())) / len(sample)
        fit = int(self._max_bytes / mean / (2 * self._wanted()))
        return max(1, min(_SESSIONS, fit))

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

    def _lines(self, templates: list[int], slots: int) -> Iterator[tuple[bytes, bool]]:
        """Lines without end, each with whether it is unseen: routines of templates, with noise."""
        noise = self._noise()
        routines = [self._routine(templates) for _ in range(slots)]
        places = [0] * slots
        usable = set(templates)
        length = self._task.input.length if isinstance(self._task.input, EventWindow) else 0
        last: list[deque[int]] = [deque(maxlen=length) for _ in range(slots)]
        while True:
            if not templates or self._random.random() < 0.04:
                yield next(noise)
                continue
            slot = self._random.randrange(slots)
            if places[slot] >= len(routines[slot]) or self._random.random() < 0.01:
                routines[slot], places[slot] = self._routine(templates), 0
            index = routines[slot][places[slot]]
            places[slot] += 1
            full = self._expected is not None and len(last[slot]) == length
            if self._expected is not None and full and self._random.random() < 0.8:
                likely = self._expected(tuple(last[slot]))
                index = likely if likely in usable else index
            line = self._render(index, slot)
            if line is not None:
                last[slot].append(index)
                yield line + (b"\r\n" if self._random.random() < 0.1 else b"\n"), False

    def _routine(self, templates: list[int]) -> list[int]:
        """Some templates in an order, repeated: what a service does again and again."""
        if not templates:
            return []
        few = self._random.sample(templates, min(len(templates), self._random.randint(3, 12)))
        return few * self._random.randint(1, 4)

    def _render(self, index: int, slot: int) -> bytes | None:
        """A line that is the template ``index``, or None if no values make it so."""
        words = tokens(self._vocabulary.templates[index])
        choices = [self._values.of(word) for word in words]
        if not all(choices):
            return None
        by_slot = self._preprocess.session.by == "regex"
        for attempt in range(12):
            chosen = [
                values[slot % len(values)]
                if by_slot and attempt < 4
                else self._random.choice(values)
                for values in choices
            ]
            gap = " " if attempt or self._random.random() < 0.95 else self._random.choice(_GAPS)
            text = self._headers.before(gap.join(chosen), slot)
            raw = text.encode("utf-8", "surrogateescape")
            event = self._event(raw)
            if event is not None and event.template == index:
                return raw
        return None

    def _event(self, raw: bytes) -> Event | None:
        return self._reader.event(LogLine(1, raw, len(raw) > self._limit))

    def _noise(self) -> Iterator[tuple[bytes, bool]]:
        """Blank lines, lines of no template and damaged ones, in turn."""
        number = 0
        while True:
            for raw in self._odd(number):
                number += 1
                event = self._event(raw)
                unseen = event is not None and event.template is None
                yield raw + (b"\r\n" if number % 5 == 0 else b"\n"), unseen

    def _odd(self, number: int) -> Iterable[bytes]:
        words = " ".join(f"w{self._random.randrange(1000)}x" for _ in range(1 + number % 17))
        plain = self._headers.before(f"selftest unseen {words}", number).encode("utf-8")
        yield plain
        yield b""
        yield plain[: len(plain) // 2] + b"\xff\xfe\xe6\x97 \xc3" + plain[len(plain) // 2 :]
        yield b" \t "
        yield plain + b"\x00\x01\x7f \xed\xa0\x80 \xf0\x9f"
        yield b"\xef\xbb\xbf" + plain
        if self._limit < self._max_bytes // 16:
            yield b"long " * (self._limit // 5 + 2)


_GAPS = ("  ", "\t", " \t ", "\x0b", "\x0c", " \r ")
