"""The self-test of a bundle, written: a log, and the reference's verdicts of it."""

from __future__ import annotations

from pathlib import Path

from logexport.bundle import BundledModel
from logexport.detect import detect
from logexport.logs.lines import iter_logs
from logexport.selftest.rendering import RenderedLog, render_selftest
from logexport.verdicts.scorers import OnnxRuntimeScorer

__all__ = [
    "write_selftest",
]


def write_selftest(model: BundledModel, log: Path, verdicts: Path, seed: int = 0) -> RenderedLog:
    """Write a model's self-test: lines, and the reference's verdicts by ONNX Runtime on its graph.

    Raises:
        BundleError: the graph cannot be run, or its outputs are not what its task says.
    """
    scorer = OnnxRuntimeScorer(model.onnx)
    made = render_selftest(model.vocab, model.preprocess, model.task, seed, scorer=scorer)
    log.write_bytes(model.preprocess.mark + made.data)
    lines = iter_logs([log], model.preprocess.reading)
    records = detect(lines, model, scorer=scorer)
    text = "".join(record.to_line() + "\n" for record in records)
    verdicts.write_bytes(text.encode("utf-8"))
    return made
