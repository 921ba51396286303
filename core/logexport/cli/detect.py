"""``logexport detect``: raw log lines to verdicts, by the C engine or by the Python reference."""

from __future__ import annotations

import os
import select
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, BinaryIO, cast

import click

from logexport.cli.common import abandon_output, say
from logexport.engine import HOW_TO_GET
from logexport.errors import BundleError, InputError, OutputError, UsageError
from logexport.runtime import silent_environment

if TYPE_CHECKING:
    from logexport.bundle import BundledModel
    from logexport.detect import Output, Stats


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.argument("log", type=click.Path(path_type=Path, allow_dash=True), default="-")
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
    metavar="none|host|REGEX",
    help="Instead of the bundle's: what divides lines into sessions.",
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
@click.option("--require-proof", is_flag=True, help="Refuse a bundle whose proof is not full.")
@click.option("--no-verify", is_flag=True, help="Do not check the sums of the bundle's files.")
@click.option(
    "--ort-lib",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="The C engine's ONNX Runtime library.",
)
def detect(
    bundle: Path,
    log: Path,
    model: str | None,
    engine: str | None,
    variant: str | None,
    top_k: int | None,
    threshold: str | None,
    session_by: str | None,
    session_summary: bool,
    anomalies_only: bool,
    threads: int,
    require_proof: bool,
    no_verify: bool,
    ort_lib: Path | None,
) -> int:
    """Read LOG (a file, gzip or not, or - for standard input) and print a verdict a line.

    One JSON object a line on standard output; docs/verdicts.md says what each means. Exit status: 0
    whatever was found, 2 bad usage or bad input.
    """
    command = None if engine == "python" else find_engine()
    if command is None and engine == "native":
        raise UsageError("the C engine is not installed", f"{HOW_TO_GET} Or use --engine python.")
    if command is None:
        if ort_lib is not None:
            raise UsageError(
                "--ort-lib is the C engine's, which is not in use",
                "Leave it out, or use --engine native where the engine is installed.",
            )
        chosen = _open(bundle, model, require_proof=require_proof, verify=not no_verify)
        return _python(
            chosen,
            log,
            variant=variant,
            top_k=top_k,
            threshold=threshold,
            session_by=session_by,
            session_summary=session_summary,
            anomalies_only=anomalies_only,
            threads=threads,
        )
    from logexport.engine import runtime_arguments

    if threshold is not None:
        threshold = _number(bundle, model, threshold)
    values = {
        "--model": model,
        "--variant": variant,
        "--top-k": top_k,
        "--threshold": threshold,
        "--session-by": session_by,
        "--threads": threads,
        "--ort-lib": ort_lib,
    }
    flags = {
        "--session-summary": session_summary,
        "--anomalies-only": anomalies_only,
        "--require-proof": require_proof,
        "--no-verify": no_verify,
    }
    arguments = [f"{name}={value}" for name, value in values.items() if value is not None]
    arguments += [name for name, on in flags.items() if on]
    if ort_lib is None:
        arguments += runtime_arguments()
    return _exec([*command, "detect", *arguments, "--", str(bundle), str(log)])


def find_engine() -> list[str] | None:
    """The command that runs the C engine, or None where no plugin has one."""
    from logexport.host import default_host

    return default_host().engine_command()


def _exec(command: list[str]) -> int:
    """Become the engine: its output, signals and exit status are the command's."""
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        os.execve(command[0], command, silent_environment())  # noqa: S606 - no shell
    except OSError as error:
        raise UsageError(
            f"the C engine {command[0]} cannot be started: {error.strerror or error}", HOW_TO_GET
        ) from error


def _open(bundle: Path, model: str | None, *, require_proof: bool, verify: bool) -> BundledModel:
    from logexport.bundle import Bundle

    chosen = Bundle.load(bundle, verify=verify).model(model)
    if chosen.proof != "full":
        what = f"{bundle}: the proof of {chosen.name} is {chosen.proof!r}, not 'full'"
        if require_proof:
            raise BundleError(
                what, "Export it again with its checks and with the C engine installed."
            )
        say(
            f"Note: {what}: the export was "
            + (
                "not checked at all."
                if chosen.proof == "none"
                else "checked without the C engine on log lines."
            )
        )
    return chosen


def _number(bundle: Path, model: str | None, threshold: str) -> str:
    """A threshold, perhaps by name, as a number: what the engine takes."""
    from logexport.bundle import Bundle
    from logexport.detect import with_options
    from logexport.types import ScoreThreshold

    chosen = Bundle.load(bundle, verify=False).model(model)
    decision = with_options(chosen.task, chosen.vocab, threshold=threshold).decision
    return repr(decision.threshold) if isinstance(decision, ScoreThreshold) else threshold


# --- the Python reference -------------------------------------------------------------------------


def _python(
    model: BundledModel,
    log: Path,
    *,
    variant: str | None,
    top_k: int | None,
    threshold: str | None,
    session_by: str | None,
    session_summary: bool,
    anomalies_only: bool,
    threads: int,
) -> int:
    from logexport.detect import Detector, Stats, counted, with_options, with_sessions
    from logexport.logs.events import EventReader
    from logexport.logs.lines import iter_lines
    from logexport.verdicts.scorers import OnnxRuntimeScorer

    started = time.monotonic()
    task = with_options(
        model.task,
        model.vocab,
        top_k=top_k,
        threshold=threshold,
        session_by=session_by,
        session_summary=session_summary,
    )
    preprocess = with_sessions(model.preprocess, session_by)
    reader = EventReader(preprocess, model.vocab)
    stats = Stats()
    detector = Detector(
        task,
        model.vocab,
        OnnxRuntimeScorer(model.graph(variant), threads),
        max_sessions=preprocess.max_sessions,
        session_summary=session_summary,
        anomalies_only=anomalies_only,
        stats=stats,
    )
    out = sys.stdout.buffer

    def write(records: Iterable[Output]) -> None:
        out.writelines(record.to_line().encode("utf-8") + b"\n" for record in records)

    def catch_up() -> None:
        write(detector.flush())
        out.flush()

    try:
        with _opened(log, catch_up) as stream:
            lines = counted(iter_lines(stream, preprocess.max_line_bytes), stats)
            for event in reader.read(lines):
                with _writing():
                    write(detector.feed(event))
        with _writing():
            write(detector.finish())
            out.flush()
    except (BundleError, OutputError):
        raise
    except InputError:  # the log cannot be read further: what was read is judged all the same
        catch_up()
        raise
    except BrokenPipeError:
        abandon_output()  # the reader has had enough
        return 0
    _report(stats, time.monotonic() - started)
    return 0


def _report(stats: Stats, seconds: float) -> None:
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
def _opened(log: Path, catch_up: Callable[[], None]) -> Iterator[BinaryIO]:
    """The log; from a pipe ``catch_up`` is called whenever there is nothing to read for now."""
    from logexport.logs.lines import as_log, open_log

    if str(log) != "-":
        with open_log(log) as stream:
            yield stream
        return
    source = sys.stdin.buffer
    try:
        descriptor = source.fileno()
    except OSError:  # not a file of the system's, as in a test
        yield as_log(source, "standard input")
        return
    yield as_log(cast(IO[bytes], _Patient(descriptor, catch_up)), "standard input")


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
