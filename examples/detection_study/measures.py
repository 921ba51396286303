"""What verdicts are worth: precision and recall of records, and episodes found."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from troubles import Span

QUANTILE = 0.99
STEP = 25
"""Lines between two stretches of the clean log that an episode is compared with."""


@dataclass(frozen=True)
class Verdict:
    """A judged record: the lines that it is about, and whether it is an anomaly."""

    first: int
    last: int
    anomaly: bool


def read_verdict(record: dict[str, object]) -> Verdict | None:
    """A record of ``logexport detect``, or None for one that judges nothing."""
    if record["verdict"] == "warmup":
        return None
    anomaly = record["verdict"] == "anomaly"
    if "window" in record:
        return Verdict(int(str(record["first_line"])), int(str(record["last_line"])), anomaly)
    return Verdict(int(str(record["line"])), int(str(record["line"])), anomaly)


@dataclass(frozen=True)
class Measure:
    """One model on one log.

    Args:
        judged: records.
        in_trouble: those about at least one line of an episode.
        flagged: anomalies.
        flagged_in_trouble: those about at least one line of an episode.
        episodes, found: an episode is found when more of the records about it are anomalies than
            in 99 % of the equally long stretches of the clean log.
    """

    judged: int
    in_trouble: int
    flagged: int
    flagged_in_trouble: int
    episodes: int
    found: int

    @property
    def precision(self) -> float | None:
        """Share of the anomalies that are about trouble."""
        return self.flagged_in_trouble / self.flagged if self.flagged else None

    @property
    def recall(self) -> float | None:
        """Share of the records about trouble that are anomalies."""
        return self.flagged_in_trouble / self.in_trouble if self.in_trouble else None

    def to_json(self) -> dict[str, object]:
        """Counts and shares."""
        return {**asdict(self), "precision": self.precision, "recall": self.recall}


def measure(
    verdicts: Sequence[Verdict], spans: Sequence[Span], clean: Sequence[Verdict]
) -> Measure:
    """Compare verdicts with the truth.

    Args:
        verdicts: of the log with trouble, in order.
        spans: its episodes, which do not overlap and lie further apart than a record is long.
        clean: verdicts of the clean log.
    """
    touched = flagged_touched = found = 0
    for span in spans:
        about = _about(verdicts, span)
        anomalies = sum(verdict.anomaly for verdict in about)
        touched += len(about)
        flagged_touched += anomalies
        found += anomalies > usual(clean, span.last - span.first + 1)
    return Measure(
        judged=len(verdicts),
        in_trouble=touched,
        flagged=sum(verdict.anomaly for verdict in verdicts),
        flagged_in_trouble=flagged_touched,
        episodes=len(spans),
        found=found,
    )


def usual(clean: Sequence[Verdict], lines: int) -> int:
    """How many anomalies 99 % of the stretches of so many clean lines have at most."""
    last = clean[-1].last
    counts = sorted(
        sum(v.anomaly for v in _about(clean, Span(first, first + lines - 1)))
        for first in range(clean[0].last, last - lines + 2, STEP)
    )
    return counts[min(len(counts) - 1, int(QUANTILE * len(counts)))]


def _about(verdicts: Sequence[Verdict], span: Span) -> Sequence[Verdict]:
    """Records that share a line with the span; they are in the order of their lines."""
    begin = bisect_left(verdicts, span.first, key=lambda v: v.last)
    end = bisect_right(verdicts, span.last, key=lambda v: v.first)
    return verdicts[begin:end]
