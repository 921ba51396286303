"""``logexport plugins new``: a plugin's package, made from templates and complete.

The templates are layers of text files: ``common``, one for the input kind, one for the decision
kind and one for both together; no two have a file of the same name. In file names ``PACKAGE``
stands for the import package's name; in texts, words between two per cent signs are replaced.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from logexport.errors import LogexportError, OutputError, UsageError
from logexport.runtime import silent_environment

if TYPE_CHECKING:
    from importlib.abc import Traversable

TASKS = {"event_window": "next_event_topk", "count_matrix": "score_threshold"}
"""Input kind to the decision kind that it has where none is named."""
DECISIONS = ("next_event_topk", "score_threshold")

SUMMARIES = {
    ("event_window", "next_event_topk"): "Which events usually follow those of a window.",
    ("event_window", "score_threshold"): "How surprising the events of a window are.",
    ("count_matrix", "next_event_topk"): "Which events usually follow lines with such counts.",
    ("count_matrix", "score_threshold"): "How far counts of templates are from the usual ones.",
}

_NAME = re.compile(r"[a-z](?:[a-z0-9]|[_-](?=[a-z0-9])){0,50}", re.ASCII)
_PLACE = re.compile(r"%%([a-z]+)%%")
_SUFFIX = ".tmpl"
_DOTTED = ("gitignore",)
"""Files whose real names begin with a dot, which packaging tools would leave out."""


@dataclass(frozen=True)
class NewPlugin:
    """What :func:`new_plugin` made.

    Args:
        directory: the project's directory.
        distribution, package: names to install and to import.
        files: every file, relative to the directory, sorted.
    """

    directory: Path
    distribution: str
    package: str
    files: tuple[str, ...]


def check_name(name: str, commands: Collection[str]) -> None:
    """Refuse a name that cannot be a model type's, a command's and a package's at once.

    Args:
        name: of a model type.
        commands: names that commands of logexport have.

    Raises:
        UsageError: its form, or who has it already.
    """
    from logexport.host import default_host

    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot be a model type's name",
            "Take lower-case letters, digits and single - or _ between them, a letter first.",
        )
    taken = None
    if name in commands:
        taken = f"`logexport {name}` is a command of logexport"
    elif name in default_host().models() or name in (p.name for p in default_host().plugins):
        taken = f"the plugin {name} is installed"
    elif find_spec(package_of(name)) is not None:
        taken = f"the package {package_of(name)} is installed"
    if taken is not None:
        raise UsageError(f"the name {name!r} is taken: {taken}", "Choose another name.")


def package_of(name: str) -> str:
    """The import package's name of a model type."""
    return f"logexport_{name.replace('-', '_')}"


def new_plugin(
    name: str,
    task: str = "event_window",
    decision: str | None = None,
    directory: Path | None = None,
    commands: Collection[str] = (),
) -> NewPlugin:
    """Make the package of a new model type, its sample included.

    Args:
        name: the model type's.
        task: the input kind, a key of :data:`TASKS`.
        decision: the decision kind; None for the one that :data:`TASKS` names.
        directory: where; ``./logexport-NAME`` by default. It must not exist, or be empty.
        commands: names that commands of logexport have, which the model type cannot have.

    Raises:
        UsageError: the name, task or decision cannot be.
        OutputError: the directory is not empty, or cannot be written.
        LogexportError: the sample could not be made.
    """
    check_name(name, commands)
    if task not in TASKS:
        raise UsageError(f"there is no task {task!r}", f"Choose {' or '.join(TASKS)}.")
    decision = decision or TASKS[task]
    if decision not in DECISIONS:
        raise UsageError(f"there is no decision {decision!r}", f"Choose {' or '.join(DECISIONS)}.")
    distribution = f"logexport-{name}"
    target = Path(os.path.realpath(directory or distribution))
    if os.path.lexists(target) and not (target.is_dir() and not any(target.iterdir())):
        raise OutputError(
            f"{target} is already there, and nothing is overwritten",
            "Name another place by --output-dir, or remove it yourself.",
        )
    words = {
        "name": name,
        "package": package_of(name),
        "distribution": distribution,
        "title": name.replace("_", "-"),
        "summary": SUMMARIES[task, decision],
        "input": task,
        "decision": decision,
    }
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        # Made beside its place and renamed into it: there whole or not at all.
        with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as scratch:
            made = Path(scratch) / "made"
            for layer in ("common", task, decision, f"{task}-{decision}"):
                _write_layer(layer, made, words)
            _make_sample(made / "src", words["package"])
            files = tuple(
                sorted(str(path.relative_to(made)) for path in made.rglob("*") if path.is_file())
            )
            made.rename(target)
    except OSError as error:
        raise OutputError(
            f"{target} cannot be written: {error.strerror or error}",
            "Name another place by --output-dir.",
        ) from error
    return NewPlugin(target, distribution, words["package"], files)


def _write_layer(layer: str, directory: Path, words: dict[str, str]) -> None:
    for path, text in _templates(resources.files(__name__) / "templates" / layer):
        target = directory / path.replace("PACKAGE", words["package"])
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("x", encoding="utf-8", newline="\n") as file:
            file.write(_PLACE.sub(lambda place: words[place[1]], text))


def _templates(place: Traversable, above: str = "") -> Iterator[tuple[str, str]]:
    """(path, text) of every template below a place, the suffix removed."""
    for entry in place.iterdir():
        if entry.is_dir():
            yield from _templates(entry, f"{above}{entry.name}/")
        elif entry.name.endswith(_SUFFIX):
            name = entry.name.removesuffix(_SUFFIX)
            dot = "." if name in _DOTTED else ""
            yield f"{above}{dot}{name}", entry.read_text(encoding="utf-8")


def _make_sample(source: Path, package: str) -> None:
    """Run the package's own script, in a process of its own: it imports torch."""
    paths = [str(source), *filter(None, sys.path)]
    done = subprocess.run(  # noqa: S603 - our interpreter, and a module that was just written
        [sys.executable, "-B", "-m", f"{package}.make_sample"],
        env={**silent_environment(), "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise LogexportError(
            f"the sample could not be made: {last}", "`logexport doctor` shows what is installed."
        )
