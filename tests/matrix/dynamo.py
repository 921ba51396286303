"""Dynamo exports in this very process, which logexport itself never does. As a program:

    python -m tests.matrix.dynamo in-a-row|without-onnxscript DIRECTORY

prints a JSON list: ``right``, ``wrong: …`` or ``fails: …`` for each export.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from pathlib import Path


def main(what: str, directory: str) -> None:
    if what == "without-onnxscript":
        sys.modules["onnxscript"] = None  # type: ignore[assignment] # as if it were not installed
    from tests.matrix.cases import BY_NAME

    kinds = ["deeplog-alog-detect"] if what == "without-onnxscript" else ["deeplog-alog-detect"] * 3
    with contextlib.redirect_stdout(sys.stderr):
        seen = [
            one(BY_NAME[name], Path(directory) / str(number)) for number, name in enumerate(kinds)
        ]
    os.write(1, (json.dumps(seen) + "\n").encode())


def one(kind: object, directory: Path) -> str:
    import torch
    from logexport.exporters import TorchEnvironment
    from logexport.exporters.capture import one_line
    from logexport.exporters.dynamo_worker import arguments

    from tests.matrix.cases import Kind
    from tests.matrix.export import load, verdict

    assert isinstance(kind, Kind)
    module, dummy = load(kind, directory)
    document = {
        "opset": 18,
        "input_names": list(dummy.input_names),
        "output_names": list(dummy.output_names),
        "dynamic_axes": dummy.dynamic_axes,
    }
    path = directory / "graph.onnx"
    try:
        with torch.no_grad():
            torch.onnx.export(
                module,
                tuple(dummy.tensors),
                str(path),
                **arguments(TorchEnvironment.installed(), document, tuple(dummy.tensors)),
            )
    except Exception as error:  # whatever the exporter raises is what is asked for here
        return f"fails: {one_line(error)}"
    return verdict(path, module, dummy)


if __name__ == "__main__":
    main(*sys.argv[1:])
