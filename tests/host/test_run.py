"""``logexport.run``: the same job as the command, as a Python call, and what stops it."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import logexport
import pytest
from logexport.bundle import Bundle
from logexport.errors import (
    CheckFailedError,
    InputError,
    LogexportError,
    OutputError,
    PluginError,
    StrategyUnavailableError,
    UnknownModelError,
    UsageError,
    VocabularyError,
)
from logexport.host import Host
from logexport.publishing.staging import staging

from tests.distributions import TINY, Site
from tests.host.exports import Job, contents, hosted, leftovers, meta_of, tiny

pytestmark = pytest.mark.torch


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job.make(tmp_path / "job")


# --- the result -----------------------------------------------------------------------------------


def test_a_run_returns_paths_checks_and_timings_and_prints_nothing(
    tiny_host: Host, job: Job, capfd: pytest.CaptureFixture[str]
) -> None:
    stages: list[tuple[str, str]] = []
    result = logexport.run(
        job.request(), host=tiny_host, report=lambda *stage: stages.append(stage)
    )
    assert capfd.readouterr() == ("", "")
    assert result.bundle == job.bundle
    assert result.proof == "no_native"
    (model,) = result.models
    assert (model.model, model.sample, model.checkpoint) == ("tiny", False, job.checkpoint)
    assert model.onnx == job.bundle / "tiny.onnx"
    assert model.onnx.is_file()
    assert model.metadata == job.bundle / "tiny.onnx.meta.json"
    assert json.loads(model.metadata.read_text())["model_type"] == "tiny"
    checks = {check.name: check for check in model.checks}
    passed = {"structure", "parity_random", "batch_independence", "templates"}
    assert {name for name, check in checks.items() if check.status == "passed"} == passed
    assert all(check.message for check in checks.values())
    assert checks["parity_random"].figures["rows"] == 3 * (1 + 7)
    assert checks["parity_random"].figures["largest_difference"] == 0
    assert [attempt.outcome for attempt in model.attempts] == ["taken"]
    in_order = ["load", "export", "finish", "write_meta", "selftest", "validate"]
    reported = [*in_order[:-1], "validate (logexport)"]  # whose checks they are
    assert list(dict.fromkeys(stage for _, stage in stages)) == reported
    assert list(model.seconds) == in_order
    assert 0 < sum(model.seconds.values()) <= result.seconds
    assert leftovers(job.bundle) == []


def test_the_metadata_is_that_of_the_graph_not_of_the_request(tiny_host: Host, job: Job) -> None:
    import onnx

    logexport.run(job.request(opset=13), host=tiny_host)
    graph = onnx.load(str(job.bundle / "tiny.onnx"))
    meta = meta_of(job.bundle)
    (opset,) = [one.version for one in graph.opset_import if one.domain in ("", "ai.onnx")]
    assert meta["opset_version"] == opset == 13
    manifest = json.loads((job.bundle / "manifest.json").read_text())
    assert manifest["models"]["tiny"]["opset_version"] == 13
    assert manifest["models"]["tiny"]["ir_version"] == graph.ir_version
    for key, values in (("input", graph.graph.input), ("output", graph.graph.output)):
        dims = [d.dim_param or d.dim_value for d in values[0].type.tensor_type.shape.dim]
        assert meta[f"{key}_shape"] == dims
        assert meta[f"{key}_names"] == [value.name for value in values]
    assert meta["output_shape"] == ["batch_size", 4]
    assert meta["dynamic_axes"] == {
        "input_sequence": {"0": "batch_size", "1": "sequence_length"},
        "predictions": {"0": "batch_size"},
    }


def test_without_checks_the_proof_is_none(tiny_host: Host, job: Job) -> None:
    result = logexport.run(job.request(validate=False), host=tiny_host)
    assert result.proof == "none"
    assert result.models[0].checks == ()
    bundle = Bundle.load(job.bundle)
    assert bundle.proof == "none"
    assert bundle.validation["tiny"]["checks"] == []


def test_variants_are_written_checked_and_named_in_the_metadata(tiny_host: Host, job: Job) -> None:
    result = logexport.run(job.request(portable=True, optimize=True), host=tiny_host)
    assert {check.name: check.status for check in result.models[0].checks}["variants"] == "passed"
    model = Bundle.load(job.bundle).model("tiny")
    assert model.meta["variants"] == {
        "portable": "tiny_portable.onnx",
        "optimized": "tiny_optimized.onnx",
    }
    assert all(model.graph(variant).is_file() for variant in model.meta["variants"])


# --- strategies and checks ------------------------------------------------------------------------

# int(...) of a traced size is a constant: the graph reads the step that was the last in tracing.
STATIC = {
    "window[:, -1]": "window[:, int(window.shape[1]) - 1]",
    # Shorter windows would not even run.
    "for n in (1, 2, 4)": "for n in (3, 4, 5)",
    "EventWindow(2)": "EventWindow(3)",
}

CAREFUL = """
from logexport import hookimpl
from logexport.exporters import Availability, TorchScriptStrategy
logexport_api = 1

