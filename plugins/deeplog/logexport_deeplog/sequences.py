"""Events of ``sequences.parquet`` for training, checked against the vocabulary they belong to.

The columns are those of :mod:`logexport.training.line_tables`. The file's metadata says
``vocab_sha256`` and ``preprocess``, the document of the rules that made the events, and ``start``
and ``end`` if its sessions begin and end with these reserved entries.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from logexport.errors import InputError
from logexport.logs.preprocess import Preprocess
from logexport.training.line_tables import SequenceRow, read_sequences
from logexport.types import Vocabulary

from logexport_deeplog.windows import UNSEEN, Boundaries, Events

_BUILD = "Build the sequences again with `logexport deeplog build`."


@dataclass(frozen=True)
class Sequences:
    """A log's events, and what the file says of them.

    Args:
        events: template indices and session numbers; a session has a name if it is by a pattern
            or a field that its lines have.
        boundaries: what sessions with a name begin and end with, or None.
        rules: the document of ``preprocess.json`` that the events were made by, or None in files
            from elsewhere.
    """

    events: Events
    boundaries: Boundaries | None
    rules: Mapping[str, Any] | None


def load_events(path: Path, vocab: Vocabulary, vocab_path: Path) -> Sequences:
    """Read a file of events whose indices belong to ``vocab``.

    Files of alog-detect, which have no sessions and do not name their vocabulary, are read as one
    session. Where sessions have no numbers, lines of one name are one session.

    Raises:
        InputError: not such a file, made with another vocabulary, or its metadata contradict it.
    """
    file = read_sequences(path)
    about = file.about or {}
    made_with = about.get("vocab_sha256")
    if made_with is not None and made_with != vocab.sha256():
        raise InputError(
            f"{path} was made with another vocabulary than {vocab_path} (sha256 "
            f"{str(made_with)[:12]}…, not {vocab.sha256()[:12]}…)",
            "Name the vocab.json that was written together with it.",
        )
    rules, have_names = about.get("preprocess"), True
    if rules is not None:
        by = Preprocess.from_json(rules, f"the metadata of {path}").session.by
        have_names = by in ("regex", "field")
    numbers = _SessionNumbers(path)
    index = np.empty(file.rows, dtype=np.int64)
    session = np.empty(file.rows, dtype=np.int64)
    row = 0
    for batch in file.batches():
        for event in batch:
            template = event.template_index
            if template is not None and not 0 <= template < len(vocab):
                raise InputError(
                    f"{path} has the template index {template} at line {event.line_no}, but "
                    f"{vocab_path} has the entries 0 to {len(vocab) - 1}",
                    "Name the vocabulary that the sequences were made with.",
                )
            index[row] = UNSEEN if template is None else template
            session[row] = numbers.of(event)
            row += 1
    named = np.array(numbers.named, dtype=bool) & have_names
    boundaries = _boundaries(path, about, vocab)
    if boundaries is not None and named.sum() < 2:
        found = "one session has" if named.any() else "no session has"
        raise InputError(
            f"{path} says that sessions begin and end, but {found} a name in it: how they do cannot"
            " be learned",
            "Build it with a --session-by that tells sessions apart, or with --no-boundaries.",
        )
    return Sequences(Events(index, session, named), boundaries, rules)


class _SessionNumbers:
    """Numbers sessions from 0 in the order of their first lines.

    Attributes:
        named: whether each has a name.
    """

    def __init__(self, path: Path) -> None:
        self.named: list[bool] = []
        self._path = path
        self._of_name: dict[str | None, int] = {}

    def of(self, event: SequenceRow) -> int:
        """The number of the session of the next line."""
        number = event.session_number
        if number is None:
            number = self._of_name.setdefault(event.session, len(self.named))
        if number == len(self.named):
            self.named.append(event.session is not None)
        if not 0 <= number < len(self.named) or self.named[number] != (event.session is not None):
            raise InputError(
                f"{self._path} has the session number {number} at line {event.line_no}, which is"
                " neither the next one nor of such a session",
                _BUILD,
            )
        return number


def _boundaries(path: Path, about: Mapping[str, Any], vocab: Vocabulary) -> Boundaries | None:
    start: Any = about.get("start")
    end: Any = about.get("end")
    if start is None and end is None:
        return None
    reserved = {*vocab.reserved.values()} - {vocab.unknown}
    are_numbers = isinstance(start, int) and isinstance(end, int)
    if not are_numbers or start == end or not {start, end} <= reserved:
        raise InputError(
            f"The metadata of {path} name the start {start!r} and the end {end!r}, which are not"
            " two reserved entries of its vocabulary",
            _BUILD,
        )
    return Boundaries(int(start), int(end))
