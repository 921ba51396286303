"""From a raw log to a checkpoint by the commands, on a small log of the sample's generator."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from logexport.errors import InputError, LogexportError, OutputError, UsageError
from logexport.logs.events import EventReader
from logexport.logs.preprocess import Preprocess
from logexport.training.line_tables import read_parsed, read_sequences
from logexport.training.parse import ParseRequest, parse_logs
from logexport.vocab import load_vocab
from logexport_deeplog.cli import deeplog

pytestmark = pytest.mark.torch

ROOT = Path(__file__).resolve().parents[2]
GENERATOR = ROOT / "examples" / "sample" / "generate_log.py"
SMALL = ["--seq-len", "5", "--embed-dim", "4", "--hidden-dim", "6", "--epochs", "2"]


def generate(path: Path, *options: str) -> Path:
    subprocess.run([sys.executable, GENERATOR, "-o", path, *options], check=True)
    return path


@pytest.fixture(scope="module")
def parsed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A parsed log of 1,500 lines."""
    folder = tmp_path_factory.mktemp("parsed")
    log = generate(folder / "small.log", "--lines", "1500", "--seed", "4")
    parse_logs(ParseRequest([log], folder))
    return folder / "parsed.parquet"


@pytest.fixture(scope="module")
def built(parsed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a build of it."""
    folder = tmp_path_factory.mktemp("built")
    call("build", "--parsed", parsed, "-o", folder)
    return folder


def call(*arguments: object) -> dict[str, Any]:
    """Run a ``logexport deeplog`` command with --json and give its document."""
    result = CliRunner().invoke(deeplog, [*map(str, arguments), "--json"])
    if result.exception is not None:
        raise result.exception
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def train(folder: Path, output: Path, *options: object) -> dict[str, Any]:
    files = ["--sequences", folder / "sequences.parquet", "--vocab", folder / "vocab.json"]
    return call("train", *files, "-o", output, *SMALL, *options)


# --- build ----------------------------------------------------------------------------------------


def test_build_numbers_the_template_strings_sorted(parsed: Path, built: Path) -> None:
    templates = list(load_vocab(built / "vocab.json").templates)
    assert templates == sorted({row.template for row in read_parsed(parsed)})
    assert json.loads((built / "vocab.json").read_text()) == {t: n for n, t in enumerate(templates)}


def test_build_gives_every_line_the_event_that_parse_gave_it(parsed: Path, built: Path) -> None:
    templates = load_vocab(built / "vocab.json").templates
    lines, events = list(read_parsed(parsed)), list(read_sequences(built / "sequences.parquet"))
    assert [row.line_no for row in events] == [row.line_no for row in lines] == [*range(1, 1501)]
    assert [templates[row.template_index or 0] for row in events] == [r.template for r in lines]
    assert [(r.timestamp, r.host, r.raw) for r in events] == [
        (r.timestamp, r.host, r.raw) for r in lines
    ]
    assert {row.session for row in events} == {None}


def test_sequences_name_their_vocabulary_and_rules(built: Path) -> None:
    about = read_sequences(built / "sequences.parquet").about
    assert about is not None
    assert about["vocab_sha256"] == load_vocab(built / "vocab.json").sha256()
    assert about["preprocess"] == json.loads((built / "preprocess.json").read_text())


@pytest.mark.parametrize(
    ("by", "sessions"),
    [("none", {None}), ("host", {"vega"}), (r" (sshd|CRON)\W", {None, "sshd", "CRON"})],
)
def test_session_by_goes_into_both_files(
    parsed: Path, tmp_path: Path, by: str, sessions: set[str | None]
) -> None:
    document = call("build", "--parsed", parsed, "-o", tmp_path, "--session-by", by)
    assert {row.session for row in read_sequences(tmp_path / "sequences.parquet")} == sessions
    assert document["sessions"] == len(sessions)
    rule = Preprocess.load(tmp_path / "preprocess.json").session
    assert (rule.by, rule.pattern) == ((by, None) if by in ("none", "host") else ("regex", by))


def test_the_session_rule_of_the_rules_is_kept_where_no_other_is_named(
    parsed: Path, tmp_path: Path
) -> None:
    call("build", "--parsed", parsed, "-o", tmp_path / "a", "--session-by", "host")
    rules = tmp_path / "a" / "preprocess.json"
    call("build", "--parsed", parsed, "-o", tmp_path / "b", "--preprocess", rules)
    assert Preprocess.load(tmp_path / "b" / "preprocess.json").session.by == "host"


def test_a_reused_vocabulary_is_matched_and_the_rest_unseen(
    parsed: Path, built: Path, tmp_path: Path
) -> None:
    templates = list(load_vocab(built / "vocab.json").templates)
    gone = next(t for t in templates if t.startswith("Connection from"))
    templates.remove(gone)
    templates.reverse()  # numbering decides nothing
    vocab = tmp_path / "old.json"
    vocab.write_text(json.dumps({str(n): t for n, t in enumerate(templates)}))
    document = call("build", "--parsed", parsed, "-o", tmp_path / "b", "--vocab", vocab)
    rows = list(read_sequences(tmp_path / "b" / "sequences.parquet"))
    for row, line in zip(rows, read_parsed(parsed), strict=True):
        assert row.template_index == (
            None if line.template == gone else templates.index(line.template or "")
        )
    assert document["unseen"] == sum(row.template_index is None for row in rows) > 0
    assert load_vocab(tmp_path / "b" / "vocab.json").templates == tuple(templates)


def test_rules_that_are_not_those_of_the_parse_are_refused_and_nothing_is_written(
    parsed: Path, tmp_path: Path
) -> None:
    rules = json.loads((parsed.parent / "preprocess.json").read_text())
    rules["masks"] = []
    other = tmp_path / "preprocess.json"
    other.write_text(json.dumps(rules))
    with pytest.raises(InputError, match=r"line 1 of .* was parsed as"):
        call("build", "--parsed", parsed, "-o", tmp_path / "b", "--preprocess", other)
    assert not list((tmp_path / "b").glob("*"))


FULL = """
import resource, signal, sys
from logexport.cli import main

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (12_000, 12_000))
sys.exit(main(sys.argv[1:]))
"""


def test_a_build_without_space_leaves_the_one_before(
    parsed: Path, built: Path, tmp_path: Path
) -> None:
    """A limit on the size of a file stands for the disk: vocabulary and rules fit, the sequences do
    not."""
    out = tmp_path / "out"
    shutil.copytree(built, out)
    sizes = {path.name: path.stat().st_size for path in out.iterdir()}
    assert sizes["vocab.json"] + sizes["preprocess.json"] < 12_000 < sizes["sequences.parquet"]
    (tmp_path / "other.json").write_text(json.dumps({"something else": 0, "again": 1}))
    done = subprocess.run(
        [
            sys.executable, "-B", "-c", FULL, "deeplog", "build", "--parsed", parsed, "-o", out,
            "--vocab", tmp_path / "other.json", "--session-by", "host",
        ],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    said = done.stderr.splitlines()[-2]
    assert said.startswith(f"Error: {out / 'sequences.parquet'} cannot be written:"), said
    for name in sizes:
        assert (out / name).read_bytes() == (built / name).read_bytes()


def test_build_refuses_what_parse_did_not_write(built: Path, tmp_path: Path) -> None:
    (tmp_path / "text.parquet").write_text("no")
    for path in (tmp_path / "none", tmp_path / "text.parquet", built / "sequences.parquet"):
        with pytest.raises(InputError, match=re.escape(str(path))):
            call("build", "--parsed", path, "-o", tmp_path / "b")
    assert not (tmp_path / "b").exists()


def test_build_refuses_parsed_files_of_alog_detect(test_data: Path, tmp_path: Path) -> None:
    foreign = test_data / "checkpoints" / "alog-detect-linux" / "parsed.parquet"
    with pytest.raises(InputError, match="not written by logexport"):
        call("build", "--parsed", foreign, "-o", tmp_path)


# --- train ----------------------------------------------------------------------------------------


def test_train_writes_a_checkpoint_that_run_reads(built: Path, tmp_path: Path) -> None:
    from logexport.types import EventWindow, ModelRequest, NextEventTopK
    from logexport_deeplog.load import load

    for name in ("deeplog.pth", "deeplog.safetensors"):
        document = train(built, tmp_path / name, "--num-layers", "2", "--top-k", "7")
        vocab = load_vocab(built / "vocab.json")
        model = load(ModelRequest("deeplog", tmp_path / name, built / "vocab.json"))
        assert model.vocab_size == len(vocab) == document["vocab_size"]
        assert model.trained_vocab_sha256 == vocab.sha256()
        assert model.task.input == EventWindow(5)
        assert model.task.decision == NextEventTopK("predictions", 7)
        assert model.meta["checkpoint_kind"] == "logexport"
        assert model.meta["seq_len_source"] == "checkpoint"
        assert model.meta["num_layers"] == 2
        assert any("held-out" in str(note) for note in model.meta["notes"])  # type: ignore[union-attr]


def test_the_checkpoint_has_alog_detects_keys_and_no_floats(built: Path, tmp_path: Path) -> None:
    import torch

    train(built, tmp_path / "deeplog.pth", "--top-k", "9")
    content = torch.load(str(tmp_path / "deeplog.pth"), weights_only=True)
    assert set(content) == {
        *("state_dict", "vocab_size", "seq_len", "embed_dim", "hidden_dim"),
        *("num_layers", "top_k", "vocab_sha256", "settings"),
    }
    assert {type(value) for key, value in content.items() if key != "state_dict"} == {int, str}
    settings = json.loads(content["settings"])
    assert set(settings["flagged_share"]) == {str(k) for k in range(1, 21)}
    assert settings["training"]["learning_rate"] == 0.002
    assert settings["preprocess"] == json.loads((built / "preprocess.json").read_text())


def test_one_seed_gives_the_same_weights_and_another_seed_others(
    built: Path, tmp_path: Path
) -> None:
    files = {}
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        train(built, tmp_path / f"{name}.pth", "--seed", seed)
        files[name] = (tmp_path / f"{name}.pth").read_bytes()
    assert files["a"] == files["b"]
    assert files["a"] != files["c"]


def test_training_does_not_touch_the_callers_random_numbers(built: Path, tmp_path: Path) -> None:
    import torch

    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    train(built, tmp_path / "deeplog.pth")
    assert torch.equal(torch.rand(3), expected)
    assert not torch.are_deterministic_algorithms_enabled()


def test_flagged_shares_are_those_of_the_exported_model(built: Path, tmp_path: Path) -> None:
    """Counted again from the checkpoint, window by window."""
    import torch
    from logexport_deeplog.checkpoints import read_deeplog

    document = train(built, tmp_path / "deeplog.pth")
    assert (document["held_out_by"], document["held_out_windows"]) == ("end", 294)
    rows = [row.template_index or 0 for row in read_sequences(built / "sequences.parquet")]
    model = read_deeplog(tmp_path / "deeplog.pth").module
    ranks = []
    for last in range(1500 - 294, 1500):
        logits = model(torch.tensor([rows[last - 5 : last]]))[0]
        ranks.append(int((logits > logits[rows[last]]).sum()))
    for k in range(1, 21):
        share = sum(rank >= k for rank in ranks) / len(ranks)
        assert document["flagged_share"][str(k)] == pytest.approx(share, abs=1e-9)
    shares = list(document["flagged_share"].values())
    assert shares == sorted(shares, reverse=True)


def test_training_learns(built: Path, tmp_path: Path) -> None:
    """Better than guessing by frequency alone, which most lines' fixed order makes easy."""
    import math
    from collections import Counter

    options = ["--epochs", "6", "--hidden-dim", "24", "--batch-size", "16"]
    document = train(built, tmp_path / "deeplog.pth", *options)
    counts = Counter(row.template_index for row in read_sequences(built / "sequences.parquet"))
    entropy = -sum(n / 1500 * math.log(n / 1500) for n in counts.values())
    assert document["epochs"][document["best_epoch"] - 1]["validation_loss"] < 0.5 * entropy


