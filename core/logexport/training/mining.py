"""Mining templates from masked lines with Drain3 (He et al., "Drain: An Online Log Parsing Approach
with Fixed Depth Tree", ICWS 2017; https://github.com/logpai/Drain3).

Drain3 is given the project's tokens and its settings explicitly: no ``drain3.ini`` is read, and
nothing is masked or snapshotted by it. Mining changes templates as it goes, so its answers while it
mines are not used: all lines are matched afterwards against the templates as they are in the end.

Every line that was mined matches one of them: a line joins a cluster, whose template it matches
from then on, because a template only ever changes by a token becoming ``<*>``, and no cluster is
dropped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from logexport.errors import InputError
from logexport.logs.lines import tokens
from logexport.logs.matching import WILDCARD

__all__ = [
    "DrainOptions",
    "TemplateMiner",
]


@dataclass(frozen=True)
class DrainOptions:
    """Drain3's settings, with Drain3's defaults.

    Args:
        depth: levels of the search tree, at least 3: lines are told apart by their number of tokens
            and their first ``depth - 3`` tokens before they are compared.
        similarity: from 0 to 1: the share of equal tokens from which a line joins a cluster.
        max_children: most branches of a node of the tree, at least 2.
    """

    depth: int = 4
    similarity: float = 0.4
    max_children: int = 100

    def __post_init__(self) -> None:
        if self.depth < 3:
            raise InputError(f"A Drain depth of {self.depth} is too small", "Use 3 or more.")
        if not 0 <= self.similarity <= 1:
            raise InputError(
                f"A Drain similarity of {self.similarity} is no share", "Use a value from 0 to 1."
            )
        if self.max_children < 2:
            raise InputError(
                f"{self.max_children} children of a node are too few for Drain", "Use 2 or more."
            )


class TemplateMiner:
    """Collects templates from masked lines; memory grows with the templates, not with the lines.

    Raises:
        InputError: Drain3 is not installed.
    """

    def __init__(self, options: DrainOptions | None = None) -> None:
        self.options = options or DrainOptions()
        self._drain = _drain(self.options)

    def add(self, masked: str) -> None:
        """Mine one masked line."""
        self._drain.add_log_message(masked)

    def templates(self) -> list[tuple[int, str]]:
        """(cluster number, template) as they are now, by number.

        Where two clusters have come to one template, it stands once, under the lower number.
        """
        seen: dict[str, int] = {}
        for cluster in sorted(self._drain.clusters, key=lambda cluster: int(cluster.cluster_id)):
            seen.setdefault(" ".join(cluster.log_template_tokens), int(cluster.cluster_id))
        return [(number, template) for template, number in seen.items()]


def _drain(options: DrainOptions) -> Any:
    try:
        from drain3.drain import Drain
    except ImportError as error:
        raise InputError(
            "Drain3, which mines the templates, is not installed",
            "Install it with: pip install 'logexport[train]'.",
        ) from error

    class ProjectDrain(Drain):  # type: ignore[misc, unused-ignore]
        """Drain with the tokens of :func:`logexport.logs.lines.tokens`."""

        def get_content_as_tokens(self, content: str) -> list[str]:
            return tokens(content)

    return ProjectDrain(
        depth=options.depth,
        sim_th=options.similarity,
        max_children=options.max_children,
        max_clusters=None,
        extra_delimiters=(),
        param_str=WILDCARD,
        parametrize_numeric_tokens=True,
    )
