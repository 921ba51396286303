"""``logexport heads``: which heads and structured forms the records of a log have, and examples."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from logexport.errors import InputError
from logexport.logs.joining import LogRecord, RecordReader
from logexport.logs.kept import ABSENT
from logexport.logs.lines import LogLine, LogPath, tokens
from logexport.logs.preprocess import LineParser, ParsedLine, Preprocess
from logexport.training.keeping import find_fields
from logexport.training.rules import RulesRequest, find_rules, shorten
from logexport.training.sampling import sample_lines
from logexport.training.sources import Passes, Source
from logexport.training.times import find_time

__all__ = [
    "HeadTally",
    "Survey",
    "SurveyRequest",
    "build_empty_error",
    "find_warnings",
    "survey_logs",
]

_ALIKE_SHARE = 0.05
_ALIKE_COUNT = 5
_REACH = 40  # characters in which a time is looked for
_VALUES = 8  # of a kept field that are shown


class HeadTally:
    """Counts the records of a log by their heads, and holds one of each kind as an example.

    Args:
        rules: those that the records are read by.

    Attributes:
        begun: records with a text that are not the exception of the record before.
        structured: records that are structured or have a structured one behind their head.
        unmatched: of ``begun``, those that have no head and are not structured; what Docker and CRI
            surround needs a head like any line.
    """

    def __init__(self, rules: Preprocess) -> None:
        self.rules = rules
        self.begun = self.structured = self.unmatched = 0
        self._counts: Counter[str] = Counter()
        self._examples: dict[str, LogRecord] = {}
        self._structured: LogRecord | None = None
        self._unmatched: LogRecord | None = None
        self._values: dict[str, dict[str, None]] = {one.field: {} for one in rules.keep}

    def add(self, record: LogRecord) -> None:
        """Count a record; an oversize one is not looked at."""
        parsed = record.parsed
        if parsed is None:
            return
        header = parsed.header or ""
        self._counts[header] += 1
        if header not in self._examples:
            self._examples[header] = record
        if parsed.opened or parsed.opened_behind:
            self.structured += 1
            self._structured = self._structured or record
        for one, token in zip(self.rules.keep, parsed.kept, strict=True):
            values = self._values[one.field]
            if len(values) < _VALUES:
                values[token] = None
        if record.continues is not None:
            return
        self.begun += 1
        if _has_no_head(parsed):
            self.unmatched += 1
            self._unmatched = self._unmatched or record

    @property
    def counts(self) -> dict[str, int]:
        """How many records each header matched, by its name, and ``""`` for none."""
        names = [*(header.name for header in self.rules.headers), ""]
        return {name: self._counts[name] for name in names}

    def describe_heads(self) -> list[dict[str, Any]]:
        """The headers with their shares, and an example of each that matches a record."""
        parser = LineParser(self.rules)
        return [
            {
                "name": header.name,
                "pattern": header.pattern,
                "next_line": header.next_line,
                "records": self._counts[header.name],
                "share": self._share(self._counts[header.name]),
                "fields": list(find_fields([header], [])),
                "example": _divide(self._examples.get(header.name), parser),
            }
            for header in self.rules.headers
        ]

    def describe_structured(self) -> dict[str, Any]:
        """The structured forms, how many records have one, and an example."""
        forms = [form.to_json() for form in self.rules.structured]
        return {
            "forms": forms,
            "records": self.structured,
            "share": self._share(self.structured),
            "example": _divide(self._structured, LineParser(self.rules)),
        }

    def describe_kept(self) -> list[dict[str, Any]]:
        """The kept fields, with the first values of each; None for a record without the field."""
        return [
            {
                "field": one.field,
                "as": one.form,
                "values": [
                    None if value == ABSENT else shorten(value) for value in self._values[one.field]
                ],
            }
            for one in self.rules.keep
        ]

    def describe_unmatched(self) -> dict[str, Any]:
        """What fits neither a head nor a form, with the first such record."""
        record = self._unmatched
        return {
            "records": self.unmatched,
            "share": self._share(self.unmatched),
            "example": None
            if record is None
            else {"line": record.number, "text": _first_text(record, self.rules)},
        }

    def _share(self, count: int) -> float:
        return round(count / self.begun, 4) if self.begun else 0.0


def _has_no_head(parsed: ParsedLine) -> bool:
    """Whether a record lacks a head, and is not a structured record that needs none."""
    return parsed.header is None and (parsed.wrapped or not parsed.opened)


def _first_text(record: LogRecord, rules: Preprocess) -> str:
    return shorten(rules.decode(record.raw.partition(b"\n")[0]))


def _divide(record: LogRecord | None, parser: LineParser) -> dict[str, Any] | None:
    """A record divided into its fields and its message."""
    if record is None or record.parsed is None:
        return None
    first = parser.decode(record.raw.partition(b"\n")[0])
    return {
        "line": record.number,
        "text": shorten(first),
        "fields": {name: shorten(text) for name, text in parser.find_fields(first).items()},
        "message": shorten(record.parsed.message),
    }


# --- warnings -------------------------------------------------------------------------------------


def find_warnings(
    request: RulesRequest, format_name: str, tally: HeadTally, sample: Sequence[LogLine]
) -> tuple[str, ...]:
    """What a person should know of heads that match nothing or were not found, in sentences.

    Args:
        request: how the log was to be read.
        format_name: what was found.
        tally: of all records.
        sample: the lines that heads were looked for in.
    """
    example = tally.describe_unmatched()["example"]
    where = (
        "" if example is None else f", for example not line {example['line']}: {example['text']!r}"
    )
    counts = tally.counts
    if request.headers:
        return tuple(
            f"The header {header.name!r} matches no record{where}. Compare its pattern with a line "
            "from the first character on; without --header, `logexport heads` shows what it finds"
            for header in request.headers
            if not counts[header.name]
        )
    if request.format != "auto":
        if tally.rules.headers and not any(counts[one.name] for one in tally.rules.headers):
            return (
                f"No header of the format {format_name} matches a record{where}. Let the heads be "
                "found (--format auto), or give one of your own: --header NAME=PATTERN",
            )
        return ()
    alike = _find_alike(tally.rules, sample)
    if alike is None:
        return ()
    share, line, text = alike
    return (
        f"{share:.0%} of the records begin alike and fit no head, for example line {line}: "
        f"{text!r}. See by `logexport heads` what was found; if these records have a head, give "
        "its pattern: --header NAME=PATTERN",
    )


def _find_alike(rules: Preprocess, sample: Sequence[LogLine]) -> tuple[float, int, str] | None:
    """The largest share of records without a head that begin alike, with the first of them.

    Alike are records that have a time among their first characters, and records whose first tokens
    differ in their digits only.
    """
    total = 0
    kinds: dict[str, list[tuple[LogRecord, str]]] = {}
    for record in RecordReader(LineParser(rules)).read(sample):
        parsed = record.parsed
        if parsed is None or record.continues is not None:
            continue
        total += 1
        if not _has_no_head(parsed):
            continue
        text = parsed.text
        if find_time(text[:_REACH]) is not None:
            kinds.setdefault("time", []).append((record, ""))
        first = next(iter(tokens(text[:_REACH])), "")
        shape = re.sub(r"[0-9]+", "9", first)
        if shape != first:
            kinds.setdefault(f"token {shape}", []).append((record, first))
    found = max(
        (
            records
            for kind, records in kinds.items()
            if kind == "time" or len({first for _, first in records}) > 2
        ),
        key=len,
        default=[],
    )
    if len(found) < _ALIKE_COUNT or len(found) <= _ALIKE_SHARE * total:
        return None
    record = found[0][0]
    return len(found) / total, record.number, _first_text(record, rules)


# --- the command ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class SurveyRequest(RulesRequest):
    """Which logs to look at, and how they are to be read.

    Args:
        logs: files, compressed or not, ``"-"`` for standard input; read as one, in this order.
    """

    logs: Sequence[LogPath]


@dataclass(frozen=True)
class Survey:
    """What the heads of a log are.

    Args:
        format: what was given or found, or ``custom``.
        lines, blank, oversize: of the whole log.
        sampled: lines that the heads were found by.
        tally: of all records.
        warnings: sentences for a person.
        seconds: wall time.
    """

    format: str
    lines: int
    blank: int
    oversize: int
    sampled: int
    tally: HeadTally
    warnings: tuple[str, ...]
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """The document of ``logexport heads --json``."""
        return {
            "format": self.format,
            "lines": self.lines,
            "records": self.tally.begun,
            "blank": self.blank,
            "oversize": self.oversize,
            "sampled": self.sampled,
            "structured": self.tally.describe_structured(),
            "heads": self.tally.describe_heads(),
            "keep": self.tally.describe_kept(),
            "unmatched": self.tally.describe_unmatched(),
            "warnings": list(self.warnings),
            "seconds": round(self.seconds, 3),
        }


def survey_logs(
    request: SurveyRequest, progress: Callable[[int, int], None] | None = None
) -> Survey:
    """Find the heads of logs by a sample, and count them over all records.

    Args:
        request: see there.
        progress: called now and then with the bytes done and the bytes in all, both passes counted.

    Raises:
        InputError: a log cannot be read, changed meanwhile or has no record; a rule cannot be used.
    """
    started = time.monotonic()
    with ExitStack() as stack:
        sources = [Source.open(path, stack) for path in request.logs]
        passes = Passes(sources, request.preprocess.reading, 2, progress)
        sample = sample_lines(passes.logs(), request.preprocess)
        name, rules = find_rules(request, sample)
        tally = HeadTally(rules)
        lines = _Counted(passes.lines())
        records = RecordReader(LineParser(rules))
        oversize = 0
        for record in records.read(lines):
            tally.add(record)
            oversize += record.parsed is None
    if not tally.begun:
        raise build_empty_error(sources, only_continued=lines.count > records.blank + oversize)
    return Survey(
        format=name,
        lines=lines.count,
        blank=records.blank,
        oversize=oversize,
        sampled=len(sample),
        tally=tally,
        warnings=find_warnings(request, name, tally, sample),
        seconds=time.monotonic() - started,
    )


def build_empty_error(sources: Iterable[Source], *, only_continued: bool) -> InputError:
    """Make the error to raise if logs have no record with a text."""
    names = ", ".join(source.name for source in sources)
    if only_continued:
        return InputError(
            f"There are only continuation lines in {names}",
            "Name a log with whole records, or take each line for one: --no-continuation.",
        )
    return InputError(f"There is no line to parse in {names}", "Name a log that is not empty.")


@dataclass
class _Counted:
    """Lines that are counted as they pass by."""

    lines: Iterable[LogLine]
    count: int = field(default=0, init=False)

    def __iter__(self) -> Iterator[LogLine]:
        for line in self.lines:
            self.count += 1
            yield line
