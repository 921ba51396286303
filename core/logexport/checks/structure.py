"""Is the graph what the metadata says, whole, and valid?"""

from __future__ import annotations

from logexport import onnx_model
from logexport.checks.context import Context
from logexport.types import CheckResult


def structure(context: Context) -> CheckResult:
    """The graph passes ONNX's checker, holds its weights, and has the declared names and axes."""
    import onnx

    graph = context.bundle.graph
    dummy = context.dummy
    problems = []
    model = onnx.load(graph.path, load_external_data=False)
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        problems.append(f"ONNX's checker: {str(error).strip().splitlines()[0]}")
    outside = [tensor.name or "(no name)" for tensor in onnx_model.outside(model)]
    if outside:
        problems.append(f"weights outside the file: {', '.join(outside[:3])}")
    if graph.input_names != dummy.input_names:
        problems.append(f"inputs {graph.input_names} where {dummy.input_names} are declared")
    if graph.output_names != dummy.output_names:
        problems.append(f"outputs {graph.output_names} where {dummy.output_names} are declared")
    names = (*graph.input_names, *graph.output_names)
    for name, shape in zip(names, (*graph.input_shapes, *graph.output_shapes), strict=True):
        axes = dict(dummy.dynamic_axes.get(name, {}))
        found = {axis: size for axis, size in enumerate(shape) if isinstance(size, str)}
        if found != axes:
            problems.append(f"{name} has the dynamic axes {found} where {axes} are declared")
    wanted = context.request.opset
    if wanted is not None and graph.opset_version != wanted:
        problems.append(f"opset {graph.opset_version} where {wanted} was asked for")
    if graph.opset_version != context.bundle.meta["opset_version"]:
        problems.append("the metadata's opset_version is not the graph's")
    return CheckResult(
        name="structure",
        status="failed" if problems else "passed",
        scope="graph",
        message="; ".join(problems)
        or f"{graph.node_count} nodes, opset {graph.opset_version}, weights inside",
        figures={
            "nodes": graph.node_count,
            "opset_version": graph.opset_version,
            "ir_version": graph.ir_version,
            "bytes": graph.path.stat().st_size,
            "problems": list(problems),
        },
    )
