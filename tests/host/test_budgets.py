"""Budgets of false alarms: what they allow, and the nearest one if they are out of reach."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from logexport.training.budgets import Budget


@given(st.integers(1, 10**9))
@example(1234)
@example(10**6)
def test_the_nearest_budget_that_is_named_is_within_reach(total: int) -> None:
    (warning,) = Budget(0.5 / total, total, "sessions").find_warnings()
    named = re.search(r"allow (\S+)\.$", warning)
    assert named is not None
    share = float(named[1])
    assert Budget(min(share, 0.999_999_999_9), total, "sessions").allowed >= 1 or total == 1
    assert share <= 1.1 / total + 1e-12


@given(
    st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=1, max_size=40),
    st.floats(1e-6, 1 - 1e-12),
)
def test_the_smallest_limit_that_the_budget_allows_is_chosen(
    scores: list[float], share: float
) -> None:
    budget = Budget(share, len(scores), "windows")
    limit = budget.choose_limit(scores)
    assert sum(score > limit for score in scores) <= budget.allowed
    lower = [score for score in scores if score < limit]
    assert not lower or sum(score > max(lower) for score in scores) > budget.allowed


@pytest.mark.parametrize(
    ("share", "total", "allowed"), [(0.1, 10, 1), (0.3, 10, 3), (0.29, 100, 29), (0.005, 199, 0)]
)
def test_a_share_of_a_whole_number_is_that_number(share: float, total: int, allowed: int) -> None:
    assert Budget(share, total, "lines").allowed == allowed