def test_training_stops_early_and_keeps_the_best_epoch(built: Path, tmp_path: Path) -> None:
    options = ["--epochs", "40", "--patience", "1", "--learning-rate", "0.05"]
    document = train(built, tmp_path / "deeplog.pth", *options)
    losses = [epoch["validation_loss"] for epoch in document["epochs"]]
    assert len(losses) < 40
    assert losses[document["best_epoch"] - 1] == min(losses)


def test_a_diverging_training_is_an_error_and_writes_nothing(built: Path, tmp_path: Path) -> None:
    from logexport_deeplog.settings import Settings
    from logexport_deeplog.train import train_deeplog

    settings = Settings(seq_len=5, embed_dim=4, hidden_dim=6, learning_rate=1e37)
    with pytest.raises(InputError, match="diverged"):
        train_deeplog(
            built / "sequences.parquet", built / "vocab.json", tmp_path / "d.pth", settings
        )
    assert not list(tmp_path.iterdir())


def test_sessions_too_short_for_the_window_are_warned_of(parsed: Path, tmp_path: Path) -> None:
    by = ("--session-by", r"^\w+ +\d+ (\S+)", "--no-boundaries")
    call("build", "--parsed", parsed, "-o", tmp_path, *by)
    document = train(tmp_path, tmp_path / "deeplog.pth", "--seq-len", "9")
    assert any("too short" in warning for warning in document["warnings"])


