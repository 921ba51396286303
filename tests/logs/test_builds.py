"""What a model is trained on is published at once: vocabulary, rules and table, or none of them."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from logexport.errors import InputError, OutputError
from logexport.files import write_json
from logexport.logs.preprocess import Preprocess, SessionRule
from logexport.training.line_tables import ParsedRow, parsed_writer
from logexport.training.log import TrainingLog, save_vocab_and_rules
from logexport.training.tables import Column, Table, open_table
from logexport.types import Vocabulary
from logexport.vocab import load_vocab

LINES = 2500
EVENTS = Table("line_events", (Column("line", "int64"), Column("event", "int32", nullable=True)))
PATHS = [str(Path(__file__).resolve().parents[2]), os.environ.get("PYTHONPATH")]
CHILDS = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, PATHS))}
"""The environment of a process that builds by this module's own functions."""
FILES = ("vocab.json", "preprocess.json", "line_events.parquet")


@pytest.fixture(scope="module")
def parsed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A parsed log of 2,500 lines and three templates, its rules beside it."""
    folder = tmp_path_factory.mktemp("parsed")
    return write_parsed(folder, [f"event {letter(n)} came" for n in range(1, LINES + 1)])


def letter(number: int) -> str:
    """Of a line's event: a, b or c."""
    return "abc"[number * number % 7 % 3]


def write_parsed(folder: Path, lines: list[str]) -> Path:
    Preprocess(masks=()).save(folder / "preprocess.json")
    with parsed_writer(folder / "parsed.parquet", {}) as write:
        for number, text in enumerate(lines, start=1):
            write(ParsedRow(number, None, None, None, text.encode(), text, 1, text))
    return folder / "parsed.parquet"


def build(
    parsed: Path, out: Path, at: int = -1, happens: Callable[[], None] = lambda: None, **more: Path
) -> None:
    """A build; something happens when so many rows are written."""
    with TrainingLog(parsed, **more).build(out, EVENTS, {"of": "a test"}) as files:
        for row, event, _ in files:
            if files.lines == at:
                happens()
            files.write((row.line_no, event.template))
        if files.lines == at:
            happens()


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


