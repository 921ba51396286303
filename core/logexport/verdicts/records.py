"""What detection says of a line or a window, and how it is written: one JSON object a line.

The format is fixed: keys in a fixed order, separators ``", "`` and ``": "``, text as
``json.dumps(ensure_ascii=False)`` writes it, integers in decimal, numbers from the model as
``%.9g``, which prints a float32 so that it reads back the same, whatever the locale.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    import numpy as np

__all__ = [
    "ABSOLUTE",
    "RELATIVE",
    "Line",
    "Rank",
    "Ranking",
    "Record",
    "Score",
    "Scoring",
    "SessionSummary",
    "Share",
    "Window",
    "WindowNext",
    "agreement",
]

Verdict = Literal["warmup", "normal", "anomaly"]
Reason = Literal["topk", "threshold", "unseen", "not_finite"]
Agreement = Literal["same", "tie", "different"]

TOP = 5
"""How many templates ``top`` names."""

ABSOLUTE, RELATIVE = 1e-5, 1e-4
"""Values of one model from two runtimes are close when |a - b| <= ABSOLUTE + RELATIVE * |b|."""


def close(value: float, reference: float) -> bool:
    """Whether ``value`` may stand for ``reference``: the tolerance of every parity check."""
    if not math.isfinite(value) or not math.isfinite(reference):
        return value == reference or (math.isnan(value) and math.isnan(reference))
    return abs(value - reference) <= ABSOLUTE + RELATIVE * abs(reference)


def number(value: float) -> str:
    """A finite number from the model, in JSON: ``%.9g``."""
    return f"{value:.9g}"


def _text(value: str | None) -> str:
    return "null" if value is None else json.dumps(value, ensure_ascii=False)


def _index(value: int | None) -> str:
    return "null" if value is None else str(value)


# --- what a record was decided from: for checks, never written ------------------------------------


@dataclass(frozen=True, eq=False)
class Ranking:
    """The logits that a rank was read from.

    Args:
        logits: float32 ``[vocab_size]``.
        event: the actual event's index.
        top_k: ranks below it are normal.
    """

    logits: np.ndarray
    event: int
    top_k: int

    def _others(self) -> tuple[np.ndarray, float]:
        import numpy as np

        row = self.logits.astype(np.float64)
        return np.delete(row, self.event), float(row[self.event])

    @property
    def rank_range(self) -> tuple[int, int]:
        """The ranks that another runtime may find: lowest and highest, the own one between them.

        Logits closer to the actual event's than the tolerance may fall on either side of it. Both
        are -1 where a logit is not finite: the rank is null then, in every runtime.
        """
        import numpy as np

        if not np.isfinite(self.logits).all():
            return -1, -1
        others, actual = self._others()
        near = np.abs(others - actual) <= ABSOLUTE + RELATIVE * abs(actual)
        lowest = int(((others > actual) & ~near).sum())
        return lowest, lowest + int(near.sum())

    @property
    def margin(self) -> float:
        """Distance from the actual event's logit to the k-th greatest of the other logits.

        That one decides the verdict: an anomaly exactly when it is the greater. ``nan`` where a
        logit is not finite.
        """
        import numpy as np

        others, actual = self._others()
        if not (np.isfinite(others).all() and math.isfinite(actual)):
            return math.nan
        kth = np.partition(others, len(others) - self.top_k)[len(others) - self.top_k]
        return abs(float(kth) - actual)

    @property
    def may_flip(self) -> bool:
        """Whether the verdict is within the tolerance of the other one."""
        lowest, highest = self.rank_range
        return lowest < self.top_k <= highest


@dataclass(frozen=True, eq=False)
class Scoring:
    """The score that a verdict was read from.

    Args:
        score: the float32, widened.
        threshold: scores up to it are normal.
        attribution: float32 ``[features]``; None where the task declares none.
    """

    score: float
    threshold: float
    attribution: np.ndarray | None = None

    @property
    def shares(self) -> np.ndarray | None:
        """float64 ``[features]``: value / sum; None where there are none.

        The sum is taken one value after another, in the order of the index, in double: other orders
        round otherwise. There are no shares where it is not finite or not above 0.
        """
        import numpy as np

        if self.attribution is None or not len(self.attribution):
            return None
        values = self.attribution.astype(np.float64)
        with np.errstate(invalid="ignore", over="ignore"):
            total = float(np.cumsum(values)[-1])
        return values / total if math.isfinite(total) and total > 0 else None

    @property
    def top(self) -> tuple[Share, ...]:
        """The largest shares, at most :data:`TOP`, the largest first, ties to the lower index."""
        import numpy as np

        shares = self.shares
        if shares is None:
            return ()
        order = np.argsort(-shares, kind="stable")[:TOP]
        return tuple(Share(int(index), float(shares[index])) for index in order)

    @property
    def margin(self) -> float:
        """|score - threshold|; ``nan`` where the score is not a number."""
        return abs(self.score - self.threshold)

    @property
    def may_flip(self) -> bool:
        """Whether the verdict is within the tolerance of the other one."""
        return math.isfinite(self.score) and close(self.threshold, self.score)


Judgement: TypeAlias = "Ranking | Scoring"


# --- records --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Line:
    """The place of a record of ``event_window``: a line of a session, and its event."""

    line: int
    session: str | None
    template: int | None

    def _json(self) -> str:
        return (
            f'"line": {self.line}, "session": {_text(self.session)}, '
            f'"template": {_index(self.template)}'
        )


@dataclass(frozen=True)
class Window:
    """The place of a record of ``count_matrix``: a sample, by the lines that it covers."""

    window: int
    first_line: int
    last_line: int

    def _json(self) -> str:
        return (
            f'"window": {self.window}, "first_line": {self.first_line}, '
            f'"last_line": {self.last_line}'
        )


@dataclass(frozen=True)
class WindowNext(Window):
    """The same with the event of the first non-blank line after the sample."""

    template: int | None

    def _json(self) -> str:
        return f'{super()._json()}, "template": {_index(self.template)}'


@dataclass(frozen=True)
class Rank:
    """What ``next_event_topk`` read: null where nothing was judged or a logit is not finite."""

    rank: int | None
    top_k: int

    def _json(self) -> str:
        return f'"rank": {_index(self.rank)}, "top_k": {self.top_k}'


@dataclass(frozen=True)
class Share:
    """A template's share of the score, in 0..1."""

    template: int
    share: float

    def _json(self) -> str:
        return f'{{"template": {self.template}, "share": {number(self.share)}}}'


