"""docs/plugin-guide.md as steps: files that it writes and commands that it runs, in its order."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PLACE = re.compile(r"`(logexport-[^`]+)`:\n\n\Z")
_APPEND = re.compile(r"Append to `(logexport-[^`]+)`:\n\n\Z")


@dataclass(frozen=True)
class Step:
    """A file to write or append to, or one line of shell; ``line`` is the guide's."""

    kind: Literal["write", "append", "run"]
    line: int
    text: str
    place: str = ""


def steps(guide: Path) -> Iterator[Step]:
    """Every step in order; a block of code that no place is named for is an error."""
    text = guide.read_text(encoding="utf-8")
    for block in _BLOCK.finditer(text):
        before = text[: block.start()]
        line = before.count("\n") + 2
        language, content = block[1], block[2]
        if language == "sh":
            for number, command in enumerate(content.splitlines()):
                yield Step("run", line + number, command)
        elif found := _APPEND.search(before):
            yield Step("append", line, content, found[1])
        elif found := _PLACE.search(before):
            yield Step("write", line, content, found[1])
        else:
            raise ValueError(f"{guide}:{line}: a block of {language} without a place")
