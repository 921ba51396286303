"""The dynamo exporter (torch.export), each export in a process of its own.

Why a process: on torch 2.13 and 2.14 only the first export of a process is right; the second raises
TorchExportError or is silently static. How: the module and the example inputs are pickled into a
private directory beside the graph (where the host cleans up after dead runs), and
``dynamo_worker`` reads them there in a fresh interpreter with this one's ``sys.path``. So the
module's class must be importable: one defined in ``__main__`` or inside a function is a failure of
this strategy, with a sentence that says so.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from packaging.version import Version

from logexport.exporters import table
from logexport.exporters.capture import one_line
from logexport.exporters.dynamo_worker import KEYWORDS
from logexport.exporters.environment import TorchEnvironment
from logexport.exporters.strategy import (
    Availability,
    ExportFailedError,
    ExportLog,
    tested_or_not,
    why_unusable,
)
from logexport.runtime import silent_environment

if TYPE_CHECKING:
    import torch

    from logexport.types import DummyInput

LOWEST_OPSET = 18
"""Asked for 17 it sometimes converts and sometimes silently stays at 18."""
HIGHEST_OPSET = 20
DEFAULT_OPSET = 18
LOWEST_ONNXSCRIPT = Version("0.6.2")
"""With torch 2.14.1, 0.5.0 lacks an interface that came with 0.6.0, and 0.6.0 writes LSTMs that
ONNX Runtime refuses. 0.6.1 was not tried."""

TAIL_LINES = 5

# Only `sys` may be imported before sys.path is the parent's: it is built in, so nothing that lies
# in the current directory can take its place.
BOOTSTRAP = (
    "import sys; sys.path[:] = sys.argv[2:]; "
    "from logexport.exporters.dynamo_worker import main; sys.exit(main(sys.argv[1]))"
)


@dataclass(frozen=True)
class DynamoStrategy:
    """``torch.onnx.export(..., dynamo=True)``.

    Args:
        timeout: seconds after which the process is killed.
    """

    name: str = "dynamo"
    timeout: float = 600.0

    def availability(self, env: TorchEnvironment) -> Availability:
        problem = why_unusable(env, KEYWORDS) or self._problem(env)
        if problem is not None:
            return tested_or_not(env, False, problem)
        return tested_or_not(
            env, True, f"torch {env.torch} has it (each export in its own process)"
        )

    def _problem(self, env: TorchEnvironment) -> str | None:
        exporter = f"torch.onnx.export of torch {env.torch}"
        if "dynamo" not in env.keywords and not table.is_newer(env):
            return f"{exporter} has no keyword dynamo"
        if "dynamic_shapes" not in env.keywords:
            return f"{exporter} has no keyword dynamic_shapes"
        row = table.worst_overall(env, self.name)
        if row is not None and row.verdict != "right":
            return f"torch {env.torch}, {row.construct}: {row.note}"
        missing = [n for n in ("onnx", "onnxscript") if getattr(env, n) is None]
        if missing:
            return f"needs the package {' and '.join(missing)}: pip install 'logexport[dynamo]'"
        if env.onnxscript is not None and env.onnxscript < LOWEST_ONNXSCRIPT:
            return (
                f"needs onnxscript {LOWEST_ONNXSCRIPT} or later and {env.onnxscript} is installed: "
                "pip install 'logexport[dynamo]'"
            )
        return None

    def opsets(self, env: TorchEnvironment) -> tuple[int, ...]:
        return tuple(range(LOWEST_OPSET, HIGHEST_OPSET + 1))

    def default_opset(self, env: TorchEnvironment) -> int:
        return DEFAULT_OPSET

    def export(
        self, module: torch.nn.Module, dummy: DummyInput, opset: int, path: Path
    ) -> ExportLog:
        path = path.absolute()
        unreachable = _unreachable_class(module)
        if unreachable is not None:
            raise ExportFailedError(
                self.name,
                f"it runs in a process of its own, which cannot import {unreachable}",
                "Define the module's class at the top level of an importable file.",
            )
        with tempfile.TemporaryDirectory(prefix=".dynamo-", dir=path.parent) as private:
            job = Path(private)
            self._write_job(job, module, dummy, opset, path)
            return self._run(job)

    def _write_job(
        self, job: Path, module: torch.nn.Module, dummy: DummyInput, opset: int, path: Path
    ) -> None:
        import torch

        try:
            torch.save((module, tuple(dummy.tensors)), job / "module.pt")
        except Exception as error:  # whatever the module's own __reduce__ or a member raises
            raise ExportFailedError(
                self.name,
                "it runs in a process of its own, and the module cannot be pickled for it: "
                f"{one_line(error)}",
            ) from error
        axes = {
            name: {str(axis): label for axis, label in named.items()}
            for name, named in dummy.dynamic_axes.items()
        }
        document = {
            "path": str(path),
            "opset": opset,
            "input_names": list(dummy.input_names),
            "output_names": list(dummy.output_names),
            "dynamic_axes": axes,
        }
        (job / "job.json").write_text(json.dumps(document), encoding="utf-8")

    def _run(self, job: Path) -> ExportLog:
        if not sys.executable:
            raise ExportFailedError(
                self.name, "it needs a process of its own, and Python does not know its program"
            )
        temporary = job / "tmp"  # PyTorch leaves a folder there, which goes with the job's
        temporary.mkdir()
        environment = {
            **silent_environment(),
            "PYTHONHASHSEED": "0",  # takes one source of differing names from the graph
            "TMPDIR": str(temporary),
        }
        command = [sys.executable, "-c", BOOTSTRAP, str(job), *sys.path]
        printed = job / "output"
        with printed.open("wb") as sink:
            try:
                # The pipe on standard input tells the worker, by its end, that this process died.
                process = subprocess.Popen(  # noqa: S603 - our own interpreter and package
                    command,
                    stdin=subprocess.PIPE,
                    stdout=sink,
                    stderr=subprocess.STDOUT,
                    env=environment,
                    start_new_session=True,
                )
            except OSError as error:
                raise ExportFailedError(
                    self.name, f"its process cannot be started: {one_line(error)}"
                ) from error
            timed_out = _wait(process, self.timeout)
        output = printed.read_text(encoding="utf-8", errors="replace")
        result = _read_result(job / "result.json")
        log = ExportLog(tuple(result.get("warnings", ())), output)
        if timed_out:
            problem = f"no result after {self.timeout:g} s, so it was stopped"
            raise ExportFailedError(self.name, problem + _tail(output), log=log)
        if result.get("error"):
            raise ExportFailedError(self.name, str(result["error"]), log=log)
        if process.returncode != 0 or not result:
            problem = f"its process {_ending(process.returncode)}"
            raise ExportFailedError(self.name, problem + _tail(output), log=log)
        return log


def _unreachable_class(module: torch.nn.Module) -> str | None:
    """A class among the module's that another process cannot import; None if there is none."""
    for part in module.modules():
        kind = type(part)
        if kind.__module__ == "__main__":
            return f"{kind.__qualname__}: it is defined in the program itself (__main__)"
        if "<locals>" in kind.__qualname__:
            return f"{kind.__module__}.{kind.__qualname__}: it is defined inside a function"
    return None


def _wait(process: subprocess.Popen[bytes], timeout: float) -> bool:
    """Wait for the worker; whatever ends the wait, nothing of it is left. True: it timed out."""
    try:
        process.wait(timeout)
    except subprocess.TimeoutExpired:
        return True
    finally:
        _stop(process, process.stdin)
    return False


def _stop(process: subprocess.Popen[bytes], pipe: IO[bytes] | None) -> None:
    if process.poll() is None:
        # Its session is its own, so this reaches what it started and nothing else.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    if pipe is not None:
        pipe.close()


def _read_result(path: Path) -> Mapping[str, Any]:
    """What the worker reported; empty where it died before it could."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def _ending(status: int) -> str:
    if status >= 0:
        return f"ended with status {status} before it reported a result"
    try:
        return f"was killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"was killed by signal {-status}"


def _tail(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()][-TAIL_LINES:]
    return f"; its last output: {' | '.join(lines)}" if lines else "; it printed nothing"
