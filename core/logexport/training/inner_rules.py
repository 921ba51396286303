"""Rules for templates of other parsers, which have wildcards inside tokens.

logparser writes ``blk_<*>`` and ``/<*>:<*>``, Drain3 ``<:NUM:>``: what they mask is in the
templates, and what they took for a line's head is not. So the rules have no masks, split tokens at
white space alone, and match with ``matching.inner``. Heads and structured forms are those by which
the most records of the log are known: the ones that are found in it, none, or a preset's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from logexport.logs.events import EventReader
from logexport.logs.headers import PRESETS
from logexport.logs.lines import LogLine, iter_logs, tokens
from logexport.logs.matching import HOLE, WILDCARD
from logexport.logs.preprocess import Preprocess
from logexport.logs.tokens import TokenRule
from logexport.training.line_tables import read_parsed, read_sequences
from logexport.training.rules import RulesRequest, find_rules
from logexport.training.sampling import sample_lines
from logexport.types import Vocabulary

__all__ = [
    "InnerRules",
    "find_inner_template",
    "lines_of_log",
    "lines_of_table",
    "make_inner_rules",
]

_ALOG_MARK = re.compile(r"<(?:ID|NUM|PATH|HEX|IP6?|MAC|UUID)>")
_ENOUGH = 0.95  # of the records known: no other heads are tried

BASE = Preprocess(masks=(), tokens=TokenRule("", False), inner=True)
"""The rules without heads and forms."""


@dataclass(frozen=True)
class InnerRules:
    """Rules that were made, and how they fit.

    Args:
        rules: of version 2.
        heads: their names, ``plain`` for none.
        known: share of the sample's records that match a template.
    """

    rules: Preprocess
    heads: str
    known: float


def find_inner_template(templates: Iterable[str]) -> str | None:
    """The first template with a wildcard inside a token, if the vocabulary is of this kind.

    It is not if as many templates have marks of alog-detect, such as ``<NUM>``.
    """
    found: list[str] = []
    marked = 0
    for template in templates:
        if any(HOLE.search(text) for text in tokens(template) if text != WILDCARD):
            found.append(template)
        elif _ALOG_MARK.search(template):
            marked += 1
    return found[0] if len(found) > marked else None


def lines_of_log(log: Path) -> Iterator[LogLine]:
    """The lines of a raw log.

    Raises:
        InputError: it cannot be read.
    """
    return iter_logs([log], BASE.reading)


def lines_of_table(path: Path) -> Iterator[LogLine]:
    """The lines that ``parsed.parquet`` or ``sequences.parquet`` holds; of a file from elsewhere
    what it has in their place.

    Raises:
        InputError: it cannot be read.
    """
    table = read_sequences(path) if path.name == "sequences.parquet" else read_parsed(path)
    for row in table:
        for raw in row.raw.split(b"\n") if row.raw is not None else ():
            yield LogLine(row.line_no, raw, len(raw) > BASE.max_line_bytes)


def make_inner_rules(vocabulary: Vocabulary, lines: Iterable[LogLine]) -> InnerRules | None:
    """Rules by which a log's lines match templates with wildcards inside tokens.

    Args:
        vocabulary: the templates.
        lines: of the log.

    Returns:
        None if there is no line that is not blank.
    """
    sample = sample_lines([lines], BASE)
    if not sample:
        return None
    best: InnerRules | None = None
    for heads, rules in _candidates(sample):
        known = _share_known(rules, vocabulary, sample)
        if best is None or known > best.known:
            best = InnerRules(rules, heads, known)
        if best.known >= _ENOUGH:
            break
    return best


def _candidates(sample: Sequence[LogLine]) -> Iterator[tuple[str, Preprocess]]:
    for find_forms in (True, False):
        request = RulesRequest(preprocess=BASE, find_forms=find_forms, find_kept=False)
        heads, rules = find_rules(request, sample)
        yield heads, rules
        if find_forms and not rules.structured:
            break
    for name in sorted(
        PRESETS, key=lambda name: name != "plain"
    ):  # as good as one that fits no line
        yield name, replace(BASE, headers=PRESETS[name])


def _share_known(rules: Preprocess, vocabulary: Vocabulary, sample: Sequence[LogLine]) -> float:
    events = list(EventReader(rules, vocabulary).read(sample))
    return sum(event.template is not None for event in events) / max(len(events), 1)