class Careful(TorchScriptStrategy):
    def export(self, module, dummy, opset, path):
        module.forward = lambda window: module.logits[window[:, -1]]
        try:
            return super().export(module, dummy, opset, path)
        finally:
            del module.forward

@hookimpl
def register_exporters():
    return [Careful("careful")]
"""


GRAPH_AND_BUNDLE = """
from logexport import hookimpl
from logexport.types import CheckResult
logexport_api = 1

@hookimpl
def validate(bundle):
    wrong = bundle.meta["exporter"]["strategy"] == "torchscript"
    status = "failed" if wrong else "passed"
    return [CheckResult("own", status, "bundle", warnings=("a warning",))]
"""


def test_a_wrong_graph_that_fails_checks_of_the_bundle_too_goes_to_the_next_strategy(
    tmp_path: Path, job: Job
) -> None:
    host = hosted(tmp_path, tiny(**STATIC), CAREFUL, GRAPH_AND_BUNDLE)
    result = logexport.run(job.request(), host=host)
    first, last = result.models[0].attempts
    assert "own" in first.outcome
    assert last.strategy == "careful"
    assert list(result.models[0].warnings).count("a warning") == 1


def test_a_secretly_static_graph_fails_and_the_next_strategy_is_taken(
    tmp_path: Path, job: Job
) -> None:
    host = hosted(tmp_path, tiny(**STATIC), CAREFUL)
    result = logexport.run(job.request(), host=host)
    first, last = result.models[0].attempts
    assert (first.strategy, last.strategy) == ("torchscript", "careful")
    assert "parity_random" in first.outcome
    assert last.outcome == "taken"
    exporter = meta_of(job.bundle)["exporter"]
    assert exporter["strategy"] == "careful"
    assert [(one["strategy"], one["outcome"]) for one in exporter["tried"]] == [
        ("torchscript", first.outcome)
    ]
    attempts = Bundle.load(job.bundle).validation["tiny"]["attempts"]
    assert [one["strategy"] for one in attempts] == ["torchscript", "careful"]


def test_a_graph_that_does_not_even_run_at_other_sizes_goes_to_the_next_strategy(
    tmp_path: Path, job: Job
) -> None:
    (old, new), *_ = STATIC.items()
    result = logexport.run(job.request(), host=hosted(tmp_path, tiny(**{old: new}), CAREFUL))
    first, last = result.models[0].attempts
    assert first.outcome.startswith("failed: ")
    assert "sequence_length" in first.outcome
    assert (last.strategy, last.outcome) == ("careful", "taken")


def test_where_every_strategy_fails_nothing_is_published_and_the_figures_are_in_the_error(
    tmp_path: Path, job: Job
) -> None:
    with pytest.raises(CheckFailedError) as caught:
        logexport.run(job.request(), host=hosted(tmp_path, tiny(**STATIC)))
    failed = {check.name: check for check in caught.value.checks if check.status == "failed"}
    assert "parity_random" in failed
    assert failed["parity_random"].figures["out_of_tolerance"] > 0
    assert "parity_random" in str(caught.value)
    assert caught.value.exit_status == 1
    assert not job.bundle.exists()
    assert leftovers(job.bundle) == []


FAILS = """
from logexport import hookimpl
from logexport.types import CheckResult
logexport_api = 1
asked = []

@hookimpl
def validate(bundle):
    asked.append(bundle.graph.sha256)
    return [CheckResult("own", "failed", "SCOPE", "as expected", {"number": 7})]
