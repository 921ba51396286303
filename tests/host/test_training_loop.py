"""The training loop: threads, interruptions; and the budgets of false alarms that follow it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from logexport.training.budgets import Budget
from logexport.training.loop import Epoch, Fitted, Schedule, fit

pytestmark = pytest.mark.torch

SCHEDULE = Schedule(epochs=4, patience=9, learning_rate=0.01, batch_size=8)


def train(
    schedule: Schedule = SCHEDULE,
    on_batch: Callable[[int], None] = lambda _: None,
    on_epoch: Callable[[Epoch], None] = lambda _: None,
    validation: Callable[[], float] | None = None,
) -> Fitted:
    """A linear layer that learns to give zero."""
    import torch

    data = torch.arange(64.0).reshape(16, 4) / 64

    def loss(model: torch.nn.Module, rows: torch.Tensor) -> torch.Tensor:
        value: torch.Tensor = model(data[rows]).pow(2).mean()
        return value

    return fit(
        lambda: torch.nn.Linear(4, 1),
        len(data),
        loss,
        lambda _: None if validation is None else validation(),
        schedule,
        on_batch,
        on_epoch,
    )


def test_quick_steps_take_one_thread_and_the_callers_number_stays() -> None:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        within: list[int] = []
        assert train(on_batch=lambda _: within.append(torch.get_num_threads())).threads == 1
        assert set(within) == {1}
        assert torch.get_num_threads() == 2
        within.clear()
        schedule = replace(SCHEDULE, threads=3)
        train(schedule, lambda _: within.append(torch.get_num_threads()))
        assert set(within) == {3}
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(("gain", "threads"), [(2.0, 2), (1.2, 1)])
def test_slow_steps_take_the_threads_that_are_measured_to_be_worth_it(
    monkeypatch: pytest.MonkeyPatch, gain: float, threads: int
) -> None:
    """The clock says that a step takes a second on one thread."""
    import torch

    monkeypatch.setattr("logexport.training.loop.count_processors", lambda: 2)
    clock = [0.0]

    def read_clock() -> float:
        clock[0] += 1.0 if torch.get_num_threads() == 1 else 1.0 / gain
        return clock[0]

    monkeypatch.setattr("logexport.training.loop.time.perf_counter", read_clock)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert train().threads == threads
    finally:
        torch.set_num_threads(before)


def test_a_measurement_leaves_the_weights_as_they_would_be() -> None:
    import torch

    first = train(replace(SCHEDULE, threads=1))
    second = train()
    assert all(
        torch.equal(first.state_dict[name], second.state_dict[name]) for name in first.state_dict
    )


def test_an_interruption_gives_the_best_epoch_so_far() -> None:
    import torch

    losses = iter([3.0, 1.0, 2.0, 0.5])
    pressed = False

    def press(_: int) -> None:
        if pressed:
            raise KeyboardInterrupt

    def look(epoch: Epoch) -> None:
        nonlocal pressed
        pressed = epoch.number == 3

    stopped = train(on_batch=press, on_epoch=look, validation=lambda: next(losses))
    assert stopped.interrupted
    assert (stopped.best, [epoch.number for epoch in stopped.epochs]) == (2, [1, 2, 3])
    same = iter([3.0, 1.0])
    shorter = train(replace(SCHEDULE, epochs=2), validation=lambda: next(same))
    assert not shorter.interrupted
    for name, tensor in shorter.state_dict.items():
        assert torch.equal(tensor, stopped.state_dict[name])
        assert torch.equal(tensor, stopped.model.state_dict()[name])
    assert not stopped.model.training


def test_an_interruption_of_the_first_epoch_is_the_callers() -> None:
    def press(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(on_batch=press)


# --- budgets --------------------------------------------------------------------------------------


@given(scores=st.lists(st.integers(0, 9), min_size=1, max_size=50), share=st.floats(0.001, 0.999))
def test_the_limit_is_the_smallest_score_within_the_budget(scores: list[int], share: float) -> None:
    budget = Budget(share, len(scores), "sessions")
    limit = budget.choose_limit(scores)
    assert sum(score > limit for score in scores) <= budget.allowed
    smaller = [score for score in scores if score < limit]
    assert not smaller or sum(score > max(smaller) for score in scores) > budget.allowed


def test_a_budget_of_whole_sessions_is_not_lost_to_rounding() -> None:
    for total in (200, 400, 600, 1000, 1400):
        assert Budget(0.005, total, "sessions").allowed == total // 200
    assert Budget(0.005, 199, "sessions").allowed == 0


def test_a_budget_below_one_says_how_much_to_hold_out() -> None:
    (warning,) = Budget(0.005, 160, "sessions").find_warnings()
    assert "less than one of the 160 held-out sessions" in warning
    assert "Hold out 200 or more" in warning
    assert not Budget(0.005, 200, "sessions").find_warnings()


def test_a_budget_that_nobody_named_allows_one_where_it_is_out_of_reach() -> None:
    default = Budget(0.001, 160, "lines", is_default=True)
    assert default.allowed == 1
    assert default.choose_limit(range(160)) == 158
    (warning,) = default.find_warnings()
    assert "default budget of 0.001 is out of reach" in warning
    assert "One of these may be an anomaly instead (0.0063)" in warning
    assert Budget(0.001, 2000, "lines", is_default=True).allowed == 2
