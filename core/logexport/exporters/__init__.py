"""The version shim: how a module becomes an ONNX graph, whatever torch is installed.

Strategies write graphs (one file each), :func:`choose` puts them in order for the installed torch
with a reason for each, and :func:`finish_graph` makes of what a strategy wrote the one file that a
bundle holds. The names here are public; a plugin needs :class:`ExportStrategy` and what it
mentions. Nothing here imports torch or onnx until it is used.
"""

from __future__ import annotations

from logexport.exporters.axes import GraphShapeError, StaticAxisError
from logexport.exporters.chooser import Choice, StrategyReport, choose, explain, opset_range
from logexport.exporters.dynamo import DynamoStrategy
from logexport.exporters.environment import TorchEnvironment
from logexport.exporters.export import export_with
from logexport.exporters.finish import finish_graph
from logexport.exporters.graph import read_graph
from logexport.exporters.strategy import (
    AUTO,
    Availability,
    ExportFailedError,
    ExportLog,
    ExportStrategy,
)
from logexport.exporters.table import KnownRow, Release, known_rows
from logexport.exporters.torchscript import TorchScriptStrategy
from logexport.exporters.variants import write_variant

__all__ = [
    "AUTO",
    "BUILTIN_STRATEGIES",
    "Availability",
    "Choice",
    "DynamoStrategy",
    "ExportFailedError",
    "ExportLog",
    "ExportStrategy",
    "GraphShapeError",
    "KnownRow",
    "Release",
    "StaticAxisError",
    "StrategyReport",
    "TorchEnvironment",
    "TorchScriptStrategy",
    "choose",
    "explain",
    "export_with",
    "finish_graph",
    "known_rows",
    "opset_range",
    "read_graph",
    "write_variant",
]

BUILTIN_STRATEGIES: tuple[ExportStrategy, ...] = (TorchScriptStrategy(), DynamoStrategy())
"""In the order in which ``auto`` tries them: TorchScript is proven for recurrent models and several
times faster; dynamo where TorchScript is gone or the opset asks for it."""
