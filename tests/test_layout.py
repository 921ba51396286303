"""The rules of the house: who may import whom, and where things are."""

from __future__ import annotations

import ast
import graphlib
import re
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path

import pytest
from logexport.hosting.discovery import declarations

from tests.sources import PLUGIN_SOURCES, ROOT, python

CORE = "logexport"
PLUGINS = sorted(
    {one.value.partition(".")[0] for one in declarations("logexport") if one.distribution == CORE}
)
"""The built-in plugins' packages, found like anybody's."""


def sources(package: str) -> Iterator[Path]:
    spec = find_spec(package)
    assert spec is not None
    assert spec.submodule_search_locations is not None
    for place in spec.submodule_search_locations:
        yield from sorted(Path(place).rglob("*.py"))


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Every module that a file imports, wherever it does; ``from x import y`` as ``x``, ``x.y``."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import"
            yield node.lineno, str(node.module)
            for alias in node.names:
                yield node.lineno, f"{node.module}.{alias.name}"


def import_graph() -> dict[str, set[str]]:
    """Every module of ours to those of ours that it imports, late and for types included."""
    graph: dict[str, set[str]] = {}
    files: dict[str, Path] = {}
    for package in (CORE, *PLUGINS):
        spec = find_spec(package)
        assert spec is not None
        assert spec.origin is not None
        top = Path(spec.origin).parent.parent
        for path in sources(package):
            dotted = ".".join(path.relative_to(top).with_suffix("").parts)
            files[dotted.removesuffix(".__init__")] = path
    for module, path in files.items():
        found = [name for _, name in imports(path) if name in files]
        # `from x import y` names x too: where y is a module, y alone is meant.
        outer = {name.rpartition(".")[0] for name in found}
        graph[module] = {name for name in found if name != module and name not in outer}
    return graph


def circle(graph: Mapping[str, set[str]]) -> list[str]:
    """The nodes of one circle, or nothing."""
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return list(error.args[1])
    return []


def test_no_module_imports_one_that_imports_it() -> None:
    graph = import_graph()
    assert len(graph) > 120
    assert circle(graph) == []


def test_what_changes_lines_for_the_check_of_events_shares_nothing_with_what_reads_them() -> None:
    graph = import_graph()
    assert graph["logexport.checks.moving"] == set()
    assert graph["logexport.checks.redrawing"] == {"logexport.checks.moving"}


def test_no_package_imports_one_that_imports_it() -> None:
    """Beside each other in one package, files and folders stand above what they import."""
    graph = import_graph()
    for package in {module.rpartition(".")[0] for module in graph}:
        inside = f"{package}." if package else ""
        beside: dict[str, set[str]] = {}
        for module, imported in graph.items():
            for other in imported:
                if module.startswith(inside) and other.startswith(inside):
                    one, two = (name[len(inside) :].partition(".")[0] for name in (module, other))
                    beside.setdefault(one, set()).update({two} - {one})
        assert circle(beside) == [], package or "all"


def test_a_circle_is_found() -> None:
    assert set(circle({"a": {"b"}, "b": {"c"}, "c": {"a"}})) == {"a", "b", "c"}
    assert "logexport.types" in import_graph()["logexport.hookspecs"], "types are followed"
    assert "logexport.pipeline" in import_graph()["logexport.cli.run"], "late imports are followed"


def public_modules() -> set[str]:
    """What docs/hooks.md allows plugins to import: the one place where the list stands."""
    text = (ROOT / "docs/hooks.md").read_text(encoding="utf-8")
    section = text.partition("## What a plugin may import")[2]
    assert section, "docs/hooks.md has lost its list"
    return set(re.findall(r"`(logexport[a-z_.]*)`", section.partition("The rest")[0]))


def test_the_built_in_plugins_are_found_by_their_entry_points() -> None:
    assert "logexport_deeplog" in PLUGINS


@pytest.mark.parametrize("package", [CORE, *PLUGINS])
def test_no_package_imports_a_plugin_but_itself(package: str) -> None:
    for path in sources(package):
        for line, module in imports(path):
            top = module.partition(".")[0]
            assert top == package or not re.fullmatch(r"logexport_\w+", top), f"{path}:{line}"


