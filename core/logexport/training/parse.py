"""``logexport parse``: raw logs to ``parsed.parquet`` and ``preprocess.json``.

Two passes over the same bytes. The first masks every line and mines templates; the second matches
every line against the templates as they have become, by the rules of
:mod:`logexport.logs.matching`. So the file holds final templates only, and a line's template is the
one that detection will find. (A mined template that no line is matched to is in no row.) An
oversize line has a row without text and template; a blank line has none.

What cannot be read twice is copied first, and a log whose bytes change meanwhile is an error
(:mod:`logexport.training.sources`).

Memory is bounded by the templates and a batch of lines, not by the logs.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from logexport.errors import InputError, OutputError
from logexport.logs.headers import (
    FORMATS,
    SAMPLE_LINES,
    Header,
    TimestampReader,
    detect_format,
    headers_of,
)
from logexport.logs.lines import LogPath, as_log, is_blank, iter_lines
from logexport.logs.matching import TemplateMatcher
from logexport.logs.preprocess import LineParser, Preprocess
from logexport.training.line_tables import ParsedRow, parsed_writer
from logexport.training.mining import DrainOptions, TemplateMiner
from logexport.training.sources import Source, TwoPasses, build_change_error

__all__ = ["FORMATS", "ParseRequest", "ParseResult", "parse_logs"]

PARSED = "parsed.parquet"
PREPROCESS = "preprocess.json"

_SAMPLE_BYTES = 8 * 1024 * 1024  # of the lines that detection looks at, so that it stays bounded


@dataclass(frozen=True)
class ParseRequest:
    """What to parse, and how.

    Args:
        logs: files, compressed or not, ``"-"`` for standard input; read as one, in this order.
        output_dir: where ``parsed.parquet`` and ``preprocess.json`` go; made if missing.
        format: a name of :data:`logexport.logs.headers.FORMATS`, ``auto`` to detect it, or None to
            take the headers of ``preprocess``.
        preprocess: masks, matching and limits, and headers if ``format`` is None.
        drain: settings of the miner.
        year: of the first year-less timestamp; None leaves such timestamps null.
    """

    logs: Sequence[LogPath]
    output_dir: Path
    format: str | None = "auto"
    preprocess: Preprocess = field(default_factory=Preprocess)
    drain: DrainOptions = field(default_factory=DrainOptions)
    year: int | None = None


@dataclass(frozen=True)
class ParseResult:
    """What was parsed.

    Args:
        parsed, preprocess: the files written.
        format: what was given or detected, or ``custom``.
        lines: all lines; ``rows`` of them are not blank, ``oversize`` were too long.
        headers: how many rows each header matched, by its name, and ``""`` for none.
        templates: distinct templates among the rows.
        seconds: wall time.
    """

    parsed: Path
    preprocess: Path
    format: str
    lines: int
    rows: int
    oversize: int
    headers: dict[str, int]
    templates: int
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """The document of ``logexport parse --json``."""
        return {
            "parsed": str(self.parsed),
            "preprocess": str(self.preprocess),
            "format": self.format,
            "lines": self.lines,
            "rows": self.rows,
            "blank": self.lines - self.rows,
            "oversize": self.oversize,
            "headers": self.headers,
            "templates": self.templates,
            "seconds": round(self.seconds, 3),
        }


def parse_logs(
    request: ParseRequest, progress: Callable[[int, int], None] | None = None
) -> ParseResult:
    """Parse logs and publish both files, each atomically; old ones are replaced.

    Args:
        request: see there.
        progress: called now and then with the bytes done and the bytes in all, both passes counted.

    Raises:
        InputError: a log cannot be read, changed meanwhile or has no line; a rule cannot be used.
        OutputError: the files cannot be written.
    """
    started = time.monotonic()
    if not request.logs:
        raise InputError("No log is named", "Name at least one log, or - for standard input.")
    with ExitStack() as stack:
        sources = [Source.open(path, stack) for path in request.logs]
        format_name, headers = _find_headers(request, sources)
        rules = replace(request.preprocess, headers=headers)
        parser = LineParser(rules)
        passes = TwoPasses(sources, rules.reading, progress)
        templates = _mine_templates(passes, parser, request.drain)
        builder = _RowBuilder(rules, parser, templates, request.year)
        _publish(request, format_name, passes, builder)
    counts = builder.counts
    return ParseResult(
        parsed=request.output_dir / PARSED,
        preprocess=request.output_dir / PREPROCESS,
        format=format_name,
        lines=counts.lines,
        rows=counts.rows + counts.oversize,
        oversize=counts.oversize,
        headers={name: counts.headers[name] for name in [*(h.name for h in headers), ""]},
        templates=len(counts.templates),
        seconds=time.monotonic() - started,
    )


# --- headers --------------------------------------------------------------------------------------


def _find_headers(
    request: ParseRequest, sources: Sequence[Source]
) -> tuple[str, tuple[Header, ...]]:
    """The headers that lines are read with, and the name of their format."""
    if request.format is None:
        return "custom", request.preprocess.headers
    if request.format != "auto":
        return request.format, headers_of(request.format)
    name = detect_format(_sample_lines(sources, request.preprocess))
    return name, headers_of(name)


def _sample_lines(sources: Sequence[Source], rules: Preprocess) -> list[str]:
    """The first lines that are neither blank nor oversize, for :func:`detect_format`."""
    sample: list[str] = []
    size = 0
    for source in sources:
        with source.read() as stream:
            for line in iter_lines(as_log(stream, source.name, rules.reading), rules.reading):
                text = rules.decode(line.raw)
                if not line.oversize and not is_blank(text):
                    sample.append(text)
                size += len(line.raw)
                if len(sample) >= SAMPLE_LINES or size >= _SAMPLE_BYTES:
                    return sample
    return sample


# --- the first pass -------------------------------------------------------------------------------


def _mine_templates(
    passes: TwoPasses, parser: LineParser, drain: DrainOptions
) -> list[tuple[int, str]]:
    """Mine every line that is neither blank nor oversize; (cluster number, template), by number."""
    miner = TemplateMiner(drain)
    for line in passes.first():
        if not line.oversize:
            found = parser.masked_and_session(line.raw)
            if found is not None:
                miner.add(found[0])
    return miner.templates()


# --- the second pass ------------------------------------------------------------------------------


@dataclass
class _Counts:
    """What the second pass counts; ``rows`` are those with a text, ``templates`` places in the list
    of the mined ones."""

    lines: int = 0
    rows: int = 0
    oversize: int = 0
    headers: Counter[str] = field(default_factory=Counter)
    templates: set[int] = field(default_factory=set)


class _RowBuilder:
    """Lines to rows of ``parsed.parquet``, matched against the final templates.

    Args:
        rules: those of the log.
        parser: the same, compiled.
        templates: (cluster number, template) as they are after the first pass.
        year: of the first year-less timestamp, see :class:`ParseRequest`.

    Attributes:
        rules: see above.
        counts: of the lines so far.
    """

    def __init__(
        self,
        rules: Preprocess,
        parser: LineParser,
        templates: Sequence[tuple[int, str]],
        year: int | None,
    ) -> None:
        self.rules = rules
        self.counts = _Counts()
        self._parser = parser
        self._templates = templates
        self._matcher = TemplateMatcher([text for _, text in templates], (), rules.prefer)
        self._timestamps = TimestampReader(year)

    def build_rows(self, passes: TwoPasses) -> Iterator[ParsedRow]:
        """The rows of the second pass, in the order of the lines; a blank line has none.

        Raises:
            InputError: the logs changed meanwhile.
        """
        for line in passes.second():
            self.counts.lines += 1
            if line.oversize:
                self.counts.oversize += 1
                yield ParsedRow(line.number, None, None, None, None, None, None, None)
                continue
            parsed = self._parser.parse(line.raw)
            if parsed.blank:
                continue
            index = self._matcher.match(parsed.masked)
            if index is None:  # the same bytes gave these templates
                raise build_change_error(passes.sources)
            self.counts.rows += 1
            self.counts.headers[parsed.header or ""] += 1
            self.counts.templates.add(index)
            number, template = self._templates[index]
            yield ParsedRow(
                line.number,
                self._timestamps.read(parsed.timestamp_text),
                parsed.host,
                parsed.process,
                line.raw,
                parsed.masked,
                number,
                template,
            )


# --- publishing -----------------------------------------------------------------------------------


def _publish(
    request: ParseRequest, format_name: str, passes: TwoPasses, builder: _RowBuilder
) -> None:
    """Write the rows of the second pass and the rules, each file atomically.

    Raises:
        InputError: no line has a row with a text, or the logs changed meanwhile.
        OutputError: the files cannot be written.
    """
    output = request.output_dir
    _make_directory(output)
    about = {
        "sources": [source.describe() for source in passes.sources],
        "preprocess_sha256": builder.rules.sha256(),
        "format": format_name,
        "drain": {
            "depth": request.drain.depth,
            "similarity": request.drain.similarity,
            "max_children": request.drain.max_children,
        },
    }
    with parsed_writer(output / PARSED, about) as write:
        for row in builder.build_rows(passes):
            write(row)
        if builder.counts.rows == 0:
            names = ", ".join(source.name for source in passes.sources)
            raise InputError(
                f"There is no line to parse in {names}", "Name a log that is not empty."
            )
        # Before the table appears, so that a table never stands beside rules that are missing.
        builder.rules.save(output / PREPROCESS)


def _make_directory(path: Path) -> None:
    """Make the output directory, if it is not there."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"The output directory {path} cannot be made: {error.strerror or error}",
            "Name another with -o.",
        ) from error
