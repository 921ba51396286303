"""What a plugin declares: its entry point, its imports, its model type and its options."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from logexport.runtime import silent_environment
from logexport.testing.contract import Contract, ContractError

HEAVY = ("torch", "onnx", "onnxruntime", "numpy", "pyarrow", "pandas", "scipy", "jsonschema")
"""What a module of hooks must not import before a hook needs it: every ``--help`` imports it."""

_IMPORT_PROGRAM = """
import importlib, json, sys
importlib.import_module("logexport.types")
before = set(sys.modules)
importlib.import_module(sys.argv[1])
print(json.dumps(sorted({name.partition(".")[0] for name in set(sys.modules) - before})))
"""


def check_entry_point(contract: Contract) -> str:
    """The plugin is installed, importable and of this contract's version."""
    plugin = contract.plugin
    if plugin.deprecations:
        raise ContractError(
            f"{plugin} uses what will go: {'; '.join(plugin.deprecations)}",
            "Do what the sentence says; the changelog has more.",
        )
    others = [str(one) for one in contract.host.plugins if one is not plugin and not one.ok]
    beside = f"; broken beside it: {', '.join(others)}" if others else ""
    return f"{plugin} with the hooks {', '.join(plugin.hooks)}{beside}"


def check_light_import(contract: Contract) -> str:
    """The plugin's module of hooks imports nothing heavy, and prints nothing at import."""
    module = contract.plugin.module.partition(":")[0].partition("[")[0].strip()
    done = subprocess.run(  # noqa: S603 - our interpreter, and a module that is installed
        [sys.executable, "-c", _IMPORT_PROGRAM, module],
        env={**silent_environment(), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise ContractError(
            f"{module} cannot be imported in a process of its own: {last}",
            "Correct the import; the entry point must name a module that stands by itself.",
        )
    *printed, imported = done.stdout.splitlines()
    if printed:
        raise ContractError(
            f"{module} prints {printed[0]!r} when it is imported",
            "Print nothing at import: standard output belongs to the command.",
        )
    heavy = [name for name in json.loads(imported) if name in HEAVY]
    if heavy:
        raise ContractError(
            f"importing {module} imports {', '.join(heavy)}, so that every `logexport --help` does",
            f"Import {heavy[0]} inside the functions that need it"
            " (types for annotations: under `if TYPE_CHECKING:`).",
        )
    return f"{module} imports none of {', '.join(HEAVY[:4])} …"


def check_model_info(contract: Contract) -> str:
    """``model_info`` has a summary of one line, and the files of its sample exist."""
    info = contract.plugin.model
    assert info is not None  # noqa: S101 - checks of models only
    if not info.summary.strip() or "\n" in info.summary:
        raise ContractError(
            f"model_info gives the summary {info.summary!r}",
            "Say in one line what the model is: --help and `plugins list` show it.",
        )
    if info.sample is not None:
        for file in ("checkpoint", "vocab", "preprocess", "log"):
            path = getattr(info.sample, file)
            if not Path(path).is_file():
                raise ContractError(
                    f"the sample's {file} {path} is not there",
                    "Ship it in the package (package-data), or declare sample=None.",
                )
    has = "with a sample" if info.sample else "without a sample"
    return f"{info.name}: {info.input}, {info.decision}, {has}"


def check_option_help(contract: Contract) -> str:
    """Each option that the plugin adds to ``logexport run`` has help."""
    own = [option for plugin, option in contract.host.options if plugin is contract.plugin]
    for option in own:
        if not option.help:
            raise ContractError(
                f"the option {option.opts[0]} has no help",
                "Say in a sentence what it does, and its default.",
            )
    return ", ".join(option.opts[0] for option in own) or "no options of its own"
