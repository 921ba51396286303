"""The C engine as the host runs it: always as a process of its own, which may crash or hang.

Which program that is, a plugin says (the hook ``engine_command``); the host knows none itself.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from logexport.errors import LogexportError
from logexport.runtime import runtime_library, silent_environment

if TYPE_CHECKING:
    from logexport.verdicts.options import DetectOptions

__all__ = [
    "HOW_TO_GET",
    "PROBE_SECONDS",
    "EngineError",
    "build_detect_arguments",
    "last_line",
    "run_engine",
    "runtime_arguments",
]

HOW_TO_GET = (
    "Install a C compiler, pkg-config and the headers of PCRE2, zlib, bzip2, liblzma and Zstandard"
    " (Debian: apt-get install gcc pkg-config libpcre2-dev zlib1g-dev libbz2-dev liblzma-dev"
    " libzstd-dev), then install logexport again."
)
"""What to do if no plugin has an engine."""

PROBE_SECONDS = 120
"""How long the engine may take for a batch of probes or a self-test before it counts as hung."""


class EngineError(LogexportError):
    """The engine crashed, hung, or ended with an error.

    Attributes:
        status: its exit status; negative for a signal; None if it was killed as hung.
    """

    def __init__(self, problem: str, status: int | None) -> None:
        super().__init__(problem)
        self.status = status


def run_engine(
    command: Sequence[str],
    *arguments: str | Path,
    seconds: float | None = None,
    stdout: int = subprocess.PIPE,
    runtime: bool = True,
) -> subprocess.CompletedProcess[bytes]:
    """Run the engine to its end, with the Python package's ONNX Runtime unless another is named.

    Args:
        command: the words that start it.
        arguments: its own, ``--ort-lib`` left out.
        seconds: when it counts as hung; :data:`PROBE_SECONDS` by default.
        stdout: a file descriptor to write to, instead of keeping what it prints.
        runtime: name ONNX Runtime's library to it.

    Raises:
        EngineError: it could not be started, crashed or hung. An exit status is the caller's.
    """
    seconds = PROBE_SECONDS if seconds is None else seconds
    words = [*command, *map(str, arguments), *(runtime_arguments() if runtime else ())]
    try:
        done = subprocess.run(  # noqa: S603 - words, not text; the program is ours
            words,
            env=silent_environment(),  # whatever program LOGEXPORT_ENGINE names
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
        raise EngineError(f"{command[0]} cannot be started: {error.strerror}", None) from error
    if done.returncode < 0:
        raise EngineError(
            f"the engine was ended by signal {-done.returncode}: {last_line(done.stderr)}",
            done.returncode,
        )
    return done


def last_line(stderr: bytes) -> str:
    """The last line that a process printed, at most 300 characters."""
    lines = stderr.decode("utf-8", "replace").strip().splitlines()
    return lines[-1][:300] if lines else "it said nothing"


def runtime_arguments() -> list[str]:
    """What names the C engine the ONNX Runtime of the Python package, unless the user named one."""
    library = None if os.environ.get("LOGEXPORT_ORT_LIB") else runtime_library()
    return [f"--ort-lib={library}"] if library is not None else []


def build_detect_arguments(options: DetectOptions) -> list[str]:
    """The options as the engine's program takes them, after ``detect`` and before the bundle.

    Args:
        options: a threshold must be a number. What is None or false is left out; so is
            ``batch_size``, which the engine chooses itself. Without ``ort_library`` the Python
            package's is named, as :func:`runtime_arguments` says.
    """
    values = {
        "--model": options.model,
        "--variant": options.variant,
        "--top-k": options.top_k,
        "--threshold": options.threshold,
        "--session-by": options.session_by,
        "--encoding": options.encoding,
        "--threads": options.threads,
        "--ort-lib": options.ort_library,
        "--at-end": None if options.at_end == "close" else options.at_end,
        "--with": ",".join(options.with_keys) or None,
    }
    flags = {
        "--session-summary": options.session_summary,
        "--anomalies-only": options.anomalies_only,
        "--require-proof": options.require_proof,
        "--allow-warnings": options.allow_warnings,
        "--no-verify": options.no_verify,
    }
    return [
        *(f"{name}={value}" for name, value in values.items() if value is not None),
        *(name for name, is_on in flags.items() if is_on),
        *(runtime_arguments() if options.ort_library is None else ()),
    ]
