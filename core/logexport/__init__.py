"""logexport: trained log-anomaly models from PyTorch to a bundle that a C program runs on raw logs.

The names in ``__all__`` are the public API; plugins import nothing else from the host.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from logexport.markers import API_VERSION, hookimpl

if TYPE_CHECKING:
    from logexport.pipeline import run

__all__ = ["API_VERSION", "hookimpl", "run"]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name == "run":
        from logexport.pipeline import run

        return run
    raise AttributeError(f"module 'logexport' has no attribute {name!r}")
