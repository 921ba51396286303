"""``logexport detect``: raw log lines to verdicts, by the C engine or by the Python reference."""

from __future__ import annotations

import io
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, BinaryIO, cast

import click

from logexport.cli.common import abandon_output, say, try_sessions
from logexport.cli.stopping import Patient, Stop, StoppedError, supervise, write_pieces
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

_AT_ONCE = 1000
"""Records that are written at once when the log has ended."""
_LONG = 1 << 14
"""Bytes of a line before which all records are given: a quadratic pattern may run on it for so long
that the command is ended meanwhile."""


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
@click.option("--session-summary", is_flag=True, help="A line for each session, when it is closed.")
@click.option(
    "--at-end",
    type=click.Choice(["close", "leave"]),
    default="close",
    show_default=True,
    help="What becomes of sessions that live when the log ends: leave says nothing more of them.",
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
@click.option(
    "--require-proof",
    is_flag=True,
    help="Refuse a bundle whose proof is not full, or has warnings.",
)
@click.option(
    "--allow-warnings", is_flag=True, help="With --require-proof: take one with warnings."
)
@click.option("--no-verify", is_flag=True, help="Do not check the sums of the bundle's files.")
@click.option(
    "--ort-lib",
    "ort_library",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="The C engine's ONNX Runtime library.",
)
@click.pass_context
def detect(
    context: click.Context,
    /,
    bundle: Path,
    logs: tuple[str, ...],
    engine: str | None,
    **options: Any,
) -> int:
    """Read LOGs in the order given and print a verdict a line.

    A LOG is a file, or - for standard input, which is read if none is named. It may be compressed:
    gzip, bzip2, xz and zstd are recognised by their first bytes. Several LOGs are one, and their
    lines are numbered through.

    One JSON object a line on standard output; docs/verdicts.md says what each means. Exit status: 0
    whatever was found, 2 bad usage or bad input, 143 after SIGTERM if what was read could not be
    finished within two seconds.
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
    stop = Stop()
    is_program = bool((context.find_root().obj or {}).get("is_program"))
    if is_program:
        status = supervise(stop)
        if status is not None:
            return status
    model = _open_model(bundle, chosen)
    if is_program:
        stop.watch()
    return _run_reference(model, logs, chosen, stop)


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
    if not model.is_fully_proven:
        reasons = {
            "none": "The export was not checked at all.",
            "no_native": "The export was checked without the C engine on log lines.",
            "full": "",
        }
        inspect = f"`logexport inspect {bundle}` shows the warnings." if model.warnings else ""
        parts = (f"Note: {describe_proof(model)}.", reasons[model.proof], inspect)
        say(" ".join(part for part in parts if part))
    return model


def _run_reference(
    model: BundledModel, logs: Sequence[str], options: DetectOptions, stop: Stop
) -> int:
    from logexport.detect import Detection
    from logexport.logs.lines import check_logs, iter_lines
    from logexport.verdicts.options import apply_options, apply_to_rules
    from logexport.verdicts.scorers import OnnxRuntimeScorer

    check_logs(logs)
    started = time.monotonic()
    # First, so that an option which does not fit is refused before a graph is loaded.
    apply_options(model.task, model.vocab, options)
    apply_to_rules(model.preprocess, options)
    scorer = OnnxRuntimeScorer(model.graph(options.variant), options.threads)
    detection = Detection(model, options, stop.note_scoring(scorer))

    def write(records: Iterable[Output]) -> None:
        lines = [record.to_line(detection.files).encode("utf-8") + b"\n" for record in records]
        if lines:
            with _writing(), stop.writing():
                write_pieces(sys.stdout.buffer, lines)

    def catch_up() -> None:
        write(detection.flush())

    try:
        for log in logs:
            detection.next_file(os.fsencode(log).decode("utf-8", "replace"))
            with (
                suppress(StoppedError),
                _open_log(log, detection.reading, catch_up, stop) as stream,
            ):
                for line in iter_lines(stream, detection.reading, detection.stats.lines + 1):
                    if len(line.raw) >= _LONG:
                        catch_up()
                    stop.at_line(line.number)
                    write(detection.feed(line))
            if stop.came:
                break
        ending = detection.finish()
        while records := list(islice(ending, _AT_ONCE)):
            write(records)
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
def _open_log(
    log: str, reading: Reading, catch_up: Callable[[], None], stop: Stop
) -> Iterator[BinaryIO]:
    """The log; from a pipe ``catch_up`` is called whenever there is nothing to read for now."""
    from logexport.logs.lines import as_log, open_raw

    with ExitStack() as stack:
        source: IO[bytes] | io.RawIOBase = sys.stdin.buffer
        name = "standard input"
        if log != "-":
            with stop.opening():
                source, name = stack.enter_context(open_raw(log)), log
        with suppress(OSError):  # not a file of the system's, as in a test
            source = cast(IO[bytes], Patient(source.fileno(), stop, catch_up))
        yield as_log(source, name, reading, lambda: stop.came)
