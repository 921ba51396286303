"""From a raw log to a bundle that detects: build, train, run, and what each refuses."""

from __future__ import annotations

import json
import random
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from logexport import run
from logexport.cli import cli
from logexport.errors import CheckFailedError, InputError, LogexportError, UsageError
from logexport.logs.preprocess import Preprocess
from logexport.training.parse import ParseRequest, parse_logs
from logexport.types import ExportRequest, RunResult
from logexport.vocab import load_vocab
from logexport_deeplog.build import build_sequences
from logexport_ecvc.build import build_session_counts
from logexport_ecvc.checkpoints import read_ecvc
from logexport_ecvc.counts import read_rows
from logexport_ecvc.settings import Settings
from logexport_ecvc.train import train_ecvc

pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("ignore")]

NAME = r"job (\w+)"
CLOSES = r" handed over$"
IDLE = 60
BUILT = ("vocab.json", "preprocess.json", "session_counts.parquet")


def job(random: random.Random, name: str) -> Iterator[str]:
    """The lines of a job: begun, its steps, and one of two ends."""
    yield f"job {name} begun by user {random.randint(1, 99)}"
    for _ in range(random.randint(1, 3)):
        yield f"step {random.randint(1, 9)} of job {name} took {random.randint(1, 999)} ms"
    yield f"job {name} " + ("handed over" if random.random() < 0.5 else "done")


def write_log(path: Path, jobs: int = 150) -> Path:
    """Jobs that overlap, some names again much later, and lines of no job between them."""
    chance = random.Random(11)
    waiting = [job(chance, f"j{chance.randrange(jobs)}x") for _ in range(jobs)]
    living: list[Iterator[str]] = []
    lines: list[str] = []
    while waiting or living:
        if waiting and len(living) < 4:
            living.append(waiting.pop())
        one = living[chance.randrange(len(living))]
        line = next(one, None)
        if line is None:
            living.remove(one)
            lines.append(chance.choice(["", f"disk at {chance.randint(1, 99)} percent"]))
        else:
            lines.append(line)
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def parsed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("parsed")
    parse_logs(ParseRequest([write_log(folder / "a.log")], folder))
    return folder / "parsed.parquet"


SESSIONS = ["--session-by", NAME, "--idle-lines", IDLE, "--close-pattern", CLOSES]


