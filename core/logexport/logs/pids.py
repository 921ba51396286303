"""PostgreSQL's fields behind heads of their own: joined to their record by its process's id.

Rules (the reference; the engine's ``native/src/pids.c`` has the same):

- A record is a *field* if its header has the groups ``pid`` and ``level`` and the level is one of
  :data:`FIELD_LEVELS`. It belongs to the last record before that has the same pid in its header and
  is not itself a field, if that one's number is at most :data:`MAX_DISTANCE` less. Records of other
  pids may stand between.
- A field that belongs to a record does not bring that record nearer for the next one. A field that
  belongs to none is not a record for others.
- A pid of no character, or of more than :data:`MAX_PID_BYTES` bytes of UTF-8, is not a pid.

So at most as many pids are held as lines may lie between a field and its record.
"""

from __future__ import annotations

from collections import OrderedDict

__all__ = ["FIELD_LEVELS", "RecentPids"]

FIELD_LEVELS = ("DETAIL", "HINT", "CONTEXT", "QUERY", "STATEMENT", "LOCATION", "BACKTRACE")
"""What PostgreSQL writes in the place of a level before a field of the record before it."""
MAX_DISTANCE = 1_000
MAX_PID_BYTES = 64


class RecentPids:
    """The pids of the last lines' records; one for one log."""

    def __init__(self) -> None:
        self._numbers: OrderedDict[str, int] = OrderedDict()  # of each last record, in order

    def take(self, number: int, pid: str | None, level: str | None) -> bool:
        """Whether a record is a field of one before; if it is not a field, it is held.

        Args:
            number: of its first line, greater than that of the call before.
            pid: its header's, or None.
            level: its header's, or None.
        """
        if not pid or len(pid) > MAX_PID_BYTES or len(pid.encode("utf-8")) > MAX_PID_BYTES:
            return False
        if level in FIELD_LEVELS:
            found = self._numbers.get(pid)
            return found is not None and number - found <= MAX_DISTANCE
        self._numbers[pid] = number
        self._numbers.move_to_end(pid)
        while number - next(iter(self._numbers.values())) > MAX_DISTANCE:
            self._numbers.popitem(last=False)
        return False