@pytest.mark.parametrize("package", PLUGINS)
def test_a_plugin_imports_public_names_of_the_host_only(package: str) -> None:
    public = public_modules()
    for path in sources(package):
        text = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ImportFrom):
                modules = [str(node.module)]
                if node.module in ("logexport", "logexport.logs"):
                    modules += [
                        f"{node.module}.{alias.name}"
                        for alias in node.names
                        if find_spec(f"{node.module}.{alias.name}") is not None
                    ]
            elif isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            else:
                continue
            for module in modules:
                if module.partition(".")[0] == CORE:
                    allowed = module in public or module.startswith("logexport.logs.")
                    assert allowed, f"{path}:{node.lineno} imports {module}"
                    if isinstance(node, ast.ImportFrom):
                        private = [one.name for one in node.names if re.match("_(?!_)", one.name)]
                        assert not private, f"{path}:{node.lineno} imports {private}"


THE_HOSTS_ALONE = {
    "pyarrow": "training.tables writes and opens tables, whatever the bytes of their paths",
    "ParquetWriter": "TrainingLog.build writes a table",
    "ParquetFile": "open_table opens one",
    "save_training_vocab": "TrainingLog.build and save_vocab_and_rules publish a vocabulary",
    "atomic_paths": "TrainingLog.build publishes what belongs together",
    "isatty": "progress and training_progress know what a terminal is",
    "progressbar": "progress and training_progress are the bars",
}
"""Names that a plugin neither imports nor calls as a method, and what does it instead."""


def uses(text: str) -> Iterator[tuple[int, str]]:
    """The top of every module that is imported, every name that is, every method that is called."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name.partition(".")[0]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, str(node.module).partition(".")[0]
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield node.lineno, node.func.attr


@pytest.mark.parametrize("name", THE_HOSTS_ALONE)
def test_what_the_host_does_no_plugin_does_again(name: str) -> None:
    assert len(PLUGIN_SOURCES) > 40
    for path in PLUGIN_SOURCES:
        if "tests" not in path.parts:
            for line, used in uses(python(path)):
                assert used != name, f"{path}:{line}: {THE_HOSTS_ALONE[name]}"


def test_a_use_of_what_is_the_hosts_alone_is_seen() -> None:
    for source, name in {
        "import pyarrow.parquet as pq": "pyarrow",
        "from pyarrow.parquet import ParquetFile": "ParquetFile",
        "def f():\n    from logexport.vocab import save_training_vocab": "save_training_vocab",
        "pq.ParquetWriter(path, schema)": "ParquetWriter",
        "wipe = sys.stderr.isatty()": "isatty",
    }.items():
        assert name in [used for _, used in uses(source)], source


def test_a_plugin_with_a_build_publishes_rules_with_their_vocabulary() -> None:
    """By TrainingLog.build or save_vocab_and_rules, never by Preprocess.save."""
    for path in PLUGIN_SOURCES:
        text = python(path)
        if re.search("vocab.json|TrainingLog", text) and "tests" not in path.parts:
            assert not re.search(r"\.save\(", text), path


def test_no_escape_sequence_is_written_by_hand() -> None:
    """click writes them, and leaves them out where nobody sees them."""
    for path in [*PLUGIN_SOURCES, *(ROOT / "core/logexport/cli").glob("*.py")]:
        for node in ast.walk(ast.parse(python(path))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert "\x1b" not in node.value, f"{path}:{node.lineno}"


def test_every_public_module_exists() -> None:
    for module in public_modules():
        assert find_spec(module) is not None, module


# --- who opens ONNX Runtime -----------------------------------------------------------------------

RUNTIME = ROOT / "core/logexport/runtime.py"
"""The one file that may: it switches the telemetry off before."""


def code(suffix: str, *places: str) -> Iterator[tuple[Path, str]]:
    """Every file with this suffix that the project ships, but what is built or installed there."""
    for place in places:
        for path in sorted((ROOT / place).rglob(f"*{suffix}")):
            parts = path.relative_to(ROOT).parts
            if not any(part in ("build", "bin") or part.startswith(".") for part in parts):
                yield path, re.sub(r"%%[a-z]+%%", "placeholder", path.read_text(encoding="utf-8"))


def runtime_imports(text: str) -> list[int]:
    """Lines that import ONNX Runtime: by a statement, by its name, in another process's program."""
    lines = []
    for node in ast.walk(ast.parse(text)):
        names: list[object] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module]
        elif isinstance(node, ast.Call):
            called = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if called in ("import_module", "__import__", "importorskip", "run_module"):
                names = [arg.value for arg in node.args[:1] if isinstance(arg, ast.Constant)]
        elif isinstance(node, ast.Constant):
            pattern = r"(?:^|[;:\n])[ \t]*(?:import|from)[ \t]+(onnxruntime)\b"
            names = [*re.findall(pattern, str(node.value))]
        if any(str(name).partition(".")[0] == "onnxruntime" for name in names):
            lines.append(node.lineno)
    return lines