@pytest.fixture(scope="module")
def before(parsed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build by a vocabulary and by rules that are others than those of the next one."""
    folder = tmp_path_factory.mktemp("before")
    write_json(folder / "other.json", {"event b came": 0, "event a came": 1})
    Preprocess(masks=(), max_line_bytes=7000).save(folder / "other_rules.json")
    out = folder / "out"
    build(parsed, out, vocab=folder / "other.json", preprocess=folder / "other_rules.json")
    return out


def test_a_build_writes_three_files_that_name_each_other(parsed: Path, tmp_path: Path) -> None:
    told: list[int] = []
    log = TrainingLog(parsed)
    with log.build(tmp_path / "new" / "out", EVENTS, {"of": "a test"}, on_lines=told.append) as out:
        for row, event, _ in out:
            out.write((row.line_no, event.template))
        assert not list((tmp_path / "new" / "out").glob("[!.]*"))
    assert sum(told) == out.lines == LINES
    assert max(told) <= 1000
    assert (out.unseen, out.templates) == (0, 3)
    assert sorted(contents(out.vocab.parent)) == sorted(FILES)
    assert load_vocab(out.vocab) == log.vocabulary
    assert Preprocess.load(out.preprocess) == log.rules
    with open_table(out.table, "line_events", "events", "") as table:
        assert table.about is not None
        assert list(table.about) == ["version", "kind", "of", "vocab_sha256", "preprocess"]
        assert table.about["vocab_sha256"] == log.vocabulary.sha256()
        assert table.about["preprocess"] == json.loads(out.preprocess.read_text())
        assert table.numbers(["line", "event"], "int64").tolist() == [
            [number, "abc".index(letter(number))] for number in range(1, LINES + 1)
        ]


@given(
    row=st.integers(0, LINES),
    error=st.sampled_from(
        [KeyboardInterrupt, SystemExit, MemoryError, ValueError, OSError, InputError("no")]
    ),
)
@settings(max_examples=40, deadline=None)
def test_a_build_that_is_interrupted_at_any_row_leaves_the_directory_as_it_was(
    parsed: Path, before: Path, row: int, error: BaseException | type[BaseException]
) -> None:
    there = contents(before)

    def happens() -> None:
        raise error

    kind = error if isinstance(error, type) else type(error)
    with pytest.raises(kind):
        build(parsed, before, row, happens)
    assert contents(before) == there


@pytest.mark.parametrize("row", [0, 1, 1234, LINES])
def test_a_build_that_is_killed_leaves_the_files_as_they_were(
    parsed: Path, before: Path, tmp_path: Path, row: int
) -> None:
    out = copy(before, tmp_path)
    script = (
        "import os, signal, sys\nfrom pathlib import Path\n"
        "from tests.logs.test_builds import build\n"
        "build(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]),"
        " lambda: os.kill(os.getpid(), signal.SIGKILL))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, parsed, out, str(row)],
        env=CHILDS, check=False,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL
    assert {name: contents(out)[name] for name in FILES} == contents(before)


@pytest.mark.parametrize("room", [0, 100, 300, 900])
def test_a_build_without_space_says_so_and_leaves_the_files_as_they_were(
    parsed: Path, before: Path, tmp_path: Path, room: int
) -> None:
    """A limit on the size of a file stands for the disk; the table has about 5,000 bytes."""
    out = copy(before, tmp_path)
    script = (
        "import resource, signal, sys\nfrom pathlib import Path\n"
        "from tests.logs.test_builds import build\n"
        "from logexport.errors import OutputError\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]),) * 2)\n"
        "try: build(Path(sys.argv[1]), Path(sys.argv[2]))\n"
        "except OutputError as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-B", "-c", script, parsed, out, str(room)],
        env=CHILDS,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert re.search(rf"{re.escape(str(out))}.* cannot be written: ", done.stdout), done.stderr
    assert contents(out) == contents(before)


@pytest.mark.parametrize("failing", FILES)
@pytest.mark.parametrize("there", [True, False])
def test_a_build_whose_file_cannot_be_renamed_leaves_the_others_as_they_were(
    parsed: Path, before: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    failing: str, there: bool,
) -> None:  # fmt: skip
    out = copy(before, tmp_path) if there else tmp_path / "fresh"
    whole = Path.replace

    def replace(path: Path, target: Path) -> Path:
        if target.name == failing and path.name.endswith(".tmp") and path not in kept:
            kept.add(path)
            raise PermissionError(1, "Operation not permitted", str(path), None, str(target))
        return whole(path, target)

    kept: set[Path] = set()
    monkeypatch.setattr(Path, "replace", replace)
    with pytest.raises(OutputError, match=failing):
        build(parsed, out)
    assert contents(out) == (contents(before) if there else {})


def copy(before: Path, tmp_path: Path) -> Path:
    out = tmp_path / "out"
    out.mkdir()
    for name, data in contents(before).items():
        (out / name).write_bytes(data)
    return out


def test_a_line_that_is_another_event_than_when_it_was_parsed_is_refused(
    before: Path, tmp_path: Path
) -> None:
    lines = [f"event {'abc'[n % 3]} came" for n in range(LINES)]
    parsed = write_parsed(tmp_path, lines)
    with parsed_writer(parsed, {}) as write:
        for number, text in enumerate(lines, start=1):
            said = text if number < LINES else "event <*> came"
            write(ParsedRow(number, None, None, None, text.encode(), text, 1, said))
    there = contents(before)
    with pytest.raises(InputError, match=f"line {LINES} of .* was parsed as"):
        build(parsed, before)
    assert contents(before) == there


def test_the_vocabulary_in_the_directory_itself_is_read_before_it_is_replaced(
    parsed: Path, before: Path, tmp_path: Path
) -> None:
    """In the other form, so that its file changes."""
    out = copy(before, tmp_path)
    write_json(out / "vocab.json", {"0": "event c came", "1": "event a came"})
    build(parsed, out, vocab=out / "vocab.json", preprocess=out / "preprocess.json")
    assert json.loads((out / "vocab.json").read_text()) == {"event c came": 0, "event a came": 1}
    assert Preprocess.load(out / "preprocess.json").max_line_bytes == 7000
    with open_table(out / "line_events.parquet", "line_events", "events", "") as table:
        events = [event for batch in table.batches(["event"]) for (event,) in batch]
    assert set(events) == {0, 1, None}


@pytest.mark.parametrize(
    ("there", "kept"),
    [
        (Preprocess(masks=(), session=SessionRule("host")), True),
        (Preprocess(masks=(), session=SessionRule("regex", "^a")), True),
        (Preprocess(masks=(), session=SessionRule("host"), max_line_bytes=9), False),
        (None, False),
    ],
)
def test_rules_that_differ_in_sessions_only_are_kept_where_the_model_has_none(
    parsed: Path, tmp_path: Path, there: Preprocess | None, kept: bool
) -> None:
    if there is not None:
        there.save(tmp_path / "preprocess.json")
    log = TrainingLog(parsed)
    with log.build(tmp_path, EVENTS, keep_sessions=True) as out:
        for row, event, _ in out:
            out.write((row.line_no, event.template))
    rules = Preprocess.load(out.preprocess)
    assert rules == (there if kept else log.rules)
    with open_table(out.table, "line_events", "events", "") as table:
        assert table.about is not None
        assert table.about["preprocess"] == rules.to_json()


def test_a_directory_in_the_place_of_a_file_is_refused_before_anything_is_read(
    parsed: Path, tmp_path: Path
) -> None:
    (tmp_path / "preprocess.json").mkdir()
    with pytest.raises(OutputError, match=r"preprocess\.json is a directory"):
        build(parsed, tmp_path, 0, lambda: pytest.fail("a line was read"))
    assert [path.name for path in tmp_path.iterdir()] == ["preprocess.json"]


def test_a_row_that_is_no_row_of_the_table_writes_nothing(parsed: Path, tmp_path: Path) -> None:
    def write() -> None:
        with TrainingLog(parsed).build(tmp_path / "out", EVENTS) as out:
            for row, _event, _session in out:
                out.write((row.line_no,))

    with pytest.raises(ValueError, match="is longer than"):
        write()
    assert list((tmp_path / "out").iterdir()) == []


def test_vocabulary_and_rules_alone_appear_together(tmp_path: Path) -> None:
    save_vocab_and_rules(tmp_path / "new", Vocabulary(("a b",)), Preprocess(prefer="general"))
    assert load_vocab(tmp_path / "new" / "vocab.json").templates == ("a b",)
    assert Preprocess.load(tmp_path / "new" / "preprocess.json").prefer == "general"
    there = contents(tmp_path / "new")
    broken = Preprocess(max_line_bytes=-1)
    with pytest.raises(InputError, match="max_line_bytes"):
        save_vocab_and_rules(tmp_path / "new", Vocabulary(("other",)), broken)
    assert contents(tmp_path / "new") == there


def test_paths_need_not_be_utf8(parsed: Path, tmp_path: Path) -> None:
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    build(parsed, odd)
    with open_table(odd / "line_events.parquet", "line_events", "events", "") as table:
        assert table.rows == LINES
    with (odd / "line_events.parquet").open("rb") as file:
        assert pq.read_schema(file).names == ["line", "event"]
    with (
        pytest.raises(InputError, match="cannot be read as events in parquet: No such file"),
        open_table(odd / "none.parquet", "line_events", "events", ""),
    ):
        pytest.fail("there is no such file")
