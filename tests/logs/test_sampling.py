"""The sample of a log by which its heads are found: bounded, and spread over all of it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from hypothesis import example, given, settings
from hypothesis import strategies as st
from logexport.logs.lines import LogLine
from logexport.logs.preprocess import Preprocess
from logexport.training.sampling import SAMPLE_LINES, sample_lines

BLOCK = 25


def numbered(counts: list[int], text: bytes = b"x") -> list[Iterator[LogLine]]:
    """Logs of so many lines, numbered through."""
    firsts = [sum(counts[:place]) + 1 for place in range(len(counts))]
    return [
        (LogLine(number, text) for number in range(first, first + count))
        for first, count in zip(firsts, counts, strict=True)
    ]


def blocks_of(numbers: list[int], first: int) -> list[int]:
    """The places where blocks begin, counted in blocks from the beginning of their log."""
    return sorted({(number - first) // BLOCK for number in numbers})


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 9000), max_size=6))
@example([2000])
@example([2001])
@example([100_000])
@example([30, 100_000])
@example([40] * 300)
def test_a_sample_is_bounded_in_order_and_at_equal_distances(counts: list[int]) -> None:
    numbers = [line.number for line in sample_lines(numbered(counts), Preprocess())]
    assert numbers == sorted(set(numbers))
    assert len(numbers) <= SAMPLE_LINES
    if sum(counts) <= SAMPLE_LINES and len(counts) <= 1:
        assert len(numbers) == sum(counts)
    first = 1
    share = SAMPLE_LINES // BLOCK // max(len(counts), 1)
    for count in counts:
        own = [number for number in numbers if first <= number < first + count]
        if share:
            places = blocks_of(own, first)
            # Of a log that may give so many blocks, at least half as many are taken.
            assert len(places) >= min(-(-count // BLOCK), -(-share // 2))
            assert len({after - before for before, after in pairwise(places)}) <= 1
            assert not count or places[0] == 0
        first += count


def test_every_log_gives_its_share_if_there_are_few() -> None:
    lines = sample_lines(numbered([50, 1_000_000, 50]), Preprocess())
    numbers = [line.number for line in lines]
    assert numbers[:50] == list(range(1, 51))
    assert numbers[-50:] == list(range(1_000_051, 1_000_101))


def test_many_logs_are_all_read_and_some_of_them_sampled() -> None:
    logs = numbered([30] * 1000)
    lines = sample_lines(logs, Preprocess())
    assert SAMPLE_LINES // 2 <= len(lines) <= SAMPLE_LINES
    assert lines[-1].number > 28_000
    assert all(next(log, None) is None for log in logs)


def test_blank_lines_are_left_out_and_oversize_ones_are_not() -> None:
    lines = [LogLine(1, b" \t"), LogLine(2, b"", True), LogLine(3, b"\x1b[0m"), LogLine(4, b"x")]
    assert [line.number for line in sample_lines([lines], Preprocess())] == [2, 4]


def test_long_lines_are_fewer() -> None:
    lines = sample_lines(numbered([3000], b"x" * (1 << 20)), Preprocess())
    assert 4 <= len(lines) <= 16
    assert lines[-1].number > 1000
    several = sample_lines(numbered([100] * 20, b"x" * (1 << 20)), Preprocess())
    assert sum(len(line.raw) for line in several) <= 64 << 20


def test_no_log_has_no_sample() -> None:
    assert sample_lines([], Preprocess()) == []