@dataclass(frozen=True)
class Score:
    """What ``score_threshold`` read: null where nothing was judged or the score is not finite.

    ``top`` is for anomalies only, the largest share first.
    """

    score: float | None
    threshold: float
    top: tuple[Share, ...] = ()

    def _json(self) -> str:
        score = "null" if self.score is None else number(self.score)
        top = ", ".join(share._json() for share in self.top)
        return f'"score": {score}, "threshold": {number(self.threshold)}, "top": [{top}]'


@dataclass(frozen=True)
class Record:
    """One verdict.

    ``judgement`` is what it was decided from where the model was asked; it is not part of the
    record's identity and is never written.
    """

    place: Line | Window | WindowNext
    verdict: Verdict
    reason: Reason | None
    outcome: Rank | Score
    judgement: Judgement | None = field(default=None, compare=False, repr=False)

    def to_line(self) -> str:
        """The record as a JSON object, without a newline."""
        return (
            f'{{{self.place._json()}, "verdict": "{self.verdict}", '
            f'"reason": {_text(self.reason)}, {self.outcome._json()}}}'
        )


@dataclass(frozen=True)
class SessionSummary:
    """What became of a session, when it is evicted or the log ends.

    Args:
        lines: its non-blank lines.
        judged: those that the model judged.
        anomalies: its records whose verdict is ``anomaly``, unseen lines included.
        flips: judged lines whose verdict is within the tolerance of the other one; not written.
    """

    session: str | None
    lines: int
    judged: int
    anomalies: int
    flips: int = field(default=0, compare=False)

    @property
    def verdict(self) -> Literal["normal", "anomaly", "short"]:
        """``short``: no line was judged and none was unseen."""
        if self.anomalies:
            return "anomaly"
        return "normal" if self.judged else "short"

    def to_line(self) -> str:
        """The summary as a JSON object, without a newline."""
        return (
            f'{{"session": {_text(self.session)}, "lines": {self.lines}, "judged": {self.judged}, '
            f'"anomalies": {self.anomalies}, "verdict": "{self.verdict}"}}'
        )