def test_no_warning_where_nearly_every_event_is_judged(built: Path, tmp_path: Path) -> None:
    options = ("--top-k", "9")
    assert train(built, tmp_path / "deeplog.pth", *options)["warnings"] == []


def test_a_log_without_a_full_window_is_refused(built: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no session of more than 2000 events"):
        train(built, tmp_path / "deeplog.pth", "--seq-len", "2000")


def _other_vocabulary(folder: Path, tmp_path: Path) -> Path:
    templates = list(load_vocab(folder / "vocab.json").templates)
    templates[0] += " more"
    path = tmp_path / "other.json"
    path.write_text(json.dumps({template: n for n, template in enumerate(templates)}))
    return path


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        (lambda b, t: ["--vocab", _other_vocabulary(b, t)], InputError, "another vocabulary"),
        (lambda b, t: ["--vocab", t / "none.json"], InputError, "none.json"),
        (lambda b, t: ["--sequences", b / "vocab.json"], InputError, "vocab.json"),
        (lambda b, t: ["--top-k", 1000], UsageError, "--top-k 1000"),
        (lambda b, t: ["--device", "warp"], UsageError, "warp"),
        (lambda b, t: ["--device", "cuda:99"], UsageError, "cuda:99"),
        (lambda b, t: ["-o", t / "deeplog.onnx"], UsageError, "suffixes"),
        (lambda b, t: ["-o", t / "none" / "deeplog.pth"], OutputError, "cannot be written"),
    ],
)
def test_what_train_cannot_use_is_one_sentence(
    built: Path,
    tmp_path: Path,
    options: Callable[[Path, Path], list[object]],
    error: type[LogexportError],
    says: str,
) -> None:
    with pytest.raises(error, match=re.escape(says)) as refusal:
        train(built, tmp_path / "deeplog.pth", *options(built, tmp_path))
    assert "\n" not in str(refusal.value)
    assert not (tmp_path / "deeplog.pth").exists()


