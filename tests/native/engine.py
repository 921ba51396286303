"""The C engine as the tests drive it: the program as a process, the library by ctypes.

``LOGEXPORT_ENGINE`` and ``LOGEXPORT_ENGINE_LIB`` name other builds (one with sanitizers) than
``native/bin`` and ``native/build``. Where they are missing the tests fail, they do not skip;
``LOGEXPORT_TEST_NO_ENGINE=1`` says that this is meant.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import subprocess
from collections.abc import Iterable, Iterator
from enum import IntEnum
from functools import lru_cache
from pathlib import Path
from typing import Any

from logexport.detect import Detection, open_model
from logexport.logs.lines import as_log, iter_lines
from logexport.runtime import runtime_library
from logexport.verdicts.options import DetectOptions

NATIVE = Path(__file__).resolve().parent.parent.parent / "native"


def engine_path() -> Path:
    return Path(os.environ.get("LOGEXPORT_ENGINE", NATIVE / "bin" / "logexport-engine"))


def library_path() -> Path:
    return Path(os.environ.get("LOGEXPORT_ENGINE_LIB", NATIVE / "build" / "liblogexport.so"))


def make(*targets: str) -> subprocess.CompletedProcess[str]:
    """Run ``make -C native``; one test process at a time, as all have one build tree."""
    with (NATIVE / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return subprocess.run(["make", "-C", str(NATIVE), *targets], capture_output=True, text=True)


@lru_cache(maxsize=1)
def ort_library() -> str:
    """The shared library inside the installed onnxruntime package."""
    named = os.environ.get("LOGEXPORT_ORT_LIB")
    if named:
        return named
    library = runtime_library()
    assert library is not None, "onnxruntime is not installed"
    return str(library)


def engine(*arguments: object, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """Run the program; standard input is empty unless ``input`` or ``stdin`` is given."""
    if "stdin" not in options:
        options.setdefault("input", b"")
    environment = {**os.environ, "LOGEXPORT_ORT_LIB": ort_library(), **options.pop("env", {})}
    return subprocess.run(
        [str(engine_path()), *map(str, arguments)],
        capture_output=True,
        timeout=120,
        env=environment,
        **options,
    )


def start(*arguments: object, **options: Any) -> subprocess.Popen[bytes]:
    """Start the program with pipes at all three ends."""
    for stream in ("stdin", "stdout", "stderr"):
        options.setdefault(stream, subprocess.PIPE)
    environment = {**os.environ, "LOGEXPORT_ORT_LIB": ort_library()}
    return subprocess.Popen(
        [str(engine_path()), *map(str, arguments)], env=environment, bufsize=0, **options
    )


def reference(bundle: Path, log: bytes, model: str | None = None, **options: Any) -> bytes:
    """What the Python reference says of a log, by the same ONNX Runtime."""
    import io

    chosen = DetectOptions(model=model, **options)
    opened = open_model(bundle, chosen)

    detection = Detection(opened, chosen)
    stream = as_log(io.BytesIO(log), "log", detection.reading)
    records = detection.read(iter_lines(stream, detection.reading))
    return b"".join(record.to_line().encode("utf-8") + b"\n" for record in records)


# --- the library ----------------------------------------------------------------------------------
# test_mirror.py holds these against the header.


class Status(IntEnum):
    """``enum logexport_status``."""

    OK = 0
    USAGE = 1
    BUNDLE = 2
    RUNTIME = 3
    TEXT = 4
    MEMORY = 5
    STOPPED = 6


class Options(ctypes.Structure):
    """``struct logexport_options``."""

    _fields_ = [
        ("size", ctypes.c_size_t),
        ("model", ctypes.c_char_p),
        ("variant", ctypes.c_char_p),
        ("ort_library", ctypes.c_char_p),
        ("session_by", ctypes.c_char_p),
        ("threshold_name", ctypes.c_char_p),
        ("threshold", ctypes.c_double),
        ("set_threshold", ctypes.c_int),
        ("top_k", ctypes.c_int64),
        ("threads", ctypes.c_int),
        ("anomalies_only", ctypes.c_int),
        ("session_summary", ctypes.c_int),
        ("require_proof", ctypes.c_int),
        ("no_verify", ctypes.c_int),
        ("no_jit", ctypes.c_int),
        ("with_keys", ctypes.c_char_p),
        ("encoding", ctypes.c_char_p),
        ("allow_warnings", ctypes.c_int),
        ("leave_at_end", ctypes.c_int),
    ]


class Record(ctypes.Structure):
    """``struct logexport_record``."""

    _fields_ = [
        ("kind", ctypes.c_int),
        ("verdict", ctypes.c_int),
        ("reason", ctypes.c_int),
        ("line", ctypes.c_int64),
        ("window", ctypes.c_int64),
        ("first_line", ctypes.c_int64),
        ("last_line", ctypes.c_int64),
        ("session", ctypes.c_void_p),
        ("session_length", ctypes.c_size_t),
        ("template_index", ctypes.c_int64),
        ("rank", ctypes.c_int64),
        ("score", ctypes.c_double),
        ("lines", ctypes.c_uint64),
        ("judged", ctypes.c_uint64),
        ("anomalies", ctypes.c_uint64),
        ("text", ctypes.c_void_p),
        ("text_length", ctypes.c_size_t),
        ("closed", ctypes.c_int64),
        ("closed_by", ctypes.c_int),
    ]


class Error(ctypes.Structure):
    """``struct logexport_error``."""

    _fields_ = [("status", ctypes.c_int), ("text", ctypes.c_char * 1024)]


class Stats(ctypes.Structure):
    """``struct logexport_stats``."""

    _fields_ = [
        ("size", ctypes.c_size_t),
        ("lines", ctypes.c_uint64),
        ("blank", ctypes.c_uint64),
        ("unseen", ctypes.c_uint64),
        ("records", ctypes.c_uint64 * 3),
        ("scored", ctypes.c_uint64),
        ("remembered", ctypes.c_uint64),
        ("model", ctypes.c_char_p),
        ("proof", ctypes.c_char_p),
        ("runtime_version", ctypes.c_char_p),
        ("runtime_library", ctypes.c_char_p),
        ("warnings", ctypes.c_int64),
    ]


class Doing(IntEnum):
    """``enum logexport_doing``."""

    IDLE = 0
    MATCHING = 1
    SCORING = 2


class Activity(ctypes.Structure):
    """``struct logexport_activity``."""

    _fields_ = [
        ("size", ctypes.c_size_t),
        ("doing", ctypes.c_int),
        ("line", ctypes.c_int64),
        ("pattern", ctypes.c_char_p),
    ]


SINK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.POINTER(Record))


class EngineError(Exception):
    """A call that did not return LOGEXPORT_OK."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = Status(status)


