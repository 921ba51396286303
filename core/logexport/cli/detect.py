"""``logexport detect``: raw log lines to verdicts, by the C engine or by the Python reference."""

from __future__ import annotations

import os
import select
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, BinaryIO, cast

import click

from logexport.cli.common import abandon_output, say, try_sessions
from logexport.engine import HOW_TO_GET
from logexport.errors import BundleError, InputError, OutputError, UsageError
from logexport.logs.decoding import ENCODINGS
from logexport.runtime import silent_environment

if TYPE_CHECKING:
    from logexport.bundle import BundledModel
    from logexport.logs.lines import Reading
    from logexport.verdicts.detector import Stats
    from logexport.verdicts.options import DetectOptions
    from logexport.verdicts.records import Output


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.argument(
    "logs",
    metavar="[LOG]...",
    type=click.Path(path_type=str, allow_dash=True),
    nargs=-1,
)
@click.option("--model", metavar="NAME", help="Which model, where the bundle holds several.")
@click.option(
    "--engine",
    type=click.Choice(["native", "python"]),
    help="The C engine or the Python reference. Default: native where it is installed.",
)
@click.option(
    "--variant",
    type=click.Choice(["portable", "optimized"]),
    help="Run an optimised graph of the bundle.",
)
@click.option(
    "--top-k",
    type=click.IntRange(min=1),
    metavar="K",
    help="Instead of the model's: anomaly when K or more events were likelier.",
)
@click.option(
    "--threshold", metavar="T|NAME", help="Instead of the model's: a number, or a name such as p99."
)
@click.option(
    "--session-by",
    metavar="none|host|field:NAME|REGEX",
    callback=try_sessions,
    help="Instead of the bundle's: what divides lines into sessions.",
)
@click.option(
    "--encoding",
    type=click.Choice(ENCODINGS),
    help="Instead of the bundle's: what a file without a byte order mark is.",
)
@click.option(
    "--session-summary", is_flag=True, help="A line for each session, at its eviction or the end."
)
@click.option("--anomalies-only", is_flag=True, help="Leave out warmup and normal records.")
@click.option(
    "--threads",
    type=click.IntRange(1, 1024),
    default=1,
    show_default=True,
    metavar="N",
    help="Threads for scoring; the verdicts do not depend on them.",
)
@click.option(
    "--with",
    "with_keys",
    metavar="KEY,...",
    callback=lambda _context, _option, value: () if value is None else tuple(value.split(",")),
    help="Keys after the fixed ones of a record: file, file_line.",
)
@click.option("--require-proof", is_flag=True, help="Refuse a bundle whose proof is not full.")
@click.option("--no-verify", is_flag=True, help="Do not check the sums of the bundle's files.")
@click.option(
    "--ort-lib",
    "ort_library",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="The C engine's ONNX Runtime library.",
)
def detect(bundle: Path, logs: tuple[str, ...], engine: str | None, **options: Any) -> int:
    """Read LOGs in the order given and print a verdict a line.

    A LOG is a file, or - for standard input, which is read if none is named. It may be compressed:
    gzip, bzip2, xz and zstd are recognised by their first bytes. Several LOGs are one, and their
    lines are numbered through.

    One JSON object a line on standard output; docs/verdicts.md says what each means. Exit status: 0
    whatever was found, 2 bad usage or bad input.
    """
    from logexport.verdicts.options import DetectOptions

    chosen = DetectOptions(**options)
    logs = logs or ("-",)
    command = None if engine == "python" else find_engine()
    if command is not None:
        return _become_engine(command, bundle, logs, chosen)
    if engine == "native":
        raise UsageError("the C engine is not installed", f"{HOW_TO_GET} Or use --engine python.")
    if chosen.ort_library is not None:
        raise UsageError(
            "--ort-lib is the C engine's, which is not in use",
            "Leave it out, or use --engine native where the engine is installed.",
        )
    return _run_reference(_open_model(bundle, chosen), logs, chosen)


# --- the C engine ---------------------------------------------------------------------------------


def find_engine() -> list[str] | None:
    """The command that runs the C engine, or None if no plugin has one."""
    from logexport.host import default_host

    return default_host().engine_command()


def _become_engine(
    command: list[str], bundle: Path, logs: Sequence[str], options: DetectOptions
) -> int:
    """Become the engine: its output, signals and exit status are the command's."""
    from logexport.engine import build_detect_arguments

    arguments = build_detect_arguments(_resolve_threshold(bundle, options))
    words = [*command, "detect", *arguments, "--", str(bundle), *logs]
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        os.execve(words[0], words, silent_environment())  # noqa: S606 - no shell
    except OSError as error:
        raise UsageError(
            f"the C engine {words[0]} cannot be started: {error.strerror or error}", HOW_TO_GET
        ) from error


