"""The bound on sessions and who goes first."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from logexport.errors import InputError
from logexport.logs.sessions import Sessions


def test_the_least_recently_touched_session_goes_first() -> None:
    sessions: Sessions[list[str]] = Sessions(lambda key: [str(key)], max_sessions=2)
    sessions.touch("a")
    sessions.touch("b")
    sessions.touch("a")
    state, evicted = sessions.touch(None)
    assert (state, evicted) == (["None"], ["b"])
    assert sessions.touch("b") == (["b"], ["a"])
    assert list(sessions.drain()) == [["None"], ["b"]]


def test_a_session_that_comes_back_starts_anew() -> None:
    sessions: Sessions[list[int]] = Sessions(lambda key: [], max_sessions=1)
    sessions.touch("a")[0].append(1)
    sessions.touch("b")
    assert sessions.touch("a") == ([], [])


@pytest.mark.parametrize("bound", [0, -1])
def test_a_bound_that_holds_no_session_is_refused(bound: int) -> None:
    with pytest.raises(InputError, match="max_sessions"):
        Sessions(lambda key: [], bound)


@given(st.lists(st.sampled_from([None, "", "a", "b", "c", "d"])), st.integers(1, 5))
def test_never_more_are_held_than_allowed(keys: list[str | None], bound: int) -> None:
    sessions: Sessions[list[str | None]] = Sessions(lambda key: [key], bound)
    gone: list[str | None] = []
    for key in keys:
        _, evicted = sessions.touch(key)
        gone += evicted or []
        assert len(sessions) <= bound
    rest = [state[0] for state in sessions.drain()]
    # Replayed by hand: the order of last touches.
    held: list[str | None] = []
    expected_gone: list[str | None] = []
    for key in keys:
        if key in held:
            held.remove(key)
        elif len(held) == bound:
            expected_gone.append(held.pop(0))
        held.append(key)
    assert (gone, rest) == (expected_gone, held)
