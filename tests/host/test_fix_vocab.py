"""``logexport fix-vocab``: ids become template strings, and every index stays what it was."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from logexport.cli import main
from logexport.training.line_tables import ParsedRow, parsed_writer
from logexport.vocab import load_vocab, repair


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


ids = st.integers(0, 50).map(str)
histories = st.lists(st.tuples(ids, st.text("ab <*>", max_size=5)), min_size=1, max_size=40)


@given(histories, st.randoms(use_true_random=False))
def test_repair_gives_each_id_its_last_template_at_its_index(history, random) -> None:
    last = dict(history)
    known = list(last)
    random.shuffle(known)
    entries = {template_id: index for index, template_id in enumerate(known)}
    if len(set(last.values())) < len(last):
        from logexport.errors import VocabularyError

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
    from logexport.errors import VocabularyError

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
