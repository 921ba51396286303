"""logexport: trained log-anomaly models from PyTorch to a bundle that a C program runs on raw logs.

The names in ``__all__`` are what a caller needs; plugins also use the modules that
docs/architecture.md lists as public.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from logexport.errors import LogexportError
from logexport.markers import API_VERSION, hookimpl
from logexport.types import ExportRequest, RunResult

if TYPE_CHECKING:
    from logexport.pipeline import run

__all__ = ["API_VERSION", "ExportRequest", "LogexportError", "RunResult", "hookimpl", "run"]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    # Late: the pipeline brings half of the host along, which a plugin's hooks do not need.
    if name == "run":
        from logexport.pipeline import run

        return run
    raise AttributeError(f"module 'logexport' has no attribute {name!r}")
