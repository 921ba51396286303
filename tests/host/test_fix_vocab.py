"""``logexport fix-vocab``: ids become template strings, and every index stays what it was."""

from __future__ import annotations

import csv
import hashlib
import json
import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from logexport.cli import main
from logexport.errors import VocabularyError
from logexport.training.line_tables import ParsedRow, parsed_writer
from logexport.vocab import load_vocab, repair
from logexport.vocab import reserve as reserve_entries


def parsed(path: Path, lines: Sequence[tuple[int | None, str]]) -> Path:
    """A parsed file of (template id, template), one line each."""
    with parsed_writer(path, {}) as write:
        for number, (template_id, template) in enumerate(lines, start=1):
            row = ParsedRow(number, None, None, None, b"x", "x", template_id, template)
            write(row)
    return path


def foreign(path: Path, rows: dict[str, list[Any]]) -> Path:
    """A parsed file as alog-detect writes it: ids are text, rows in another order."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table(rows), path)
    return path


@pytest.fixture
def fix(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    def run(source: Path, entries: dict[str, Any], *more: str) -> tuple[int, Path, str, str]:
        old, new = tmp_path / "old.json", tmp_path / "new.json"
        old.write_text(json.dumps(entries))
        words = ["fix-vocab", "--parsed", source, "--old-vocab", old, "--output", new, *more]
        status = main([str(word) for word in words])
        out = capsys.readouterr()
        assert "Traceback" not in out.err
        return status, new, out.out, out.err

    return run


def test_every_index_is_kept(tmp_path: Path, fix) -> None:
    source = parsed(tmp_path / "p.parquet", [(7, "a <*>"), (1, "b"), (7, "a <*>"), (3, "c d")])
    status, new, out, err = fix(source, {"3": 0, "7": 1, "1": 2})
    assert status == 0, err
    assert load_vocab(new, 3).templates == ("c d", "a <*>", "b")
    assert "3 templates" in out
    assert json.loads(new.read_text()) == {"c d": 0, "a <*>": 1, "b": 2}


def test_of_several_templates_the_last_is_taken_and_all_are_listed(tmp_path: Path, fix) -> None:
    lines = [(1, "user root"), (2, "x"), (1, "user <*>"), (1, "user root")]
    status, new, _, err = fix(parsed(tmp_path / "p.parquet", lines), {"1": 0, "2": 1})
    assert status == 0
    assert load_vocab(new).templates == ("user root", "x"), "the one of the last line"
    assert "id 1 has had 2 templates" in err
    assert err.index("user <*>") < err.index("user root")
    status, _, out, _ = fix(tmp_path / "p.parquet", {"1": 0, "2": 1}, "--json")
    document = json.loads(out)
    assert document["several_templates"] == {"1": ["user <*>", "user root"]}
    assert document["entries"] == 2


def test_last_is_by_line_number_not_by_row(tmp_path: Path, fix) -> None:
    source = foreign(
        tmp_path / "p.parquet",
        {"line_no": [9, 2], "template_id": ["1", "1"], "template": ["late", "early"]},
    )
    status, new, _, _ = fix(source, {"1": 0})
    assert status == 0
    assert load_vocab(new).templates == ("late",)


def test_an_id_without_a_template_is_an_error_or_is_reserved(tmp_path: Path, fix) -> None:
    source = parsed(tmp_path / "p.parquet", [(1, "a b"), (None, "c")])
    entries = {"5": 0, "1": 1, "6": 2}
    status, new, _, err = fix(source, entries)
    assert status == 2
    assert '"5", "6"' in err
    assert "p.parquet" in err
    assert "--allow-missing" in err
    assert not new.exists()
    status, new, _, err = fix(source, entries, "--allow-missing")
    assert status == 0
    vocab = load_vocab(new, 3)
    assert vocab.templates[1] == "a b"
    assert vocab.reserved == {"missing:5": 0, "missing:6": 2}
    assert all("\n" in vocab.templates[i] for i in vocab.reserved.values()), "no line has LF"
    assert "index 0 is reserved" in err


def test_two_ids_with_one_template_are_an_error_that_names_them(tmp_path: Path, fix) -> None:
    source = parsed(tmp_path / "p.parquet", [(1, "same"), (2, "same"), (3, "other")])
    status, new, _, err = fix(source, {"1": 0, "2": 1, "3": 2})
    assert status == 2
    assert '["1", "2", "same"]' in err
    assert not new.exists()


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ({"a b": 0, "c": 1}, "holds template strings"),
        ({}, "without entries"),
        ({"1": 0, "2": 0}, "one index for several"),
        ({"1": 0, "2": 5}, "gaps"),
    ],
)
def test_what_needs_another_repair_is_refused(
    tmp_path: Path, fix, entries: dict[str, int], said: str
) -> None:
    status, new, _, err = fix(parsed(tmp_path / "p.parquet", [(1, "a")]), entries)
    assert status == 2
    assert said in err
    assert not new.exists()


def test_inputs_that_cannot_be_read_and_outputs_that_cannot_be_written(tmp_path: Path, fix) -> None:
    (tmp_path / "no.parquet").write_bytes(b"PAR1 not really")
    for source in (tmp_path / "gone.parquet", tmp_path / "no.parquet"):
        status, _, _, err = fix(source, {"1": 0})
        assert status == 2
        assert source.name in err
    source = parsed(tmp_path / "p.parquet", [(1, "a")])
    (tmp_path / "new.json").mkdir()
    status, _, _, err = fix(source, {"1": 0})
    assert status == 2
    assert "is a directory" in err


# --- ids of other parsers -------------------------------------------------------------------------

TEMPLATES = ("Receiving block <*>", "Got, twice: <*>", "Verification succeeded", "Deleting <*>")


def structured(path: Path, ids: Sequence[str], templates: Sequence[str] = TEMPLATES) -> Path:
    """What logparser writes of a log, each template twice."""
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["LineId", "Date", "Pid", "Content", "EventId", "EventTemplate", "Params"])
        for number in range(2 * len(ids)):
            place = number % len(ids)
            row = [number + 1, "081109", 7 + number % 3, f"x\n{number}", ids[place]]
            table.writerow([*row, templates[place], "[]"])
    return path


def md5(text: str, length: int = 8) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()[:length]


@pytest.mark.parametrize(
    ("in_vocabulary", "in_table"),
    [
        ([md5(str(n)) for n in range(4)], [md5(str(n)) for n in range(4)]),
        (["E5", "E22", "E11", "E9"], ["E5", "E22", "E11", "E9"]),
        (["('E5',)", "('E22',)", "('E11',)", "('E9',)"], ["E5", "E22", "E11", "E9"]),
        ([f"Event_{n}" for n in range(4)], [f"{n}" for n in range(4)]),
        ([f"{n}.0" for n in (4, 1, 7, 2)], [f"cluster_{n}" for n in (4, 1, 7, 2)]),
        ([md5(text).upper() for text in TEMPLATES], ["1", "2", "3", "4"]),
        ([md5(str(n), 32) for n in range(4)], ["0", "1", "2", "3"]),
    ],
)
def test_ids_of_logparser_are_found_in_its_table(
    tmp_path: Path, fix, in_vocabulary: list[str], in_table: list[str]
) -> None:
    source = structured(tmp_path / "HDFS.log_structured.csv", in_table)
    status, new, _, err = fix(source, {one: n for n, one in enumerate(in_vocabulary)})
    assert status == 0, err
    assert load_vocab(new, 4).templates == TEMPLATES


def test_a_column_of_ids_is_found_by_what_it_holds(tmp_path: Path, fix) -> None:
    rows = {
        "line": [5, 6, 7, 8],
        "grp": ["k-b", "k-a", "k-c", "k-a"],
        "level": ["INFO", "WARN", "INFO", "INFO"],
        "EventTemplate": ["b <*>", "a <*>", "c", "a <*>"],
    }
    entries = {"k-a": 0, "k-b": 1, "k-c": 2}
    status, new, _, err = fix(foreign(tmp_path / "clusters.parquet", rows), entries)
    assert status == 0, err
    assert load_vocab(new).templates == ("a <*>", "b <*>", "c")


def test_ids_that_no_column_holds_are_an_error_that_says_what_is_missing(
    tmp_path: Path, fix
) -> None:
    source = structured(tmp_path / "HDFS.log_structured.csv", ["E1", "E2", "E3", "E4"])
    status, new, _, err = fix(source, {md5(f"other {n}"): n for n in range(4)})
    assert status == 2
    assert md5("other 0") in err
    assert "EventId" in err
    assert "NAME_structured.csv" in err
    assert not new.exists()
    (tmp_path / "plain.csv").write_text("LineId,Content\n1,a\n")
    status, _, _, err = fix(tmp_path / "plain.csv", {"E1": 0, "E2": 1})
    assert status == 2
    assert "no column of templates; it has LineId, Content" in err


def test_special_entries_among_ids_are_reserved_and_templates_stay(tmp_path: Path, fix) -> None:
    source = parsed(tmp_path / "p.parquet", [(1, "a <*>"), (2, "b"), (3, "Started")])
    entries = {"<pad>": 0, "1": 1, "2": 2, "Started": 3, "<unk>": 4, "10": 5, "11": 6}
    status, new, _, err = fix(source, entries, "--allow-missing")
    assert status == 0, err
    vocab = load_vocab(new)
    assert (vocab.templates[1], vocab.templates[2], vocab.templates[3]) == ("a <*>", "b", "Started")
    expected = {"special:<pad>": 0, "unknown": 4, "missing:10": 5, "missing:11": 6}
    assert vocab.reserved == expected
    assert "lines of no template" in err


def test_ids_without_a_parsed_log_are_an_error_that_names_the_option(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = tmp_path / "v.json"
    old.write_text('{"E1": 0, "E2": 1}')
    assert main(["fix-vocab", "--old-vocab", str(old), "--output", str(tmp_path / "n.json")]) == 2
    assert "--parsed" in capsys.readouterr().err


# --- reserved entries -----------------------------------------------------------------------------


@pytest.fixture
def reserve(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    def run(entries: dict[str, int], *more: str) -> tuple[int, list[str], str]:
        old, new = tmp_path / "old.json", tmp_path / "new.json"
        old.write_text(json.dumps(entries))
        status = main(["fix-vocab", "--old-vocab", str(old), "--output", str(new), *more])
        err = capsys.readouterr().err
        return status, list(load_vocab(new).templates) if status == 0 else [], err

    return run


@pytest.mark.parametrize(
    ("entries", "options", "templates"),
    [
        ({"a": 0, "b": 1}, ["--entries", "4"], ["a", "b", "\nunused:2", "\nunused:3"]),
        ({"a": 1, "b": 3}, ["--entries", "4"], ["\nunused:0", "a", "\nunused:2", "b"]),
        ({"a": 0, "b": 1}, ["--reserve", "padding=0"], ["\npadding", "a", "b"]),
        ({"a": 0, "b": 1}, ["--reserve", "unknown"], ["a", "b", "\nunknown"]),
        ({"a": 1, "b": 2}, ["--reserve", "padding"], ["\npadding", "a", "b"]),
        (
            {"a": 0, "b": 1},
            ["--reserve", "pad=0", "--reserve", "unknown", "--entries", "5"],
            ["\npad", "a", "b", "\nunknown", "\nunused:4"],
        ),
    ],
)
def test_entries_that_stand_for_no_template_are_reserved(
    reserve, entries: dict[str, int], options: list[str], templates: list[str]
) -> None:
    status, made, err = reserve(entries, *options)
    assert status == 0, err
    assert made == templates


@pytest.mark.parametrize(
    ("entries", "options", "expected"),
    [
        ({"a": 0, "b": 1}, ["--entries", "1"], "which is not within 1 entries"),
        ({"a": 0, "b": 5}, ["--reserve", "x"], "gaps"),
        ({"a": 0}, ["--reserve", "x=7"], "gaps"),
        ({"a": 0, "\nx": 1}, ["--reserve", "x"], "there already"),
        ({"a": 0}, ["--reserve", "x=y"], "not NAME or NAME=INDEX"),
        ({"a": 0}, ["--entries", "99999999"], "not within"),
        ({"a": 2**40}, ["--entries", "3"], "gaps"),
        ({"a": 0}, ["--entries", "2", "--parsed", "p.parquet"], "Leave it out"),
    ],
)
def test_what_cannot_be_reserved_is_refused(
    reserve, entries: dict[str, int], options: list[str], expected: str
) -> None:
    status, _, err = reserve(entries, *options)
    assert status == 2
    assert expected in err


@given(st.sets(st.integers(0, 30), min_size=1), st.integers(0, 10))
def test_reserving_fills_every_gap_and_moves_nothing(indices: set[int], more: int) -> None:
    entries = {f"t{n}": n for n in indices}
    size = max(indices) + 1 + more
    made = reserve_entries(Path("v"), entries, [], size)
    assert sorted(made.values()) == list(range(size))
    assert {text: index for text, index in made.items() if text in entries} == entries


@given(st.integers(1, 9), st.integers(0, 9))
def test_an_index_that_is_taken_moves_all_from_there_up_by_one(count: int, wanted: int) -> None:
    entries = {f"t{n}": n for n in range(count)}
    index = min(wanted, count)
    made = reserve_entries(Path("v"), entries, [("x", index)])
    strings = sorted(made, key=made.__getitem__)
    assert strings == [*list(entries)[:index], "\nx", *list(entries)[index:]]


def command_of(remedy: str) -> list[str]:
    """The first command that a remedy prints, as a shell would take it apart."""
    found = re.search(r"`logexport (fix-vocab [^`]*)`", remedy)
    assert found is not None
    return shlex.split(found[1])


@pytest.mark.parametrize("content", ['{"a b": 0, "c d": 1}', '{"a b": 1, "c d": 2}'])
def test_the_command_for_more_classes_than_templates_works_as_it_is_printed(
    tmp_path: Path, content: str
) -> None:
    path = tmp_path / "my model's" / "vocab.json"
    path.parent.mkdir()
    path.write_text(content)
    with pytest.raises(VocabularyError) as caught:
        load_vocab(path, 3)
    words = command_of(caught.value.remedy)
    assert main(words) == 0
    made = load_vocab(Path(words[words.index("--output") + 1]), 3)
    assert len(made.reserved) == 1
    assert [t for t in made.templates if not t.startswith("\n")] == ["a b", "c d"]


@pytest.mark.parametrize("name", ["parsed.parquet", "HDFS.log_structured.csv"])
def test_the_command_for_ids_names_the_parsed_log_beside_them_and_works(
    tmp_path: Path, name: str
) -> None:
    path = tmp_path / "vocab.json"
    path.write_text('{"E1": 0, "E2": 1}')
    if name.endswith(".csv"):
        structured(tmp_path / name, ["E2", "E1"], ["b <*>", "a"])
    else:
        rows = {"line_no": [1, 2], "template_id": ["E1", "E2"], "template": ["a", "b <*>"]}
        foreign(tmp_path / name, rows)
    with pytest.raises(VocabularyError) as caught:
        load_vocab(path, 2)
    words = command_of(caught.value.remedy)
    assert main(words) == 0
    assert load_vocab(Path(words[words.index("--output") + 1]), 2).templates == ("a", "b <*>")


ids = st.integers(0, 50).map(str)
histories = st.lists(st.tuples(ids, st.text("ab <*>", max_size=5)), min_size=1, max_size=40)


@given(histories, st.randoms(use_true_random=False))
def test_repair_gives_each_id_its_last_template_at_its_index(history, random) -> None:
    last = dict(history)
    known = list(last)
    random.shuffle(known)
    entries = {template_id: index for index, template_id in enumerate(known)}
    if len(set(last.values())) < len(last):
        with pytest.raises(VocabularyError, match="one template"):
            repair(entries, history, Path("p"))
        return
    vocab, several = repair(entries, history, Path("p"))
    assert vocab.templates == tuple(last[template_id] for template_id in known)
    for template_id, templates in several.items():
        assert templates[-1] == last[template_id]
        assert set(templates) == {t for i, t in history if i == template_id}


def test_alog_detects_log_round_trip(test_data: Path, tmp_path: Path, fix) -> None:
    """An id-keyed vocabulary made of a real parsed file comes back as its templates."""
    import pyarrow.parquet as pq

    source = test_data / "checkpoints/alog-detect-linux/parsed.parquet"
    table = pq.read_table(source, columns=["line_no", "template_id", "template"])
    last: dict[str, tuple[int, str]] = {}
    for row in table.to_pylist():
        key, value = str(row["template_id"]), (row["line_no"], row["template"])
        last[key] = max(last.get(key, value), value)
    assert len(last) == 116
    entries = {template_id: index for index, template_id in enumerate(sorted(last))}
    templates = [last[template_id][1] for template_id in sorted(last)]
    status, new, out, err = fix(source, entries, "--json")
    if len(set(templates)) < len(templates):
        assert status == 2
        assert "one template" in err
        return
    assert status == 0, err
    assert list(load_vocab(new, 116).templates) == templates
    several = json.loads(out)["several_templates"]
    assert several
    assert all(several[i][-1] == last[i][1] for i in several)


@pytest.mark.torch
def test_a_checkpoint_stays_valid_with_its_repaired_vocabulary(
    tmp_path: Path, tiny_host, fix
) -> None:
    """What was refused is exported after the repair, with each index where it was."""
    import logexport
    from logexport.bundle import Bundle

    from tests.host.exports import Job

    job = Job.make(tmp_path / "job")
    lines = [(4, "event d"), (2, "event b"), (3, "event c"), (1, "event a")]
    source = parsed(tmp_path / "p.parquet", lines)
    entries = {"2": 0, "1": 1, "4": 2, "3": 3}
    job.vocab.write_text(json.dumps(entries))
    with pytest.raises(VocabularyError) as caught:
        logexport.run(job.request(), host=tiny_host)
    assert "logexport fix-vocab" in caught.value.remedy
    assert str(job.vocab) in caught.value.remedy
    status, new, _, _ = fix(source, entries)
    assert status == 0
    logexport.run(job.request(vocab=new), host=tiny_host)
    templates = Bundle.load(job.bundle).model("tiny").vocab.templates
    assert templates == ("event b", "event a", "event d", "event c")
