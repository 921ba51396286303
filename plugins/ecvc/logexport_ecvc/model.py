"""A finished session's counts beside the count vectors of normal sessions: the whole graph.

The distance is that of :mod:`logexport_ecvc.vectors`, where its sums are worked out. The idea is
that of Landauer, Skopik and Wurzenberger, "A Critical Review of Common Log Data Sets Used for
Evaluation of Sequence-based Anomaly Detection Techniques", FSE 2024: on HDFS the counts of a
session's events, its events and its length tell as much as networks do.

Nothing here is trained: the vectors, the known events and the lengths are constants.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

ARCHITECTURE = "event-count-vectors"

_PART_CELLS = 4096
_MOST_PARTS = 64
"""A batch is compared with so many vectors at once that 64 sessions take a megabyte, which stays in
a processor's cache; of wide vectors with more, so that the graph has few nodes."""


class CountVectors(nn.Module):
    """Counts of a session to its score and what each template adds to it.

    Args:
        vectors: integers ``[vectors, features]``, each row's sum from 1 to 2^24.
        known: bool ``[features]``, which columns any session of the training had.
        shortest, longest: the fewest and the most lines that one had.
    """

    vectors: Tensor
    """Float32 ``[vectors, used + 1]``: the columns that any vector has, and one of zeros."""
    columns: Tensor
    """Int64 ``[used + 1]``: which these are; of the last one any, as zeros share nothing."""
    places: Tensor
    """Int64 ``[features]``: where each column is among these."""
    totals: Tensor
    unknown: Tensor

    def __init__(self, vectors: Tensor, known: Tensor, shortest: int, longest: int) -> None:
        super().__init__()
        rows, features = vectors.shape
        used = (vectors > 0).any(0).nonzero().flatten()
        places = torch.full((features,), len(used))
        places[used] = torch.arange(len(used))
        zero = torch.zeros(rows, 1)
        kept = torch.cat([vectors[:, used].to(torch.float32), zero], dim=1)
        self.register_buffer("vectors", kept)
        self.register_buffer("columns", torch.cat([used, used[:1]]))
        self.register_buffer("places", places)
        self.register_buffer("totals", vectors.to(torch.float64).sum(1))
        self.register_buffer("unknown", (~known).to(torch.float64))
        self.shortest, self.longest = float(shortest), float(longest)
        self.part = max(_PART_CELLS // kept.shape[1], -(-rows // _MOST_PARTS), 1)

    def all_columns(self) -> Tensor:
        """The vectors, float32 ``[vectors, features]``."""
        return self.vectors.index_select(1, self.places)

    def forward(self, input_counts: Tensor) -> tuple[Tensor, Tensor]:
        """Score a batch.

        Every sum is one of whole numbers, and exact: in float32 the counts that a session shares
        with a vector, at most 2^24 as the vector's own; in float64 the rest. So no result depends
        on the order of a sum, and none on the batch. A count above 2^24 is what float32 makes of
        it, as it is outside.

        Args:
            input_counts: float32 ``[batch_size, features]``, whole numbers.

        Returns:
            ``score``, float32 ``[batch_size]``: the distance to the nearest vector, from 0 to 1;
            1 more if the session has an event that is not known; and 1 more if it is shorter or
            longer than all of the training. ``shares``, float32 ``[batch_size, features]``: the
            part of the distance that is a template's, |x − nearest| / Σmax(x, nearest); and of the
            1 for events that are not known what their counts are of all such. They add up to the
            score, without what length adds. Of several nearest vectors the first is taken.
        """
        one_by_one = input_counts.index_select(1, self.columns).unsqueeze(1)
        shared = torch.cat(
            [
                torch.minimum(one_by_one, part).sum(2)
                for part in torch.split(self.vectors, self.part)
            ],
            dim=1,
        ).to(torch.float64)
        counts = input_counts.to(torch.float64)
        lines = counts.sum(1)
        both = lines.unsqueeze(1) + self.totals
        distances = (both - 2 * shared) / (both - shared)
        nearest = distances.argmin(1)
        distance = distances.gather(1, nearest.unsqueeze(1)).squeeze(1)

        new = counts * self.unknown
        new_lines = new.sum(1)
        has_new = (new_lines > 0).to(torch.float64)
        is_outside = ((lines < self.shortest) | (lines > self.longest)).to(torch.float64)
        score = (distance + has_new + is_outside).to(torch.float32)

        vector = self.vectors[nearest].index_select(1, self.places).to(torch.float64)
        largest = torch.maximum(counts, vector).sum(1, keepdim=True)
        shares = (counts - vector).abs() / largest + new / new_lines.clamp(min=1).unsqueeze(1)
        return score, shares.to(torch.float32)
