"""Which file of a log a line stands in: the keys ``file`` and ``file_line`` of a record.

Several logs are one, and their lines are numbered through. A line's file is the last one that began
at or before the line; files without a line have none.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Collection

from logexport.errors import UsageError

__all__ = [
    "KEYS",
    "LogFiles",
]

KEYS = ("file", "file_line")
"""The keys that a record may have after its fixed ones, in their order."""


class LogFiles:
    """The files that were read so far, by the number of their first line.

    Args:
        keys: which of :data:`KEYS` a record gets.

    Raises:
        UsageError: there is no such key.
    """

    def __init__(self, keys: Collection[str] = ()) -> None:
        unknown = [key for key in keys if key not in KEYS]
        if unknown:
            raise UsageError(
                f"There is no key {unknown[0]!r} for records; there are {', '.join(KEYS)}",
                "Name these, with commas between them, or leave --with out.",
            )
        self._keys = [key for key in KEYS if key in keys]
        self._first_lines: list[int] = []
        self._names: list[str] = []

    def begin(self, name: str, first_line: int) -> None:
        """A file begins whose first line, if it has one, has this number."""
        if self._first_lines and self._first_lines[-1] == first_line:
            self._names[-1] = name  # the file before had no line
        else:
            self._first_lines.append(first_line)
            self._names.append(name)

    def place(self, line: int) -> tuple[str | None, int]:
        """The file's name and the line's number within the file, from 1.

        The name is None, and the number the line's own, if no file was named.
        """
        index = bisect_right(self._first_lines, line) - 1
        if index < 0:
            return None, line
        return self._names[index], line - self._first_lines[index] + 1

    def keys_of(self, line: int) -> str:
        """What a record about this line has after its fixed keys: ``, "file": …`` or nothing."""
        if not self._keys:
            return ""
        values = dict(zip(KEYS, self.place(line), strict=True))
        return "".join(
            f', "{key}": {json.dumps(values[key], ensure_ascii=False)}' for key in self._keys
        )
