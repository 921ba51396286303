"""What detection says of a line or a window, and how it is written: one JSON object a line.

The format is fixed: keys in a fixed order, separators ``", "`` and ``": "``, text as
``json.dumps(ensure_ascii=False)`` writes it, integers in decimal, numbers from the model as
``%.9g``, which prints a float32 so that it reads back the same, whatever the locale.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias

if TYPE_CHECKING:
    import numpy as np

    from logexport.logs.sessions import ClosedBy
    from logexport.verdicts.judgements import Judgement
    from logexport.verdicts.log_files import LogFiles

__all__ = [
    "Closing",
    "LinePlace",
    "NextEventPlace",
    "Output",
    "Place",
    "Rank",
    "Record",
    "Score",
    "SessionPlace",
    "SessionSummary",
    "Share",
    "WindowPlace",
    "find_largest_shares",
]

Verdict = Literal["warmup", "normal", "anomaly"]
Reason = Literal["topk", "threshold", "unseen", "not_finite"]

TOP = 5
"""How many templates ``top`` names."""


def format_number(value: float) -> str:
    """A finite number from the model, in JSON: ``%.9g``."""
    return f"{value:.9g}"


def _format_text(value: str | None) -> str:
    return "null" if value is None else json.dumps(value, ensure_ascii=False)


def _format_index(value: int | None) -> str:
    return "null" if value is None else str(value)


# --- the place of a record ------------------------------------------------------------------------


@dataclass(frozen=True)
class Closing:
    """When and by what a session was closed.

    Args:
        line: the number of the line at which it was.
        by: what ended it.
    """

    line: int
    by: ClosedBy

    def _json(self) -> str:
        return f', "closed": {self.line}, "closed_by": "{self.by}"'


@dataclass(frozen=True)
class LinePlace:
    """The place of a record of ``event_window``: a line of a session, and its event.

    With ``closing`` it is that of the event which follows the session's last line.
    """

    line: int
    session: str | None
    template: int | None
    closing: Closing | None = None

    @property
    def last_line(self) -> int:
        """The line itself: the last one that the record is about."""
        return self.line

    def _json(self) -> str:
        return (
            f'"line": {self.line}, "session": {_format_text(self.session)}, '
            f'"template": {_format_index(self.template)}'
        )


@dataclass(frozen=True)
class WindowPlace:
    """The place of a record of ``count_matrix``: a sample, by the lines that it covers."""

    window: int
    first_line: int
    last_line: int
    closing: ClassVar[None] = None

    def _json(self) -> str:
        return (
            f'"window": {self.window}, "first_line": {self.first_line}, '
            f'"last_line": {self.last_line}'
        )


@dataclass(frozen=True)
class NextEventPlace(WindowPlace):
    """The same with the event of the first non-blank line after the sample."""

    template: int | None

    def _json(self) -> str:
        return f'{super()._json()}, "template": {_format_index(self.template)}'


@dataclass(frozen=True)
class SessionPlace:
    """The place of a record of ``session_counts``: a finished session of ``lines`` lines."""

    session: str
    first_line: int
    last_line: int
    lines: int
    closing: Closing

    def _json(self) -> str:
        return (
            f'"session": {_format_text(self.session)}, "first_line": {self.first_line}, '
            f'"last_line": {self.last_line}, "lines": {self.lines}'
        )


Place: TypeAlias = "LinePlace | WindowPlace | NextEventPlace | SessionPlace"


# --- what the model's output came to --------------------------------------------------------------


@dataclass(frozen=True)
class Rank:
    """What ``next_event_topk`` read: null if nothing was judged or a logit is not finite."""

    rank: int | None
    top_k: int

    def _json(self) -> str:
        return f'"rank": {_format_index(self.rank)}, "top_k": {self.top_k}'


@dataclass(frozen=True)
class Share:
    """A template's share of the score, in 0..1; that of unseen lines has no template."""

    template: int | None
    share: float

    def _json(self) -> str:
        return (
            f'{{"template": {_format_index(self.template)}, "share": {format_number(self.share)}}}'
        )


def find_largest_shares(shares: np.ndarray | None, templates: int) -> tuple[Share, ...]:
    """The largest shares, at most :data:`TOP`, the largest first, ties to the lower index.

    Args:
        shares: float64 ``[features]``, of a :class:`logexport.verdicts.judgements.Scoring`; None
            if there are none.
        templates: how many of the columns are templates; what follows counts unseen lines.
    """
    import numpy as np

    if shares is None:
        return ()
    order = np.argsort(-shares, kind="stable")[:TOP]
    return tuple(
        Share(int(index) if index < templates else None, float(shares[index])) for index in order
    )


@dataclass(frozen=True)
class Score:
    """What ``score_threshold`` read: null if nothing was judged or the score is not finite.

    ``top`` is for anomalies only, the largest share first.
    """

    score: float | None
    threshold: float
    top: tuple[Share, ...] = ()

    def _json(self) -> str:
        score = "null" if self.score is None else format_number(self.score)
        top = ", ".join(share._json() for share in self.top)
        return f'"score": {score}, "threshold": {format_number(self.threshold)}, "top": [{top}]'


# --- records --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Record:
    """One verdict.

    ``judgement`` is what it was decided from if the model was asked; it is not part of the
    record's identity and is never written.
    """

    place: Place
    verdict: Verdict
    reason: Reason | None
    outcome: Rank | Score
    judgement: Judgement | None = field(default=None, compare=False, repr=False)

    def to_line(self, files: LogFiles | None = None) -> str:
        """The record as a JSON object, without a newline.

        Args:
            files: say what stands after the fixed keys.
        """
        closing = self.place.closing
        after = "" if closing is None else closing._json()
        if files is not None:
            after += files.keys_of(self.place.last_line)
        return (
            f'{{{self.place._json()}, "verdict": "{self.verdict}", '
            f'"reason": {_format_text(self.reason)}, {self.outcome._json()}{after}}}'
        )


@dataclass(frozen=True)
class SessionSummary:
    """What became of a session, when it is closed or evicted.

    Args:
        lines: its non-blank lines.
        judged: its records that the model judged.
        anomalies: its records whose verdict is ``anomaly``, unseen lines included.
        closing: None under rules of version 1.
        flips: judged records whose verdict is within the tolerance of the other one; not written.
    """

    session: str | None
    lines: int
    judged: int
    anomalies: int
    closing: Closing | None = None
    flips: int = field(default=0, compare=False)

    @property
    def verdict(self) -> Literal["normal", "anomaly", "short"]:
        """``short``: nothing was judged and no line was unseen."""
        if self.anomalies:
            return "anomaly"
        return "normal" if self.judged else "short"

    def to_line(self, files: LogFiles | None = None) -> str:
        """The summary as a JSON object, without a newline; of ``files`` it says nothing."""
        return (
            f'{{"session": {_format_text(self.session)}, "lines": {self.lines}, '
            f'"judged": {self.judged}, "anomalies": {self.anomalies}, '
            f'"verdict": "{self.verdict}"{"" if self.closing is None else self.closing._json()}}}'
        )


Output: TypeAlias = "Record | SessionSummary"
"""What detection writes: a line each."""
