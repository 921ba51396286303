"""logexport: trained log-anomaly models from PyTorch to a bundle that a C program runs on raw logs.

The names in ``__all__`` are what a caller needs; plugins also use the modules that
docs/hooks.md lists as public.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from logexport.hookspecs import API_VERSION, hookimpl
from logexport.model_info import ModelInfo, Sample
from logexport.version import __version__ as __version__

if TYPE_CHECKING:
    from logexport.errors import LogexportError
    from logexport.pipeline import run
    from logexport.types import ExportRequest, RunResult

__all__ = [
    "API_VERSION",
    "ExportRequest",
    "LogexportError",
    "ModelInfo",
    "RunResult",
    "Sample",
    "hookimpl",
    "run",
]

_LATE = {
    "run": "logexport.pipeline",
    "ExportRequest": "logexport.types",
    "RunResult": "logexport.types",
    "LogexportError": "logexport.errors",
}
"""Imported when asked for: every --help imports this module, and a plugin's hooks do."""


def __getattr__(name: str) -> Any:
    if name in _LATE:
        from importlib import import_module

        return getattr(import_module(_LATE[name]), name)
    raise AttributeError(f"module 'logexport' has no attribute {name!r}")
