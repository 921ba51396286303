"""The rules of the house: who may import whom, and where things are."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from logexport.discovery import declarations

ROOT = Path(__file__).resolve().parents[1]

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


def test_every_public_module_exists() -> None:
    for module in public_modules():
        assert find_spec(module) is not None, module


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
    for name in named:
        assert (ROOT / "core/logexport" / name).exists(), name
    there = {
        path.name + "/" * path.is_dir()
        for path in (ROOT / "core/logexport").iterdir()
        if path.suffix == ".py" or (path / "__init__.py").is_file()
    }
    assert there - named <= {"__init__.py", "__main__.py"}, "docs/architecture.md leaves one out"
