"""Where the C engine is, and how it is run: always as a process of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from logexport.errors import BundleError, LogexportError
from logexport.scorers import runtime_arguments

if TYPE_CHECKING:
    import numpy as np

PROGRAM = "logexport-engine"
VARIABLE = "LOGEXPORT_ENGINE"
"""Environment variable that names another engine than the installed one."""

HOW_TO_GET = (
    "install a C compiler and the headers of PCRE2, zlib and Jansson, then install logexport again"
    " (Debian: apt-get install gcc libpcre2-dev zlib1g-dev libjansson-dev)"
)
PROBE_SECONDS = 120
"""How long the engine may take for a batch of probes or a self-test before it counts as hung."""


class EngineError(LogexportError):
    """The engine crashed, hung, or ended with an error.

    Attributes:
        status: its exit status; negative for a signal; None where it was killed as hung.
    """

    def __init__(self, problem: str, status: int | None) -> None:
        super().__init__(problem)
        self.status = status


@dataclass(frozen=True)
class Engine:
    """An engine that was found: its absolute path."""

    program: Path

    @property
    def command(self) -> list[str]:
        """The words that start it."""
        return [str(self.program)]

    def run(
        self, *arguments: str | Path, seconds: float = PROBE_SECONDS, stdout: int = subprocess.PIPE
    ) -> subprocess.CompletedProcess[bytes]:
        """Run it to its end, with the Python package's ONNX Runtime unless another is named.

        Raises:
            EngineError: it could not be started, crashed or hung. An exit status is the caller's.
        """
        words = [*self.command, *map(str, arguments), *runtime_arguments()]
        try:
            done = subprocess.run(  # noqa: S603 - words, not text; the program is ours
                words,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=subprocess.PIPE,
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise EngineError(
                f"the engine did not end within {seconds:.0f} s and was killed", None
            ) from error
        except OSError as error:
            raise EngineError(
                f"{self.program} cannot be started: {error.strerror}", None
            ) from error
        if done.returncode < 0:
            raise EngineError(
                f"the engine was ended by signal {-done.returncode}: {last_line(done.stderr)}",
                done.returncode,
            )
        return done


def last_line(stderr: bytes) -> str:
    """The last line that a process said."""
    lines = stderr.decode("utf-8", "replace").strip().splitlines()
    return lines[-1][:300] if lines else "it said nothing"


def find_engine() -> Engine | None:
    """The engine that ``LOGEXPORT_ENGINE`` names, else the packaged one, or None.

    Raises:
        EngineError: ``LOGEXPORT_ENGINE`` names something that is no program.
    """
    named = os.environ.get(VARIABLE)
    if named:
        found = shutil.which(named)
        if found is None:
            raise EngineError(f"{VARIABLE} names {named!r}, which is no program", None)
        return Engine(Path(found).resolve())
    # Beside this module in an installed wheel; in native/bin after `make -C native`.
    here = Path(__file__).resolve().parent
    for place in (here / "bin" / PROGRAM, here.parent / "bin" / PROGRAM):
        if os.access(place, os.X_OK) and place.is_file():
            return Engine(place)
    return None


class EngineScorer:
    """Runs a bundle's graph in the engine: a :class:`logexport.scorers.Scorer`.

    Args:
        engine: the engine.
        bundle: the bundle's directory.
        model: the model's name.
        input_names, output_names: the graph's, in order.
    """

    def __init__(
        self,
        engine: Engine,
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
            done = self._engine.run(*words, "--output-dir", out)
            if done.returncode != 0:
                raise BundleError(
                    f"the engine ended with status {done.returncode}: {last_line(done.stderr)}"
                )
            return {
                name: np.load(out / f"{name}.npy", allow_pickle=False) for name in self.output_names
            }
