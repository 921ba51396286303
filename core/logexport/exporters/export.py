"""The host's own export: run one strategy, and answer for how it behaves."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from logexport.errors import LogexportError, PluginError
from logexport.exporters.capture import capture, one_line
from logexport.exporters.strategy import ExportFailedError, ExportLog, ExportStrategy

if TYPE_CHECKING:
    import torch

    from logexport.types import DummyInput


def export_with(
    strategy: ExportStrategy, module: torch.nn.Module, dummy: DummyInput, opset: int, path: Path
) -> ExportLog:
    """Write the graph of ``module`` to ``path`` through ``strategy``; what it said is returned.

    Nothing reaches standard output or standard error. The graph is not finished yet: see
    :func:`~logexport.exporters.finish_graph`. Where the export fails nothing is left at ``path``.

    Args:
        strategy: as chosen by :func:`~logexport.exporters.choose`.
        module: in eval mode, on the CPU.
        dummy: example inputs, names, dynamic axes.
        opset: one of the strategy's opsets.
        path: the .onnx to write; its directory exists.

    Raises:
        ExportFailedError: the strategy could not write the graph; the next one may.
        PluginError: the module is in training mode.
    """
    if module.training:
        raise PluginError(
            f"the module {type(module).__name__} is in training mode",
            "load_model must return it in eval mode.",
        )
    with capture() as captured:
        failure: BaseException | None = None
        log = ExportLog()
        try:
            log = strategy.export(module, dummy, opset, path)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # a plugin's code: the next is tried whatever it was
            failure = error
    caught = captured.log()
    if failure is not None and isinstance(failure, LogexportError):
        _discard(path)
        raise failure
    log = ExportLog(
        tuple(dict.fromkeys((*log.warnings, *caught.warnings))), log.output + caught.output
    )
    if failure is not None:
        _discard(path)
        raise ExportFailedError(strategy.name, one_line(failure), log=log) from failure
    if not path.is_file():
        raise ExportFailedError(strategy.name, "it ended without writing the graph", log=log)
    return log


def _discard(path: Path) -> None:
    """Remove what a failed export left, the weights that some exporters put beside it included."""
    for leftover in (path, path.with_name(path.name + ".data")):
        leftover.unlink(missing_ok=True)
