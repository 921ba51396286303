"""Variants of a finished graph that ONNX Runtime has optimised beforehand."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Literal

from logexport.errors import ExporterError
from logexport.exporters.capture import capture, one_line
from logexport.exporters.graph import open_session, read_graph
from logexport.exporters.tidy import strip_prose
from logexport.files import replace_file
from logexport.runtime import import_onnxruntime
from logexport.types import GraphInfo

Level = Literal["portable", "optimized"]


def write_variant(path: Path, target: Path, level: Level) -> GraphInfo:
    """Write the graph at ``path`` as ONNX Runtime optimises it to ``target``, one file, atomically.

    Args:
        path: a finished graph.
        target: the variant's .onnx.
        level: ``portable``: basic optimisations, standard operators, for any machine;
            ``optimized``: all of them, for machines like this one and this ONNX Runtime only.

    Raises:
        ExporterError: ONNX Runtime cannot optimise it, or its result has other inputs or outputs.
        OSError: the file cannot be written.
    """
    import onnx

    onnxruntime = import_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # fatal: errors come as exceptions anyway
    levels = onnxruntime.GraphOptimizationLevel
    options.graph_optimization_level = (
        levels.ORT_ENABLE_BASIC if level == "portable" else levels.ORT_ENABLE_ALL
    )
    original = read_graph(path)
    with tempfile.TemporaryDirectory(prefix=".variant-", dir=target.parent) as private:
        written = Path(private) / "graph.onnx"
        options.optimized_model_filepath = str(written)
        try:
            with capture():  # ONNX Runtime warns that "all" is for this machine only
                onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
            model = onnx.load(str(written))
        except Exception as error:  # onnxruntime's own exceptions have no common public base
            raise ExporterError(
                f"ONNX Runtime cannot write the {level} variant of {path.name}: {one_line(error)}"
            ) from error
    strip_prose(model)
    data = model.SerializeToString(deterministic=True)
    try:
        open_session(data)
    except Exception as error:  # as above
        raise ExporterError(
            f"ONNX Runtime cannot load the {level} variant of {path.name}: {one_line(error)}"
        ) from error
    replace_file(target, data)
    variant = read_graph(target)
    for field in ("input_names", "output_names", "input_shapes", "output_shapes"):
        if getattr(variant, field) != getattr(original, field):
            target.unlink()
            raise ExporterError(
                f"the {level} variant of {path.name} has other inputs or outputs than the graph"
            )
    return variant
