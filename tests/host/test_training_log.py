"""The training log beside the vocabulary: its windows are run, and its events matched again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import logexport
import pytest
from logexport.errors import CheckFailedError
from logexport.host import Host
from logexport.training.line_tables import ParsedRow, SequenceRow, parsed_writer, write_sequences
from logexport.types import CheckResult

from tests.host.exports import Job

pytestmark = pytest.mark.torch

TEMPLATES = [f"event {name} happened" for name in "abcd"]
LOG = [TEMPLATES[number * number % 4] for number in range(40)]


def parsed(job: Job, rows: list[tuple[int, str, str]]) -> Path:
    """``parsed.parquet`` beside the vocabulary, of (line, the log's text, training's template)."""
    path = job.directory / "parsed.parquet"
    with parsed_writer(path, {}) as write:
        for number, text, template in rows:
            write(ParsedRow(number, None, None, None, text.encode(), text, 1, template))
    return path


def checks(host: Host, job: Job) -> dict[str, CheckResult]:
    (model,) = logexport.run(job.request(), host=host).models
    return {check.name: check for check in model.checks}


def sequence_rows() -> list[SequenceRow]:
    """The log as ``build`` writes it."""
    return [
        SequenceRow(number, None, None, None, TEMPLATES.index(text), text.encode())
        for number, text in enumerate(LOG, start=1)
    ]


def failed(host: Host, job: Job) -> list[CheckResult]:
    with pytest.raises(CheckFailedError) as caught:
        logexport.run(job.request(), host=host)
    assert not job.bundle.exists()
    return [check for check in caught.value.checks if check.status == "failed"]


def test_a_parsed_log_alone_gives_its_windows_and_its_events(
    tiny_host: Host, tmp_path: Path
) -> None:
    job = Job.make(tmp_path / "job")
    parsed(job, [(number, text, text) for number, text in enumerate(LOG, start=1)])
    found = checks(tiny_host, job)
    assert found["training_events"].status == "passed"
    assert found["training_events"].figures["lines"] == len(LOG)
    assert found["parity_log"].status == "passed"
    assert "of parsed.parquet" in found["parity_log"].message
    assert 0 < found["parity_log"].figures["windows"] < len(LOG)
    assert found["events"].figures["lines"] == len(LOG)
    assert "of parsed.parquet" in found["events"].message


def test_one_line_that_is_another_event_than_in_training_fails(
    tiny_host: Host, tmp_path: Path
) -> None:
    job = Job.make(tmp_path / "job")
    rows = [(number, text, text) for number, text in enumerate(LOG, start=1)]
    rows[6] = (7, TEMPLATES[0], TEMPLATES[3])
    parsed(job, rows)
    (check,) = failed(tiny_host, job)
    assert check.name == "training_events"
    assert check.figures["differ"] == 1
    (first,) = check.figures["first"]
    assert first == {"line": 7, "training": TEMPLATES[3], "now": TEMPLATES[0]}


def test_rows_of_sequences_that_are_out_of_the_files_order_fail(
    tiny_host: Host, tmp_path: Path
) -> None:
    job = Job.make(tmp_path / "job")
    rows = sequence_rows()
    rows[3], rows[4] = rows[4], rows[3]
    write_sequences(job.directory / "sequences.parquet", rows, {})
    (check,) = failed(tiny_host, job)
    assert check.name == "training_events"
    assert (check.figures["differ"], check.figures["out_of_order"]) == (0, 2)


def test_a_parsed_file_that_is_named_counts_even_beside_other_sequences(
    tiny_host: Host, tmp_path: Path
) -> None:
    job, other = Job.make(tmp_path / "job"), Job.make(tmp_path / "other")
    write_sequences(job.directory / "sequences.parquet", sequence_rows(), {})
    strange = "nothing that the vocabulary knows"
    path = parsed(other, [(number, strange, strange) for number in range(1, 6)])
    with pytest.raises(CheckFailedError) as caught:
        logexport.run(replace(job.request(), parsed=path), host=tiny_host)
    found = {check.name: check for check in caught.value.checks}
    assert found["training_events"].status == "failed"
    assert found["training_events"].figures["differ"] == 5
    assert found["events"].status == "skipped"
    assert "knows none of the lines of parsed.parquet" in found["events"].message


def test_sequences_alone_give_the_lines_whose_events_are_looked_at(
    tiny_host: Host, tmp_path: Path
) -> None:
    job = Job.make(tmp_path / "job")
    write_sequences(job.directory / "sequences.parquet", sequence_rows(), {})
    found = checks(tiny_host, job)["events"]
    assert found.figures["lines"] == len(LOG)
    assert "of sequences.parquet" in found.message