@lru_cache(maxsize=1)
def library() -> ctypes.CDLL:
    lib = ctypes.CDLL(str(library_path()))
    lib.logexport_version.restype = ctypes.c_char_p
    pointer, size = ctypes.c_void_p, ctypes.c_size_t
    lib.logexport_options_init.argtypes = [pointer, size]
    lib.logexport_open.argtypes = [ctypes.c_char_p, pointer, SINK, pointer, pointer, pointer]
    lib.logexport_push.argtypes = [pointer, ctypes.c_char_p, size, pointer]
    lib.logexport_next_file.argtypes = [pointer, ctypes.c_char_p, pointer]
    lib.logexport_flush.argtypes = [pointer, pointer]
    lib.logexport_finish.argtypes = [pointer, pointer]
    lib.logexport_close.argtypes = [pointer]
    lib.logexport_get_stats.argtypes = [pointer, pointer]
    lib.logexport_get_activity.argtypes = [pointer, pointer]
    return lib


class Engine:
    """One engine; ``said`` collects what its sink is given."""

    def __init__(self, bundle: Path, **options: Any) -> None:
        lib = library()
        self.said = bytearray()
        self.records: list[dict[str, Any]] = []
        self.stop_after: int | None = None
        given = Options()
        lib.logexport_options_init(ctypes.byref(given), ctypes.sizeof(given))
        given.ort_library = ort_library().encode()
        for name, value in options.items():
            setattr(given, name, value.encode() if isinstance(value, str) else value)
        self._sink = SINK(self._take)
        self._handle = ctypes.c_void_p()
        self._error = Error()
        self._check(
            lib.logexport_open(
                os.fsencode(bundle),
                ctypes.byref(given),
                self._sink,
                None,
                ctypes.byref(self._handle),
                ctypes.byref(self._error),
            )
        )

    def _take(self, _user: object, record: Any) -> int:
        contents = record.contents
        self.said += ctypes.string_at(contents.text, contents.text_length)
        self.records.append(
            {name: getattr(contents, name) for name, *_ in Record._fields_[:7]}
            | {"rank": contents.rank, "score": contents.score}
            | {"template_index": contents.template_index}
            | {"closed": contents.closed, "closed_by": contents.closed_by}
        )
        return int(self.stop_after is not None and len(self.records) >= self.stop_after)

    def _check(self, status: int) -> None:
        if status != Status.OK:
            raise EngineError(status, self._error.text.decode("utf-8"))

    def push(self, data: bytes) -> None:
        self._check(
            library().logexport_push(self._handle, data, len(data), ctypes.byref(self._error))
        )

    def next_file(self, name: bytes) -> None:
        status = library().logexport_next_file(self._handle, name, ctypes.byref(self._error))
        self._check(status)

    def flush(self) -> None:
        self._check(library().logexport_flush(self._handle, ctypes.byref(self._error)))

    def finish(self) -> None:
        self._check(library().logexport_finish(self._handle, ctypes.byref(self._error)))

    def stats(self) -> Stats:
        stats = Stats(size=ctypes.sizeof(Stats))
        library().logexport_get_stats(self._handle, ctypes.byref(stats))
        return stats

    def activity(self) -> Activity:
        activity = Activity(size=ctypes.sizeof(Activity))
        library().logexport_get_activity(self._handle, ctypes.byref(activity))
        return activity

    def close(self) -> None:
        library().logexport_close(self._handle)
        self._handle = ctypes.c_void_p()

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def said(bundle: Path, pieces: Iterable[bytes], **options: Any) -> bytes:
    """What an engine says of a log that comes in pieces; a piece ``b""`` is a flush."""
    with Engine(bundle, **options) as one:
        for piece in pieces:
            if piece:
                one.push(piece)
            else:
                one.flush()
        one.finish()
        return bytes(one.said)


def cut(data: bytes, sizes: Iterable[int]) -> Iterator[bytes]:
    """``data`` in pieces of these sizes, then the rest; a size of 0 is a flush."""
    at = 0
    for size in sizes:
        yield data[at : at + size]
        at += size
        if at >= len(data):
            return
    yield data[at:]
