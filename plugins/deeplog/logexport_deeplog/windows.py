"""Windows of a training log: the last ``seq_len`` events of a session, and the event after them.

The same windows as detection's (docs/verdicts.md): unseen lines do not enter a window and are no
target, unless the vocabulary reserves an index for them, under which they enter. Where sessions
begin and end, the first window of a session with a name is ``seq_len`` times the start, and the end
is an event after its last line.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from logexport.training.budgets import draw_held_out
from torch import Tensor

UNSEEN = -1

_FEWEST_HELD_OUT = 10
"""Sessions on either side, below which those that neither begin nor end are not parted whole."""


@dataclass(frozen=True)
class Boundaries:
    """The reserved entries for the beginning and the end of a session, indices."""

    start: int
    end: int


@dataclass(frozen=True)
class Events:
    """A log's events in the order of its lines.

    Args:
        index: int64 ``[lines]``, template indices, :data:`UNSEEN` for lines that match none.
        session: int64 ``[lines]``, the number of each line's session, from 0 in the order of their
            first lines.
        named: bool ``[sessions]``, whether a session has a name; that of lines which name none has
            neither beginning nor end.
    """

    index: np.ndarray
    session: np.ndarray
    named: np.ndarray


@dataclass(frozen=True)
class Windows:
    """All windows of a log, without copies: rows of a sliding view.

    Args:
        rows: int64 ``[rows, seq_len + 1]``, a view: ``seq_len`` events and the event after them.
        first: int64 ``[windows]``, the rows whose last event is a target that is judged; ordered by
            session, within one by line.
        missing: int64 ``[windows]``, how many of the row's first events are of an earlier session:
            the start stands in their place.
        session: int64 ``[windows]``, the session of each.
        boundaries: None if sessions neither begin nor end.
        named: as of :class:`Events`.
        with_unseen: bool ``[sessions]``, whether a session has a line that matches no template.
        events: how many events there are, targets or not; ends and unseen lines left out.
        sessions: how many sessions have events.
        short_sessions, short_events: sessions that are too short to be judged at all, and how many
            events they have.
        unseen: lines that match no template.
    """

    rows: Tensor
    first: Tensor
    missing: Tensor
    session: Tensor
    boundaries: Boundaries | None
    named: np.ndarray
    with_unseen: np.ndarray
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
        window, target = rows[:, :-1], rows[:, -1]
        if self.boundaries is not None:
            earlier = torch.arange(window.shape[1]) < self.missing[chosen].unsqueeze(1)
            window = window.masked_fill(earlier, self.boundaries.start)
        return window, target

    def targets(self, chosen: Tensor) -> Tensor:
        """The event after each of the chosen windows, int64 ``[n]``."""
        return self.rows[:, -1][self.first[chosen]]


def make_windows(
    events: Events,
    seq_len: int,
    unknown: int | None = None,
    boundaries: Boundaries | None = None,
) -> Windows:
    """Cut a log into windows.

    Args:
        events: the log.
        seq_len: events in a window.
        unknown: the reserved index under which unseen lines enter a window, or None.
        boundaries: what sessions with a name begin and end with, or None.
    """
    unseen = events.index == UNSEEN
    with_unseen = np.zeros(len(events.named), dtype=bool)
    with_unseen[events.session[unseen]] = True
    index, session, target = events.index, events.session, ~unseen
    if unknown is None:
        index, session, target = index[target], session[target], target[target]
    else:
        index = np.where(unseen, unknown, index)
    lines = len(index)
    if boundaries is not None:
        ended = np.flatnonzero(events.named)
        index = np.concatenate([index, np.full(len(ended), boundaries.end, dtype=np.int64)])
        session = np.concatenate([session, ended])
        target = np.concatenate([target, np.ones(len(ended), dtype=bool)])
    # Stable: within a session the order of lines stays, and its end comes last.
    order = np.argsort(session, kind="stable")
    index, session, target = index[order], session[order], target[order]

    starts = np.flatnonzero(np.diff(session, prepend=session[:1] - 1))
    lengths = np.diff(starts, append=len(session))
    place = np.arange(len(index)) - np.repeat(starts, lengths)  # within its session, from 0
    begins = events.named[session] & (boundaries is not None)
    last = np.flatnonzero(((place >= seq_len) | begins) & target)
    short = (lengths <= seq_len) & ~begins[starts]

    # Row i is what precedes event i, and event i; one more so that there is a row of no event.
    padding = np.zeros(seq_len, dtype=np.int64)
    rows = torch.from_numpy(np.concatenate([padding, index, padding[:1]])).unfold(0, seq_len + 1, 1)
    return Windows(
        rows=rows,
        first=torch.from_numpy(last),
        missing=torch.from_numpy(np.maximum(seq_len - place[last], 0)),
        session=torch.from_numpy(session[last]),
        boundaries=boundaries,
        named=events.named,
        with_unseen=with_unseen,
        events=lines,
        sessions=len(lengths),
        short_sessions=int(short.sum()),
        short_events=int(lengths[short].sum()),
        unseen=int(unseen.sum()),
    )


@dataclass(frozen=True)
class Split:
    """What is trained on and what is held out.

    Args:
        train, held_out: int64, numbers of windows.
        by: ``sessions``, ``end`` (the last part of each session) or ``nothing``.
        sessions: int64, numbers of the sessions that are held out whole.
    """

    train: Tensor
    held_out: Tensor
    by: str
    sessions: np.ndarray


def split(windows: Windows, share: float, seed: int) -> Split:
    """Part the windows of a log.

    Whole sessions with a name are held out, half of them drawn by ``seed``, half of them the last
    ones: always if sessions begin and end, else if there are enough, ten or more on either side. Of
    the lines that name no session the last part is held out then. Otherwise the last part of each
    session is. Windows that overlap both parts are in neither.

    Args:
        windows: all.
        share: of the windows or sessions to hold out, 0 to 0.9.
        seed: for the draw of sessions.
    """
    named = np.flatnonzero(windows.named)
    drawn = named[np.array(draw_held_out(len(named), share, seed), dtype=np.int64)]
    enough = min(len(drawn), len(named) - len(drawn)) >= _FEWEST_HELD_OUT
    if len(drawn) and (windows.boundaries is not None or enough):
        train, held_out = _part(windows, share, named, drawn)
        if len(train) and len(held_out):
            return Split(train, held_out, "sessions", drawn)
    elif share > 0 and windows.boundaries is None:
        train, held_out = _part(windows, share, named[:0], named[:0])
        if len(train) and len(held_out):
            return Split(train, held_out, "end", named[:0])
    everything = torch.arange(len(windows))
    return Split(everything, everything[:0], "nothing", named[:0])


def _part(
    windows: Windows, share: float, in_whole: np.ndarray, held: np.ndarray
) -> tuple[Tensor, Tensor]:
    """The windows of sessions ``in_whole``, parted by which are held out, and of the others each
    parted at the beginning of its last part."""
    everything = torch.arange(len(windows))
    session = windows.session
    is_held = torch.isin(session, torch.from_numpy(held))
    is_whole = torch.isin(session, torch.from_numpy(in_whole))
    train, held_out = [everything[is_whole & ~is_held]], [everything[is_held]]
    others = everything[~is_whole]
    _, counts = torch.unique_consecutive(session[others], return_counts=True)
    overlap = windows.rows.shape[1] - 1
    for own in torch.split(others, counts.tolist()):
        cut = len(own) - max(1, round(share * len(own)))
        train.append(own[:cut])
        held_out.append(own[cut + overlap :])
    return torch.cat(train), torch.cat(held_out)
