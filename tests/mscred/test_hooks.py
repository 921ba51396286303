"""The plugin is light until it is called."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("torch", "numpy", "onnx", "onnxruntime", "pyarrow", "jsonschema", "safetensors")


def test_hooks_and_commands_import_nothing_heavy() -> None:
    program = (
        "import sys, logexport_mscred.hooks as h, logexport_mscred.cli, click\n"
        "h.model_info(); h.run_options(); h.register_commands(click.Group())\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_the_plugin_states_the_hook_contract_that_it_fits() -> None:
    from logexport import API_VERSION
    from logexport_mscred import hooks

    assert hooks.logexport_api == API_VERSION
    assert [option.name for option in hooks.run_options()] == [
        "window_size",
        "feature_dim",
        "threshold",
        "window_counts",
        "no_standardise",
    ]