"""


@pytest.mark.parametrize(("scope", "times"), [("bundle", 1), ("graph", 2)])
def test_a_failed_bundle_check_ends_the_run_and_a_graph_check_tries_on(
    tmp_path: Path, job: Job, scope: str, times: int
) -> None:
    host = hosted(tmp_path, TINY, CAREFUL, FAILS.replace("SCOPE", scope))
    with pytest.raises(CheckFailedError) as caught:
        logexport.run(job.request(), host=host)
    (own,) = [check for check in caught.value.checks if check.name == "own"]
    assert own.figures == {"number": 7}
    assert own.plugin.startswith("plugin_")
    asked = host.plugin(own.plugin).implementation.asked  # type: ignore[union-attr]
    assert len(asked) == times


def test_a_failed_run_leaves_the_old_bundle_bit_for_bit(
    tmp_path: Path, tiny_host: Host, job: Job
) -> None:
    logexport.run(job.request(), host=tiny_host)
    before = contents(job.bundle)
    inode = job.bundle.stat().st_ino
    for sources in ([tiny(**STATIC)], [TINY, FAILS.replace("SCOPE", "bundle")]):
        with pytest.raises(CheckFailedError):
            logexport.run(job.request(), host=hosted(tmp_path, *sources))
        assert contents(job.bundle) == before
        assert job.bundle.stat().st_ino == inode
        assert leftovers(job.bundle) == []


def test_a_model_that_writes_its_own_graph_is_finished_and_checked_alike(
    tmp_path: Path, job: Job
) -> None:
    own = TINY + textwrap.dedent(
        """
        @hookimpl
        def export(model, dummy, strategy, opset, path):
            import onnx
            from onnx import TensorProto, helper
            from logexport.exporters import ExportLog
            logits = onnx.numpy_helper.from_array(model.module.logits.detach().numpy(), "logits")
            last = onnx.numpy_helper.from_array(__import__("numpy").array(LAST), "last")
            nodes = [
                helper.make_node("Gather", ["input_sequence", "last"], ["event"], axis=1),
                helper.make_node("Gather", ["logits", "event"], ["predictions"], axis=0),
            ]
            graph = helper.make_graph(
                nodes, "own",
                [helper.make_tensor_value_info("input_sequence", TensorProto.INT64, ["b", "s"])],
                [helper.make_tensor_value_info("predictions", TensorProto.FLOAT, ["b", "v"])],
                [logits, last],
            )
            onnx.save(
                helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)]), str(path)
            )
            return ExportLog(("own: a warning",))
        """
    )
    result = logexport.run(job.request(), host=hosted(tmp_path, own.replace("LAST", "-1")))
    assert result.models[0].exporter_warnings == ("own: a warning",)
    assert meta_of(job.bundle)["output_shape"] == ["batch_size", 4]
    with pytest.raises(CheckFailedError):
        logexport.run(job.request(), host=hosted(tmp_path, own.replace("LAST", "0")))


# --- several models in one bundle -----------------------------------------------------------------


def test_a_second_model_goes_in_beside_the_first(tmp_path: Path, job: Job) -> None:
    host = hosted(tmp_path, TINY, tiny("other"), tiny("third"))
    logexport.run(job.request(), host=host)
    first = contents(job.bundle)
    logexport.run(job.request(["other"]), host=host)
    both = contents(job.bundle)
    bundle = Bundle.load(job.bundle)
    assert list(bundle.models) == ["tiny", "other"]
    assert set(bundle.validation) == {"tiny", "other"}
    for name in ("tiny.onnx", "tiny.onnx.meta.json", "tiny.selftest.log", "vocab.json"):
        assert both[name] == first[name]
    # Byte-identical files are shared.
    assert meta_of(job.bundle, "other")["vocab"] == meta_of(job.bundle)["vocab"]
    assert meta_of(job.bundle, "other")["preprocess"] == meta_of(job.bundle)["preprocess"]

    another = Job.make(tmp_path / "another", size=6)
    logexport.run(another.request(["third"], output_dir=job.bundle), host=host)
    bundle = Bundle.load(job.bundle)
    assert len(bundle.model("third").vocab) == 6
    assert len(bundle.model("tiny").vocab) == 4
    assert meta_of(job.bundle, "third")["vocab"]["file"] == "third.vocab.json"
    assert meta_of(job.bundle, "third")["preprocess"]["file"] == "preprocess.json"


def test_two_models_in_one_run_are_published_together_or_not_at_all(
    tmp_path: Path, job: Job
) -> None:
    host = hosted(tmp_path, TINY, tiny("other"))
    result = logexport.run(job.request(["tiny", "other"]), host=host)
    assert [model.model for model in result.models] == ["tiny", "other"]
    assert list(Bundle.load(job.bundle).models) == ["tiny", "other"]
    before = contents(job.bundle)
    broken = hosted(tmp_path, TINY, tiny("other", **STATIC))
    with pytest.raises(CheckFailedError):
        logexport.run(job.request(["tiny", "other"]), host=broken)
    assert contents(job.bundle) == before


def test_a_model_exported_again_replaces_itself_and_its_files(tmp_path: Path, job: Job) -> None:
    host = hosted(tmp_path, TINY, tiny("other"))
    logexport.run(job.request(["tiny", "other"], portable=True), host=host)
    logexport.run(job.request(["tiny"], options={"top_k": 2}), host=host)
    bundle = Bundle.load(job.bundle)
    assert bundle.model("tiny").meta["task"]["top_k"] == 2
    assert bundle.model("other").meta["task"]["top_k"] == 1
    files = set(contents(job.bundle))
    assert "tiny_portable.onnx" not in files
    assert "other_portable.onnx" in files


# --- errors, each of its type and with one sentence -----------------------------------------------

WRONG: list[tuple[str, dict[str, object], type[LogexportError], str, str]] = [
    ("no checkpoint file", {"checkpoint": Path("gone.pth")}, InputError, "gone.pth does not", ""),
    ("a directory", {"vocab": Path("/tmp")}, InputError, "is a directory", ""),  # noqa: S108
    ("no vocabulary", {"vocab": None, "checkpoint": "elsewhere"}, UsageError, "no --vocab", ""),
    ("no sample", {"checkpoint": None, "vocab": None}, UsageError, "ships no sample", ""),
    ("vocabulary only", {"checkpoint": None}, UsageError, "--vocab is given but no", ""),
    ("unknown model", {"models": ["missing"]}, UnknownModelError, "'missing'", "plugins list"),
    ("no model", {"models": []}, UsageError, "no model", "--model"),
    ("twice", {"models": ["tiny", "tiny"]}, UsageError, "more than once", ""),
    ("unknown option", {"options": {"bogus": 1}}, UsageError, "--bogus", "--help"),
    ("a value", {"options": {"top_k": "many"}}, UsageError, "many", ""),
    ("k too large", {"options": {"top_k": 4}}, UsageError, "top_k 4", "--top-k"),
    ("another's option", {"options": {"top_k": {"deeplog": 1}}}, UsageError, "'deeplog'", ""),
    ("another's path", {"parsed": {"deeplog": Path("x")}}, UsageError, "'deeplog'", ""),
    ("opset", {"opset": 99}, StrategyUnavailableError, "opset 99", "opset"),
    ("exporter", {"exporter": "bogus"}, StrategyUnavailableError, "bogus", ""),
    ("replay", {"replay": Path("gone.log")}, InputError, "gone.log does not", ""),
    ("place", {"output_dir": Path("/proc/x")}, OutputError, "cannot be written", "--output-dir"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("what", "change", "error", "said", "remedy"), WRONG, ids=[row[0] for row in WRONG]
)
def test_bad_input_is_a_typed_error_and_nothing_is_written(
    tiny_host: Host,
    job: Job,
    tmp_path: Path,
    what: str,
    change: dict[str, object],
    error: type[LogexportError],
    said: str,
    remedy: str,
) -> None:
    if change.get("checkpoint") == "elsewhere":
        (tmp_path / "elsewhere").mkdir()
        elsewhere = shutil.copy(job.checkpoint, tmp_path / "elsewhere")
        change = {**change, "checkpoint": Path(elsewhere)}
    with pytest.raises(error) as caught:
        logexport.run(job.request(**change), host=tiny_host)  # type: ignore[arg-type]
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert remedy in caught.value.remedy
    assert caught.value.exit_status == 2
    assert not job.bundle.exists()
    assert leftovers(job.bundle) == []


VOCABULARIES = [
    ('{"1": 0, "2": 1, "3": 2, "4": 3}', "ids where template strings", "logexport fix-vocab"),
    (
        '{"a b": 0, "c d": 1, "e f": 2}',
        "3 entries but the checkpoint was trained with 4",
        "--vocab",
    ),
    ('{"a b": 0, "c d": 1, "e f": 2, "g h": 4}', "gaps", "deeplog build"),
    ("not json", "not valid JSON", ""),
]


@pytest.mark.parametrize(("text", "said", "remedy"), VOCABULARIES)
def test_a_vocabulary_that_cannot_be_right_is_refused(
    tiny_host: Host, job: Job, text: str, said: str, remedy: str
) -> None:
    job.vocab.write_text(text)
    with pytest.raises(VocabularyError) as caught:
        logexport.run(job.request(), host=tiny_host)
    assert said in str(caught.value)
    assert str(job.vocab) in str(caught.value)
    assert remedy in caught.value.remedy
    assert not job.bundle.exists()


PLUGINS = [
    ("module.eval()", "module.train()", "training mode"),
    ("torch.ones(2, 3,", "torch.ones(1, 3,", "must be at least 2"),
    ("torch.ones(2, 3,", "torch.ones(3, 3,", "one size"),
    ("for b in (1, 7)", "for b in ()", "no sizes to probe"),
    ('{"batch_size": b, ', "{", "grid names the axes"),
    ('input_names=("input_sequence",)', 'input_names=("a", "b")', "2 input names"),
    ('return {"seq_len": 2}', 'return {"seq_len": object()}', "JSON cannot hold"),
    ('return {"seq_len": 2}', 'return {"task": {}}', "'task' is given by the host"),
    ('return {"seq_len": 2}', "return 7", "'write_meta' returned int"),
]


@pytest.mark.parametrize(("old", "new", "said"), PLUGINS)
def test_a_plugins_mistake_is_a_plugin_error_with_its_name(
    tmp_path: Path, job: Job, old: str, new: str, said: str
) -> None:
    with pytest.raises(PluginError) as caught:
        logexport.run(job.request(), host=hosted(tmp_path, tiny(**{old: new})))
    assert said in str(caught.value)
    assert "dist-plugin_" in str(caught.value)
    assert caught.value.exit_status == 1
    assert not job.bundle.exists()


def test_a_foreign_directory_is_refused_and_left_alone(tiny_host: Host, job: Job) -> None:
    job.bundle.mkdir()
    (job.bundle / "precious").write_text("precious")
    with pytest.raises(OutputError, match="neither empty nor a bundle"):
        logexport.run(job.request(), host=tiny_host)
    assert contents(job.bundle) == {"precious": b"precious"}


def test_a_damaged_bundle_is_not_added_to(tiny_host: Host, job: Job) -> None:
    logexport.run(job.request(), host=tiny_host)
    (job.bundle / "tiny.onnx").write_bytes(b"damaged")
    with pytest.raises(OutputError, match="damaged bundle") as caught:
        logexport.run(job.request(), host=tiny_host)
    assert "Remove it" in caught.value.remedy


def test_two_runs_at_once_on_one_target(tiny_host: Host, job: Job) -> None:
    with staging(job.bundle), pytest.raises(OutputError, match="another run"):
        logexport.run(job.request(), host=tiny_host)
    logexport.run(job.request(), host=tiny_host)


# --- the command, in processes --------------------------------------------------------------------


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """The tiny model type, installed; it prints on standard output whenever it is asked."""
    site = Site(tmp_path_factory.mktemp("installed"))
    noisy = "print('noise of the import')\n" + TINY.replace(
        "    state = torch.load", "    print('noise of load_model')\n    state = torch.load"
    )
    site.install("logexport-tiny", noisy)
    return site


def arguments(job: Job, *more: str) -> list[str | Path]:
    return [
        "run", "--model", "tiny", "--checkpoint", job.checkpoint, "--vocab", job.vocab,
        "-o", job.bundle, *more,
    ]  # fmt: skip


def test_json_is_one_document_though_a_plugin_prints(site: Site, job: Job) -> None:
    done = site.run(*arguments(job, "--json", "--native", "off"))
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["bundle"] == str(job.bundle)
    assert document["proof"] == "no_native"
    assert [model["model"] for model in document["models"]] == ["tiny"]
    assert set(document["models"][0]["checks"][0]) >= {"name", "status", "figures", "seconds"}
    assert "noise of the import" in done.stderr
    assert "noise of load_model" in done.stderr

    job.vocab.write_text('{"1": 0, "2": 1, "3": 2, "4": 3}')
    failed = site.run(*arguments(job, "--json"))
    assert failed.returncode == 2
    error = json.loads(failed.stdout)["error"]
    assert error["kind"] == "VocabularyError"
    assert error["exit_status"] == 2
    assert "logexport fix-vocab" in error["remedy"]
    assert error["problem"] in failed.stderr
    assert "Traceback" not in failed.stderr


def test_json_of_bad_usage_is_one_document_too(
    job: Job, capsys: pytest.CaptureFixture[str]
) -> None:
    from logexport.cli import main

    for words in (["run", "--json"], ["run", "--model", "deeplog", "--opset", "x", "--json"]):
        assert main(words) == 2
        out = capsys.readouterr()
        assert json.loads(out.out)["error"]["kind"] == "UsageError"
        assert "Traceback" not in out.err


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=96k", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_is_one_sentence(tiny_host: Host, job: Job, small_disk: Path) -> None:
    target = small_disk / "bundle"
    with pytest.raises(OutputError, match="No space left") as caught:
        logexport.run(job.request(output_dir=target), host=tiny_host)
    assert str(target) in str(caught.value)
    assert "Free space" in caught.value.remedy
    assert list(small_disk.iterdir()) == []


def test_a_limit_on_file_sizes_is_one_sentence_and_exit_2(site: Site, job: Job) -> None:
    words = [sys.executable, "-m", "logexport", *map(str, arguments(job, "--native", "off"))]
    done = subprocess.run(
        words,
        env=site.environment(PYTHONDONTWRITEBYTECODE="1"),
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)),
    )
    assert done.returncode == 2, done.stderr
    assert "cannot be written: File too large" in done.stderr
    assert "Traceback" not in done.stderr
    assert not job.bundle.exists()


KILLED = """
import json, os, signal, sys, time
from pathlib import Path

