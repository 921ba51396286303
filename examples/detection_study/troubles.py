"""Logs with trouble of stated length, made of the sample's services: no message is a new one.

Episodes begin at known lines, each in ``CALM`` lines after the one before has ended.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "sample"))

from services import SERVICES, cron, firewall, mail, scan
from simulation import Activity, Simulation, Source, World

CALM = 1500
EPISODES = 10


@dataclass(frozen=True)
class Span:
    """Lines of one episode, from 1, both ends included."""

    first: int
    last: int


class TroubledSimulation(Simulation):
    """The services, and in each episode what the trouble makes of their activities.

    Args:
        trouble: given a source, its activity and how far the episode is (0 to 1), gives the
            activity that happens instead.
        extra: sources that do nothing outside episodes.
        spans: the episodes.
        seed: as of the simulation.
    """

    def __init__(
        self,
        trouble: Callable[[World, Source, Activity, float], Activity],
        extra: tuple[Source, ...],
        spans: Sequence[Span],
        seed: int,
    ) -> None:
        super().__init__(SERVICES + extra, seed, datetime(2026, 4, 1, 6, 0, 0), "vega")
        self._trouble, self._extra, self._spans = trouble, extra, spans

    def begin(self, source: Source, now: float) -> Activity:
        """The source's activity, or what the trouble makes of it."""
        line = self.lines_written + 1
        span = next((s for s in self._spans if s.first <= line <= s.last), None)
        if span is None:
            return iter(()) if source in self._extra else source.begin(self.world)
        part = (line - span.first) / (span.last - span.first)
        return self._trouble(self.world, source, source.begin(self.world), part)


def burst(world: World, source: Source, activity: Activity, part: float) -> Activity:
    """Nothing but the extra source is new: it blocks packets as fast as it is asked."""
    return activity


def mixture(world: World, source: Source, activity: Activity, part: float) -> Activity:
    """Two of three web requests are some other service's activity."""
    if source.name == "web" and world.random.chance(0.67):
        return world.random.pick((mail, scan, cron))(world)
    return activity


def drift(world: World, source: Source, activity: Activity, part: float) -> Activity:
    """Web requests give way to mail, from none at the beginning to half of them at the end."""
    if source.name == "web" and world.random.chance(0.5 * part):
        return mail(world)
    return activity


def swapped(world: World, source: Source, activity: Activity, part: float) -> Activity:
    """Two neighbouring lines of every activity change places; what is counted stays the same."""
    steps = list(activity)
    if len(steps) >= 2:
        place = world.random.draw_below(len(steps) - 1)
        one, two = steps[place], steps[place + 1]
        # The times stay: each writes the other's line.
        steps[place] = two._replace(delay=one.delay)
        steps[place + 1] = one._replace(delay=two.delay)
    return iter(steps)


def silent(world: World, source: Source, activity: Activity, part: float) -> Activity:
    """The mail service does nothing."""
    return iter(()) if source.name == "mail" else activity


@dataclass(frozen=True)
class Trouble:
    """One kind of trouble.

    Args:
        name, words: for the table.
        lines: length of an episode.
        change: what it does to activities.
        extra: sources of its own.
    """

    name: str
    words: str
    lines: int
    change: Callable[[World, Source, Activity, float], Activity]
    extra: tuple[Source, ...] = ()


TROUBLES = (
    Trouble(
        "burst",
        "the firewall blocks twenty packets a second",
        100,
        burst,
        (Source("flood", 0.05, firewall),),
    ),
    Trouble("mixture", "two of three web requests become mail, scans or cron jobs", 600, mixture),
    Trouble("drift", "web requests slowly give way to mail, up to half of them", 1500, drift),
    Trouble("swapped", "two lines of every activity change places", 300, swapped),
    Trouble("silent", "the mail service writes nothing", 600, silent),
)


def write_log(trouble: Trouble | None, path: Path, seed: int, clean_lines: int) -> list[Span]:
    """Write a log of one kind of trouble, or of none; the episodes in it."""
    if trouble is None:
        lines = Simulation(SERVICES, seed, datetime(2026, 4, 1, 6, 0, 0), "vega").lines()
        spans: list[Span] = []
        total = clean_lines
    else:
        pace = CALM + trouble.lines
        spans = [Span(n * pace + CALM + 1, (n + 1) * pace) for n in range(EPISODES)]
        simulation = TroubledSimulation(trouble.change, trouble.extra, spans, seed)
        lines, total = simulation.lines(), EPISODES * pace + CALM
    with path.open("w", encoding="utf-8", newline="\n") as log:
        log.writelines(f"{line.text}\n" for line in islice(lines, total))
    return spans
