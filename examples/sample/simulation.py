"""A small machine room: activities of several services, merged into one log in the order of time.

An *activity* is one thing that a service does, such as a mail delivered or a login: a Python
generator of steps that waits, writes a line, waits again. Activities of different services run at
the same time, so their lines interleave as they do in a real syslog. Everything random comes from
one seeded generator, and only from ``random.Random.random``, whose sequence Python guarantees.
"""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple, TypeVar

Item = TypeVar("Item")


class Step(NamedTuple):
    """Wait ``delay`` seconds, then write one line as ``process[pid]: message``."""

    delay: float
    process: str
    pid: int | None
    message: str


Activity = Iterator[Step]


class Line(NamedTuple):
    """A line of the log and, where a fault wrote it, the fault's name and number."""

    text: str
    fault: str | None
    occurrence: int | None


class Random:
    """Draws in the words of the services."""

    def __init__(self, seed: int) -> None:
        # Nothing here is a secret.
        self._unit = random.Random(seed).random  # noqa: S311

    def draw_below(self, limit: int) -> int:
        """A whole number from 0 to ``limit`` - 1."""
        return int(self._unit() * limit)

    def between(self, low: int, high: int) -> int:
        """A whole number from ``low`` to ``high``, both included."""
        return low + self.draw_below(high - low + 1)

    def seconds(self, low: float, high: float) -> float:
        """A duration, uniform."""
        return low + self._unit() * (high - low)

    def gap(self, mean: float) -> float:
        """The time to the next arrival of a Poisson process, seconds."""
        return -mean * math.log(1.0 - self._unit())

    def chance(self, share: float) -> bool:
        """True in ``share`` of the cases."""
        return self._unit() < share

    def pick(self, items: tuple[Item, ...]) -> Item:
        """One of the items; the earlier ones more often, as names and hosts are in real logs."""
        return items[int(self._unit() ** 2 * len(items))]

    def hexadecimal(self, digits: int) -> str:
        """Lower-case hexadecimal digits; the first is a decimal one."""
        first = str(self.between(1, 9))
        return first + "".join("0123456789abcdef"[self.draw_below(16)] for _ in range(digits - 1))

    def address(self) -> str:
        """An IPv4 address of the documentation ranges (RFC 5737)."""
        network = self.pick(("203.0.113", "198.51.100", "192.0.2"))
        return f"{network}.{self.between(1, 254)}"


@dataclass
class World:
    """What activities share: random draws and the numbers that count up."""

    random: Random
    next_pid: int = 1200
    next_session: int = 40

    def pid(self) -> int:
        """A new process id."""
        self.next_pid += self.random.between(1, 9)
        if self.next_pid > 4_000_000:
            self.next_pid = 1200
        return self.next_pid

    def session(self) -> int:
        """A new login session's number."""
        self.next_session += 1
        return self.next_session


@dataclass(frozen=True)
class Source:
    """Where activities come from: one service's arrivals, or one kind of fault.

    Args:
        name: of the service or fault.
        mean_gap: mean seconds between arrivals.
        begin: makes one activity.
        fault: whether its lines are labelled as a fault.
    """

    name: str
    mean_gap: float
    begin: Callable[[World], Activity]
    fault: bool = False


class Simulation:
    """Runs sources and gives the lines in the order of time.

    Args:
        sources: what happens, and how often.
        seed: the same seed and sources give the same lines.
        start: the first line's time, roughly.
        host: the host's name in every line.

    To simulate other trouble, subclass and override :meth:`gap` (bursts, silence, drift: how soon a
    source's next activity begins) or :meth:`begin` (swapped or changed activities).
    """

    def __init__(self, sources: tuple[Source, ...], seed: int, start: datetime, host: str) -> None:
        self.sources = sources
        self.world = World(Random(seed))
        self.start = start
        self.host = host
        self.lines_written = 0

    def gap(self, source: Source, now: float) -> float:
        """Seconds until the next activity of ``source`` begins; ``now`` is seconds from start."""
        return self.world.random.gap(source.mean_gap)

    def begin(self, source: Source, now: float) -> Activity:
        """One activity of ``source``."""
        return source.begin(self.world)

    def lines(self) -> Iterator[Line]:
        """The log's lines, without end."""
        order = 0  # equal times keep the order in which they were planned
        planned: list[tuple[float, int, Source, Activity | None, Step | None, int]] = []

        def plan(
            time: float, source: Source, activity: Activity | None, step: Step | None, number: int
        ) -> None:
            nonlocal order
            order += 1
            heapq.heappush(planned, (time, order, source, activity, step, number))

        for source in self.sources:
            plan(self.gap(source, 0.0), source, None, None, 0)
        begun = 0
        while planned:
            now, _, source, activity, step, number = heapq.heappop(planned)
            if activity is None:  # time for a new activity, and to plan the one after it
                plan(now + self.gap(source, now), source, None, None, 0)
                begun += 1
                activity, number = self.begin(source, now), begun
            if step is not None:
                yield self._line(now, source, step, number)
            following = next(activity, None)
            if following is not None:
                plan(now + following.delay, source, activity, following, number)

    def _line(self, now: float, source: Source, step: Step, number: int) -> Line:
        time = self.start + timedelta(seconds=now)
        tag = step.process if step.pid is None else f"{step.process}[{step.pid}]"
        self.lines_written += 1
        stamp = f"{_MONTHS[time.month - 1]} {time.day:2d} {time:%H:%M:%S}"
        text = f"{stamp} {self.host} {tag}: {step.message}"
        return Line(text, *((source.name, number) if source.fault else (None, None)))


# strftime's month names depend on the locale; RFC 3164's do not.
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
