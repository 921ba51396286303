"""``logexport mscred build``: from parsed.parquet to a vocabulary and counts of windows."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from logexport.errors import InputError
from logexport.logs.events import EventReader
from logexport.logs.lines import Line
from logexport.logs.preprocess import Preprocess
from logexport.logs.windows import CountWindows
from logexport.parquet import ParsedFile, read_parsed
from logexport.types import Vocabulary
from logexport.vocab import load_vocab, save_training_vocab

from logexport_mscred.counts import FILE, counts_writer

_PARSE = "Name the parsed.parquet that `logexport parse` wrote, or parse the raw log again."


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
    log = read_parsed(parsed)
    if not log.written_by_logexport:
        raise InputError(f"{parsed} was not written by logexport parse", _PARSE)
    if log.rows < lines:
        raise InputError(
            f"{parsed} has {log.rows} lines, fewer than one window of {lines}",
            "Choose a smaller --lines, or parse a longer log.",
        )
    rules = _rules(parsed, preprocess)
    vocabulary = load_vocab(vocab) if vocab is not None else _own_templates(log)
    out = BuildResult(
        vocab=output_dir / "vocab.json",
        window_counts=output_dir / FILE,
        preprocess=output_dir / "preprocess.json",
        templates=len(vocabulary),
        log_lines=0,
        unseen=0,
        windows=0,
        lines=lines,
        stride=stride,
    )
    rules = _kept(out.preprocess, rules)
    save_training_vocab(vocabulary, out.vocab)
    rules.save(out.preprocess)
    windows = CountWindows(lines, stride, 1, len(vocabulary))
    about = {
        "lines": lines,
        "stride": stride,
        "vocab_sha256": vocabulary.sha256(),
        "preprocess": rules.to_json(),
    }
    rows = unseen = complete = 0
    with counts_writer(out.window_counts, len(vocabulary), about) as write:
        for line_no, then, template in match_again(log, rules, vocabulary):
            if vocab is None:
                _check_template(log, line_no, then, template, vocabulary)
            window = windows.append(line_no, template)
            if window is not None:
                write(window, complete * stride)
                complete += 1
            unseen += template is None
            rows += 1
            if rows % 1000 == 0:
                on_lines(1000)
        on_lines(rows % 1000)
    return dataclasses.replace(out, log_lines=rows, unseen=unseen, windows=complete)


def count_lines(parsed: Path) -> int:
    """How many lines ``parsed`` has, for a progress display."""
    return read_parsed(parsed).rows


def match_again(
    log: ParsedFile, rules: Preprocess, vocabulary: Vocabulary
) -> Iterator[tuple[int, str | None, int | None]]:
    """Line number, the template then and the template's index now, of every line of a parsed log.

    Raises:
        InputError: a row holds a blank line, which logexport never writes.
    """
    reader = EventReader(rules, vocabulary)
    for row in log:
        oversize = row.raw is None or len(row.raw) > rules.max_line_bytes
        event = reader.event(Line(row.line_no, b"" if oversize else row.raw or b"", oversize))
        if event is None:
            raise InputError(f"line {row.line_no} is blank, which no parsed line can be", _PARSE)
        yield row.line_no, row.template, event.template


def _rules(parsed: Path, preprocess: Path | None) -> Preprocess:
    if preprocess is not None:
        return Preprocess.load(preprocess)
    beside = parsed.parent / "preprocess.json"
    if not beside.exists():
        raise InputError(
            f"there is no preprocess.json beside {parsed}",
            "Name the rules that the log was parsed with by --preprocess, or parse it again.",
        )
    return Preprocess.load(beside)


def _kept(path: Path, rules: Preprocess) -> Preprocess:
    """The rules at ``path`` where only their sessions differ."""
    if not path.exists():
        return rules
    there = Preprocess.load(path)
    return there if dataclasses.replace(there, session=rules.session) == rules else rules


def _own_templates(log: ParsedFile) -> Vocabulary:
    templates = {row.template for row in log if row.template is not None}
    if not templates:
        raise InputError(f"{log.path} holds no template", "Parse a log that is not empty.")
    return Vocabulary(tuple(sorted(templates)))


def _check_template(
    log: ParsedFile, line_no: int, then: str | None, template: int | None, vocabulary: Vocabulary
) -> None:
    """The same rules give the same templates; others would train a model on other counts."""
    now = None if template is None else vocabulary.templates[template]
    if then != now:
        raise InputError(
            f"line {line_no} of {log.path} was parsed as {then!r}, but the rules now make it "
            f"{now!r}",
            "Use the preprocess.json that parse wrote, or parse the log again.",
        )