def test_a_vocabulary_of_few_templates_gets_a_k_below_its_size(tmp_path: Path) -> None:
    log = tmp_path / "tiny.log"
    log.write_text("start now\nstop it now\n" * 100)
    parse_logs(ParseRequest([log], tmp_path, format="plain"))
    call("build", "--parsed", tmp_path / "parsed.parquet", "-o", tmp_path)
    document = train(tmp_path, tmp_path / "deeplog.pth")
    assert (document["vocab_size"], document["top_k"]) == (2, 1)
    log.write_text("always the same\n" * 100)
    parse_logs(ParseRequest([log], tmp_path, format="plain"))
    call("build", "--parsed", tmp_path / "parsed.parquet", "-o", tmp_path)
    with pytest.raises(InputError, match="one entry"):
        train(tmp_path, tmp_path / "deeplog.pth")


def test_sequences_of_alog_detect_are_trained_on_as_one_session(
    test_data: Path, tmp_path: Path
) -> None:
    folder = test_data / "checkpoints" / "alog-detect-linux"
    document = train(folder, tmp_path / "deeplog.pth", "--seq-len", "50", "--epochs", "1")
    assert (document["events"], document["vocab_size"], document["sessions"]) == (2000, 139, 1)


def test_prose_goes_to_standard_error_and_the_path_to_standard_output(
    built: Path, tmp_path: Path
) -> None:
    files = ["--sequences", built / "sequences.parquet", "--vocab", built / "vocab.json"]
    arguments = ["train", *files, "-o", tmp_path / "deeplog.pth", *SMALL]
    result = CliRunner().invoke(deeplog, [*map(str, arguments)])
    assert result.stdout == f"{tmp_path / 'deeplog.pth'}\n"
    assert "epoch 1/2: loss" in result.stderr
    assert re.search(r"^ +20 +[\d.]+ %", result.stderr, re.MULTILINE)


