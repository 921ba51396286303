"""The lines of a log by which its forms and heads are found: a bounded sample of all of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from logexport.logs.lines import LogLine, is_blank
from logexport.logs.preprocess import Preprocess

__all__ = ["SAMPLE_LINES", "sample_lines"]

SAMPLE_LINES = 2000
"""How many lines are looked at, at most, to find the forms and heads of a log."""
_BLOCK = 25  # lines that stand together, since some records are several lines
_BYTES = 8 * 1024 * 1024  # of the sample

_Block: TypeAlias = list[LogLine]


def sample_lines(logs: Sequence[Iterable[LogLine]], rules: Preprocess) -> list[LogLine]:
    """A sample of lines that are not blank, spread evenly over each log.

    The sample is made of blocks of lines that follow one another. Each log gives blocks at equal
    distances, its first one among them: all of them if it is short, so that the sample of a short
    log is the log. Each log may give equally many; of more than 80 logs not all give some. The time
    is that of reading the logs once. The sample holds at most :data:`SAMPLE_LINES` lines and about
    8 MiB.

    Args:
        logs: the lines of each log; all of them are read.
        rules: how lines become text; the forms and headers are not looked at.
    """
    most = SAMPLE_LINES // _BLOCK
    step = -(-len(logs) // most) or 1  # of so many logs one is looked at
    shares = -(-len(logs) // step) or 1
    sample: list[LogLine] = []
    for number, lines in enumerate(logs):
        blocks = _spread_blocks(lines, rules, most // shares, _BYTES // shares)
        if number % step == 0:
            sample += (line for block in blocks for line in block)
    return sample


def _spread_blocks(
    lines: Iterable[LogLine], rules: Preprocess, most: int, most_bytes: int
) -> list[_Block]:
    """At most so many blocks of one log, at equal distances, and of about so many bytes."""
    blocks: list[_Block] = []
    stride = _BLOCK  # lines from the beginning of a block to that of the next
    size = room = 0  # bytes that are held, and that the last block may still take
    for place, line in enumerate(lines):
        within = place % stride
        if within >= _BLOCK:
            continue
        if within == 0:
            if len(blocks) >= most or (size >= most_bytes // 2 and len(blocks) > 1):
                blocks, stride = blocks[::2], 2 * stride
                size = sum(len(one.raw) for block in blocks for one in block)
                if place % stride:
                    continue
            blocks.append([])
            room = most_bytes // 8
        if room >= 0 and (line.oversize or not is_blank(rules.decode(line.raw))):
            blocks[-1].append(line)
            room -= len(line.raw)
            size += len(line.raw)
    return blocks
