"""``--help`` of everything is quick: what is heavy is imported when it is used."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from logexport.cli import COMMANDS, SUMMARIES, cli
from logexport.hosting.discovery import declarations

ROOT = Path(__file__).resolve().parents[1]

HEAVY = (
    "torch", "onnx", "onnxruntime", "onnxscript", "numpy", "pyarrow", "jsonschema",
    "safetensors",
)  # fmt: skip

DRIVER = f"""
import json, sys
from logexport.cli import main
status = main(sys.argv[1:])
heavy = [name for name in {HEAVY!r} if name in sys.modules]
print(json.dumps([status, heavy]), file=sys.stderr)
"""


def commands(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command and group by the words that call it."""
    yield path
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from commands(below, (*path, name))


EVERY = list(commands(cli))


def test_the_tree_has_the_commands_that_there_must_be() -> None:
    names = {" ".join(path) for path in EVERY}
    assert set(COMMANDS) <= names
    assert {"deeplog build", "deeplog train", "plugins list"} <= names


@pytest.mark.parametrize("path", EVERY, ids=lambda path: " ".join(path) or "logexport")
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_imports_nothing_heavy(path: tuple[str, ...], flag: str) -> None:
    if flag == "-h" and len(path) != 1:
        pytest.skip("one level is enough for the short form")
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, *path, flag], capture_output=True, text=True, check=False
    )
    status, heavy = json.loads(done.stderr.splitlines()[-1])
    assert status == 0
    assert heavy == []
    assert done.stdout.startswith("Usage: logexport" + "".join(f" {word}" for word in path))


def test_importing_the_package_and_every_plugins_hooks_imports_nothing_heavy() -> None:
    modules = [one.value.partition(":")[0] for one in declarations("logexport")]
    code = "import sys\nimport logexport, logexport.types, logexport.errors, logexport.hookspecs\n"
    code += "".join(f"import {module}\n" for module in modules)
    code += f"print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_every_command_has_a_summary_and_every_option_a_help() -> None:
    assert list(SUMMARIES) == list(COMMANDS)
    for path in EVERY:
        command: click.Command | None = cli
        for word in path:
            assert isinstance(command, click.Group)
            command = command.get_command(click.Context(command), word)
        assert command is not None
        assert command.help, path
        for parameter in command.get_params(click.Context(command)):
            if isinstance(parameter, click.Option):
                said = parameter.help or parameter.show_default
                assert said, f"{path} {parameter.opts}"


def test_the_benchmark_of_help_runs(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    done = subprocess.run(
        [
            sys.executable, ROOT / "benchmarks/help_time.py",
            "--runs", "1", "--limit", "0.001", "--json", report, "doctor",
        ],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1, "no command is a thousandth of its floor"
    assert json.loads(report.read_text())["commands"]["logexport doctor"]["ratio"] > 0.1
    assert "logexport doctor" in done.stdout
