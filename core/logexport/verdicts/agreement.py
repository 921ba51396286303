"""Whether a line of another implementation, on another runtime, says what the reference says."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

from logexport.verdicts.judgements import Ranking, Scoring
from logexport.verdicts.records import (
    TOP,
    Output,
    Rank,
    Reason,
    Record,
    Score,
    SessionPlace,
    SessionSummary,
    Share,
    Verdict,
)
from logexport.verdicts.tolerance import close

__all__ = [
    "Agreement",
    "agreement",
]

Agreement = Literal["same", "tie", "different"]


def agreement(reference: Output, line: str) -> Agreement:
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
            claimed_summary = replace(reference, anomalies=other["anomalies"])
            near = abs(claimed_summary.anomalies - reference.anomalies) <= reference.flips
            return "tie" if near and claimed_summary.to_line() == line else "different"
        claimed = _read_record(reference, other)
        if claimed.to_line() != line:
            return "different"  # another key, order, place or format of a number
    except (ValueError, KeyError, TypeError, AttributeError):
        return "different"  # not JSON, or not of the reference's shape
    judgement, outcome = reference.judgement, claimed.outcome
    if isinstance(judgement, Ranking) and isinstance(outcome, Rank):
        return _rank_agreement(judgement, claimed, outcome.rank)
    if isinstance(judgement, Scoring) and isinstance(outcome, Score):
        return _score_agreement(judgement, claimed, outcome, reference.verdict)
    return "different"  # nothing was asked of the model, so no runtime can explain it


def _read_record(reference: Record, other: dict[str, Any]) -> Record:
    """The reference with what another runtime may say otherwise taken from ``other``."""
    outcome: Rank | Score
    if isinstance(reference.outcome, Rank):
        outcome = replace(reference.outcome, rank=_read_index(other["rank"]))
    else:
        top = tuple(
            Share(_read_index(entry["template"]), float(entry["share"])) for entry in other["top"]
        )
        score = other["score"]
        outcome = replace(reference.outcome, score=None if score is None else float(score), top=top)
    return replace(reference, verdict=other["verdict"], reason=other["reason"], outcome=outcome)


def _read_index(value: Any) -> int | None:
    if value is not None and type(value) is not int:
        raise TypeError(f"{value!r} is not an index")
    return value


def _follows(claimed: Record, anomaly: bool, reason: Reason) -> bool:
    """Whether verdict and reason of ``claimed`` are what its own rank or score gives."""
    return (claimed.verdict, claimed.reason) == (
        ("anomaly", reason) if anomaly else ("normal", None)
    )


def _rank_agreement(judgement: Ranking, claimed: Record, rank: int | None) -> Agreement:
    lowest, highest = judgement.rank_range
    if rank is None or not lowest <= rank <= highest:
        return "different"
    return "tie" if _follows(claimed, rank >= judgement.top_k, "topk") else "different"


def _score_agreement(
    judgement: Scoring, claimed: Record, outcome: Score, verdict: Verdict
) -> Agreement:
    score = outcome.score
    if score is None or not math.isfinite(judgement.score) or not close(score, judgement.score):
        return "different"
    # Nine digits name one float32, so rounding to it gives back what the verdict was read from.
    if not _follows(claimed, not _float32(score) <= judgement.threshold, "threshold"):
        return "different"
    if not _shares_agree(judgement, claimed, outcome.top):
        return "different"
    return "same" if claimed.verdict == verdict else "tie"


def _float32(value: float) -> float:
    import numpy as np

    return float(np.float32(value))


def _shares_agree(judgement: Scoring, claimed: Record, top: Sequence[Share]) -> bool:
    """Whether ``top`` names, in a right order, shares close to the reference's."""
    shares = judgement.shares
    if claimed.verdict != "anomaly" or shares is None:
        return not top
    places = sorted(shares.tolist(), reverse=True)[:TOP]
    unseen = len(shares) - 1 if isinstance(claimed.place, SessionPlace) else -1
    columns = [unseen if one.template is None else one.template for one in top]
    return (
        len(top) == len(places)
        and len(set(columns)) == len(top)
        and all(
            0 <= column < len(shares)
            and (column == unseen) == (entry.template is None)
            # Close to its own column's share, and to the share that belongs at this place.
            and close(entry.share, float(shares[column]))
            and close(entry.share, place)
            for column, entry, place in zip(columns, top, places, strict=True)
        )
    )