@pytest.fixture(scope="module")
def built(parsed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a build, with the log and its parsed form beside it."""
    folder = tmp_path_factory.mktemp("built")
    shutil.copy(parsed, folder)
    shutil.copy(parsed.parent / "preprocess.json", folder)
    shutil.copy(parsed.parent / "a.log", folder)
    call("build", "--parsed", folder / "parsed.parquet", "-o", folder, *SESSIONS)
    files = (folder / "session_counts.parquet", folder / "vocab.json", folder / "m.safetensors")
    train_ecvc(*files, Settings(false_alarms=0.05))
    return folder


def call(*arguments: object) -> dict[str, Any]:
    """Run a ``logexport ecvc`` command with --json and give its document."""
    result = CliRunner().invoke(cli, ["ecvc", *map(str, arguments), "--json"])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.stderr
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def detect(bundle: Path, log: Path) -> list[dict[str, Any]]:
    result = CliRunner().invoke(cli, ["detect", str(bundle), str(log), "--engine", "python"])
    assert result.exit_code == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


# --- build ----------------------------------------------------------------------------------------


def read_sessions(log: Path) -> list[dict[str, Any]]:
    """What the table must hold, read from the text of the log alone."""
    living: dict[str, dict[str, Any]] = {}
    closed: list[dict[str, Any]] = []
    lines = log.read_text().splitlines()

    def close(name: str, by: str) -> None:
        closed.append({**living.pop(name), "closed_by": by})

    for number, line in enumerate(lines, start=1):
        if not line:
            continue
        for name in [one for one in living if number - living[one]["last_line"] > IDLE]:
            close(name, "idle")
        found = re.search(NAME, line)
        if found is None:
            continue
        name = found[1]
        new = {"session": name, "kinds": Counter(), "first_line": number}
        session = living.pop(name, new)  # the one touched last stands last
        living[name] = session
        session["last_line"] = number
        session["kinds"][re.sub(r"\d+|j\d+x", "#", line)] += 1
        if line.endswith(" handed over"):
            close(name, "pattern")
    for name in [one for one in living if len(lines) - living[one]["last_line"] > IDLE]:
        close(name, "idle")
    for name in list(living):
        close(name, "end")
    return closed


def test_a_row_holds_what_a_session_counts_when_it_closes(built: Path) -> None:
    templates = load_vocab(built / "vocab.json").templates
    rows = list(read_rows(built / "session_counts.parquet", len(templates)))
    wanted = read_sessions(built / "a.log")
    assert len(rows) == len(wanted) > 100
    assert {row.closed_by for row in rows} == {"idle", "pattern", "end"}
    kinds = {template: re.sub(r"<\w+>|<\*>", "#", template) for template in templates}
    for row, one in zip(rows, wanted, strict=True):
        assert (row.session, row.first_line, row.last_line, row.closed_by) == tuple(
            one[key] for key in ("session", "first_line", "last_line", "closed_by")
        )
        assert row.lines == sum(row.counts) == sum(one["kinds"].values())
        assert row.unseen == 0
        found = {kinds[templates[i]]: n for i, n in zip(row.templates, row.counts, strict=True)}
        assert sorted(found.values()) == sorted(one["kinds"].values())


def test_the_build_says_its_sessions_and_warns_of_names_that_come_again(
    built: Path, tmp_path: Path
) -> None:
    arguments = ["ecvc", "build", "--parsed", built / "parsed.parquet", "-o", tmp_path, *SESSIONS]
    result = CliRunner().invoke(cli, [*map(str, arguments)])
    assert result.exit_code == 0, result.stderr
    wanted = read_sessions(built / "a.log")
    names = {one["session"] for one in wanted}
    assert f"{len(wanted)} sessions of {len(names)} names" in result.stderr
    assert "a session ends when 60 lines are not its own" in result.stderr
    assert "Warning: " in result.stderr
    assert "session names (" in result.stderr


def test_a_budget_that_is_no_number_is_bad_usage(built: Path, tmp_path: Path) -> None:
    files = ["--counts", built / "session_counts.parquet", "--vocab", built / "vocab.json"]
    arguments = ["ecvc", "train", *files, "-o", tmp_path / "m.pth", "--false-alarms", "nan"]
    result = CliRunner().invoke(cli, [*map(str, arguments)])
    assert result.exit_code == 2, result.stderr
    assert "nan is not a number" in result.stderr


def test_the_table_names_its_vocabulary_and_rules(built: Path) -> None:
    metadata = pq.read_schema(built / "session_counts.parquet").metadata
    about = json.loads(metadata[b"logexport"])
    assert about["vocab_sha256"] == load_vocab(built / "vocab.json").sha256()
    assert about["preprocess"] == json.loads((built / "preprocess.json").read_text())
    rules = Preprocess.load(built / "preprocess.json").session
    assert (rules.pattern, rules.idle_lines, rules.close_pattern) == (NAME, IDLE, CLOSES)


@pytest.mark.parametrize("session_by", [NAME, r"\bj\d+x\b"])
def test_beside_a_build_of_deeplog_vocabulary_and_rules_stay_bit_for_bit(
    parsed: Path, tmp_path: Path, session_by: str
) -> None:
    deeplog = build_sequences(parsed, tmp_path, session_by=session_by)
    assert deeplog.start is not None
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    vocab = tmp_path / "vocab.json"
    build_session_counts(parsed, tmp_path, vocab=vocab, session_by=session_by)
    after = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    table = after.pop("session_counts.parquet")
    assert table
    assert after == before
    rows = list(read_rows(tmp_path / "session_counts.parquet", deeplog.templates))
    reserved = {deeplog.start, deeplog.end}
    assert not any(reserved & {*row.templates} for row in rows)


def test_lines_that_a_vocabulary_lacks_are_counted_as_unseen(parsed: Path, tmp_path: Path) -> None:
    build_session_counts(parsed, tmp_path / "all", session_by=NAME)
    templates = load_vocab(tmp_path / "all" / "vocab.json").templates
    kept = [one for one in templates if "begun" not in one]
    (tmp_path / "few.json").write_text(json.dumps({one: n for n, one in enumerate(kept)}))
    build_session_counts(parsed, tmp_path / "few", tmp_path / "few.json", session_by=NAME)
    full = read_rows(tmp_path / "all" / "session_counts.parquet", len(templates))
    for few, row in zip(
        read_rows(tmp_path / "few" / "session_counts.parquet", len(kept)), full, strict=True
    ):
        begun = sum(
            n for i, n in zip(row.templates, row.counts, strict=True) if "begun" in templates[i]
        )
        assert (few.unseen, few.lines) == (begun, row.lines)


# --- bad input ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "kind", "word"),
    [
        (["--session-by", "none"], UsageError, "--session-by none does not apply"),
        (["--session-by", "host"], UsageError, "--session-by host does not apply"),
        ([], UsageError, "sessions are by none"),
        (["--session-by", "nothing (here)"], InputError, "a session in none of the"),
        (["--session-by", "(job) "], InputError, "one session in"),
        (["--session-by", "field:nobody"], InputError, "a session in none of the"),
        (["--session-by", NAME, "--idle-seconds", 5], InputError, "needs times"),
    ],
)
def test_sessions_that_do_not_begin_and_end_are_refused_and_nothing_is_written(
    parsed: Path, tmp_path: Path, options: list[object], kind: type[LogexportError], word: str
) -> None:
    out = tmp_path / "out"
    with pytest.raises(kind, match=re.escape(word)) as raised:
        call("build", "--parsed", parsed, "-o", out, *options)
    assert "\n" not in str(raised.value)
    assert raised.value.remedy
    assert not any((out / name).exists() for name in BUILT)


def test_rules_of_version_1_are_refused_with_what_to_do(parsed: Path, tmp_path: Path) -> None:
    (tmp_path / "old.json").write_text(
        json.dumps(
            {
                "schema_version": 1,
                "headers": [],
                "masks": [],
                "matching": {"prefer": "specific"},
                "session": {"by": "none", "pattern": None},
                "max_sessions": 100_000,
                "max_line_bytes": 2**20,
            }
        )
    )
    rules = ["--preprocess", tmp_path / "old.json"]
    with pytest.raises(UsageError, match=r"version 1") as raised:
        call("build", "--parsed", parsed, "-o", tmp_path / "out", "--session-by", NAME, *rules)
    assert "logexport parse" in raised.value.remedy


# --- run and detect -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def exported(built: Path) -> RunResult:
    return run(
        ExportRequest(
            models=["ecvc"],
            checkpoint=built / "m.safetensors",
            output_dir=built / "bundle",
            exporter="torchscript",
            options={"native": "off"},  # tests/native has it
        )
    )


def test_every_check_passes_on_the_training_log(exported: RunResult) -> None:
    checks = {check.name: check.status for check in exported.models[0].checks}
    for name in ("parity_log", "parity_sessions", "training_sessions", "batch_independence"):
        assert checks[name] == "passed"
    assert "failed" not in checks.values()
    assert exported.warnings == 0


def test_the_self_test_has_sessions_of_both_verdicts(exported: RunResult) -> None:
    text = (exported.bundle / "ecvc.selftest.jsonl").read_text(encoding="utf-8")
    verdicts = [json.loads(line)["verdict"] for line in text.splitlines()]
    assert {"normal", "anomaly"} <= set(verdicts)
    assert len(verdicts) >= 10


def test_detection_counts_the_sessions_of_training_and_finds_them_normal(
    exported: RunResult, built: Path
) -> None:
    records = detect(built / "bundle", built / "a.log")
    wanted = read_sessions(built / "a.log")
    keys = ("session", "first_line", "last_line", "closed_by")
    assert [[record[key] for key in keys] for record in records] == [
        [one[key] for key in keys] for one in wanted
    ]
    assert {(record["verdict"], record["score"]) for record in records} == {("normal", 0)}


@pytest.mark.parametrize("change", ["counts", "missing", "added"])
def test_a_table_that_detection_would_not_count_so_is_not_exported(
    built: Path, tmp_path: Path, change: str
) -> None:
    for name in ("parsed.parquet", *BUILT, "m.safetensors"):
        shutil.copy(built / name, tmp_path)
    path = tmp_path / "session_counts.parquet"
    table = pq.read_table(path)
    if change == "counts":
        lines = table.column("last_line").to_pylist()
        column = table.schema.get_field_index("last_line")
        table = table.set_column(column, "last_line", [[lines[0] + 1, *lines[1:]]])
    elif change == "missing":
        table = table.slice(0, len(table) - 2)
    else:
        table = table.take([*range(len(table)), 0])
    pq.write_table(table, path)
    with pytest.raises(CheckFailedError, match="training_sessions"):
        run(
            ExportRequest(
                models=["ecvc"],
                checkpoint=tmp_path / "m.safetensors",
                output_dir=tmp_path / "bundle",
                exporter="torchscript",
                options={"native": "off"},
            )
        )


def test_rules_that_end_sessions_elsewhere_than_in_training_are_told(
    built: Path, tmp_path: Path
) -> None:
    document = json.loads((built / "preprocess.json").read_text())
    document["session"]["idle_lines"] = 5
    (tmp_path / "preprocess.json").write_text(json.dumps(document))
    with pytest.raises(CheckFailedError) as failure:
        run(
            ExportRequest(
                models=["ecvc"],
                checkpoint=built / "m.safetensors",
                preprocess=tmp_path / "preprocess.json",
                output_dir=tmp_path / "bundle",
                exporter="torchscript",
                options={"native": "off"},
            )
        )
    (failed,) = (check for check in failure.value.checks if check.status == "failed")
    assert failed.name == "training_sessions"
    assert failed.message.endswith("was built by other rules than the bundle's")


def test_a_table_of_another_vocabulary_is_left_out_of_the_checks(
    built: Path, tmp_path: Path
) -> None:
    build_session_counts(built / "parsed.parquet", tmp_path / "all", session_by=NAME)
    templates = load_vocab(tmp_path / "all" / "vocab.json").templates[1:]
    (tmp_path / "few.json").write_text(json.dumps({one: n for n, one in enumerate(templates)}))
    other = tmp_path / "other"
    build_session_counts(built / "parsed.parquet", other, tmp_path / "few.json", session_by=NAME)
    result = run(
        ExportRequest(
            models=["ecvc"],
            checkpoint=built / "m.safetensors",
            output_dir=tmp_path / "bundle",
            exporter="torchscript",
            options={"native": "off", "session_counts": other / "session_counts.parquet"},
        )
    )
    found = {check.name: check for check in result.models[0].checks}
    for name in ("parity_sessions", "training_sessions"):
        assert found[name].status == "skipped"
        assert "another vocabulary" in found[name].message


def test_the_vocabulary_of_another_log_is_refused_by_the_export(
    built: Path, tmp_path: Path
) -> None:
    text = json.loads((built / "vocab.json").read_text())
    (tmp_path / "vocab.json").write_text(json.dumps({f"{one} more": n for one, n in text.items()}))
    shutil.copy(built / "preprocess.json", tmp_path)
    with pytest.raises(LogexportError) as raised:
        run(
            ExportRequest(
                models=["ecvc"],
                checkpoint=built / "m.safetensors",
                vocab=tmp_path / "vocab.json",
                output_dir=tmp_path / "bundle",
                options={"native": "off"},
            )
        )
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "bundle").exists()


def test_rules_whose_sessions_do_not_end_are_refused_by_the_export(
    built: Path, tmp_path: Path
) -> None:
    rules = Preprocess.load(built / "preprocess.json").with_sessions("host")
    rules.save(tmp_path / "preprocess.json")
    with pytest.raises(LogexportError, match="sessions that begin and end"):
        run(
            ExportRequest(
                models=["ecvc"],
                checkpoint=built / "m.safetensors",
                preprocess=tmp_path / "preprocess.json",
                output_dir=tmp_path / "bundle",
                options={"native": "off"},
            )
        )


# --- the sample -----------------------------------------------------------------------------------


def test_the_sample_is_small_and_what_its_program_says(tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[2]
    folder = root / "examples" / "sample"
    sys.path.insert(0, str(folder))
    try:
        import make_ecvc_sample
    finally:
        sys.path.remove(str(folder))
    shipped = make_ecvc_sample.SHIPPED
    again = tmp_path / "sample.log"
    make_ecvc_sample.generate(again, *make_ecvc_sample.SAMPLE_LOG)
    assert again.read_bytes() == (shipped / "sample.log").read_bytes()
    assert (shipped / "ecvc.safetensors").stat().st_size < 30_000
    vocab = load_vocab(shipped / "vocab.json")
    assert read_ecvc(shipped / "ecvc.safetensors").vocab_sha256 == vocab.sha256()
    deeplog = root / "plugins" / "deeplog" / "logexport_deeplog" / "sample" / "vocab.json"
    assert deeplog.read_bytes() == (shipped / "vocab.json").read_bytes()
    rules = Preprocess.load(shipped / "preprocess.json").session
    _, pattern, _, closes = make_ecvc_sample.SESSIONS
    assert (rules.pattern, rules.close_pattern) == (pattern, closes)


# --- the plugin is light --------------------------------------------------------------------------

HEAVY = ("torch", "numpy", "onnx", "onnxruntime", "pyarrow", "jsonschema", "safetensors")


def test_hooks_and_commands_import_nothing_heavy() -> None:
    program = (
        "import sys, logexport_ecvc.hooks as h, logexport_ecvc.cli, click\n"
        "h.model_info(); h.run_options(); h.register_commands(click.Group())\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
