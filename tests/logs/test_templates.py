"""``logexport templates`` and ``parse --templates``: a log's templates, and a list of one's own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from logexport.cli import main
from logexport.errors import InputError
from logexport.training.line_tables import read_parsed
from logexport.training.log import TrainingLog
from logexport.training.mining import TemplateMiner
from logexport.training.parse import ParseRequest, parse_logs
from logexport.training.templates import count_templates, read_templates, write_template

STATES = ("Started", "Paused", "Resumed", "Stopped")
LINES = [
    f"2025-03-10 08:{number // 60:02}:00 INFO VM {STATES[number % 4]} on 10.0.0.{number}"
    for number in range(120)
] + ["2025-03-10 09:00:00 WARN disk is full"]

HEAD = r"own=(?P<timestamp>\S+ \S+) (?P<level>[A-Z]+) (?P<message>.*)"


def parse(tmp_path: Path, lines: list[str], *options: str) -> Path:
    """The directory that parse writes."""
    log, work = tmp_path / "log", tmp_path / "work"
    log.write_text("".join(line + "\n" for line in lines))
    assert main(["parse", str(log), "-o", str(work), *options]) == 0
    return work


def document(capfd: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    """What a command prints with ``--json``."""
    capfd.readouterr()
    assert main([*arguments, "--json"]) == 0
    found: dict[str, Any] = json.loads(capfd.readouterr().out)
    return found


# --- the command ----------------------------------------------------------------------------------


def test_templates_have_their_share_and_their_first_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    work = parse(tmp_path, LINES, "--header", HEAD)
    found = document(capfd, "templates", str(work))
    assert {key: found[key] for key in ("parsed", "records", "oversize", "unseen", "warnings")} == {
        "parsed": str(work / "parsed.parquet"),
        "records": 121,
        "oversize": 0,
        "unseen": None,
        "warnings": [],
    }
    templates = found["templates"]
    assert [one["records"] for one in templates] == [30, 30, 30, 30, 1]
    assert templates[-1] == {
        "template": "WARN disk is full",
        "records": 1,
        "share": round(1 / 121, 6),
        "example": {"line": 121, "text": LINES[-1]},
    }
    texts = [one["template"] for one in templates]
    assert texts[:4] == sorted(texts[:4])
    by_text = document(capfd, "templates", str(work / "parsed.parquet"), "--sort", "template")
    assert [one["template"] for one in by_text["templates"]] == sorted(texts)


def test_the_report_shows_every_template_and_escapes_what_a_terminal_obeys(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    work = parse(tmp_path, ["all is well", "not \x07 well"] * 3)
    capfd.readouterr()
    assert main(["templates", str(work)]) == 0
    out = capfd.readouterr().out
    assert "  50.0%  all is well\n" in out
    assert r"not \x07 well" in out


def test_a_file_that_is_missing_is_named(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["templates", str(tmp_path)]) == 2
    assert str(tmp_path / "parsed.parquet") in capfd.readouterr().err


# --- warnings -------------------------------------------------------------------------------------


def test_a_field_that_divides_a_template_of_wildcards_is_named_and_does(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    names = ("web", "db", "mail")
    head = r"own=(?P<host>\w+) (?P<message>.*)"
    lines = [f"{names[number % 3]} 10.0.0.{number} took {number}" for number in range(90)]
    lines += ["web nothing else happened today"] * 9
    work = parse(tmp_path, lines, "--header", head, "--mask", "took=took=>T")
    (warning,) = document(capfd, "templates", str(work))["warnings"]
    assert "nearly all wildcards" in warning
    assert "--keep host" in warning
    again = parse(tmp_path, lines, "--header", head, "--mask", "took=took=>T", "--keep", "host")
    found = document(capfd, "templates", str(again))
    assert [one["records"] for one in found["templates"]] == [30, 30, 30, 9]


def test_words_that_divide_a_template_of_wildcards_are_named_and_do(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    letters = "bcdfghklmnprstvw"
    words = [f"{a}{b}xoo" for a in letters for b in letters]
    lines = ["10.0.0.1 7 often one two"] * 100
    lines += [f"10.0.0.1 7 {word} one two" for word in words]
    chosen = tmp_path / "list"
    chosen.write_text("<HOST> <*> <*> <*>\n")
    work = parse(tmp_path, lines, "--templates", str(chosen))
    (warning,) = document(capfd, "templates", str(work))["warnings"]
    assert "--templates FILE" in warning
    assert "'often'" in warning
    chosen.write_text("<HOST> <*> <*> <*>\n<HOST> often one two\n")
    again = parse(tmp_path, lines, "--templates", str(chosen))
    found = document(capfd, "templates", str(again))
    assert [one["records"] for one in found["templates"]] == [256, 100]


def test_a_log_of_one_template_is_warned_of(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    work = parse(tmp_path, [f"ping from 10.0.0.{number}" for number in range(100)])
    (warning,) = document(capfd, "templates", str(work))["warnings"]
    assert "the only one, of all 100 records" in warning


# --- lists ----------------------------------------------------------------------------------------


@example(["{}"])
@example(['{"a":', "1}"])
@example(["\ufeffa"])
@given(st.lists(st.text(st.sampled_from('ab"\\{}\n <*>#-'), min_size=0, max_size=8), min_size=1))
def test_a_list_that_is_written_is_read_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str]
) -> None:
    templates = [" ".join(text.split(" ")).strip() for text in texts]
    templates = [one for one in dict.fromkeys(templates) if not one.startswith("\n")]
    path = tmp_path_factory.mktemp("list") / "list"
    path.write_text("".join(write_template(one) + "\n" for one in templates))
    if not templates:
        with pytest.raises(InputError, match="holds no template"):
            read_templates(path)
        return
    expected = [" ".join(one for one in template.split(" ") if one) for template in templates]
    assert read_templates(path) == list(dict.fromkeys(expected))


def test_an_edited_list_is_what_lines_are_matched_with(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    work = parse(tmp_path, LINES, "--header", HEAD)
    capfd.readouterr()
    assert main(["templates", str(work), "--list"]) == 0
    written = capfd.readouterr().out.splitlines()
    kept = [line for line in written if "Paused" not in line and "disk" not in line]
    chosen = tmp_path / "list"
    chosen.write_text("\r\n".join([*kept, "", "WARN <*> is full"]))
    log = tmp_path / "log"
    options = ["--header", HEAD, "--templates", str(chosen)]
    found = document(capfd, "parse", str(log), "-o", str(work), *options)
    assert (found["templates"], found["unseen"]) == (4, 30)
    assert any("30 of 121 records match no template" in one for one in found["warnings"])
    rows = list(read_parsed(work / "parsed.parquet"))
    assert rows[1].template is None
    assert rows[1].template_id is None
    assert rows[120].template == "WARN <*> is full"
    tally = document(capfd, "templates", str(work))
    assert tally["unseen"]["records"] == 30
    assert tally["unseen"]["example"] == {"line": 2, "text": LINES[1]}
    events = [event.template for _, event in TrainingLog(work / "parsed.parquet")]
    assert events.count(None) == 30


def test_a_vocabulary_is_a_list_too(tmp_path: Path) -> None:
    chosen = tmp_path / "vocab.json"
    chosen.write_text(json.dumps({"\nunknown": 0, "WARN disk is <*>": 1}))
    assert read_templates(chosen) == ["WARN disk is <*>"]
    work = parse(tmp_path, LINES, "--header", HEAD, "--templates", str(chosen))
    assert count_templates(work).counts[0].records == 1


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: None, "No such file"),
        (lambda path: path.mkdir(), "Is a directory"),
        (lambda path: path.symlink_to("/dev/zero"), "is larger than"),
        (lambda path: path.write_text("version https://git-lfs.github.com/spec/v1"), "Git LFS"),
        (lambda path: path.write_bytes(b"a\xff"), "not UTF-8"),
        (lambda path: path.write_text(" \n"), "holds no template"),
    ],
)
def test_what_is_no_list_is_named_and_nothing_is_parsed(
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    make: Callable[[Path], object],
    says: str,
) -> None:
    make(tmp_path / "list")
    (tmp_path / "x.log").write_text("a b\n")
    out = tmp_path / "out"
    command = ["parse", str(tmp_path / "x.log"), "-o", str(out), "--templates"]
    assert main([*command, str(tmp_path / "list")]) == 2
    error = capfd.readouterr().err
    assert says in error
    assert str(tmp_path / "list") in error
    assert "Traceback" not in error
    assert not out.exists()


def test_a_list_that_matches_nothing_is_refused_and_writes_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    chosen, log = tmp_path / "list", tmp_path / "log"
    chosen.write_text("another log\n")
    log.write_text("some words\n")
    arguments = ["parse", str(log), "-o", str(tmp_path / "work"), "--templates", str(chosen)]
    assert main(arguments) == 2
    assert "matches a template of the list" in capfd.readouterr().err
    assert not (tmp_path / "work" / "parsed.parquet").exists()


# --- rounds ---------------------------------------------------------------------------------------


def test_lines_beyond_the_sample_are_mined_in_further_rounds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file appears once, with a template for each line, and progress ends at its end."""
    monkeypatch.setattr(TemplateMiner.__init__, "__defaults__", (0, True, None, 5, 1 << 20))
    log = tmp_path / "log"
    letters = "bcdfghklmn"
    log.write_text("".join(f"{a}{b}a {b}{a}o {a}i\n" for a in letters for b in letters))
    calls: list[tuple[int, int]] = []
    result = parse_logs(
        ParseRequest([log], tmp_path / "work"), lambda done, total: calls.append((done, total))
    )
    rows = list(read_parsed(result.parsed))
    assert len(rows) == 100
    assert all(row.template is not None for row in rows)
    assert result.unseen == 0
