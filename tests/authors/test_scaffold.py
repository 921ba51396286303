"""``logexport plugins new``: what it makes installs, exports, is proven and tests itself."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from logexport.cli import COMMANDS
from logexport.errors import OutputError, UsageError
from logexport.scaffold import new_plugin

from tests.distributions import Site

KINDS = [
    ("made-first", "event_window", None),
    ("made_second", "event_window", "score_threshold"),
    ("madethird", "count_matrix", None),
    ("made-4th", "count_matrix", "next_event_topk"),
]
DECISIONS = {"event_window": "next_event_topk", "count_matrix": "score_threshold"}


def logexport(*words: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "logexport", *map(str, words)],
        cwd=cwd, capture_output=True, text=True, check=False,
    )  # fmt: skip


def install(site: Site, *projects: Path) -> None:
    """As `pip install`, without the network: what builds it is here already."""
    subprocess.run(
        [
            sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index",
            "--no-build-isolation", "--disable-pip-version-check",
            "--target", str(site.path), *map(str, projects),
        ],
        check=True,
    )  # fmt: skip


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("new")


@pytest.fixture(scope="module")
def site(work: Path) -> Site:
    """One plugin of each kind, made by the command and installed."""
    made = Site(work / "installed")
    for name, task, decision in KINDS:
        more = ("--decision", decision) if decision else ()
        done = logexport("plugins", "new", name, "--task", task, *more, cwd=work)
        assert done.returncode == 0, done.stderr
        assert done.stdout == f"{work / f'logexport-{name}'}\n"
    install(made, *(work / f"logexport-{name}" for name, _, _ in KINDS))
    return made


@pytest.mark.torch
def test_what_was_made_is_listed(site: Site) -> None:
    plugins = site.plugins()
    for name, _, _ in KINDS:
        listed = next(v for k, v in plugins.items() if v["name"] == name)
        assert (listed["model"], listed["state"]) == (name, "ok")
        assert listed["deprecations"] == []


@pytest.mark.torch
@pytest.mark.parametrize(("name", "task", "decision"), KINDS)
def test_it_exports_its_sample_with_full_proof(
    site: Site, tmp_path: Path, name: str, task: str, decision: str | None
) -> None:
    done = site.run("run", "--model", name, "-o", tmp_path / "bundle", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["proof"] == "full"
    assert result["models"][0]["sample"] is True
    meta = json.loads((tmp_path / f"bundle/{name}.onnx.meta.json").read_text(encoding="utf-8"))
    found = (meta["task"]["input"], meta["task"]["decision"])
    assert found == (task, decision or DECISIONS[task])
    replay = next(c for c in result["models"][0]["checks"] if c["name"] == "replay")
    assert replay["figures"]["differ"] == 0
    assert replay["figures"]["unseen"] == 0
    assert 0 <= replay["figures"]["anomalies"] < 0.1 * replay["figures"]["lines"]


@pytest.mark.torch
@pytest.mark.slow
@pytest.mark.parametrize(("name", "task", "decision"), KINDS)
def test_it_passes_its_own_tests_unchanged(
    site: Site, work: Path, name: str, task: str, decision: str | None
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        env=site.environment(), cwd=work / f"logexport-{name}",
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout


@pytest.mark.torch
def test_its_option_stands_under_its_name_and_is_validated(site: Site, tmp_path: Path) -> None:
    shown = site.run("run", "--model", "madethird", "--help").stdout
    own = shown.partition("Options of madethird:")[2].partition("Options of ")[0]
    assert "--threshold" in own
    assert "--top-k" not in shown
    done = site.run("run", "--model", "madethird", "--threshold", "p12", "-o", tmp_path / "b")
    assert done.returncode == 2
    assert "neither a number nor one of max, p95, p99" in done.stderr
    done = site.run("run", "--model", "made-first", "--top-k", "0", "-o", tmp_path / "b")
    assert done.returncode == 2
    assert "--top-k" in done.stderr
    done = site.run("run", "--model", "madethird", "--threshold", "max", "-o", tmp_path / "b")
    assert done.returncode == 0, done.stderr
    meta = json.loads((tmp_path / "b/madethird.onnx.meta.json").read_text(encoding="utf-8"))
    assert meta["task"]["threshold_name"] == "max"


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    place = tmp_path / "logexport-mine"
    place.mkdir()
    (place / "notes.txt").write_text("mine")
    done = logexport("plugins", "new", "mine", cwd=tmp_path)
    assert done.returncode == 2
    assert "nothing is overwritten" in done.stderr
    assert str(place) in done.stderr
    assert [path.name for path in place.iterdir()] == ["notes.txt"]
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="already there"):
        new_plugin("mine", directory=tmp_path / "file")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "logexport-mine"]


@pytest.mark.torch
def test_an_empty_directory_is_filled_and_the_document_says_with_what(tmp_path: Path) -> None:
    place = tmp_path / "some where"
    place.mkdir()
    done = logexport("plugins", "new", "mine", "-o", place, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    files = sorted(str(path.relative_to(place)) for path in place.rglob("*") if path.is_file())
    assert document == {
        "directory": str(place),
        "distribution": "logexport-mine",
        "package": "logexport_mine",
        "files": files,
    }
    for name in ("pyproject.toml", "README.md", "tox.ini", "tests/test_plugin.py"):
        assert name in files
    assert "src/logexport_mine/sample/mine.pth" in files
    assert [path.name for path in tmp_path.iterdir()] == ["some where"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Mine", "cannot be a model type's name"),
        ("-mine", "cannot be a model type's name"),
        ("mine-", "cannot be a model type's name"),
        ("mi--ne", "cannot be a model type's name"),
        ("1st", "cannot be a model type's name"),
        ("../mine", "cannot be a model type's name"),
        ("mine" * 20, "cannot be a model type's name"),
        ("deeplog", "the plugin deeplog is installed"),
        ("native", "the plugin native is installed"),
        ("detect", "is a command of logexport"),
    ],
)
def test_a_name_that_cannot_be_is_refused_before_anything_is_written(
    tmp_path: Path, name: str, said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        new_plugin(name, directory=tmp_path / "new", commands=COMMANDS)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_task_is_refused_by_the_command_line(tmp_path: Path) -> None:
    done = logexport("plugins", "new", "mine", "--task", "poem", cwd=tmp_path)
    assert done.returncode == 2
    assert "event_window" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_sample_that_cannot_be_made_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from logexport import scaffold
    from logexport.errors import LogexportError

    broken = tmp_path / "path"
    broken.mkdir()
    (broken / "torch.py").write_text("raise ImportError('no torch today')\n")
    monkeypatch.syspath_prepend(str(broken))
    with pytest.raises(LogexportError, match="no torch today"):
        scaffold.new_plugin("mine", directory=tmp_path / "new")
    assert [path.name for path in tmp_path.iterdir()] == ["path"]
