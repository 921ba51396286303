"""Events of ``sequences.parquet`` for training, checked against the vocabulary they belong to.

The columns are those of :mod:`logexport.training.line_tables`. The file's metadata says
``vocab_sha256`` and ``preprocess``, the document of the rules that made the events.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from logexport.errors import InputError
from logexport.logs.events import Event
from logexport.logs.preprocess import ALOG_DETECT, Preprocess
from logexport.training.line_tables import read_sequences
from logexport.types import Vocabulary

from logexport_deeplog.windows import UNSEEN, Events, SessionNumbers


@dataclass(frozen=True)
class Sequences:
    """A log's events, and what the file says of them.

    Args:
        events: template indices and session numbers.
        rules: the document of ``preprocess.json`` that the events were made by, or None in files
            from elsewhere.
    """

    events: Events
    rules: Mapping[str, Any] | None


def load_events(path: Path, vocab: Vocabulary, vocab_path: Path) -> Sequences:
    """Read a file of events whose indices belong to ``vocab``.

    Files of alog-detect, which have no sessions and do not name their vocabulary, are read as one
    session.

    Raises:
        InputError: not such a file, or made with another vocabulary.
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
    rules = about.get("preprocess")
    known = ALOG_DETECT
    if rules is not None:
        known = Preprocess.from_json(rules, f"the metadata of {path}")
    numbers = SessionNumbers(known)
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
            session[row] = numbers.of(Event(event.line_no, event.session, template))
            row += 1
    return Sequences(Events(index, session), rules)
