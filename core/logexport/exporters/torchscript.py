"""The TorchScript exporter: traces the module; in every torch that the table knows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from logexport.exporters import table
from logexport.exporters.capture import capture, one_line
from logexport.exporters.environment import TorchEnvironment
from logexport.exporters.strategy import (
    Availability,
    ExportFailedError,
    ExportLog,
    tested_or_not,
    why_unusable,
)

if TYPE_CHECKING:
    import torch

    from logexport.types import DummyInput

LOWEST_OPSET = 11
HIGHEST_OPSET = 20
DEFAULT_OPSET = 17
KEYWORDS = frozenset({"input_names", "output_names", "opset_version", "dynamic_axes", "dynamo"})


@dataclass(frozen=True)
class TorchScriptStrategy:
    """``torch.onnx.export(..., dynamo=False)``, in this process.

    ``dynamo=False`` is given exactly where the installed function has the keyword: a TypeError
    before torch 2.4, and since 2.9 the other exporter without it.
    """

    name: str = "torchscript"

    def availability(self, env: TorchEnvironment) -> Availability:
        problem = why_unusable(env, KEYWORDS) or self._problem(env)
        if problem is not None:
            return tested_or_not(env, False, problem)
        how = "with dynamo=False" if "dynamo" in env.keywords else "the only exporter"
        return tested_or_not(env, True, f"torch {env.torch} has it ({how})")

    def _problem(self, env: TorchEnvironment) -> str | None:
        if not env.torchscript:
            return f"torch {env.torch} has no TorchScript exporter any more"
        if "dynamic_axes" not in env.keywords:
            return f"torch.onnx.export of torch {env.torch} has no keyword dynamic_axes"
        if table.is_newer(env) and "dynamo" not in env.keywords:
            return (
                f"torch.onnx.export of torch {env.torch} has no keyword dynamo to ask for "
                "TorchScript with"
            )
        return None

    def opsets(self, env: TorchEnvironment) -> tuple[int, ...]:
        highest = min(table.nearest_release(env).torchscript_max_opset, HIGHEST_OPSET)
        return tuple(range(LOWEST_OPSET, highest + 1))

    def default_opset(self, env: TorchEnvironment) -> int:
        return DEFAULT_OPSET

    def arguments(self, env: TorchEnvironment, dummy: DummyInput, opset: int) -> dict[str, Any]:
        """Keywords for the installed ``torch.onnx.export``."""
        arguments: dict[str, Any] = {
            "input_names": list(dummy.input_names),
            "output_names": list(dummy.output_names),
            "opset_version": opset,
            "dynamic_axes": {name: dict(axes) for name, axes in dummy.dynamic_axes.items()},
        }
        if "dynamo" in env.keywords:
            arguments["dynamo"] = False
        return arguments

    def export(
        self, module: torch.nn.Module, dummy: DummyInput, opset: int, path: Path
    ) -> ExportLog:
        import torch

        arguments = self.arguments(TorchEnvironment.installed(), dummy, opset)
        failure: Exception | None = None
        with capture() as captured:
            try:
                with torch.no_grad():
                    torch.onnx.export(module, tuple(dummy.tensors), str(path), **arguments)
            except Exception as error:
                # torch raises whatever the failing symbolic raised; a fault of ours would show as
                # the same failure of every model, with the type's name in the message.
                failure = error
        log = captured.log()
        if failure is not None:
            raise ExportFailedError(self.name, one_line(failure), log=log) from failure
        return log
