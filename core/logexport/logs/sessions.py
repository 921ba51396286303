"""The state of every session, bounded: the least recently touched session goes first.

A session is touched by each of its non-blank lines, unseen ones included. The session ``None``
(lines that name none) is a session like any other. A session that comes back after it was evicted
starts anew. All this depends on the order of lines alone, never on batches or threads.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from logexport.errors import InputError

__all__ = [
    "Sessions",
]

State = TypeVar("State")


class Sessions(Generic[State]):
    """At most ``max_sessions`` states by session key.

    Args:
        make: makes the state of a session that is touched for the first time (or again, after its
            eviction) from its key.
        max_sessions: how many are held, at least 1.

    Raises:
        InputError: ``max_sessions`` is below 1.
    """

    def __init__(self, make: Callable[[str | None], State], max_sessions: int) -> None:
        if max_sessions < 1:
            raise InputError(
                f"max_sessions is {max_sessions}: at least one session must be held",
                "Set max_sessions in preprocess.json to 1 or more.",
            )
        self._make = make
        self._max = max_sessions
        self._states: OrderedDict[str | None, State] = OrderedDict()

    def __len__(self) -> int:
        return len(self._states)

    def touch(self, key: str | None) -> tuple[State, State | None]:
        """The state of session ``key``, now the most recently touched one.

        Returns:
            the state, and the state that had to go to make room for it (None mostly).
        """
        state = self._states.get(key)
        if state is not None:
            self._states.move_to_end(key)
            return state, None
        evicted = None
        if len(self._states) >= self._max:
            _, evicted = self._states.popitem(last=False)
        state = self._states[key] = self._make(key)
        return state, evicted

    def drain(self) -> Iterator[State]:
        """Remove and give every state, the least recently touched first."""
        while self._states:
            yield self._states.popitem(last=False)[1]
