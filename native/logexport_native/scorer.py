"""The C engine as a scorer: a batch of inputs through a bundle's graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from logexport.engine import last_line, run_engine
from logexport.errors import BundleError

if TYPE_CHECKING:
    import numpy as np


class EngineScorer:
    """Runs a bundle's graph in the engine: a :class:`logexport.verdicts.scorers.Scorer`.

    Args:
        engine: the words that start the engine.
        bundle: the bundle's directory.
        model: the model's name.
        input_names: the graph's, in order.
        output_names: the graph's, in order.
    """

    def __init__(
        self,
        engine: Sequence[str],
        bundle: Path,
        model: str,
        input_names: Sequence[str],
        output_names: Sequence[str],
    ) -> None:
        self._engine, self._bundle, self._model = engine, bundle, model
        self._inputs, self.output_names = tuple(input_names), tuple(output_names)

    def __call__(self, *inputs: np.ndarray) -> Mapping[str, np.ndarray]:
        """Run the graph on a batch.

        Args:
            inputs: arrays as the graph declares them, in its order, the first axis the batch.

        Returns:
            the outputs by name, in the order of ``output_names``.

        Raises:
            BundleError: the engine ended with an error.
            EngineError: the engine crashed or hung.
        """
        import numpy as np

        with TemporaryDirectory(prefix="logexport-") as name:
            directory = Path(name)
            words: list[str | Path] = ["check", self._bundle, "--model", self._model]
            for number, (input_name, array) in enumerate(zip(self._inputs, inputs, strict=True)):
                path = directory / f"input{number}.npy"
                np.save(path, np.ascontiguousarray(array))
                words += ["--input", f"{input_name}={path}"]
            out = directory / "outputs"
            out.mkdir()
            done = run_engine(self._engine, *words, "--output-dir", out)
            if done.returncode != 0:
                raise BundleError(
                    f"the engine ended with status {done.returncode}: {last_line(done.stderr)}"
                )
            return {
                name: np.load(out / f"{name}.npy", allow_pickle=False) for name in self.output_names
            }
