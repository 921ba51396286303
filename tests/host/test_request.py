"""From a job to a model's request: files beside files, options to their owners, names to models."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from logexport.cli import main
from logexport.errors import InputError, UsageError
from logexport.host import Host
from logexport.publishing.plan import ModelJob, PluginOptions, plan
from logexport.types import ExportRequest

from tests.host.exports import hosted, tiny


def touch(directory: Path, *names: str) -> dict[str, Path]:
    directory.mkdir(parents=True, exist_ok=True)
    for name in names:
        (directory / name).touch()
    return {name: directory / name for name in names}


def job_of(host: Host, request: ExportRequest) -> ModelJob:
    jobs, _ = plan(request, host)
    return jobs[0]


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    return touch(tmp_path / "work", "model.pth", "vocab.json")


def test_what_lies_beside_the_checkpoint_and_the_vocabulary_is_taken(
    tiny_host: Host, tmp_path: Path
) -> None:
    work = touch(
        tmp_path / "work", "model.pth", "vocab.json", "parsed.parquet", "sequences.parquet",
        "preprocess.json",
    )  # fmt: skip
    job = job_of(tiny_host, ExportRequest(["tiny"], checkpoint=work["model.pth"]))
    request = job.request
    assert request.vocab == work["vocab.json"]
    assert request.parsed == work["parsed.parquet"]
    assert request.sequences == work["sequences.parquet"]
    assert request.preprocess == work["preprocess.json"]
    assert job.preprocess_source == "vocab"
    assert not request.sample


def test_what_is_named_goes_before_what_lies_beside(tiny_host: Host, tmp_path: Path) -> None:
    touch(tmp_path / "work", "vocab.json", "parsed.parquet", "preprocess.json")
    model = touch(tmp_path / "work", "model.pth")["model.pth"]
    other = touch(tmp_path / "other", "v.json", "p.parquet", "r.json", "x.log")
    request = ExportRequest(
        ["tiny"],
        checkpoint=model,
        vocab=other["v.json"],
        parsed=other["p.parquet"],
        preprocess=other["r.json"],
        replay=other["x.log"],
    )
    job = job_of(tiny_host, request)
    assert job.preprocess_source == "option"
    assert job.request.vocab == other["v.json"]
    assert job.request.parsed == other["p.parquet"]
    assert job.request.preprocess == other["r.json"]
    assert job.request.replay == other["x.log"]
    assert job.request.sequences is None, "sequences.parquet belongs to the vocabulary beside it"


def test_rules_are_looked_for_beside_the_parsed_file_too(
    tiny_host: Host, files: dict[str, Path], tmp_path: Path
) -> None:
    request = ExportRequest(["tiny"], checkpoint=files["model.pth"])
    assert job_of(tiny_host, request).preprocess_source == "alog-detect"
    assert job_of(tiny_host, request).request.preprocess is None
    parsed = touch(tmp_path / "parsed", "parsed.parquet", "preprocess.json")
    job = job_of(tiny_host, replace(request, parsed=parsed["parsed.parquet"]))
    assert job.preprocess_source == "parsed"
    assert job.request.preprocess == parsed["preprocess.json"]


def sample_host(directory: Path) -> Host:
    made = touch(directory / "sample", "m.pth", "v.json", "p.json", "s.log")
    paths = ", ".join(repr(str(path)) for path in made.values())
    source = tiny("sampled").replace(
        '"event_window", "next_event_topk")',
        f'"event_window", "next_event_topk", Sample(*map(Path, [{paths}])))',
    )
    source = source.replace("import click", "import click\nfrom pathlib import Path", 1)
    return hosted(directory, source.replace("ModelInfo, Next", "ModelInfo, Sample, Next"))


def test_without_a_checkpoint_the_sample_is_taken_as_it_is(tmp_path: Path) -> None:
    host = sample_host(tmp_path)
    job = job_of(host, ExportRequest(["sampled"]))
    assert job.request.sample
    assert job.preprocess_source == "sample"
    assert job.request.checkpoint.name == "m.pth"
    assert job.request.vocab.name == "v.json"
    assert job.request.replay is not None
    assert job.request.replay.name == "s.log"
    own = touch(tmp_path, "own.log")["own.log"]
    assert job_of(host, ExportRequest(["sampled"], replay=own)).request.replay == own
    for name in ("vocab", "parsed", "preprocess"):
        with pytest.raises(UsageError, match=f"--{name} is given but no --checkpoint"):
            plan(ExportRequest(["sampled"], **{name: own}), host)


def test_paths_are_given_to_one_model_or_to_all(tmp_path: Path) -> None:
    host = hosted(tmp_path, tiny("one"), tiny("two"))
    ours = touch(tmp_path / "ours", "model.pth", "vocab.json")
    theirs = touch(tmp_path / "theirs", "model.pth", "vocab.json")
    jobs, _ = plan(ExportRequest(["one", "two"], checkpoint=ours["model.pth"]), host)
    assert [job.request.checkpoint for job in jobs] == [ours["model.pth"]] * 2
    both = {"one": ours["model.pth"], "two": theirs["model.pth"]}
    jobs, _ = plan(ExportRequest(["one", "two"], checkpoint=both), host)
    assert [job.request.vocab for job in jobs] == [ours["vocab.json"], theirs["vocab.json"]]
    with pytest.raises(UsageError, match="ships no sample"):
        plan(ExportRequest(["one", "two"], checkpoint={"one": ours["model.pth"]}), host)


@pytest.mark.parametrize("name", ["checkpoint", "vocab", "parsed", "preprocess", "replay"])
def test_a_file_that_is_named_must_be_there(
    tiny_host: Host, files: dict[str, Path], name: str
) -> None:
    given: dict[str, Any] = {"checkpoint": files["model.pth"], "vocab": files["vocab.json"]}
    for path, said in ((Path("gone/x"), "gone/x does not exist"), (Path("/"), "is a directory")):
        with pytest.raises(InputError, match=said):
            plan(ExportRequest(["tiny"], **{**given, name: path}), tiny_host)


# --- options --------------------------------------------------------------------------------------

ANYONE = """
import click
from logexport import hookimpl
logexport_api = 1

