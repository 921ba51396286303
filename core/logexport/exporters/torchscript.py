"""The TorchScript exporter: traces the module; in every torch from 1.13 to 2.15."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from logexport.exporters import table
from logexport.exporters.capture import capture, one_line
from logexport.exporters.strategy import (
    Availability,
    ExportFailedError,
    ExportLog,
    TorchEnvironment,
)

if TYPE_CHECKING:
    import torch

    from logexport.types import DummyInput

LOWEST_OPSET = 11
HIGHEST_OPSET = 20
DEFAULT_OPSET = 17


@dataclass(frozen=True)
class TorchScriptStrategy:
    """``torch.onnx.export(..., dynamo=False)``, in this process.

    ``dynamo=False`` is given exactly where the installed function has the keyword: a TypeError
    before torch 2.4, and since 2.9 the other exporter without it.
    """

    name: str = "torchscript"

    def availability(self, env: TorchEnvironment) -> Availability:
        version = env.torch
        if env.release < table.OLDEST:
            return Availability(False, f"torch {version} is older than 1.13")
        if env.unknown_required:
            return Availability(False, _unknown_required(env))
        if not env.torchscript:
            return Availability(False, f"torch {version} has no TorchScript exporter any more")
        if "dynamic_axes" not in env.keywords:
            return Availability(
                False, f"torch.onnx.export of torch {version} has no keyword dynamic_axes"
            )
        if table.is_newer(env):
            if "dynamo" not in env.keywords:
                return Availability(
                    False,
                    f"torch.onnx.export of torch {version} has no keyword dynamo to ask for "
                    "TorchScript with",
                )
            return Availability(
                True,
                f"untested: torch {version} is newer than logexport knows, but its "
                "torch.onnx.export still takes dynamo=False",
                tested=False,
            )
        how = "with dynamo=False" if "dynamo" in env.keywords else "the only exporter"
        return Availability(True, f"torch {version} has it ({how})")

    def opsets(self, env: TorchEnvironment) -> tuple[int, ...]:
        release = table.release_of(env)
        highest = HIGHEST_OPSET if release is None else release.torchscript_max_opset
        return tuple(range(LOWEST_OPSET, min(highest, HIGHEST_OPSET) + 1))

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


def _unknown_required(env: TorchEnvironment) -> str:
    names = ", ".join(sorted(env.unknown_required))
    return (
        f"torch.onnx.export of torch {env.torch} requires an argument that logexport does not "
        f"know: {names}"
    )
