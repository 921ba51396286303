"""Windows of a training log: the last ``seq_len`` events of a session, and the event after them.

The same windows as detection's (docs/verdicts.md): unseen lines do not enter a window and are no
target, unless the vocabulary reserves an index for them, under which they enter; a session that is
forgotten because too many others came in between starts anew.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from logexport.logs.events import Event
from logexport.logs.preprocess import Preprocess
from logexport.logs.sessions import LiveSessions
from torch import Tensor

UNSEEN = -1


@dataclass(frozen=True)
class Events:
    """A log's events in the order of its lines.

    Args:
        index: int64 ``[lines]``, template indices, :data:`UNSEEN` for lines that match none.
        session: int64 ``[lines]``, the number of each line's session.
    """

    index: np.ndarray
    session: np.ndarray


@dataclass(frozen=True)
class Windows:
    """All windows of a log, without copies: rows of a sliding view.

    Args:
        rows: int64 ``[rows, seq_len + 1]``, a view: ``seq_len`` events and the event after them.
        first: int64 ``[windows]``, the rows that lie within one session and whose last event is a
            target; ordered by session, within one by line.
        session: int64 ``[windows]``, the session of each.
        events: how many events there are, targets or not, unseen lines left out.
        sessions: how many sessions have events.
        short_sessions, short_events: sessions that are too short to be judged at all, and how many
            events they have.
        unseen: lines that match no template.
    """

    rows: Tensor
    first: Tensor
    session: Tensor
    events: int
    sessions: int
    short_sessions: int
    short_events: int
    unseen: int

    def __len__(self) -> int:
        return len(self.first)

    def take(self, chosen: Tensor) -> tuple[Tensor, Tensor]:
        """Windows int64 ``[n, seq_len]`` and targets int64 ``[n]`` of the chosen window numbers."""
        rows = self.rows[self.first[chosen]]
        return rows[:, :-1], rows[:, -1]


def make_windows(events: Events, seq_len: int, unknown: int | None = None) -> Windows:
    """Cut a log into windows.

    Args:
        events: the log.
        seq_len: events in a window.
        unknown: the reserved index under which unseen lines enter a window, or None.
    """
    unseen = events.index == UNSEEN
    index, session = events.index, events.session
    if unknown is None:
        index, session = index[~unseen], session[~unseen]
    else:
        index = np.where(unseen, unknown, index)
    # Stable: within a session the order of lines stays.
    order = np.argsort(session, kind="stable")
    index, session = index[order], session[order]
    target = np.ones(len(index), dtype=bool) if unknown is None else ~unseen[order]

    starts = np.flatnonzero(np.diff(session, prepend=session[:1] - 1))
    lengths = np.diff(starts, append=len(session))
    place = np.arange(len(index)) - np.repeat(starts, lengths)  # within its session, from 0
    last = np.flatnonzero((place >= seq_len) & target)
    short = lengths <= seq_len

    padded = index if len(index) > seq_len else np.zeros(seq_len + 1, dtype=np.int64)
    rows = torch.from_numpy(np.ascontiguousarray(padded)).unfold(0, seq_len + 1, 1)
    return Windows(
        rows=rows,
        first=torch.from_numpy(last - seq_len),
        session=torch.from_numpy(session[last]),
        events=len(index),
        sessions=len(lengths),
        short_sessions=int(short.sum()),
        short_events=int(lengths[short].sum()),
        unseen=int(unseen.sum()),
    )


class SessionNumbers:
    """Numbers sessions in the order in which they begin.

    A session that detection would have ended or forgotten by then gets a new number when it comes
    back.

    Args:
        rules: those of the log.
    """

    def __init__(self, rules: Preprocess) -> None:
        self._begun = 0
        self._live: LiveSessions[int] = LiveSessions(self._begin, rules)

    def of(self, event: Event) -> int:
        """The number of the session of the next line."""
        for _ in self._live.close_before(event):
            pass
        return self._live.touch(event)

    def _begin(self, _: str | None) -> int:
        self._begun += 1
        return self._begun


def split(windows: Windows, share: float, seed: int) -> tuple[Tensor, Tensor, str]:
    """Numbers of the windows to train on and of those to hold out, and how they were parted.

    With enough sessions (at least ten held out, ten kept) whole sessions are held out, drawn by
    ``seed``. Otherwise the last part of each session is, and windows that overlap both parts are
    in neither.

    Args:
        windows: all.
        share: of the windows or sessions to hold out, 0 to 0.9.
        seed: for the draw of sessions.

    Returns:
        two int64 tensors, and ``sessions``, ``end`` or ``nothing``.
    """
    everything = torch.arange(len(windows))
    if share <= 0 or len(windows) < 2:
        return everything, everything[:0], "nothing"
    ids, counts = torch.unique_consecutive(windows.session, return_counts=True)
    wanted = round(share * len(ids))
    if wanted >= 10 and len(ids) - wanted >= 10:
        generator = torch.Generator().manual_seed(seed)
        drawn = ids[torch.randperm(len(ids), generator=generator)[:wanted]]
        held = torch.isin(windows.session, drawn)
        return everything[~held], everything[held], "sessions"
    overlap = windows.rows.shape[1] - 1
    train, held_out = [], []
    for own in torch.split(everything, counts.tolist()):
        cut = len(own) - max(1, round(share * len(own)))
        train.append(own[:cut])
        held_out.append(own[cut + overlap :])
    if sum(map(len, held_out)) == 0 or sum(map(len, train)) == 0:
        return everything, everything[:0], "nothing"
    return torch.cat(train), torch.cat(held_out), "end"