import onnx, onnxruntime, torch  # before the fork: a killed run shall not be one that imports
from logexport.bundle import Bundle
from logexport.cli import main
from logexport.host import default_host
import logexport.pipeline, logexport.exporters, logexport.checks, jsonschema
import logexport.publishing.staging

default_host()
target, words = Path(sys.argv[1]), sys.argv[2:]
out = os.fdopen(os.dup(1), "w")
null = os.open(os.devnull, os.O_WRONLY)

def start(k):
    child = os.fork()
    if child == 0:
        os.setsid()
        os.dup2(null, 1)
        os.dup2(null, 2)
        os._exit(main([*words, "--top-k", str(k)]))
    return child

def whole(k):
    began = time.monotonic()
    assert os.waitpid(start(k), 0)[1] == 0
    return time.monotonic() - began

def state():
    return Bundle.load(target).model("tiny").task.decision.top_k if target.exists() else None

whole(1)
assert state() == 1
duration = whole(2)
points, k = 24, 2
for point in range(points):
    before, k = state(), 3 - k
    child = start(k)
    time.sleep(duration * (point + 0.5) / points * 1.1)
    os.kill(child, signal.SIGKILL)
    ended = os.waitpid(child, 0)[1]
    print(json.dumps([before, k, state(), os.WIFSIGNALED(ended)]), file=out, flush=True)
