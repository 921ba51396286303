"""No pattern of a head takes more than linear time: the matcher's steps are counted."""

from __future__ import annotations

import pytest

from tests.logs.hard_lines import (
    GROWING_HEADS,
    LINEAR_HEADS,
    Known,
    Shape,
    learned,
    shipped,
)
from tests.logs.pcre2 import LIBRARY, StepCounter, load

PCRE2 = load()
pytestmark = pytest.mark.skipif(PCRE2 is None, reason=f"{LIBRARY} is not on this machine")

SHORT = 200
TIMES_AS_LONG = 8
FEWEST = 64
"""Steps that any line may take."""
MOST = SHORT**2
"""Steps of a short line that are too many, however many a long one takes."""


def count(pattern: str) -> StepCounter:
    assert PCRE2 is not None
    return StepCounter(PCRE2, pattern)


def grows_faster(counter: StepCounter, shape: Shape) -> bool:
    """Whether a line takes more steps than :data:`TIMES_AS_LONG` times those of a short one.

    The steps are compared as powers of two, so that a factor below two does not count.
    """
    short, long = shape.write(SHORT), shape.write(SHORT * TIMES_AS_LONG)
    few = FEWEST
    while not counter.ends_within(long, few * TIMES_AS_LONG):
        if few > MOST or counter.ends_within(short, few):
            return True
        few *= 2
    return False


def find_growing(known: list[Known]) -> list[tuple[str, str, Shape]]:
    """The patterns that grow faster than the line, each with its first such line."""
    found = []
    for one in known:
        counter = count(one.pattern)
        shape = next((shape for shape in one.shapes() if grows_faster(counter, shape)), None)
        if shape is not None:
            found.append((one.origin, one.pattern, shape))
    return found


def grows_on_runs(pattern: str) -> bool:
    counter = count(pattern)
    starts = ("", '"', "2024-11-14 ")
    return any(
        grows_faster(counter, Shape(start, run, "~")) for start in starts for run in (" ", "a", "A")
    )


@pytest.mark.parametrize("pattern", LINEAR_HEADS.values(), ids=LINEAR_HEADS.keys())
def test_a_linear_pattern_is_found_to_be_linear(pattern: str) -> None:
    assert not grows_on_runs(pattern)


@pytest.mark.parametrize("pattern", GROWING_HEADS.values(), ids=GROWING_HEADS.keys())
def test_a_pattern_that_is_not_linear_is_found(pattern: str) -> None:
    assert grows_on_runs(pattern)


def test_the_fewest_steps_are_counted() -> None:
    counter = count(r"\s*x(?P<message>)")
    for length in (1, 7, 300):
        steps = counter.count(" " * length)
        assert counter.ends_within(" " * length, steps)
        assert not counter.ends_within(" " * length, steps - 1)
        assert steps < counter.count(" " * (length + 5)) <= steps + 5 * 2


def test_patterns_that_are_learned_are_linear() -> None:
    known = learned(range(10), 1)
    assert len(known) > 15
    assert find_growing(known) == []


def test_patterns_that_are_shipped_are_linear() -> None:
    assert find_growing(shipped()) == []
