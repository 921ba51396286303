"""Presets: their files are whole, and each sample is what its preset says of it."""

from __future__ import annotations

import subprocess
import sys
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from logexport import schemas
from logexport.errors import InputError
from logexport.logs.headers import FIELDS, FORMATS, PRESETS, HeaderMatcher, headers_of
from logexport.logs.instants import InstantReader, to_datetime
from logexport.logs.joining import RecordReader
from logexport.logs.lines import LogLine
from logexport.logs.preprocess import LineParser, Preprocess
from logexport.logs.presets import NAMES, read_preset

SAMPLES = [(name, sample) for name in NAMES for sample in read_preset(name)["samples"]]


@pytest.mark.parametrize("name", NAMES)
def test_the_file_of_a_preset_is_valid_and_has_its_name(name: str) -> None:
    schemas.check(read_preset(name), "preset", Path(f"{name}.json"))
    assert read_preset(name)["name"] == name


def test_a_file_that_is_not_a_preset_is_refused() -> None:
    good = read_preset("syslog")
    sample = good["samples"][0]
    for wrong in (
        {key: value for key, value in good.items() if key != "writes"},
        {**good, "samples": []},
        {**good, "headers": [{"name": "x"}]},
        {**good, "samples": [{**sample, "lines": ["a\nb"]}]},
        {**good, "samples": [{**sample, "fields": {}}]},
        {**good, "samples": [{**sample, "instant": "today"}]},
    ):
        with pytest.raises(InputError, match="not a valid preset file"):
            schemas.check(wrong, "preset", Path("x.json"))


def test_every_file_is_a_preset_and_every_preset_a_format() -> None:
    files = (
        one.name for one in resources.files("logexport.logs.presets").iterdir() if one.is_file()
    )
    assert sorted(name for name in files if name.endswith(".json")) == sorted(
        f"{name}.json" for name in NAMES
    )
    assert tuple(PRESETS) == NAMES == FORMATS[:-1]
    assert len(PRESETS) == len(NAMES)
    with pytest.raises(KeyError):
        PRESETS["nginx"]
    with pytest.raises(InputError, match="no log format 'nginx'"):
        headers_of("nginx")


def test_presets_are_read_late() -> None:
    code = (
        "import logexport.logs.headers, logexport.logs.presets as presets;"
        "print(logexport.logs.headers.FORMATS, presets.read_preset.cache_info().currsize)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith(" 0\n")


@pytest.mark.parametrize(("name", "sample"), SAMPLES)
def test_a_sample_is_taken_apart_as_its_preset_says(name: str, sample: dict[str, Any]) -> None:
    headers = PRESETS[name]
    lines = [LogLine(number, text.encode()) for number, text in enumerate(sample["lines"], 1)]
    (record,) = RecordReader(LineParser(Preprocess(headers=headers))).read(lines)
    parsed = record.parsed
    assert parsed is not None
    found = HeaderMatcher(headers, FIELDS, times=True).match(sample["lines"][0])
    values: dict[str, str | None] = {
        "timestamp": parsed.timestamp,
        "host": parsed.host,
        "process": parsed.process,
        "message": parsed.message,
        **found.others,
    }
    fields = {key: value for key, value in values.items() if value is not None}
    assert (parsed.header, fields) == (sample["header"], sample["fields"])
    groups = None if parsed.time is None else parsed.time.groupdict()
    instant = InstantReader(2024).read(parsed.timestamp, groups)
    expected = sample.get("instant")
    assert (None if instant is None else to_datetime(instant).isoformat()) == expected


@pytest.mark.parametrize("name", NAMES)
def test_every_header_and_every_field_of_a_preset_has_a_sample(name: str) -> None:
    samples = read_preset(name)["samples"]
    for header in PRESETS[name]:
        matcher = HeaderMatcher([header], FIELDS, times=True)
        own = [one for one in samples if one["header"] == header.name]
        seen = {field for one in own for field in one["fields"]}
        (pattern,) = matcher.headers
        named = {field for field in FIELDS if f"(?P<{field}>" in pattern.pattern}
        assert own, header.name
        assert named <= seen, header.name


def test_a_timestamp_of_a_preset_has_its_instant() -> None:
    for name, sample in SAMPLES:
        assert ("timestamp" in sample["fields"]) == ("instant" in sample), (name, sample["lines"])


def test_fields_of_postgresql_belong_to_the_record_of_their_pid() -> None:
    head = "2024-03-01 12:00:00.123 UTC"
    log = [
        f"{head} [7] ann@shop ERROR:  division by zero",
        f"{head} [8] LOG:  checkpoint starting: time",
        f"{head} [7] ann@shop STATEMENT:  SELECT 1",
        "\t/ 0",
        f"{head} [8] LOG:  checkpoint complete",
    ]
    lines = (LogLine(number, text.encode()) for number, text in enumerate(log, 1))
    records = RecordReader(LineParser(Preprocess(headers=PRESETS["postgresql"]))).read(lines)
    assert [record.number for record in records] == [1, 2, 5]
