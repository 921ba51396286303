"""Processes whose home and temporary directory are empty: what do they leave, whom do they call?"""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import pytest

SWITCH = "ORT_DISABLE_TELEMETRY"
"""What switches ONNX Runtime's telemetry off."""

KEPT = re.compile(
    r"PATH|LANG|LC_\w+|LD_\w+|PYTHON\w+|VIRTUAL_ENV|OMP_NUM_THREADS|LOGEXPORT_\w+|\w+SAN_OPTIONS"
)
"""What a process is given of the tests' environment. Where a build service has set its variables
(CI, GITHUB_ACTIONS, …) ONNX Runtime is silent by itself: they must not hide what operators see."""

STRACE = ("strace", "--seccomp-bpf", "-f", "-e", "trace=socket,connect,clone,clone3")
"""The filter in the kernel: a process is only stopped at the calls that are traced."""


@lru_cache(maxsize=1)
def no_tracer() -> str:
    """Why sockets and threads cannot be seen here; "" where they can."""
    return _problem(*STRACE, "-o", os.devnull, "true")


@lru_cache(maxsize=1)
def no_namespace() -> str:
    """Why a process can have no network of its own here, an empty one; "" where it can."""
    return _problem("unshare", "-rn", "--", "true")


def _problem(*words: str) -> str:
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    except OSError as error:
        return f"{words[0]}: {error.strerror}"
    last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
    return "" if done.returncode == 0 else f"{words[0]}: {last}"


@dataclass(frozen=True)
class Alone:
    """Three directories, empty at first, and the processes that have them.

    Where there can be network namespaces they have an empty one: a test that fails reports nothing.
    """

    home: Path
    temporary: Path
    current: Path
    traces: Path

    @classmethod
    def make(cls, directory: Path) -> Alone:
        places = [directory / name for name in ("home", "temporary", "current", "traces")]
        for place in places:
            place.mkdir(parents=True)
        return cls(*places)

    def environment(self, **more: str) -> dict[str, str]:
        """HOME and TMPDIR are ours; XDG_CACHE_HOME and the switch are not set, but by ``more``."""
        kept = {name: value for name, value in os.environ.items() if KEPT.fullmatch(name)}
        if not no_tracer():  # LeakSanitizer does not work under another tracer
            kept["ASAN_OPTIONS"] = f"{kept.get('ASAN_OPTIONS', '')}:detect_leaks=0".lstrip(":")
        return {**kept, "HOME": str(self.home), "TMPDIR": str(self.temporary), **more}

    def start(self, *words: object, **environment: str) -> subprocess.Popen[bytes]:
        """Start a process, with pipes at all three ends."""
        command = [str(word) for word in words]
        if not no_namespace():
            command = ["unshare", "-rn", "--", *command]
        if not no_tracer():
            trace = self.traces / f"{len(list(self.traces.iterdir()))}"
            command = [*STRACE, "-o", str(trace), *command]
        return subprocess.Popen(
            command,
            bufsize=0,
            cwd=self.current,
            env=self.environment(**environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def run(self, *words: object, data: bytes = b"", **environment: str) -> bytes:
        """Run a process to its end, which must be a good one; what it printed."""
        with self.start(*words, **environment) as process:
            out, said = process.communicate(data)
        assert process.returncode == 0, said.decode("utf-8", "replace")
        return out

    def left(self) -> list[str]:
        """Everything in the home, the temporary and the current directory."""
        places = (self.home, self.temporary, self.current)
        return sorted(str(p.relative_to(one.parent)) for one in places for p in one.rglob("*"))

    def traced(self, pattern: str) -> list[str]:
        """The traced system calls of all processes that hold the pattern."""
        lines = (line for one in self.traces.iterdir() for line in one.read_text().splitlines())
        return [line for line in lines if re.search(pattern, line)]

    def assert_silent(self) -> None:
        """Nothing was left, nobody was called; skips where only the first can be seen.

        Sockets of this machine (AF_UNIX) are allowed: by one, libc asks the name service cache for
        the user's name, which PyTorch's dynamo wants to know.
        """
        said = [*self.left(), *self.traced(r"\bsocket\((?!AF_UNIX\b)")]
        assert not said, said
        if no_tracer():
            pytest.skip(f"nothing was left; sockets cannot be seen here ({no_tracer()})")
        assert self.traced(r"\bexited with 0\b"), "nothing was traced"