def _resolve_threshold(bundle: Path, options: DetectOptions) -> DetectOptions:
    """The options with a threshold, perhaps by name, as a number: what the engine takes."""
    if options.threshold is None:
        return options
    from logexport.detect import open_model
    from logexport.types import ScoreThreshold
    from logexport.verdicts.options import DetectOptions, apply_options

    model = open_model(bundle, DetectOptions(model=options.model, no_verify=True))
    only_threshold = DetectOptions(threshold=options.threshold)
    decision = apply_options(model.task, model.vocab, only_threshold).decision
    assert isinstance(decision, ScoreThreshold)  # noqa: S101 - else the option was refused
    return replace(options, threshold=decision.threshold)


# --- the Python reference -------------------------------------------------------------------------


def _open_model(bundle: Path, options: DetectOptions) -> BundledModel:
    from logexport.detect import describe_proof, open_model

    model = open_model(bundle, options)
    if model.proof != "full":
        say(
            f"Note: {describe_proof(model)}: the export was "
            + (
                "not checked at all."
                if model.proof == "none"
                else "checked without the C engine on log lines."
            )
        )
    return model


def _run_reference(model: BundledModel, logs: Sequence[str], options: DetectOptions) -> int:
    from logexport.detect import Detection
    from logexport.logs.lines import check_logs, iter_lines

    check_logs(logs)
    started = time.monotonic()
    detection = Detection(model, options)
    out = sys.stdout.buffer

    def write(records: Iterable[Output]) -> None:
        out.writelines(
            record.to_line(detection.files).encode("utf-8") + b"\n" for record in records
        )

    def catch_up() -> None:
        write(detection.flush())
        out.flush()

    try:
        for log in logs:
            detection.next_file(os.fsencode(log).decode("utf-8", "replace"))
            with _open_log(log, detection.reading, catch_up) as stream:
                first = detection.stats.lines + 1
                for line in iter_lines(stream, detection.reading, first):
                    with _writing():
                        write(detection.feed(line))
        with _writing():
            write(detection.finish())
            out.flush()
    except (BundleError, OutputError):
        raise
    except InputError:  # the log cannot be read further: what was read is judged all the same
        catch_up()
        raise
    except BrokenPipeError:
        abandon_output()  # the reader has had enough
        return 0
    _report_stats(detection.stats, time.monotonic() - started)
    return 0


def _report_stats(stats: Stats, seconds: float) -> None:
    rate = stats.lines / seconds if seconds > 0 else 0.0
    say(
        f"{stats.lines:,} lines ({stats.blank:,} blank), {stats.unseen:,} unseen, "
        f"{stats.judged:,} judged, {stats.anomalies:,} anomalies in {seconds:.2f} s "
        f"({rate:,.0f} lines/s, Python reference)"
    )


@contextmanager
def _writing() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        abandon_output()
        raise OutputError(
            f"standard output cannot be written: {error.strerror or error}",
            "Free space there or send the output elsewhere.",
        ) from error


@contextmanager
def _open_log(log: str, reading: Reading, catch_up: Callable[[], None]) -> Iterator[BinaryIO]:
    """The log; from a pipe ``catch_up`` is called whenever there is nothing to read for now."""
    from logexport.logs.lines import as_log, open_log

    if log != "-":
        with open_log(log, reading) as stream:
            yield stream
        return
    source = sys.stdin.buffer
    try:
        descriptor = source.fileno()
    except OSError:  # not a file of the system's, as in a test
        yield as_log(source, "standard input", reading)
        return
    patient = cast(IO[bytes], _Patient(descriptor, catch_up))
    yield as_log(patient, "standard input", reading)


class _Patient:
    """A descriptor that says when reading would wait, so that no verdict waits with it."""

    def __init__(self, descriptor: int, before_waiting: Callable[[], None]) -> None:
        self._descriptor, self._before_waiting = descriptor, before_waiting

    def read1(self, size: int = -1) -> bytes:
        """Up to ``size`` bytes, as soon as there are any; none at the end."""
        if not select.select([self._descriptor], [], [], 0)[0]:
            with _writing():
                self._before_waiting()
            select.select([self._descriptor], [], [])
        return os.read(self._descriptor, size if size > 0 else 1 << 16)

    read = read1