whole(1)
print(json.dumps([p.name for p in target.parent.iterdir()]), file=out, flush=True)
"""


def test_killed_at_any_moment_the_old_bundle_or_the_new_one_is_whole(
    site: Site, job: Job, tmp_path: Path
) -> None:
    script = tmp_path / "killed.py"
    script.write_text(KILLED)
    target = tmp_path / "place" / "bundle"
    words = ["run", "--model", "tiny", "--checkpoint", job.checkpoint, "--vocab", job.vocab]
    words += ["-o", target, "--native", "off"]
    done = subprocess.run(
        [sys.executable, str(script), str(target), *map(str, words)],
        env=site.environment(OMP_NUM_THREADS="1"),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    *moments, beside = [json.loads(line) for line in done.stdout.splitlines() if line[:1] == "["]
    assert len(moments) == 24
    for before, wanted, after, _ in moments:
        assert after in (before, wanted)
    assert sum(killed for *_, killed in moments) > 12, "hardly a run was killed"
    assert beside == ["bundle"], "leftovers of killed runs remain"


def test_interrupted_it_publishes_nothing_and_says_so(site: Site, job: Job, tmp_path: Path) -> None:
    slow = Site(tmp_path / "slow")
    slow.install(
        "logexport-slow",
        """
        import sys, time
        from logexport import hookimpl
        logexport_api = 1

        @hookimpl
        def validate(bundle):
            print("waiting", file=sys.stderr, flush=True)
            time.sleep(60)
        """,
    )
    paths = [site.environment()["PYTHONPATH"], str(slow.path)]
    with subprocess.Popen(
        [sys.executable, "-m", "logexport", *map(str, arguments(job, "--native", "off"))],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        said = ""
        while "waiting" not in said:
            line = process.stderr.readline()
            assert line, said
            said += line
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
    assert process.returncode == 130
    assert "Traceback" not in rest
    assert not job.bundle.exists()
    assert leftovers(job.bundle) == []


# --- a real checkpoint ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def linux(test_data: Path) -> Path:
    return test_data / "checkpoints/alog-detect-linux"


@pytest.fixture(scope="module")
def linux_run(linux: Path, tmp_path_factory: pytest.TempPathFactory):
    from logexport.types import ExportRequest

    return logexport.run(
        ExportRequest(
            ["deeplog"],
            tmp_path_factory.mktemp("linux") / "bundle",
            checkpoint=linux / "deeplog.pth",
            vocab=linux / "vocab.json",
            options={"native": "off"},
        )
    )


def test_alog_detects_checkpoint_gives_the_last_steps_logits_on_every_window(
    linux: Path, linux_run
) -> None:
    import numpy as np
    import onnxruntime
    import pyarrow.parquet as pq
    import torch

    saved = torch.load(linux / "deeplog.pth", weights_only=True)
    state, length = saved["state_dict"], saved["seq_len"]
    embed = torch.nn.Embedding.from_pretrained(state["embed.weight"])
    lstm = torch.nn.LSTM(saved["embed_dim"], saved["hidden_dim"], batch_first=True)
    lstm.load_state_dict({k[5:]: v for k, v in state.items() if k.startswith("lstm.")})
    events = np.array(pq.read_table(linux / "sequences.parquet")["template_index"].to_pylist())
    windows = np.lib.stride_tricks.sliding_window_view(events, length)[:-1].astype(np.int64)
    assert windows.shape == (1950, 50)
    with torch.no_grad():
        hidden, _ = lstm(embed(torch.from_numpy(windows.copy())))
        expected = hidden[:, -1] @ state["fc.weight"].T + state["fc.bias"]
    session = onnxruntime.InferenceSession(
        str(linux_run.models[0].onnx), providers=["CPUExecutionProvider"]
    )
    (output,) = session.get_outputs()
    assert (output.name, output.shape) == ("predictions", ["batch_size", 139])
    (actual,) = session.run(None, {"input_sequence": windows})
    np.testing.assert_allclose(actual, expected.numpy(), rtol=1e-4, atol=1e-5)


def test_alog_detects_training_cannot_be_reproduced_and_the_report_says_so(linux_run) -> None:
    (model,) = linux_run.models
    checks = {check.name: check for check in model.checks}
    assert checks["parity_log"].figures["windows"] == 1950
    assert checks["parity_log"].status == "passed"
    events = checks["training_events"]
    assert events.figures["lines"] == 2000
    assert events.figures["out_of_order"] == 1976
    assert events.figures["made_by_logexport"] is False
    (warning,) = events.warnings
    assert "retraining" in warning
    assert warning in model.warnings
    assert warning in Bundle.load(linux_run.bundle).validation["deeplog"]["warnings"]


@pytest.mark.parametrize("name", ["template_mapping.json", "ids.json"])
def test_alog_detects_id_keyed_files_are_refused_with_the_repair(
    linux: Path, tmp_path: Path, name: str
) -> None:
    from logexport.types import ExportRequest

    vocab = linux / name
    if name == "ids.json":
        vocab = tmp_path / name
        vocab.write_text(json.dumps({str(index + 1): index for index in range(139)}))
    with pytest.raises(VocabularyError) as caught:
        logexport.run(
            ExportRequest(
                ["deeplog"], tmp_path / "out", checkpoint=linux / "deeplog.pth", vocab=vocab
            )
        )
    assert name in str(caught.value)
    assert "logexport fix-vocab" in caught.value.remedy
    if name == "template_mapping.json":
        assert "116" in str(caught.value)
        assert "139" in str(caught.value)
    assert not (tmp_path / "out").exists()
