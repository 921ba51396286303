"""``logexport deeplog build``: from parsed.parquet to a vocabulary and a sequence of events."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from logexport.errors import InputError
from logexport.logs.events import EventReader
from logexport.logs.lines import Line
from logexport.logs.preprocess import Preprocess, SessionRule
from logexport.types import Vocabulary
from logexport.vocab import load_vocab, save_training_vocab

from logexport_deeplog.sequences import schema, writer
from logexport_deeplog.tables import open_table

if TYPE_CHECKING:
    import pyarrow as pa

_PARSE = "Name the parsed.parquet that `logexport parse` wrote, or parse the raw log again."
_BATCH = 20_000  # rows held in memory at a time
_COLUMNS = ("line_no", "timestamp", "host", "raw", "template")


@dataclass(frozen=True)
class BuildResult:
    """The files written, and what is in them.

    Args:
        vocab, sequences, preprocess: paths.
        templates: entries of the vocabulary.
        lines: events, one for each line that is not blank.
        unseen: events without a template.
        sessions: distinct sessions, the one of lines that name none included.
    """

    vocab: Path
    sequences: Path
    preprocess: Path
    templates: int
    lines: int
    unseen: int
    sessions: int

    def to_json(self) -> dict[str, Any]:
        """The document of ``--json``."""
        return {
            key: str(value) if isinstance(value, Path) else value
            for key, value in dataclasses.asdict(self).items()
        }


def build_sequences(
    parsed: Path,
    output_dir: Path,
    vocab: Path | None = None,
    preprocess: Path | None = None,
    session_by: str | None = None,
    on_lines: Callable[[int], None] = lambda _: None,
) -> BuildResult:
    """Write ``vocab.json``, ``sequences.parquet`` and ``preprocess.json`` into ``output_dir``.

    The vocabulary is the distinct template strings in code point order, or the one given. Events
    are matched from the raw lines, as detection matches them; template strings are never looked up.

    Args:
        parsed: what ``logexport parse`` wrote.
        output_dir: made where it does not exist.
        vocab: a vocabulary to use instead of the log's own templates; it is copied.
        preprocess: the rules of the log; None for those beside ``parsed``.
        session_by: ``none``, ``host`` or a pattern; None for what the rules say.
        on_lines: called with the number of lines just matched.

    Raises:
        InputError: a file is missing or malformed, or the rules are not those that the log was
            parsed with.
        OutputError: the directory cannot be written.
    """
    rules = _rules(parsed, preprocess)
    if session_by is not None:
        rules = dataclasses.replace(rules, session=SessionRule.from_option(session_by))
    vocabulary = load_vocab(vocab) if vocab is not None else _own_templates(parsed)
    out = BuildResult(
        vocab=output_dir / "vocab.json",
        sequences=output_dir / "sequences.parquet",
        preprocess=output_dir / "preprocess.json",
        templates=len(vocabulary),
        lines=0,
        unseen=0,
        sessions=0,
    )
    save_training_vocab(vocabulary, out.vocab)
    rules.save(out.preprocess)
    columns = schema(vocabulary, rules)
    reader = EventReader(rules, vocabulary)
    lines = unseen = 0
    sessions: set[str | None] = set()
    with writer(out.sequences, columns) as file:
        for rows in _batches(parsed, _COLUMNS):
            table, templates = _events(rows, reader, columns)
            if vocab is None:
                _check_templates(parsed, rows, templates, vocabulary)
            file.write_table(table)
            lines += len(templates)
            unseen += sum(template is None for template in templates)
            sessions.update(table.column("session").unique().to_pylist())
            on_lines(len(templates))
    return dataclasses.replace(out, lines=lines, unseen=unseen, sessions=len(sessions))


def count_lines(parsed: Path) -> int:
    """How many lines ``parsed`` has, for a progress display."""
    with open_table(parsed, "parsed", _COLUMNS, _PARSE) as (file, _):
        return int(file.metadata.num_rows)


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


def _own_templates(parsed: Path) -> Vocabulary:
    templates: set[str] = set()
    for rows in _batches(parsed, ("template",)):
        # Lines that are too long have none.
        templates.update(rows.column("template").drop_null().unique().to_pylist())
    if not templates:
        raise InputError(f"{parsed} holds no template", "Parse a log that is not empty.")
    return Vocabulary(tuple(sorted(templates)))


def _events(
    rows: pa.RecordBatch, reader: EventReader, columns: pa.Schema
) -> tuple[pa.Table, list[int | None]]:
    import pyarrow as pa

    sessions: list[str | None] = []
    templates: list[int | None] = []
    most = reader.preprocess.max_line_bytes
    for number, raw, template in zip(
        rows.column("line_no").to_pylist(),
        rows.column("raw").to_pylist(),
        rows.column("template").to_pylist(),
        strict=True,
    ):
        # A line that was too long to parse is stored without its content.
        oversize = template is None or raw is None or len(raw) > most
        event = reader.event(Line(number, b"" if raw is None else raw, oversize))
        sessions.append(None if event is None else event.session)
        templates.append(None if event is None else event.template)
    table = pa.table(
        [
            rows.column("line_no"),
            rows.column("timestamp"),
            rows.column("host").cast(pa.string()),
            pa.array(sessions, pa.string()),
            pa.array(templates, pa.int64()),
        ],
        schema=columns,
    )
    return table, templates


def _check_templates(
    parsed: Path, rows: pa.RecordBatch, templates: list[int | None], vocabulary: Vocabulary
) -> None:
    """The same rules give the same templates; others would train a model on other events."""
    for number, before, index in zip(
        rows.column("line_no").to_pylist(),
        rows.column("template").to_pylist(),
        templates,
        strict=True,
    ):
        now = None if index is None else vocabulary.templates[index]
        if before != now:
            raise InputError(
                f"line {number} of {parsed} was parsed as {before!r}, but the rules now make it "
                f"{now!r}",
                "Use the preprocess.json that parse wrote, or parse the log again.",
            )


def _batches(parsed: Path, columns: tuple[str, ...]) -> Iterator[pa.RecordBatch]:
    with open_table(parsed, "parsed", columns, _PARSE) as (file, about):
        if not about:
            raise InputError(f"{parsed} was not written by logexport parse", _PARSE)
        yield from file.iter_batches(batch_size=_BATCH, columns=list(columns))
