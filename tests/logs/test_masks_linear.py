"""No shipped mask takes more than linear time: the steps of a matcher are counted."""

from __future__ import annotations

import pytest
from logexport.logs.masks import ALOG_DETECT_MASKS, DEFAULT_MASKS, Mask

from tests.logs.hard_texts import count_steps, find_hardest_texts
from tests.logs.pcre2 import LIBRARY, Substitution, load

PCRE2 = load()

SHORT = 48
TIMES_AS_LONG = 6
TIMES_AS_MANY = 12
"""Of linear masks 6; of quadratic ones 36."""
HARDEST = 6
"""So many lines of each mask are made long."""
VERSION_1_ID = r"\b([a-zA-Z]+(?:[_-][a-zA-Z]+)*_?)(?:(?<=_)-)?\d+\b(?!\.\d)"
MASKS = [*DEFAULT_MASKS, *ALOG_DETECT_MASKS]


def find_growing(pattern: str) -> list[str]:
    """What a line repeats on which a mask's steps grow faster than the line."""
    found = []
    for steps, shape in find_hardest_texts(pattern, SHORT, HARDEST):
        most = TIMES_AS_MANY * max(steps, SHORT)
        if count_steps(pattern, shape.write(SHORT * TIMES_AS_LONG), most) == most:
            found.append(shape.run)
    return found


@pytest.mark.parametrize("mask", MASKS, ids=lambda mask: mask.name)
def test_a_shipped_mask_is_linear(mask: Mask) -> None:
    assert find_growing(mask.pattern) == []


def test_a_mask_that_is_not_linear_is_found() -> None:
    assert "a-" in find_growing(VERSION_1_ID)


@pytest.mark.skipif(PCRE2 is None, reason=f"{LIBRARY} is not on this machine")
@pytest.mark.parametrize("jit", [True, False], ids=["jit", "interpreted"])
@pytest.mark.parametrize("mask", DEFAULT_MASKS, ids=lambda mask: mask.name)
def test_pcre2_runs_a_mask_to_its_end_on_a_long_line(mask: Mask, jit: bool) -> None:
    """Within the engine's stack and heap."""
    assert PCRE2 is not None
    substitution = Substitution(PCRE2, mask.pattern, jit)
    for _, shape in find_hardest_texts(mask.pattern, SHORT, HARDEST):
        substitution.run(shape.write(1 << 17).encode())
