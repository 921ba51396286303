"""``logexport parse``: raw logs to ``parsed.parquet`` and ``preprocess.json``.

Two passes over the same bytes. The first masks every line and mines templates; the second matches
every line against the templates as they have become, by the rules of
:mod:`logexport.logs.matching`. So the file holds final templates only, and a line's template is the
one that detection will find. (A mined template that no line is matched to is in no row.) An
oversize line has a row without text and template; a blank line has none.

What cannot be read twice (standard input, a pipe) is first copied to a temporary file. A log that
grows meanwhile is read as far as the first pass read it; one whose bytes change is an error.

Memory is bounded by the templates and a batch of lines, not by the logs.
"""

from __future__ import annotations

import hashlib
import io
import shutil
import stat
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any, cast

from logexport.errors import InputError, OutputError
from logexport.logs.headers import (
    FORMATS,
    SAMPLE_LINES,
    Header,
    TimestampReader,
    detect_format,
    headers_of,
)
from logexport.logs.lines import LogLine, LogPath, as_log, decode, is_blank, iter_lines
from logexport.logs.matching import TemplateMatcher
from logexport.logs.preprocess import LineParser, Preprocess
from logexport.training.mining import DrainOptions, TemplateMiner
from logexport.training.tables import ParsedRow, parsed_writer

PARSED = "parsed.parquet"
PREPROCESS = "preprocess.json"

_SAMPLE_BYTES = 8 * 1024 * 1024  # of the lines that detection looks at, so that it stays bounded
_STEP = 4096  # lines between two calls of the progress function


@dataclass(frozen=True)
class ParseRequest:
    """What to parse, and how.

    Args:
        logs: files, gzip or not, ``"-"`` for standard input; read as one, in this order.
        output_dir: where ``parsed.parquet`` and ``preprocess.json`` go; made if missing.
        format: a name of :data:`logexport.logs.headers.FORMATS`, ``auto`` to detect it, or None to
            take the headers of ``preprocess``.
        preprocess: masks, matching and limits, and headers where ``format`` is None.
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
        sources = [_Source.open(path, stack) for path in request.logs]
        format_name, headers = _headers(request, sources)
        rules = replace(request.preprocess, headers=headers)
        parser = LineParser(rules)
        reading = _Reading(sources, rules.max_line_bytes, progress)

        miner = TemplateMiner(request.drain)
        for line in reading.first():
            if not line.oversize:
                found = parser.masked_and_session(line.raw)
                if found is not None:
                    miner.add(found[0])

        known = miner.templates()
        matcher = TemplateMatcher([text for _, text in known], (), rules.prefer)
        timestamps = TimestampReader(request.year)
        counts: Counter[str] = Counter()
        used: set[int] = set()
        lines = rows = oversize = 0
        output = request.output_dir
        _make_directory(output)
        about = {
            "sources": [source.describe() for source in sources],
            "preprocess_sha256": rules.sha256(),
            "format": format_name,
            "drain": {
                "depth": request.drain.depth,
                "similarity": request.drain.similarity,
                "max_children": request.drain.max_children,
            },
        }
        with parsed_writer(output / PARSED, about) as write:
            for line in reading.second():
                lines += 1
                if line.oversize:
                    oversize += 1
                    write(ParsedRow(line.number, None, None, None, None, None, None, None))
                    continue
                parsed = parser.parse(line.raw)
                if parsed.blank:
                    continue
                index = matcher.match(parsed.masked)
                if index is None:  # the same bytes gave these templates
                    raise _changed(sources)
                used.add(index)
                rows += 1
                counts[parsed.header or ""] += 1
                number, template = known[index]
                write(
                    ParsedRow(
                        line.number,
                        timestamps.read(parsed.timestamp_text),
                        parsed.host,
                        parsed.process,
                        line.raw,
                        parsed.masked,
                        number,
                        template,
                    )
                )
            if rows == 0:
                names = ", ".join(source.name for source in sources)
                raise InputError(
                    f"There is no line to parse in {names}", "Name a log that is not empty."
                )
            # Before the table appears, so that a table never stands beside rules that are missing.
            rules.save(output / PREPROCESS)
    return ParseResult(
        parsed=output / PARSED,
        preprocess=output / PREPROCESS,
        format=format_name,
        lines=lines,
        rows=rows + oversize,
        oversize=oversize,
        headers={name: counts[name] for name in [*(h.name for h in headers), ""]},
        templates=len(used),
        seconds=time.monotonic() - started,
    )


def _headers(request: ParseRequest, sources: Sequence[_Source]) -> tuple[str, tuple[Header, ...]]:
    if request.format is None:
        return "custom", request.preprocess.headers
    if request.format != "auto":
        return request.format, headers_of(request.format)
    name = detect_format(_sample(sources, request.preprocess.max_line_bytes))
    return name, headers_of(name)


def _sample(sources: Sequence[_Source], max_line_bytes: int) -> list[str]:
    sample: list[str] = []
    size = 0
    for source in sources:
        with source.read() as stream:
            for line in iter_lines(as_log(stream, source.name), max_line_bytes):
                text = decode(line.raw)
                if not line.oversize and not is_blank(text):
                    sample.append(text)
                size += len(line.raw)
                if len(sample) >= SAMPLE_LINES or size >= _SAMPLE_BYTES:
                    return sample
    return sample


class _Tap(io.RawIOBase):
    """Bytes of a file as they pass by: counted, hashed and, on request, cut off."""

    def __init__(self, stream: IO[bytes], limit: int | None) -> None:
        self._stream = stream
        self._limit = limit
        self._hash = hashlib.sha256()
        self.size = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(cast(bytearray, buffer))
        if self._limit is not None:
            view = view[: self._limit - self.size]
        data = self._stream.read(len(view))
        view[: len(data)] = data
        self.size += len(data)
        self._hash.update(data)
        return len(data)

    def close(self) -> None:
        self._stream.close()
        super().close()

    def sha256(self) -> str:
        return self._hash.hexdigest()


@dataclass
class _Source:
    """A log that can be read twice.

    ``size`` and ``sha256`` are of the bytes of the file (compressed, if they are), as the first
    pass read them.
    """

    name: str
    path: Path
    size: int = 0
    sha256: str = ""

    @classmethod
    def open(cls, path: LogPath, stack: ExitStack) -> _Source:
        """Copy what cannot be read twice to a file that lives as long as ``stack``."""
        if str(path) == "-":
            return cls("standard input", _spool(sys.stdin.buffer, "standard input", stack))
        path = Path(path)
        with _opened(path) as stream:
            if stat.S_ISREG(path.stat().st_mode):
                return cls(str(path), path)
            return cls(str(path), _spool(stream, str(path), stack))

    def read(self, limit: int | None = None) -> _Tap:
        """The file's bytes, at most ``limit`` of them."""
        return _Tap(_opened(self.path, self.name), limit)

    def describe(self) -> dict[str, Any]:
        return {"file": Path(self.name).name, "size": self.size, "sha256": self.sha256}


