"""Patterns whose time grows faster than the line are found, and linear ones are not."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import example, given, settings
from hypothesis import strategies as st
from logexport.cli import cli
from logexport.logs.growth import MOST_STEPS, Growth, _Matcher, describe_growth, find_growth
from logexport.logs.masks import MASK_SETS
from logexport.logs.patterns import compile_portable, parse

from tests.logs.hard_lines import GROWING_HEADS, LINEAR_HEADS, shipped

GROWING = {
    "a run of runs": r"(?:a+)+$",
    "words with hyphens, searched for": r"(?:\w+-)+x",
    "words with hyphens and a number": r"\b([a-z]+(?:-[a-z]+)*)-?\d+",
    "three runs of anything": r".*a.*b.*c$",
    "a word and a bracket": r"(\w+)\[",
    "white space at the end": r"\s+$",
    "two ways to read the same": r"(?:a|aa)+$",
    "lazy runs": r"foo.*?bar.*?baz",
    "a look-ahead to the end": r"x(?=.*y)",
    "runs that share their signs": r"\w+\s*\w+=",
    "a run that is counted": r"(?:.*,){5}z",
    "the mask id of rules of version 1": (
        r"\b([a-zA-Z]+(?:[_-][a-zA-Z]+)*_?)(?:(?<=_)-)?\d+\b(?!\.\d)"
    ),
}
LINEAR = {
    "a block id": r"blk_-?\d+",
    "digits": r"\d+",
    "a word from its beginning": r"(?<!\w)\w+x",
    "a key": r"user=(\w+)",
    "brackets": r"\[(\d+)\]",
    "quotes": r'"[^"]*"',
    "a number of fixed length": r"id=([0-9a-f-]{36})",
    "alternatives": r"(?:GET|POST) (\S+)",
    "a list": r"(?<![\d,])\d+(?:,\d+)*(?![\d,])",
}


@pytest.mark.parametrize("pattern", GROWING.values(), ids=GROWING.keys())
def test_a_growing_pattern_is_found(pattern: str) -> None:
    found = find_growth(pattern)
    assert isinstance(found, Growth)
    assert len(found.line) < 80


@pytest.mark.parametrize("pattern", LINEAR.values(), ids=LINEAR.keys())
def test_a_linear_pattern_is_not_found(pattern: str) -> None:
    assert find_growth(pattern) is None


@pytest.mark.parametrize("pattern", GROWING_HEADS.values(), ids=GROWING_HEADS.keys())
def test_a_growing_header_is_found(pattern: str) -> None:
    assert find_growth(pattern, anchored=True) is not None


@pytest.mark.parametrize("pattern", LINEAR_HEADS.values(), ids=LINEAR_HEADS.keys())
def test_a_linear_header_is_not_found(pattern: str) -> None:
    assert find_growth(pattern, anchored=True) is None


def test_what_is_shipped_is_not_found() -> None:
    patterns = {(one.pattern, True) for one in shipped()} | {
        (mask.pattern, False) for of_set in MASK_SETS.values() for mask in of_set
    }
    chosen = random.Random(6).sample(sorted(patterns), 8)
    assert [pattern for pattern, anchored in chosen if find_growth(pattern, anchored)] == []


# --- the matcher ----------------------------------------------------------------------------------

PATTERNS = st.sampled_from(
    [
        *(r"a+", r"(?:a|ab)(?:c|bcd)", r"a*?b", r"^a|b$", r"\bab\b", r"\Ba", r"a{2,3}", r"[^a]b"),
        *(r"(?<=a)b", r"(?<!a)b", r"a(?=b)", r"a(?!b)", r"(?:ab?)+c", r"(a)?b", r"\w+-\d", r".a"),
        *(r"(?:a{1,2}b){2}", r"\S\s", r"[a-b-]+", r"\Aa", r"(?:a|)b", r"a??b", r"(?=a|b)\w"),
        *(mask.pattern for of_set in MASK_SETS.values() for mask in of_set),
    ]
)


@settings(max_examples=400, deadline=None)
@given(PATTERNS, st.text(st.sampled_from("abcd1- .:/\té"), max_size=12))
@example(r"(?:a|ab)(?:c|bcd)", "abcd")
def test_the_matcher_finds_what_python_finds(pattern: str, text: str) -> None:
    """A matcher that ended early or read another pattern would count other steps."""
    matcher = _Matcher(parse(pattern, "p"), anchored=False)
    matcher._most = MOST_STEPS
    compiled = compile_portable(pattern, "p")
    for start in range(len(text) + 1):
        found = compiled.match(text, start)
        assert matcher._match(matcher._program, text, start) == (found and found.end())


def test_steps_are_counted_and_end_where_they_shall() -> None:
    matcher = _Matcher(parse(r"(?:a+)+$", "p"), anchored=True)
    few = matcher.count("a" * 8 + "b", MOST_STEPS)
    more = matcher.count("a" * 9 + "b", MOST_STEPS)
    assert 1.8 < more / few < 2.2
    assert matcher.count("a" * 100 + "b", 5000) == 5000


# --- the commands ---------------------------------------------------------------------------------


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "log"
    path.write_text("a-a-a 5\nb 6\n", encoding="utf-8")
    return path


BAD = r"\b([a-z]+(?:-[a-z]+)*)-?\d+"


def test_parse_warns_of_a_mask_and_a_header_and_parses_all_the_same(
    tmp_path: Path, log: Path
) -> None:
    out = tmp_path / "out"
    options = ["--mask", f"bad={BAD}=>X", "--mask", "good=b=>B", "--json"]
    result = CliRunner().invoke(cli, ["parse", str(log), "-o", str(out), *options])
    assert result.exit_code == 0
    (warning,) = json.loads(result.stdout)["warnings"]
    assert warning.startswith("The mask 'bad' takes time that grows faster than the line")
    assert "'a-a-a-a" in warning
    assert result.stderr == f"Warning: {warning}.\n"
    result = CliRunner().invoke(
        cli, ["parse", str(log), "-o", str(out), "--header", r"h=\s*\s*(?P<message>.*)x"]
    )
    assert "Warning: The header 'h' takes time" in result.stderr
    assert (out / "preprocess.json").is_file()


def test_parse_warns_of_a_mask_in_the_rules_that_are_given(tmp_path: Path, log: Path) -> None:
    out = tmp_path / "out"
    first = ["parse", str(log), "-o", str(out), "--mask", f"bad={BAD}=>X"]
    assert CliRunner().invoke(cli, first).exit_code == 0
    again = ["parse", str(log), "-o", str(out), "--preprocess", str(out / "preprocess.json")]
    result = CliRunner().invoke(cli, [*again, "--json"])
    assert len(json.loads(result.stdout)["warnings"]) == 1


def test_parse_is_silent_of_what_is_shipped(tmp_path: Path, log: Path) -> None:
    result = CliRunner().invoke(cli, ["parse", str(log), "-o", str(tmp_path / "out"), "--json"])
    assert json.loads(result.stdout)["warnings"] == []
    assert result.stderr == ""


@pytest.mark.parametrize(
    "command",
    [
        ["detect", "nothing", "--engine", "python", "--session-by"],
        ["deeplog", "build", "--parsed", "nothing", "-o", "nothing", "--session-by"],
    ],
    ids=["detect", "build"],
)
def test_a_session_pattern_is_warned_of_when_it_is_given(command: list[str]) -> None:
    words = "Warning: The pattern of sessions takes time that grows"
    assert words in CliRunner().invoke(cli, [*command, r"(\w+)\["]).stderr
    for fine in ("none", "host", "field:user", r"blk_(-?\d+)", "("):
        assert words not in CliRunner().invoke(cli, [*command, fine]).stderr


def test_a_warning_says_the_steps_that_were_counted() -> None:
    growth = find_growth(r"(\w+)\[")
    assert growth is not None
    warning = describe_growth("mask 'm'", r"(\w+)\[")
    assert warning is not None
    assert f"{growth.steps:,} steps for {growth.characters} characters" in warning
    assert growth.long_steps >= 8 * growth.steps
    assert describe_growth("mask 'm'", r"\d+") is None
