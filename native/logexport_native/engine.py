"""Which program the C engine is, and the engine as a scorer."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from logexport.engine import last_line, run_engine
from logexport.errors import BundleError, UsageError

if TYPE_CHECKING:
    import numpy as np

PROGRAM = "logexport-engine"
VARIABLE = "LOGEXPORT_ENGINE"
"""Environment variable that names another engine than the installed one."""


def find_engine() -> list[str] | None:
    """The words that start the engine: ``LOGEXPORT_ENGINE``'s, else the packaged one's, or None.

    Raises:
        UsageError: ``LOGEXPORT_ENGINE`` names something that is no program.
    """
    named = os.environ.get(VARIABLE)
    if named:
        found = shutil.which(named)
        if found is None:
            raise UsageError(
                f"{VARIABLE} names {named!r}, which is no program",
                "Name an executable file, or unset the variable to use the installed engine.",
            )
        return [str(Path(found).resolve())]
    # Beside this module in an installed wheel; in native/bin after `make -C native`.
    here = Path(__file__).resolve().parent
    for place in (here / "bin" / PROGRAM, here.parent / "bin" / PROGRAM):
        if os.access(place, os.X_OK) and place.is_file():
            return [str(place)]
    return None


class EngineScorer:
    """Runs a bundle's graph in the engine: a :class:`logexport.verdicts.scorers.Scorer`.

    Args:
        engine: the words that start the engine.
        bundle: the bundle's directory.
        model: the model's name.
        input_names, output_names: the graph's, in order.
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
