"""``logexport mscred build``: from parsed.parquet to a vocabulary and counts of windows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from logexport.errors import InputError
from logexport.logs.windows import CountWindows
from logexport.training.log import TrainingLog

from logexport_mscred.counts import counts_row, counts_table


@dataclass(frozen=True)
class BuildResult:
    """The files written, and what is in them.

    Args:
        vocab, window_counts, preprocess: paths.
        templates: entries of the vocabulary.
        log_lines: lines that are not blank; those after the last complete window are in no window.
        unseen: lines without a template; they take their place and count in no column.
        windows: rows of ``window_counts``.
        lines, stride: of a window.
    """

    vocab: Path
    window_counts: Path
    preprocess: Path
    templates: int
    log_lines: int
    unseen: int
    windows: int
    lines: int
    stride: int


def build_counts(
    parsed: Path,
    output_dir: Path,
    vocab: Path | None = None,
    preprocess: Path | None = None,
    lines: int = 50,
    stride: int = 25,
    on_lines: Callable[[int], None] = lambda _: None,
) -> BuildResult:
    """Write ``vocab.json``, ``window_counts.parquet`` and ``preprocess.json`` into ``output_dir``.

    The vocabulary is the distinct template strings in code point order, which is DeepLog's too, or
    the one given. Templates are matched from the raw lines, as detection matches them. Sessions
    mean nothing to counts over the whole log: rules that lie in ``output_dir`` already and differ
    in nothing else are left as they are, for the model that they were made for.

    Args:
        parsed: what ``logexport parse`` wrote.
        output_dir: made where it does not exist.
        vocab: a vocabulary to use instead of the log's own templates; it is copied.
        preprocess: the rules of the log; None for those beside ``parsed``.
        lines, stride: lines in a window, and from the beginning of one to that of the next.
        on_lines: called with the number of lines just matched.

    Raises:
        InputError: a file is missing or malformed, the rules are not those that the log was parsed
            with, or the log is shorter than one window.
        OutputError: the directory cannot be written.
    """
    log = TrainingLog(parsed, vocab, preprocess)
    if log.file.rows < lines:
        raise InputError(
            f"{parsed} has {log.file.rows} lines, fewer than one window of {lines}",
            "Choose a smaller --lines, or parse a longer log.",
        )
    features, complete = len(log.vocabulary), 0
    windows = CountWindows(lines, stride, 1, features)
    about = {"lines": lines, "stride": stride}
    with log.build(output_dir, counts_table(features), about, True, on_lines) as build:
        for row, event, _session in build:
            window = windows.append(row.line_no, event.template)
            if window is not None:
                build.write(counts_row(window, complete * stride))
                complete += 1
    return BuildResult(
        vocab=build.vocab,
        window_counts=build.table,
        preprocess=build.preprocess,
        templates=build.templates,
        log_lines=build.lines,
        unseen=build.unseen,
        windows=complete,
        lines=lines,
        stride=stride,
    )