# --- the generator --------------------------------------------------------------------------------


def test_the_generator_gives_the_same_log_for_the_same_seed(tmp_path: Path) -> None:
    options = ["--lines", "400", "--faults-every", "30"]
    logs = [generate(tmp_path / name, *options, "--seed", s).read_bytes() for name, s in
            (("a", "1"), ("b", "1"), ("c", "2"))]  # fmt: skip
    assert logs[0] == logs[1] != logs[2]


def test_the_generators_truth_names_the_lines_of_faults(tmp_path: Path) -> None:
    truth = tmp_path / "truth.jsonl"
    log = generate(
        tmp_path / "a.log", "--lines", "3000", "--faults-every", "20", "--truth", str(truth)
    )
    lines = log.read_text().splitlines()
    assert len(lines) == 3000
    faults = [json.loads(line) for line in truth.read_text().splitlines()]
    assert {entry["fault"] for entry in faults} >= {"disk_error", "out_of_memory", "mail_loop"}
    labelled = {entry["line"] for entry in faults}
    for number, line in enumerate(lines, start=1):
        if "oom-killer" in line or "I/O error" in line or "DHCPNAK" in line:
            assert number in labelled
    clean = generate(tmp_path / "b.log", "--lines", "3000").read_text()
    assert "oom-killer" not in clean


# --- the sample -----------------------------------------------------------------------------------


def test_the_sample_is_what_the_generator_and_the_commands_made(tmp_path: Path) -> None:
    from logexport.types import ModelRequest
    from logexport_deeplog.hooks import model_info
    from logexport_deeplog.load import load

    sys.path.insert(0, str(GENERATOR.parent))
    try:
        import make_samples
    finally:
        sys.path.remove(str(GENERATOR.parent))
    sample = model_info().sample
    assert sample is not None
    again = generate(tmp_path / "sample.log", *make_samples.SAMPLE_LOG)
    assert again.read_bytes() == sample.log.read_bytes()
    assert sample.log.stat().st_size < 300_000
    assert sample.checkpoint.stat().st_size < 300_000
    model = load(ModelRequest("deeplog", sample.checkpoint, sample.vocab))
    vocab = load_vocab(sample.vocab, expected_size=model.vocab_size)
    assert model.trained_vocab_sha256 == vocab.sha256()
    settings = json.loads(sample.preprocess.read_text())
    assert Preprocess.from_json(settings).to_json() == settings


def test_of_the_samples_log_what_only_faults_write_is_unseen_and_nothing_else() -> None:
    from logexport_deeplog.hooks import model_info

    sample = model_info().sample
    assert sample is not None
    rules = Preprocess.load(sample.preprocess)
    assert rules.version == 2
    truth = sample.log.with_name("sample.faults.jsonl").read_text().splitlines()
    unheard = {"disk_error", "out_of_memory", "address_conflict"}
    events = EventReader(rules, load_vocab(sample.vocab)).read_logs([sample.log])
    assert {event.line for event in events if event.template is None} == {
        fault["line"] for fault in map(json.loads, truth) if fault["fault"] in unheard
    }
