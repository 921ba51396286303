"""Which fields stay in the events: by themselves, and by ``--keep`` and ``--drop``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from logexport.cli import main
from logexport.errors import UsageError
from logexport.logs.headers import FIELDS, Header
from logexport.logs.kept import KeptField
from logexport.logs.preprocess import Preprocess
from logexport.logs.structured import StructuredForm
from logexport.training.keeping import choose_kept, find_fields, parse_kept
from logexport.training.line_tables import read_parsed

ACCESS = r"h=(?P<method>[A-Z]+) (?P<status>\d+) (?P<process>\w+): (?P<message>.*)$"
LINES = "".join(
    f"{('GET', 'PUT')[n % 2]} {(200, 404)[n % 2]} p{n % 3}: did {n}\n" for n in range(20)
)
Run = Callable[..., Preprocess]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    (tmp_path / "access.log").write_text(LINES)

    def run(*options: str, log: str = "access.log") -> Preprocess:
        out = tmp_path / "out"
        assert main(["parse", str(tmp_path / log), "-o", str(out), *options]) == 0
        return Preprocess.load(out / "preprocess.json")

    return run


def test_fields_of_a_header_of_ones_own_are_kept(run: Run, tmp_path: Path) -> None:
    assert run("--header", ACCESS).keep == (KeptField("method"), KeptField("status", "class"))
    templates = {row.template for row in read_parsed(tmp_path / "out" / "parsed.parquet")}
    assert templates == {"GET 2xx did <NUM>", "PUT 4xx did <NUM>"}
    assert run("--format", "plain").keep == ()


def test_a_field_is_added_at_the_end_and_one_is_left_out(run: Run, tmp_path: Path) -> None:
    rules = run("--header", ACCESS, "--keep", "process", "--drop", "method")
    assert rules.keep == (KeptField("status", "class"), KeptField("process"))
    templates = {row.template for row in read_parsed(tmp_path / "out" / "parsed.parquet")}
    assert templates == {f"{s} p{p} did <NUM>" for s in ("2xx", "4xx") for p in range(3)}


def test_a_kept_field_is_kept_as_something_else_in_its_place(run: Run) -> None:
    rules = run("--header", ACCESS, "--keep", "method=severity", "--keep", "status=text")
    assert rules.keep == (KeptField("method", "severity"), KeptField("status"))


def test_the_level_of_a_structured_form_is_kept(run: Run, tmp_path: Path) -> None:
    levels = (30, 50)
    (tmp_path / "json.log").write_text(
        "".join(f'{{"level":{levels[n % 2]},"msg":"did {n}","pid":7}}\n' for n in range(20))
    )
    assert run(log="json.log").keep == (KeptField("level"),)
    templates = {row.template for row in read_parsed(tmp_path / "out" / "parsed.parquet")}
    assert templates == {"30 did <NUM>", "50 did <NUM>"}
    assert run("--drop", "level", log="json.log").keep == ()
    assert run("--keep", "pid", log="json.log").keep == (KeptField("level"), KeptField("pid"))
    assert run("--no-structured", log="json.log").keep == ()


def test_the_level_of_logfmt_is_kept(run: Run, tmp_path: Path) -> None:
    (tmp_path / "fmt.log").write_text(
        "".join(f'level={("info", "warn")[n % 2]} msg="did it {n}"\n' for n in range(20))
    )
    assert run(log="fmt.log").keep == (KeptField("level"),)
    templates = {row.template for row in read_parsed(tmp_path / "out" / "parsed.parquet")}
    assert templates == {"info did it <NUM>", "warn did it <NUM>"}


def test_options_apply_on_top_of_what_given_rules_keep(run: Run, tmp_path: Path) -> None:
    run("--header", ACCESS, "--drop", "method")
    given = tmp_path / "given.json"
    given.write_bytes((tmp_path / "out" / "preprocess.json").read_bytes())
    assert run("--preprocess", str(given)).keep == (KeptField("status", "class"),)
    rules = run("--preprocess", str(given), "--keep", "process", "--drop", "status")
    assert rules.keep == (KeptField("process"),)


@pytest.mark.parametrize("command", ["parse", "heads"])
@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--keep", "colour"], ["no field 'colour'", "timestamp, level, logger"]),
        (["--keep", "status=word"], ["cannot be kept as 'word'", "text, severity, class"]),
        (["--keep", "host"], ["has the field 'host'", "process, method, status"]),
        (["--drop", "level"], ["'level' is not kept", "kept are method, status"]),
        (["--drop", "colour"], ["'colour' is not kept"]),
        (["--keep", "status", "--drop", "status"], ["More than one option", "'status'"]),
        (["--keep", "status", "--keep", "status=text"], ["More than one option", "'status'"]),
    ],
)
def test_what_cannot_be_kept_or_left_out_is_an_error_that_says_what_can(
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    command: str,
    options: list[str],
    says: list[str],
) -> None:
    log, out = tmp_path / "access.log", tmp_path / "out"
    log.write_text(LINES)
    target = ["-o", str(out)] if command == "parse" else []
    assert main([command, str(log), *target, "--header", ACCESS, *options]) == 2
    text = capfd.readouterr().err
    for part in says:
        assert part in text
    assert "Traceback" not in text
    assert not out.exists()


def test_rules_of_version_1_keep_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    log, rules = tmp_path / "x.log", tmp_path / "old.json"
    log.write_text("a: b\n")
    header = Header("h", "(?P<process>a): (?P<message>.*)")
    Preprocess(headers=(header,), encoding=None).save(rules)
    options = [str(log), "-o", str(tmp_path / "out"), "--preprocess", str(rules)]
    assert main(["parse", *options, "--keep", "process"]) == 2
    assert "version 1" in capfd.readouterr().err
    assert main(["parse", *options]) == 0
    kept = json.loads((tmp_path / "out" / "preprocess.json").read_bytes())
    assert kept["schema_version"] == 1


def test_rules_of_version_1_take_no_heads_of_version_2(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    log, rules = tmp_path / "x.log", tmp_path / "old.json"
    log.write_text("2024-01-01 10:00:00 started\n" * 3)
    Preprocess(encoding=None).save(rules)
    out = tmp_path / "out"
    options = ["--preprocess", str(rules), "--format", "auto"]
    assert main(["parse", str(log), "-o", str(out), *options]) == 2
    assert "version 1" in capfd.readouterr().err
    assert not out.exists()


def test_kept_fields_of_very_many_values_are_an_error_that_names_the_worst(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("logexport.training.parse.MOST_KEPT", 13)
    log = tmp_path / "pids.log"
    log.write_text("".join(f"{n % 7} {'ab'[n % 2]} did it {n}\n" for n in range(50)))
    header = "h=(?P<pid>[0-9]+) (?P<code>[a-z]) (?P<message>.*)"
    command = ["parse", str(log), "-o", str(tmp_path / "out"), "--header", header, "--keep", "pid"]
    assert main(command) == 2
    error = capfd.readouterr().err
    assert "more than 13 different values together, the field 'pid' 7 of them" in error
    assert "--drop pid" in error
    assert not (tmp_path / "out").exists()
    monkeypatch.setattr("logexport.training.parse.MOST_KEPT", 14)
    assert main(command) == 0


def test_a_field_of_very_many_values_is_not_kept_by_itself(run: Run, tmp_path: Path) -> None:
    header = "h=(?P<code>[a-z]+[0-9]+) (?P<level>[A-Z]+) (?P<message>.*)"
    (tmp_path / "codes.log").write_text("".join(f"c{n} INFO did it\n" for n in range(300)))
    rules = run("--header", header, log="codes.log")
    assert rules.keep == (KeptField("level"),)
    rules = run("--header", header, "--keep", "code", log="codes.log")
    assert rules.keep == (KeptField("level"), KeptField("code"))


def test_too_many_fields_are_refused() -> None:
    keep = [KeptField(field) for field in FIELDS[:9]]
    assert len(choose_kept((), FIELDS, keep[:8], ())) == 8
    with pytest.raises(UsageError, match="9 fields"):
        choose_kept((), FIELDS, keep, ())


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("level", KeptField("level")),
        ("priority", KeptField("priority", "severity")),
        ("priority=text", KeptField("priority")),
        ("host=class", KeptField("host", "class")),
    ],
)
def test_a_field_without_a_form_is_kept_as_it_is_by_itself(text: str, kept: KeptField) -> None:
    assert parse_kept(text) == kept


def test_fields_are_those_of_any_header_and_any_form() -> None:
    headers = [
        Header("a", "(?P<level>a)?(?:(?P<host>b)|c)(?P<message>.*)"),
        Header("b", r"\(\?P<status>(?P<message>.*)"),
    ]
    forms = [StructuredForm("json", "m", pid="p"), StructuredForm("cri")]
    assert find_fields(headers, forms) == ("timestamp", "level", "host", "pid")
    assert find_fields((), ()) == ()
