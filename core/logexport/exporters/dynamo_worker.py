"""What runs in the process of its own: one dynamo export, then the end.

Started by :mod:`logexport.exporters.dynamo` only. Everything printed here is caught by the parent;
the result goes into ``result.json``: ``{"warnings": [...], "error": null | "Type: message"}``.
"""

from __future__ import annotations

import json
import os
import threading
import traceback
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from logexport.exporters.capture import describe_warnings, one_line
from logexport.exporters.environment import TorchEnvironment

if TYPE_CHECKING:
    import torch

WHERE_KNOWN: Mapping[str, bool] = {
    "dynamo": True,
    "external_data": False,  # weights inside: a bundle's graph is one file
    "fallback": False,  # to TorchScript: which strategy is tried next is the chooser's business
    "verbose": False,
}
KEYWORDS = frozenset(
    {"input_names", "output_names", "opset_version", "dynamic_shapes", *WHERE_KNOWN}
)


def main(directory: str) -> int:
    """Do the job described in ``directory``; 0 whether the export worked or not."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    job = Path(directory)
    error: str | None = None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            _export(job)
        except Exception as failure:  # reported to the parent, whatever it is
            traceback.print_exc()
            error = one_line(failure)
    result = json.dumps({"warnings": describe_warnings(caught), "error": error})
    (job / "result.json").write_text(result, encoding="utf-8")
    return 0


def _end_with_parent() -> None:
    """Standard input ends when the parent does, however it died; then nobody wants the result."""
    while os.read(0, 1):
        continue
    os._exit(1)


def _export(job: Path) -> None:
    import torch

    document = json.loads((job / "job.json").read_text(encoding="utf-8"))
    # The file is the parent's own, written a moment ago into a directory only we can open.
    module, tensors = torch.load(job / "module.pt", weights_only=False)
    with torch.no_grad():
        torch.onnx.export(
            module,
            tensors,
            document["path"],
            **arguments(TorchEnvironment.installed(), document, tensors),
        )


def arguments(
    env: TorchEnvironment, document: Mapping[str, Any], tensors: tuple[torch.Tensor, ...]
) -> dict[str, Any]:
    """Keywords for the installed ``torch.onnx.export``."""
    given: dict[str, Any] = {
        "input_names": document["input_names"],
        "output_names": document["output_names"],
        "opset_version": document["opset"],
        "dynamic_shapes": dynamic_shapes(document, tensors),
    }
    return given | {name: value for name, value in WHERE_KNOWN.items() if name in env.keywords}


def dynamic_shapes(
    document: Mapping[str, Any], tensors: tuple[torch.Tensor, ...]
) -> tuple[dict[int, Any] | None, ...]:
    """For each input, axis number to ``Dim``; one name is one ``Dim`` everywhere.

    Named dimensions, not ``Dim.AUTO``: where torch would bind one to the traced size it must raise
    instead of writing a static graph.
    """
    from torch.export import Dim

    dims: dict[str, Any] = {}
    shapes: list[dict[int, Any] | None] = []
    for name, _ in zip(document["input_names"], tensors, strict=True):
        axes = document["dynamic_axes"].get(name, {})
        shapes.append(
            {int(axis): dims.setdefault(label, Dim(label)) for axis, label in axes.items()} or None
        )
    return tuple(shapes)