@pytest.mark.parametrize(
    "text",
    [
        "import onnxruntime",
        "import onnxruntime as ort",
        "import os, onnxruntime.capi",
        "def f():\n    from onnxruntime import InferenceSession",
        "from onnxruntime.capi import onnxruntime_pybind11_state",
        "importlib.import_module('onnxruntime')",
        "x = import_module('onnxruntime.capi', None)",
        "__import__('onnxruntime')",
        "run([python, '-c', 'import onnxruntime; onnxruntime.get_device()'])",
        'P = """\nimport torch\n    from onnxruntime import *\n"""',
    ],
)
def test_an_import_of_the_runtime_is_seen(text: str) -> None:
    assert len(runtime_imports(text)) == 1
    assert runtime_imports(text.replace("onnxruntime", "onnx")) == []


def test_one_place_imports_the_runtime() -> None:
    files = [
        *code(".py", "core", "plugins", "native", "benchmarks", "examples"),
        *code(".py.tmpl", "core"),
    ]
    assert len(files) > 140
    found = {path: runtime_imports(text) for path, text in files}
    assert [path for path, lines in found.items() if lines] == [RUNTIME], found


def test_one_place_opens_the_runtime_in_c() -> None:
    files = [*code(".c", "native"), *code(".h", "native")]
    assert len(files) > 60
    assert [path.name for path, text in files if re.search(r"\bdlm?open *\(", text)] == ["ort.c"]


def test_what_starts_a_process_tells_it_to_be_silent() -> None:
    starts = re.compile(
        r"\b(?:subprocess\.(?:run|Popen|call|check_\w+)|os\.(?:exec|spawn|posix_)\w+)\("
    )
    starting = {
        str(path.relative_to(ROOT)): text.count("silent_environment()")
        for path, text in code(".py", "core", "plugins", "native")
        if starts.search(text)
    }
    assert starting.keys() >= {"core/logexport/engine.py", "core/logexport/cli/detect.py"}
    assert all(starting.values()), starting


# --- where things are -----------------------------------------------------------------------------

HOUSE = """
core/logexport/hookspecs.py core/logexport/types.py core/logexport/host.py
core/logexport/pipeline.py core/logexport/bundle.py core/logexport/vocab.py
core/logexport/exporters core/logexport/checks core/logexport/logs core/logexport/detect.py
core/logexport/cli plugins/deeplog/logexport_deeplog tests docs examples benchmarks
pyproject.toml tox.ini README.md .ci/run
"""


def test_everything_is_where_the_architecture_says() -> None:
    for place in HOUSE.split():
        assert (ROOT / place).exists(), place
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    house = text.partition("## Where everything lives")[2].partition("```")[2].partition("```")[0]
    core = house.partition("core/logexport/")[2].partition("\nplugins/")[0]
    named = set(re.findall(r"([a-z_]+\.py|[a-z_]+/)", core))
    packages = (
        *("hosting", "publishing", "exporters", "verdicts", "selftest", "training"),
        *("testing", "testing/checks", "checks", "cli"),
    )
    there = set()
    for folder in (ROOT / "core/logexport", *(ROOT / "core/logexport" / one for one in packages)):
        there |= {
            path.name + "/" * path.is_dir()
            for path in folder.iterdir()
            if path.suffix == ".py" or (path / "__init__.py").is_file()
        }
    assert named <= there, "docs/architecture.md names what is not there"
    assert there - named <= {"__init__.py", "__main__.py"}, "docs/architecture.md leaves one out"
