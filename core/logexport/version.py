"""The version of logexport, for whoever says it: commands, tables, checkpoints, manifests."""

from __future__ import annotations

__version__ = "0.1.0"
