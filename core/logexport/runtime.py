"""ONNX Runtime, imported with its telemetry switched off: the one place that imports it.

ONNX Runtime 1.29 and later reports home unless ``ORT_DISABLE_TELEMETRY`` says otherwise when the
package is imported (not when the first session is made: its environment is made by the import). A
value that is set already is the user's choice and stays, whatever it is. Where something else in
the process has imported the package before, it is too late: it decides once a process.
"""

from __future__ import annotations

import os
from _thread import allocate_lock  # threading costs a --help milliseconds
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType

__all__ = [
    "import_onnxruntime",
    "silenced",
]

_SWITCH = "ORT_DISABLE_TELEMETRY"

_lock = allocate_lock()
_inside = 0
_set_here = False


@contextmanager
def silenced() -> Iterator[None]:
    """Switch ONNX Runtime's telemetry off for whatever imports it meanwhile, in any thread.

    The environment is afterwards what it was before. May be nested, and entered by several threads
    at once; also a decorator.
    """
    global _inside, _set_here
    with _lock:
        if _SWITCH not in os.environ:
            os.environ[_SWITCH] = "1"
            _set_here = True
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0 and _set_here:
                _set_here = False
                os.environ.pop(_SWITCH, None)


def import_onnxruntime() -> ModuleType:
    """Import ONNX Runtime, its telemetry switched off.

    Returns:
        the package ``onnxruntime``.

    Raises:
        ModuleNotFoundError: it is not installed.
    """
    with silenced():
        return import_module("onnxruntime")


def silent_environment() -> dict[str, str]:
    """This process's environment, for another one that may open ONNX Runtime."""
    return {_SWITCH: "1", **os.environ}


def runtime_library() -> Path | None:
    """The shared library in the package ``onnxruntime``, found without importing it.

    Returns:
        its path; None where the package is not installed, or has none (before 1.19).
    """
    from importlib.util import find_spec

    spec = find_spec("onnxruntime")
    if spec is None or spec.origin is None:
        return None
    libraries = sorted((Path(spec.origin).parent / "capi").glob("libonnxruntime.so.*"))
    return libraries[0] if libraries else None
