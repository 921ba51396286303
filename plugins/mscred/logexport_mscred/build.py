"""``logexport mscred build``: from parsed.parquet to a vocabulary and counts of windows."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from logexport.errors import InputError
from logexport.logs.preprocess import Preprocess
from logexport.logs.windows import CountWindows
from logexport.parquet import read_parsed
from logexport.training_log import TrainingLog
from logexport.vocab import save_training_vocab

from logexport_mscred.counts import FILE, counts_writer

PROGRESS_STEP = 1000
"""Lines between two calls of ``on_lines``."""


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

    def to_json(self) -> dict[str, Any]:
        """The document of ``--json``."""
        return {
            key: str(value) if isinstance(value, Path) else value
            for key, value in dataclasses.asdict(self).items()
        }


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
    out = BuildResult(
        vocab=output_dir / "vocab.json",
        window_counts=output_dir / FILE,
        preprocess=output_dir / "preprocess.json",
        templates=len(log.vocabulary),
        log_lines=0,
        unseen=0,
        windows=0,
        lines=lines,
        stride=stride,
    )
    rules = _kept(out.preprocess, log.rules)
    save_training_vocab(log.vocabulary, out.vocab)
    rules.save(out.preprocess)
    windows = CountWindows(lines, stride, 1, len(log.vocabulary))
    about = {
        "lines": lines,
        "stride": stride,
        "vocab_sha256": log.vocabulary.sha256(),
        "preprocess": rules.to_json(),
    }
    rows = unseen = complete = 0
    with counts_writer(out.window_counts, len(log.vocabulary), about) as write:
        for row, event in log:
            window = windows.append(row.line_no, event.template)
            if window is not None:
                write(window, complete * stride)
                complete += 1
            unseen += event.template is None
            rows += 1
            if rows % PROGRESS_STEP == 0:
                on_lines(PROGRESS_STEP)
        on_lines(rows % PROGRESS_STEP)
    return dataclasses.replace(out, log_lines=rows, unseen=unseen, windows=complete)


def count_lines(parsed: Path) -> int:
    """How many lines ``parsed`` has, for a progress display."""
    return read_parsed(parsed).rows


def _kept(path: Path, rules: Preprocess) -> Preprocess:
    """The rules at ``path`` where only their sessions differ."""
    if not path.exists():
        return rules
    there = Preprocess.load(path)
    return there if dataclasses.replace(there, session=rules.session) == rules else rules
