"""``logexport parse``: raw logs to ``parsed.parquet`` and ``preprocess.json``.

Two passes over the same bytes. The first masks every line and mines templates; the second matches
every line against the templates as they have become, by the rules of
:mod:`logexport.logs.matching`. So the file holds final templates only, and a line's template is
the one that detection will find. (A mined template that no line is matched to is in no row.) An
oversize line has a row without text and template; a blank line has none, and neither has a line
that belongs to the record before it.

Before the first pass the first lines tell how the log is read (:mod:`logexport.training.formats`).

What cannot be read twice is copied first, and a log whose bytes change meanwhile is an error
(:mod:`logexport.training.sources`).

Memory is bounded by the templates and a batch of lines, not by the logs.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from logexport.errors import InputError, OutputError
from logexport.logs.headers import FORMATS, headers_of
from logexport.logs.instants import InstantReader, to_datetime
from logexport.logs.joining import RecordReader
from logexport.logs.lines import LogLine, LogPath, as_log, is_blank, iter_lines
from logexport.logs.matching import TemplateMatcher
from logexport.logs.preprocess import LineParser, Preprocess
from logexport.logs.structured import MAX_FORMS, StructuredForm
from logexport.training.formats import find_forms, find_heads, form_with_key
from logexport.training.line_tables import ParsedRow, parsed_writer
from logexport.training.mining import DrainOptions, TemplateMiner
from logexport.training.sources import Source, TwoPasses, build_change_error

__all__ = ["FORMATS", "ParseRequest", "ParseResult", "parse_logs"]

PARSED = "parsed.parquet"
PREPROCESS = "preprocess.json"

SAMPLE_LINES = 1000
"""How many lines are looked at to find the forms and headers of a log."""
_SAMPLE_BYTES = 8 * 1024 * 1024  # of them, so that the sample stays bounded


@dataclass(frozen=True)
class ParseRequest:
    """What to parse, and how.

    Args:
        logs: files, compressed or not, ``"-"`` for standard input; read as one, in this order.
        output_dir: where ``parsed.parquet`` and ``preprocess.json`` go; made if missing.
        format: a name of :data:`logexport.logs.headers.FORMATS`, ``auto`` to detect it, or None to
            take the headers of ``preprocess``.
        preprocess: masks, matching and limits, headers if ``format`` is None, and structured forms
            if they are not found.
        find_forms: find the structured forms of the log.
        message_key: the key that has the message in JSON or logfmt; None to find it.
        drain: settings of the miner.
        year: of the first year-less timestamp; None leaves such timestamps null.
    """

    logs: Sequence[LogPath]
    output_dir: Path
    format: str | None = "auto"
    preprocess: Preprocess = field(default_factory=Preprocess)
    find_forms: bool = True
    message_key: str | None = None
    drain: DrainOptions = field(default_factory=DrainOptions)
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
        templates: distinct templates among the rows.
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
    templates: int
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
        format_name, rules = _find_rules(request, sources)
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
        forms=tuple(form.form for form in rules.structured),
        message_keys=tuple(form.message for form in rules.structured),
        lines=counts.lines,
        rows=counts.rows + counts.oversize,
        blank=builder.blank,
        oversize=counts.oversize,
        structured=counts.structured,
        headers={name: counts.headers[name] for name in [*(h.name for h in rules.headers), ""]},
        templates=len(counts.templates),
        seconds=time.monotonic() - started,
    )


# --- forms and headers ----------------------------------------------------------------------------


def _find_rules(request: ParseRequest, sources: Sequence[Source]) -> tuple[str, Preprocess]:
    """The rules that lines are read with, and the name of their format."""
    rules = request.preprocess
    lines = _sample_lines(sources, rules)
    texts = [rules.decode(line.raw) for line in lines if not line.oversize]
    looks_for_forms = request.find_forms or request.message_key is not None
    if looks_for_forms and rules.version == 1:
        raise InputError(
            "Rules of version 1 know no structured records",
            "Leave --preprocess out, or name rules of version 2.",
        )
    if request.find_forms:
        rules = replace(rules, structured=find_forms(texts))
    key = request.message_key
    keyed = None if key is None else form_with_key(texts, key, rules.structured)
    rules = _with_form_first(rules, keyed)
    name = request.format
    if name is None:
        name = "custom"
    else:
        if name == "auto":
            name, headers, keep = find_heads(lines, rules)
            rules = replace(rules, headers=headers, keep=keep)
        else:
            rules = replace(rules, headers=headers_of(name))
    if looks_for_forms and rules.headers:
        parser = LineParser(rules)
        parsed = (parser.parse(line.raw) for line in lines if not line.oversize)
        behind = [one.message for one in parsed if one.header is not None and not one.next_line]
        if key is not None and keyed is None:
            keyed = form_with_key(behind, key, rules.structured)
            rules = _with_form_first(rules, keyed)
        if request.find_forms:
            rules = replace(rules, structured=find_forms(behind, rules.structured))
    if key is not None and keyed is None:
        example = next(iter(texts), "")
        shown = example if len(example) <= 200 else example[:200] + "…"
        raise InputError(
            f"No line has a text under the key {key!r}; the first one is {shown!r}",
            "Name a key of the JSON or logfmt lines by --message-key; keys inside one another are "
            "joined by dots.",
        )
    return name, rules


def _with_form_first(rules: Preprocess, form: StructuredForm | None) -> Preprocess:
    """The rules with a form before the others, if there is one."""
    if form is None:
        return rules
    return replace(rules, structured=(form, *rules.structured)[:MAX_FORMS])


def _sample_lines(sources: Sequence[Source], rules: Preprocess) -> list[LogLine]:
    """The first lines that are not blank."""
    sample: list[LogLine] = []
    size = 0
    for source in sources:
        with source.read() as stream:
            for line in iter_lines(as_log(stream, source.name, rules.reading), rules.reading):
                if line.oversize or not is_blank(rules.decode(line.raw)):
                    sample.append(line)
                size += len(line.raw)
                if len(sample) >= SAMPLE_LINES or size >= _SAMPLE_BYTES:
                    return sample
    return sample


# --- the first pass -------------------------------------------------------------------------------


def _mine_templates(
    passes: TwoPasses, parser: LineParser, drain: DrainOptions
) -> list[tuple[int, str]]:
    """Mine every record that is not oversize; (cluster number, template), by number."""
    miners: dict[tuple[str, ...], TemplateMiner] = {}
    for record in RecordReader(parser).read(passes.first()):
        if record.parsed is not None:
            kept = record.parsed.kept
            if kept not in miners:
                miners[kept] = TemplateMiner(drain)
            miners[kept].add(parser.mask(record.parsed.message))
    templates = [
        " ".join(filter(None, (*kept, text)))
        for kept, miner in miners.items()
        for _, text in miner.templates()
    ]
    return list(enumerate(templates, 1))


# --- the second pass ------------------------------------------------------------------------------


@dataclass
class _Counts:
    """What the second pass counts; ``rows`` are those with a text, ``templates`` places in the list
    of the mined ones."""

    lines: int = 0
    rows: int = 0
    oversize: int = 0
    structured: int = 0
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
        self._records = RecordReader(parser)
        self._parser = parser
        self._templates = templates
        self._matcher = TemplateMatcher([text for _, text in templates], (), rules.prefer)
        self._instants = InstantReader(year)

    def build_rows(self, passes: TwoPasses) -> Iterator[ParsedRow]:
        """The rows of the second pass, in the order of the lines, a row a record.

        Raises:
            InputError: the logs changed meanwhile.
        """
        for record in self._records.read(self._count(passes.second())):
            parsed = record.parsed
            if parsed is None:
                self.counts.oversize += 1
                yield ParsedRow(record.number, None, None, None, None, None, None, None)
                continue
            masked = self._parser.mask_record(parsed)
            index = self._matcher.match(masked)
            if index is None:  # the same bytes gave these templates
                raise build_change_error(passes.sources)
            self.counts.rows += 1
            self.counts.headers[parsed.header or ""] += 1
            self.counts.structured += parsed.opened or parsed.opened_behind
            self.counts.templates.add(index)
            number, template = self._templates[index]
            groups = None if parsed.time is None else parsed.time.groupdict()
            instant = self._instants.read(parsed.timestamp, groups)
            yield ParsedRow(
                record.number,
                None if instant is None else to_datetime(instant),
                parsed.host,
                parsed.process,
                record.raw,
                masked,
                number,
                template,
                record.continues,
            )

    @property
    def blank(self) -> int:
        """Lines that are blank, of those so far."""
        return self._records.blank

    def _count(self, lines: Iterable[LogLine]) -> Iterator[LogLine]:
        for line in lines:
            self.counts.lines += 1
            yield line


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
            if builder.counts.lines > builder.blank + builder.counts.oversize:
                raise InputError(
                    f"There are only continuation lines in {names}",
                    "Name a log with whole records, or take each line for one: --no-continuation.",
                )
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
