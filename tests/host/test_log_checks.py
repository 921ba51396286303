"""What the checks ``known_lines`` and ``templates`` find out from a vocabulary and a log."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
from logexport.checks.context import Context
from logexport.checks.known_lines import known_lines
from logexport.checks.templates import templates
from logexport.logs.preprocess import Preprocess
from logexport.training.line_tables import ParsedRow, SequenceRow, parsed_writer, write_sequences
from logexport.types import CheckResult, ModelRequest, StagedBundle, Vocabulary

KNOWN = ("event a happened", "event b happened")
UNKNOWN = "nobody knows"


def context_of(directory: Path, *known: str, **files: Path) -> Context:
    """What the two checks look at; there is neither a model nor a graph."""
    Preprocess().save(directory / "preprocess.json")
    meta = {"preprocess": {"file": "preprocess.json"}}
    nothing = cast("Any", None)
    return Context(
        ModelRequest("tiny", directory / "tiny.pth", directory / "vocab.json", **files),
        nothing,
        Vocabulary(known, {"unknown": 0} if known[0] == "\nunknown" else {}),
        nothing,
        StagedBundle(directory, "tiny", nothing, meta),
    )


def with_log(directory: Path, lines: list[str], *known: str) -> Context:
    log = directory / "replay.log"
    log.write_text("\n".join(lines), encoding="utf-8")
    return context_of(directory, *(known or KNOWN), replay=log)


@pytest.mark.parametrize(
    ("known", "unknown", "warnings"), [(100, 0, 0), (95, 5, 0), (94, 6, 1), (1, 99, 1)]
)
def test_fewer_known_lines_than_95_percent_are_warned_of(
    tmp_path: Path, known: int, unknown: int, warnings: int
) -> None:
    check = known_lines(with_log(tmp_path, [KNOWN[0]] * known + [UNKNOWN] * unknown))
    assert (check.status, check.scope) == ("passed", "bundle")
    assert (check.figures["records"], check.figures["known"]) == (100, known)
    assert len(check.warnings) == warnings
    assert all("--preprocess" in warning for warning in check.warnings)


def test_no_known_line_fails_with_the_remedy_and_one_is_enough_not_to(tmp_path: Path) -> None:
    check = known_lines(with_log(tmp_path, [UNKNOWN] * 1000))
    assert (check.status, check.scope) == ("failed", "bundle")
    assert "0 of 1000" in check.message
    assert "--preprocess" in check.message
    assert known_lines(with_log(tmp_path, [UNKNOWN] * 1000 + [KNOWN[0]])).status == "passed"


def test_unseen_lines_are_named_by_their_numbers_and_shares_are_cut_off(tmp_path: Path) -> None:
    check = known_lines(with_log(tmp_path, [KNOWN[0], "", UNKNOWN, KNOWN[1]]))
    assert check.figures["first"] == [{"line": 3}]
    assert "2 of 3" in check.message
    assert "66.6 %" in check.message


def test_without_a_log_and_of_an_empty_one_the_reason_is_said(tmp_path: Path) -> None:
    check = known_lines(context_of(tmp_path, *KNOWN))
    assert check.status == "skipped"
    assert "--replay" in check.message
    check = known_lines(with_log(tmp_path, ["", " "]))
    assert check.status == "skipped"
    assert "replay.log holds no record" in check.message


@pytest.mark.parametrize("kind", ["parsed", "sequences"])
def test_without_a_replay_the_training_log_is_counted(tmp_path: Path, kind: str) -> None:
    texts = [KNOWN[0]] * 40 + [UNKNOWN] * 4
    path = tmp_path / f"{kind}.parquet"
    if kind == "parsed":
        with parsed_writer(path, {}) as write:
            for number, text in enumerate(texts, start=1):
                write(ParsedRow(number, None, None, None, text.encode(), text, 1, text))
    else:
        rows = [
            SequenceRow(number, None, None, None, 0, text.encode())
            for number, text in enumerate(texts, start=1)
        ]
        write_sequences(path, rows, {})
    check = known_lines(context_of(tmp_path, *KNOWN, **{kind: path}))
    assert check.figures["log"] == path.name
    assert (check.figures["records"], check.figures["known"]) == (44, 40)
    assert len(check.warnings) == 1


def test_a_long_log_is_counted_to_a_bound_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("logexport.checks.context.MAX_RECORDS", 30)
    check = known_lines(with_log(tmp_path, [KNOWN[0]] * 30 + [UNKNOWN] * 10))
    assert (check.figures["records"], check.figures["known"]) == (30, 30)
    assert "the first 30" in check.message
    assert "the first" not in known_lines(with_log(tmp_path, [KNOWN[0]] * 30)).message


@pytest.mark.parametrize(("rare", "warnings"), [(0, 0), (5, 0), (6, 1), (100, 1)])
def test_templates_of_wildcards_are_weighed_by_the_records_that_they_hold(
    tmp_path: Path, rare: int, warnings: int
) -> None:
    lines = ["event a happened"] * (100 - rare) + ["what ever"] * rare
    vocabulary = ("<*> <*>", "event <*> happened", "other", "<*> <*> <*> <*>")
    check = templates(with_log(tmp_path, lines, *vocabulary))
    assert check.status == "passed"
    assert (check.figures["templates"], check.figures["nearly_all_wildcards"]) == (4, 2)
    assert check.figures["records"] == rare
    assert len(check.warnings) == warnings
    for warning in check.warnings:
        assert all(part in warning for part in ("logexport templates", "--keep", "--templates"))
        assert check.figures["first"] == [
            {"template": "<*> <*>", "records": rare},
            {"template": "<*> <*> <*> <*>", "records": 0},
        ]


@pytest.mark.parametrize(
    ("vocabulary", "warnings"),
    [
        (("<*>", "<*> <*>", "one word", "another"), 0),
        (("<*>", "<*> <*>", "<NUM> <*>", "another"), 1),
        (("\nunknown", "<*>", "one word"), 0),
        (("\nunknown",), 0),
    ],
)
def test_without_a_log_the_templates_themselves_are_counted(
    tmp_path: Path, vocabulary: tuple[str, ...], warnings: int
) -> None:
    check: CheckResult = templates(context_of(tmp_path, *vocabulary))
    assert check.status == "passed"
    assert check.figures["log"] is check.figures["records"] is None
    assert len(check.warnings) == warnings
