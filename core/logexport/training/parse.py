"""``logexport parse``: raw logs to ``parsed.parquet`` and ``preprocess.json``.

Three passes over the same bytes. The first takes a sample, which tells how the log is read
(:mod:`logexport.training.rules`). The second masks every line and mines templates
(:mod:`logexport.training.mining`); the third matches every line against these templates, by the
rules of :mod:`logexport.logs.matching`. Lines that none matches, which only a log of very many
different masked lines has, are mined too, and the third pass is made again, until there are no such
lines: then the file appears. So it holds final templates only, and a line's template is the one
that detection will find. (A mined template that no line is matched to is in no row.)

If templates are given, they are what lines are matched against: nothing is mined, and a line that
none matches has no template. An oversize line has a row without text and template; a blank line has
no row, and neither has a line that belongs to the record before it.

What can be read only once is copied first, and a log whose bytes change meanwhile is an error
(:mod:`logexport.training.sources`).

Memory is bounded by the templates, a sample and a batch of lines, not by the logs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from logexport.errors import InputError, OutputError
from logexport.logs.headers import FORMATS
from logexport.logs.instants import InstantReader, to_datetime
from logexport.logs.joining import RecordReader
from logexport.logs.kept import KeptField
from logexport.logs.lines import LogLine, LogPath
from logexport.logs.preprocess import LineParser, Preprocess
from logexport.training.line_tables import ParsedRow, parsed_writer
from logexport.training.mining import TemplateMiner, describe_miner
from logexport.training.rules import RulesRequest, find_growing, find_rules
from logexport.training.sampling import sample_lines
from logexport.training.sources import Passes, Source
from logexport.training.survey import HeadTally, build_empty_error, find_warnings

__all__ = ["FORMATS", "ParseRequest", "ParseResult", "parse_logs"]

PARSED = "parsed.parquet"
PREPROCESS = "preprocess.json"

MOST_KEPT = 1000
"""How many different values the kept fields may have together in templates."""


@dataclass(frozen=True)
class ParseRequest(RulesRequest):
    """What to parse, and how.

    Args:
        logs: files, compressed or not, ``"-"`` for standard input; read as one, in this order.
        output_dir: where ``parsed.parquet`` and ``preprocess.json`` go; made if missing.
        templates: what lines are matched against; None to mine them.
        year: of the first year-less timestamp; None leaves such timestamps null.
    """

    logs: Sequence[LogPath]
    output_dir: Path
    templates: Sequence[str] | None = None
    year: int | None = None


@dataclass(frozen=True)
class ParseResult:
    """What was parsed.

    Args:
        parsed, preprocess: the files written.
        format: what was given or detected, or ``custom``.
        forms: of structured records, as ``preprocess.json`` has them, without their keys.
        message_keys: the key that has the message, for each form; None for one that has no names.
        lines: all lines.
        rows: records, most of them a line; ``oversize`` of them were too long.
        blank: lines that are blank.
        structured: rows that are structured records, or have one behind their header.
        headers: how many rows each header matched, by its name, and ``""`` for none.
        keep: fields that stay in the events.
        unmatched: how many records fit no head and no form, and the first of them, as
            ``logexport heads --json`` has it.
        warnings: sentences for a person.
        templates: distinct templates among the rows.
        unseen: rows with a text that no given template matches.
        seconds: wall time.
    """

    parsed: Path
    preprocess: Path
    format: str
    forms: tuple[str, ...]
    message_keys: tuple[str | None, ...]
    lines: int
    rows: int
    blank: int
    oversize: int
    structured: int
    headers: dict[str, int]
    keep: tuple[KeptField, ...]
    unmatched: dict[str, Any]
    warnings: tuple[str, ...]
    templates: int
    unseen: int
    seconds: float

    @property
    def continued(self) -> int:
        """Lines that belong to the record before them."""
        return self.lines - self.rows - self.blank

    def to_json(self) -> dict[str, Any]:
        """The document of ``logexport parse --json``."""
        return {
            "parsed": str(self.parsed),
            "preprocess": str(self.preprocess),
            "format": self.format,
            "forms": list(self.forms),
            "message_keys": list(self.message_keys),
            "lines": self.lines,
            "rows": self.rows,
            "blank": self.blank,
            "continued": self.continued,
            "oversize": self.oversize,
            "structured": self.structured,
            "headers": self.headers,
            "keep": [{"field": one.field, "as": one.form} for one in self.keep],
            "unmatched": self.unmatched,
            "warnings": list(self.warnings),
            "templates": self.templates,
            "unseen": self.unseen,
            "seconds": round(self.seconds, 3),
        }


def parse_logs(
    request: ParseRequest,
    progress: Callable[[int, int], None] | None = None,
    on_warning: Callable[[str], None] = lambda _: None,
) -> ParseResult:
    """Parse logs and publish both files, each atomically; old ones are replaced.

    Args:
        request: see there.
        progress: called now and then with the bytes done and the bytes in all, all passes counted.
        on_warning: called with each warning, as soon as there is one.

    Raises:
        InputError: a log cannot be read, changed meanwhile or has no line; a rule cannot be used.
        OutputError: the files cannot be written.
    """
    started = time.monotonic()
    if not request.logs:
        raise InputError("No log is named", "Name at least one log, or - for standard input.")
    warnings = []
    for warning in find_growing(request):  # before a line can hold the log up
        warnings.append(warning)
        on_warning(warning)
    with ExitStack() as stack:
        sources = [Source.open(path, stack) for path in request.logs]
        count = 3 if request.templates is None else 2
        passes = Passes(sources, request.preprocess.reading, count, progress)
        sample = sample_lines(passes.logs(), request.preprocess)
        format_name, rules = find_rules(request, sample)
        builder = _match(request, format_name, rules, passes)
    counts = builder.counts
    found = find_warnings(request, format_name, builder.tally, sample)
    for warning in (*found, *_describe_unseen(counts)):
        warnings.append(warning)
        on_warning(warning)
    return ParseResult(
        parsed=request.output_dir / PARSED,
        preprocess=request.output_dir / PREPROCESS,
        format=format_name,
        forms=tuple(form.form for form in rules.structured),
        message_keys=tuple(form.message for form in rules.structured),
        lines=counts.lines,
        rows=counts.rows + counts.oversize,
        blank=builder.blank,
        oversize=counts.oversize,
        structured=builder.tally.structured,
        headers=builder.tally.counts,
        keep=rules.keep,
        unmatched=builder.tally.describe_unmatched(),
        warnings=tuple(warnings),
        templates=len(counts.templates),
        unseen=counts.unseen,
        seconds=time.monotonic() - started,
    )


def _match(
    request: ParseRequest, format_name: str, rules: Preprocess, passes: Passes
) -> _RowBuilder:
    """Make the passes after the first, and publish; what the last one has seen."""
    parser = LineParser(rules)
    if request.templates is not None:
        builder = _RowBuilder(rules, parser, request.templates, request.year, None)
        _publish(request, format_name, passes, builder)
        return builder
    miner = TemplateMiner(len(rules.keep), rules.version > 1)
    _sample_lines(passes, parser, miner)
    while True:
        builder = _RowBuilder(rules, parser, miner.mine(), request.year, miner)
        try:
            _publish(request, format_name, passes, builder)
        except _AnotherRound:
            passes.add_pass()
        else:
            return builder


class _AnotherRound(Exception):  # noqa: N818 - nothing went wrong
    """Lines have no template yet."""


# --- the second pass ------------------------------------------------------------------------------


def _sample_lines(passes: Passes, parser: LineParser, miner: TemplateMiner) -> None:
    """Give the miner every record that is not oversize."""
    kept: set[tuple[str, ...]] = set()
    for record in RecordReader(parser).read(passes.lines()):
        if record.parsed is not None:
            kept.add(record.parsed.kept)
            if len(kept) > MOST_KEPT:
                raise _build_crowd_error(parser, kept)
            miner.add(parser.mask_record(record.parsed))


def _build_crowd_error(parser: LineParser, kept: Iterable[tuple[str, ...]]) -> InputError:
    """The kept fields tell too many events apart; the one with the most values is named."""
    counts = [len(set(values)) for values in zip(*kept, strict=True)]
    field = parser.preprocess.keep[counts.index(max(counts))].field
    return InputError(
        f"The kept fields have more than {MOST_KEPT:,} different values together, the field "
        f"{field!r} {max(counts):,} of them",
        f"A field that varies so much tells no events apart. Leave it out by --drop {field}.",
    )


# --- the last pass --------------------------------------------------------------------------------


@dataclass
class _Counts:
    """What the last pass counts; ``rows`` are those with a text, ``unseen`` of them without a
    template, ``templates`` places in the list of all templates."""

    lines: int = 0
    rows: int = 0
    oversize: int = 0
    unseen: int = 0
    templates: set[int] = field(default_factory=set)


class _RowBuilder:
    """Lines to rows of ``parsed.parquet``, matched against the final templates.

    Args:
        rules: those of the log.
        parser: the same, compiled.
        templates: what lines are matched against.
        year: of the first year-less timestamp, see :class:`ParseRequest`.
        miner: what is given the lines that no template matches; None if they have no template.

    Attributes:
        rules: see above.
        counts: of the lines so far.
        tally: of the records so far, by their heads.
    """

    def __init__(
        self,
        rules: Preprocess,
        parser: LineParser,
        templates: Sequence[str],
        year: int | None,
        miner: TemplateMiner | None,
    ) -> None:
        self.rules = rules
        self.counts = _Counts()
        self.tally = HeadTally(rules)
        self._records = RecordReader(parser)
        self._parser = parser
        self._templates = templates
        self._miner = miner
        self._matcher = rules.make_matcher(templates)
        self._instants = InstantReader(year)

    def build_rows(self, passes: Passes) -> Iterator[ParsedRow]:
        """The rows of the last pass, in the order of the lines, a row a record.

        After the first line that is for the miner there are no more rows.

        Raises:
            InputError: the logs changed meanwhile.
            _AnotherRound: there were lines for the miner.
        """
        is_complete = True
        for record in self._records.read(self._count(passes.lines())):
            parsed = record.parsed
            if parsed is None:
                self.counts.oversize += 1
                yield ParsedRow(record.number, None, None, None, None, None, None, None)
                continue
            masked = self._parser.mask_record(parsed)
            index = self._matcher.match(masked)
            if index is None and self._miner is not None:
                self._miner.add(masked)
                is_complete = False
            if not is_complete:
                continue
            self.counts.rows += 1
            self.tally.add(record)
            if index is None:
                self.counts.unseen += 1
            else:
                self.counts.templates.add(index)
            groups = None if parsed.time is None else parsed.time.groupdict()
            instant = self._instants.read(parsed.timestamp, groups)
            yield ParsedRow(
                record.number,
                None if instant is None else to_datetime(instant),
                parsed.host,
                parsed.process,
                record.raw,
                masked.text,
                None if index is None else index + 1,
                None if index is None else self._templates[index],
                record.continues,
            )
        if not is_complete:
            raise _AnotherRound

    @property
    def blank(self) -> int:
        """Lines that are blank, of those so far."""
        return self._records.blank

    def _count(self, lines: Iterable[LogLine]) -> Iterator[LogLine]:
        for line in lines:
            self.counts.lines += 1
            yield line


def _describe_unseen(counts: _Counts) -> Iterator[str]:
    """A warning of records that no given template matches, if there are any."""
    if counts.unseen:
        yield (
            f"{counts.unseen:,} of {counts.rows:,} records match no template of the list, so they"
            " have none: a model learns nothing of them, and detection calls such lines unseen. Add"
            " templates of them, or leave --templates out to have all templates mined"
        )


# --- publishing -----------------------------------------------------------------------------------


def _publish(request: ParseRequest, format_name: str, passes: Passes, builder: _RowBuilder) -> None:
    """Write the rows of the last pass and the rules, each file atomically.

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
        "miner": {"name": "list"} if request.templates is not None else describe_miner(),
    }
    with parsed_writer(output / PARSED, about) as write:
        for row in builder.build_rows(passes):
            write(row)
        if builder.counts.rows == 0:
            only_continued = builder.counts.lines > builder.blank + builder.counts.oversize
            raise build_empty_error(passes.sources, only_continued=only_continued)
        if builder.counts.rows == builder.counts.unseen:
            raise InputError(
                "No record of the log matches a template of the list",
                "Edit what `logexport templates --list` writes of this log; the rules that it was"
                " parsed by (masks, kept fields) decide what a template looks like.",
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