# --- comparing with another runtime ---------------------------------------------------------------


def agreement(reference: Record | SessionSummary, line: str) -> Agreement:
    """Whether a line of another implementation, on another runtime, says what the reference says.

    ``same``: verdict, reason, template and rank are equal, and a score and shares are close.
    ``tie``: the difference is one that values closer than the tolerance can make. ``different``:
    anything else, a line of another shape or text included.

    Two implementations on one runtime are not compared with this: their lines are equal as text.
    """
    if line == reference.to_line():
        return "same"
    try:
        other = json.loads(line)
        if isinstance(reference, SessionSummary):
            said_summary = replace(reference, anomalies=other["anomalies"])
            near = abs(said_summary.anomalies - reference.anomalies) <= reference.flips
            return "tie" if near and said_summary.to_line() == line else "different"
        said = _read(reference, other)
        if said.to_line() != line:
            return "different"  # another key, order, place or format of a number
    except (ValueError, KeyError, TypeError, AttributeError):
        return "different"  # not JSON, or not of the reference's shape
    judgement, outcome = reference.judgement, said.outcome
    if isinstance(judgement, Ranking) and isinstance(outcome, Rank):
        return _rank_agreement(judgement, said, outcome.rank)
    if isinstance(judgement, Scoring) and isinstance(outcome, Score):
        return _score_agreement(judgement, said, outcome, reference.verdict)
    return "different"  # nothing was asked of the model, so no runtime can explain it


def _read(reference: Record, other: dict[str, Any]) -> Record:
    """The reference with what another runtime may say otherwise taken from ``other``."""
    outcome: Rank | Score
    if isinstance(reference.outcome, Rank):
        outcome = replace(reference.outcome, rank=_whole(other["rank"]))
    else:
        top = tuple(
            Share(_whole(entry["template"]) or 0, float(entry["share"])) for entry in other["top"]
        )
        score = other["score"]
        outcome = replace(reference.outcome, score=None if score is None else float(score), top=top)
    return replace(reference, verdict=other["verdict"], reason=other["reason"], outcome=outcome)


def _whole(value: Any) -> int | None:
    if value is not None and type(value) is not int:
        raise TypeError(f"{value!r} is no index")
    return value


def _follows(said: Record, anomaly: bool, reason: Reason) -> bool:
    """Whether verdict and reason of ``said`` are what its own rank or score gives."""
    return (said.verdict, said.reason) == (("anomaly", reason) if anomaly else ("normal", None))


def _rank_agreement(judgement: Ranking, said: Record, rank: int | None) -> Agreement:
    lowest, highest = judgement.rank_range
    if rank is None or not lowest <= rank <= highest:
        return "different"
    return "tie" if _follows(said, rank >= judgement.top_k, "topk") else "different"


def _score_agreement(
    judgement: Scoring, said: Record, outcome: Score, verdict: Verdict
) -> Agreement:
    score = outcome.score
    if score is None or not math.isfinite(judgement.score) or not close(score, judgement.score):
        return "different"
    # Nine digits name one float32, so rounding to it gives back what the verdict was read from.
    if not _follows(said, not _float32(score) <= judgement.threshold, "threshold"):
        return "different"
    if not _shares_agree(judgement, said.verdict == "anomaly", outcome.top):
        return "different"
    return "same" if said.verdict == verdict else "tie"


def _float32(value: float) -> float:
    import numpy as np

    return float(np.float32(value))


def _shares_agree(judgement: Scoring, anomaly: bool, top: Sequence[Share]) -> bool:
    """Whether ``top`` names, in a right order, shares close to the reference's."""
    shares = judgement.shares
    if not anomaly or shares is None:
        return not top
    places = sorted(shares.tolist(), reverse=True)[:TOP]
    return (
        len(top) == len(places)
        and len({entry.template for entry in top}) == len(top)
        and all(
            0 <= entry.template < len(shares)
            # Close to its own template's share, and to the share that belongs at this place.
            and close(entry.share, float(shares[entry.template]))
            and close(entry.share, place)
            for entry, place in zip(top, places, strict=True)
        )
    )