@hookimpl
def run_options():
    return [
        click.Option(["--level"], type=click.Choice(["low", "high"]), default="low", help="x"),
        click.Option(["--loud/--quiet"], default=None, help="x"),
        click.Option(["--top-k"], type=float, help="x"),
    ]
"""


@pytest.fixture
def two(tmp_path: Path) -> Host:
    return hosted(tmp_path, tiny("one"), tiny("two"), ANYONE)


def values(host: Host, given: dict[str, Any], *models: str) -> dict[str, list[dict[str, Any]]]:
    """What each plugin receives, by the model that is exported."""
    options = PluginOptions(host, given, models)
    plugins = [p for p in host.plugins if any(owner is p for owner, _ in host.options)]
    return {model: [options.of(plugin, model) for plugin in plugins] for model in models}


def test_each_plugin_receives_the_options_that_it_declares_by_its_own_types(two: Host) -> None:
    one, _, anyone = values(two, {"top_k": "3", "level": "high"}, "one")["one"]
    assert one == {"top_k": 3}
    assert isinstance(one["top_k"], int)
    assert anyone == {"top_k": 3.0, "level": "high", "loud": None}
    assert isinstance(anyone["top_k"], float)


def test_defaults_are_filled_in_and_flags_have_two_sides(two: Host) -> None:
    one, _, anyone = values(two, {}, "one")["one"]
    assert one == {"top_k": 1}
    assert anyone["level"] == "low"
    assert values(two, {"loud": True}, "one")["one"][2]["loud"] is True
    assert values(two, {"loud": False}, "one")["one"][2]["loud"] is False


def test_a_value_may_be_for_one_model(two: Host) -> None:
    found = values(two, {"top_k": {"two": 2}}, "one", "two")
    assert found["one"][0] == {"top_k": 1}
    assert found["two"][1] == {"top_k": 2}


@pytest.mark.parametrize(
    ("given", "models", "said"),
    [
        ({"nothing": 1}, ["one"], "--nothing"),
        ({"top_k": "x"}, ["one"], "one: .*'x'"),
        ({"top_k": 0}, ["one"], "0 is not in the range"),
        ({"level": "middle"}, ["one"], "'middle' is not one of"),
        ({"top_k": {"two": 1}}, ["one"], "'two', which is not exported"),
    ],
)
def test_values_are_refused_before_any_work(
    two: Host, given: dict[str, Any], models: list[str], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        PluginOptions(two, given, models)


def test_an_option_of_a_model_that_is_not_exported_is_unknown(tmp_path: Path) -> None:
    lonely = tiny("two").replace('"--top-k"', '"--lonely"').replace('"top_k"', '"lonely"')
    host = hosted(tmp_path, tiny("one"), lonely)
    with pytest.raises(UsageError, match="none of the models one has the option --lonely"):
        PluginOptions(host, {"lonely": 1}, ["one"])
    PluginOptions(host, {"lonely": 1}, ["one", "two"])


# --- NAME=VALUE on the command line ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--checkpoint", "a.pth", "--checkpoint", "b.pth"], "--checkpoint is given 2 times"),
        (["--vocab", "deeplog=a", "--vocab", "deeplog=b"], "--vocab is given twice for deeplog"),
        (["--checkpoint", "deeplog=gone.pth", "--vocab", "v"], "gone.pth does not exist"),
        (["--checkpoint", "x=y.pth", "--vocab", "v"], "x=y.pth does not exist"),
        (["--seq-len", "1", "--seq-len", "2"], "--seq-len is given 2 times"),
        (["--seq-len", "deeplog=none"], "deeplog: .*'none'"),
    ],
)
def test_names_and_repetitions_on_the_command_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, words: list[str], said: str
) -> None:
    words = ["run", "--model", "deeplog", "-o", str(tmp_path / "out"), "--json", *words]
    if "--vocab" in words and "v" in words:
        (tmp_path / "v").touch()
        words[words.index("v")] = str(tmp_path / "v")
    assert main(words) == 2
    out = capsys.readouterr()
    problem = json.loads(out.out)["error"]["problem"]
    assert re.search(said, problem), problem
    assert "Traceback" not in out.err
    assert not (tmp_path / "out").exists()