class _Reading:
    """Both passes over the logs, which must see the same bytes."""

    def __init__(
        self,
        sources: Sequence[_Source],
        max_line_bytes: int,
        progress: Callable[[int, int], None] | None,
    ) -> None:
        self._sources = sources
        self._max_line_bytes = max_line_bytes
        self._progress = progress
        self._total = 2 * sum(source.path.stat().st_size for source in sources)
        self._done = 0

    def first(self) -> Iterator[LogLine]:
        """All lines; the size and sum of each source are noted."""
        for source, tap in self._pass([None] * len(self._sources)):
            yield from self._lines(source, tap)
            source.size, source.sha256 = tap.size, tap.sha256()

    def second(self) -> Iterator[LogLine]:
        """The same lines again.

        Raises:
            InputError: they are not the same.
        """
        for source, tap in self._pass([source.size for source in self._sources]):
            yield from self._lines(source, tap)
            if (tap.size, tap.sha256()) != (source.size, source.sha256):
                raise _changed([source])

    def _pass(self, limits: Sequence[int | None]) -> Iterator[tuple[_Source, _Tap]]:
        self._number = 1
        for source, limit in zip(self._sources, limits, strict=True):
            with source.read(limit) as tap:
                yield source, tap
                self._done += tap.size

    def _lines(self, source: _Source, tap: _Tap) -> Iterator[LogLine]:
        stream = as_log(tap, source.name)
        for line in iter_lines(stream, self._max_line_bytes, self._number):
            yield line
            if self._progress is not None and line.number % _STEP == 0:
                self._progress(min(self._done + tap.size, self._total), self._total)
            self._number = line.number + 1
        while tap.read(1 << 20):  # gzip stops reading at the end of its data
            pass


def _spool(stream: IO[bytes], name: str, stack: ExitStack) -> Path:
    directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="logexport-"))
    copy = Path(directory) / "log"
    try:
        with copy.open("wb") as out:
            shutil.copyfileobj(stream, out, 1 << 20)
    except OSError as error:
        raise OutputError(
            f"{name} cannot be copied to {copy}, which is needed to read it twice: "
            f"{error.strerror or error}",
            "Set TMPDIR to a directory with space, or parse a file.",
        ) from error
    return copy


def _opened(path: Path, name: str | None = None) -> IO[bytes]:
    try:
        return path.open("rb", buffering=0)
    except IsADirectoryError as error:
        raise InputError(
            f"{name or path} is a directory, not a log", "Name the log files themselves."
        ) from error
    except OSError as error:
        raise InputError(
            f"The log {name or path} cannot be read: {error.strerror or error}",
            "Check the path and its permissions.",
        ) from error


def _make_directory(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"The output directory {path} cannot be made: {error.strerror or error}",
            "Name another with -o.",
        ) from error


def _changed(sources: Sequence[_Source]) -> InputError:
    names = ", ".join(source.name for source in sources)
    return InputError(
        f"{names} changed while it was being parsed", "Parse a copy, or a log that is rotated away."
    )


__all__ = ["FORMATS", "ParseRequest", "ParseResult", "parse_logs"]
