"""Templates with wildcards inside tokens come without rules: ``run`` makes them from the log."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import logexport
import pytest
from logexport.bundle import Bundle
from logexport.errors import InputError
from logexport.logs.events import EventReader
from logexport.logs.lines import LogLine
from logexport.logs.preprocess import Preprocess
from logexport.training.inner_rules import (
    find_inner_template,
    lines_of_log,
    lines_of_table,
    make_inner_rules,
)
from logexport.training.line_tables import ParsedRow, parsed_writer
from logexport.types import Vocabulary

from tests.host.exports import Job, meta_of

TEMPLATES = (
    "opened connection to <*>:<*> via eth<*>",
    "session sess_<*> of user <:NAME:> started",
    "wrote /data/<*>/<*>.bin size=<*>",
    "ready",
)


def message(number: int) -> str:
    return (
        f"opened connection to 10.0.{number}.1:80{number} via eth{number % 3}",
        f"session sess_{number:x} of user u{number} started",
        f"wrote /data/{number}/x.bin size={number * 77}",
        "ready",
    )[number % 4]


def lines(count: int = 60, head: str = "2025-03-10 08:{:02}:{:02},637 ") -> list[str]:
    return [head.format(n // 60, n % 60) + message(n) for n in range(count)]


def log_lines(texts: Iterable[str]) -> list[LogLine]:
    return [LogLine(number, text.encode()) for number, text in enumerate(texts, 1)]


@pytest.mark.parametrize(
    ("templates", "first"),
    [
        (TEMPLATES, 0),
        (("ready", "took <:NUM:> ms"), 1),
        (("ready", "size=<*>", "user <ID> left", "a blk_<*>"), 1),
        (("took <*> ms", "ready"), None),
        (("user <ID> left", "took <NUM> ms"), None),
        (("user <ID> left", "took <NUM> ms", "size=<*>"), None),
        (("<*:mark> left", "took <*:mark> ms"), None),
        ((), None),
    ],
)
def test_vocabularies_of_other_parsers_are_told_by_their_templates(
    templates: tuple[str, ...], first: int | None
) -> None:
    assert find_inner_template(templates) == (None if first is None else templates[first])


@pytest.mark.parametrize(
    "head",
    [
        "2025-03-10 08:{:02}:{:02},637 ",
        "Mar 10 08:{:02}:{:02} web-1 shop[17]: ",
        "<6>Mar 10 08:{:02}:{:02} web-1 shop[17]: ",
        "",
    ],
)
def test_every_line_is_known_by_the_rules_that_are_made(head: str) -> None:
    vocabulary = Vocabulary(TEMPLATES)
    sample = log_lines(lines(head=head))
    made = make_inner_rules(vocabulary, sample)
    assert made is not None
    assert made.known == 1.0
    events = list(EventReader(made.rules, vocabulary).read(sample))
    assert [event.template for event in events] == [n % 4 for n in range(60)]
    document = made.rules.to_json()
    assert (document["schema_version"], document["masks"], document["keep"]) == (2, [], [])
    assert document["matching"] == {"prefer": "specific", "inner": True}
    assert document["tokens"] == {"split_after": "", "collapse": False}
    assert Preprocess.from_json(document) == made.rules


def test_templates_of_whole_lines_are_known_although_the_lines_have_heads() -> None:
    vocabulary = Vocabulary(("<*> <*> ready", "<*> <*> size=<*>"))
    texts = [f"2025-03-10 08:00:{n:02},637 ready" for n in range(30)]
    made = make_inner_rules(vocabulary, log_lines(texts))
    assert made is not None
    assert (made.known, made.heads) == (1.0, "plain")


def test_a_log_without_lines_makes_no_rules() -> None:
    assert make_inner_rules(Vocabulary(TEMPLATES), log_lines(["", "  "])) is None


def write_log(path: Path, count: int = 60) -> Path:
    path.write_text("\n".join(lines(count)) + "\n")
    return path


def write_parsed(path: Path) -> Path:
    with parsed_writer(path, {}) as write:
        for number, text in enumerate(lines(), 1):
            write(ParsedRow(number, None, None, None, text.encode(), text, 1, "x"))
    return path


def test_a_raw_log_and_a_parsed_one_give_the_same_lines(tmp_path: Path) -> None:
    table = write_parsed(tmp_path / "parsed.parquet")
    assert list(lines_of_table(table)) == list(lines_of_log(write_log(tmp_path / "a.log")))


@pytest.mark.torch
class TestRun:
    @pytest.fixture
    def job(self, tmp_path: Path) -> Job:
        job = Job.make(tmp_path / "job")
        job.vocab.write_text(json.dumps({text: n for n, text in enumerate(TEMPLATES)}))
        return job

    @pytest.mark.parametrize("source", ["replay", "parsed"])
    def test_rules_are_made_from_the_log_and_the_report_says_why(
        self, job: Job, tiny_host, source: str, tmp_path: Path
    ) -> None:
        made = write_log(tmp_path / "a.log") if source == "replay" else None
        made = made or write_parsed(tmp_path / "p.parquet")
        result = logexport.run(job.request(**{source: made}, validate=False), host=tiny_host)
        bundle = Bundle.load(job.bundle).model("tiny")
        assert bundle.preprocess.inner
        assert bundle.preprocess.masks == ()
        assert meta_of(job.bundle)["preprocess"]["source"] == "templates"
        reader = EventReader(bundle.preprocess, bundle.vocab)
        events = [event.template for event in reader.read(log_lines(lines()))]
        assert events == [n % 4 for n in range(60)]
        (warning,) = [one for one in result.models[0].warnings if "matching.inner" in one]
        assert TEMPLATES[0] in warning
        assert str(made) in warning
        assert "100.0%" in warning

    def test_a_log_parsed_to_other_templates_is_taken_for_its_heads(
        self, job: Job, tiny_host, tmp_path: Path
    ) -> None:
        parsed = write_parsed(tmp_path / "p.parquet")
        result = logexport.run(job.request(parsed=parsed), host=tiny_host)
        (check,) = [one for one in result.models[0].checks if one.name == "training_events"]
        assert (check.status, "other templates" in check.message) == ("skipped", True)

    def test_without_a_log_the_error_names_both_options(self, job: Job, tiny_host) -> None:
        with pytest.raises(InputError, match="wildcards inside tokens") as caught:
            logexport.run(job.request(), host=tiny_host)
        assert "--replay" in caught.value.remedy
        assert "--parsed" in caught.value.remedy
        assert not job.bundle.exists()

    def test_rules_that_are_named_win(self, job: Job, tiny_host, tmp_path: Path) -> None:
        rules = tmp_path / "rules.json"
        Preprocess().save(rules)
        replay = write_log(tmp_path / "a.log")
        request = job.request(replay=replay, preprocess=rules, validate=False)
        logexport.run(request, host=tiny_host)
        assert Bundle.load(job.bundle).model("tiny").preprocess == Preprocess()
        assert meta_of(job.bundle)["preprocess"]["source"] == "option"
