"""One export of one kind of checkpoint, and what it means. As a program: in a fresh process.

    python -m tests.matrix.export KIND STRATEGY DIRECTORY

prints :func:`export`'s answer as JSON.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from logexport.types import DummyInput

    from tests.matrix.cases import Kind

NUMBERS = ("score", "top", "threshold")
"""What is rounded in a record; everything else must be equal."""


def export(kind: Kind, strategy: str, directory: Path) -> dict[str, Any]:
    """Run the whole export and say what came of it.

    Returns:
        strategy, opset, node_count, seconds (of the export), graph (sha256), largest_difference to
        PyTorch over the grid of shapes, within_tolerance, verdicts (sha256 of all records on the
        fixed log without rounded numbers), verdict_counts, inputs, outputs, axes, metadata_keys.
    """
    import logexport
    from logexport.exporters import read_graph

    from tests.graphs import compare

    request = kind.request(directory, strategy)
    result = logexport.run(request).models[0]
    (attempt,) = (one for one in result.attempts if one.outcome == "taken")
    meta = json.loads(result.metadata.read_text(encoding="utf-8"))
    module, dummy = load(kind, directory)
    difference, within = compare(result.onnx, module, dummy)
    graph = read_graph(result.onnx)
    records = list(judge(result.onnx.parent, directory / "fixed.log", kind.model))
    counts: dict[str, int] = {}
    for record in records:
        counts[record["verdict"]] = counts.get(record["verdict"], 0) + 1
    plain = [{k: v for k, v in record.items() if k not in NUMBERS} for record in records]
    return {
        "strategy": attempt.strategy,
        "opset": graph.opset_version,
        "node_count": graph.node_count,
        "seconds": round(result.seconds["export"], 2),
        "graph": graph.sha256,
        "largest_difference": float(f"{difference:.3g}"),
        "within_tolerance": within,
        "verdicts": hashlib.sha256(json.dumps(plain).encode()).hexdigest(),
        "verdict_counts": dict(sorted(counts.items())),
        "inputs": meta["input_names"],
        "outputs": meta["output_names"],
        "axes": meta["dynamic_axes"],
        "metadata_keys": sorted(meta),
    }


def load(kind: Kind, directory: Path) -> tuple[torch.nn.Module, DummyInput]:
    """The kind's module and example inputs, from the files that its request wrote."""
    from importlib import import_module

    from logexport.types import ModelRequest

    request = kind.request(directory, "auto")
    assert isinstance(request.checkpoint, Path)
    assert isinstance(request.vocab, Path)
    plugin = import_module(f"logexport_{kind.model}.load")
    options = {key: value for key, value in request.options.items() if key != "native"}
    model = plugin.load(
        ModelRequest(kind.model, request.checkpoint, request.vocab, options=options)
    )
    return model.module, plugin.dummy(model)


def verdict(path: Path, module: torch.nn.Module, dummy: DummyInput) -> str:
    """``right``, or ``wrong: …``: what makes a graph that an exporter wrote not the model."""
    from logexport.errors import LogexportError
    from logexport.exporters import finish_graph

    from tests.graphs import compare

    try:
        finish_graph(path, dummy)
        difference, within = compare(path, module, dummy)
    except LogexportError as error:
        return f"wrong: {error}"
    return "right" if within else f"wrong: it differs by {difference:.3g}"


def judge(bundle: Path, log: Path, model: str) -> Iterator[dict[str, Any]]:
    """The records of the Python reference on a log."""
    from click.testing import CliRunner
    from logexport.cli import cli

    arguments = ["detect", str(bundle), str(log), "--model", model, "--engine", "python"]
    result = CliRunner().invoke(cli, arguments)
    if result.exception is not None:
        raise result.exception
    return map(json.loads, result.stdout.splitlines())


def main(name: str, strategy: str, directory: str) -> None:
    from tests.matrix.cases import BY_NAME

    answer = export(BY_NAME[name], strategy, Path(tempfile.mkdtemp(dir=directory)))
    sys.stdout.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
