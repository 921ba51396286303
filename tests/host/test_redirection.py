"""Streams led aside and back: Python's, C's and a child's output, nested, in threads, closed."""

from __future__ import annotations

import ctypes
import io
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from logexport.exporters.capture import capture
from logexport.hosting.guard import quiet_stdout
from logexport.streams import Redirection

LIBC = ctypes.CDLL(None)


def say(who: str) -> None:
    """To standard output: one line from Python, one from C, one from the descriptor itself."""
    sys.stdout.write(f"{who} python\n")
    sys.stdout.flush()
    LIBC.printf(b"%s c\n", who.encode())
    LIBC.fflush(None)
    os.write(1, f"{who} descriptor\n".encode())


def descriptors() -> set[str]:
    return {entry.name for entry in Path("/proc/self/fd").iterdir()}


@pytest.fixture
def no_descriptor_is_left() -> Iterator[None]:
    with Redirection("stdout", "stderr"):  # what is made once and kept
        pass
    before = descriptors()
    yield
    assert descriptors() == before


@pytest.mark.usefixtures("no_descriptor_is_left")
def test_what_python_c_and_a_child_print_is_kept_in_order(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with Redirection("stdout", "stderr") as aside:
        sys.stdout.write("one\n")
        LIBC.printf(b"two\n")
        LIBC.fflush(None)
        sys.stderr.write("three\n")
        subprocess.run(["sh", "-c", "echo four; echo five >&2"], check=True)
        os.write(2, b"six\n")
        sys.stdout.buffer.write(b"seven, broken: \xff\n")
        sys.stdout.flush()
        LIBC.printf(b"eight")  # perhaps left in C's buffer
        sys.stdout.write("nine")  # left in Python's
    lines = aside.text.split("\n")
    assert lines[:-1] == ["one", "two", "three", "four", "five", "six", "seven, broken: \ufffd"]
    assert lines[-1] in ("eightnine", "nineeight")
    assert capfd.readouterr() == ("", "")


@pytest.mark.usefixtures("no_descriptor_is_left")
def test_an_export_inside_a_hook_inside_an_export_keeps_its_own(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with capture() as outermost:
        say("a")
        with quiet_stdout() as hook:
            say("b")
            sys.stderr.write("b's error\n")
            with capture() as export:
                say("c")
                sys.stderr.write("c's error\n")
            say("d")
        say("e")
    say("f")
    assert export.output == "c python\nc c\nc descriptor\nc's error\n"
    assert hook.text == "".join(f"{who} python\n{who} c\n{who} descriptor\n" for who in "bd")
    # What a hook prints is shown on standard error, which is the outermost's.
    shown = "a python\na c\na descriptor\nb's error\n" + hook.text
    assert outermost.output == shown + "e python\ne c\ne descriptor\n"
    assert capfd.readouterr() == ("f python\nf c\nf descriptor\n", "")


STEP = st.one_of(
    st.tuples(st.just("begin"), st.sampled_from([("stdout",), ("stderr",), ("stdout", "stderr")])),
    st.tuples(st.just("end"), st.integers(0, 5)),
    st.tuples(st.just("say"), st.sampled_from(["stdout", "stderr"])),
)


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(STEP, max_size=16))
@pytest.mark.usefixtures("no_descriptor_is_left")
def test_blocks_may_end_in_any_order(
    capfd: pytest.CaptureFixture[str], steps: list[tuple[str, object]]
) -> None:
    """As they do in threads: what is printed is the last one's that began and has not ended."""
    capfd.readouterr()
    streams = sys.stdout, sys.stderr
    active: list[tuple[tuple[str, ...], Redirection, list[str]]] = []
    plain: dict[str, list[str]] = {"stdout": [], "stderr": []}

    def end(at: int) -> None:
        _, aside, expected = active.pop(at)
        aside.__exit__()
        assert aside.text == "".join(expected)

    for number, (step, detail) in enumerate(steps):
        if step == "begin":
            aside = Redirection(*detail)  # type: ignore[misc]
            aside.__enter__()
            active.append((detail, aside, []))  # type: ignore[arg-type]
        elif step == "end" and active:
            end(int(detail) % len(active))  # type: ignore[call-overload]
        elif step == "say":
            name = str(detail)
            getattr(sys, name).write(f"{number} python\n")
            getattr(sys, name).flush()
            os.write({"stdout": 1, "stderr": 2}[name], f"{number} descriptor\n".encode())
            takers = [lines for names, _, lines in active if name in names]
            (takers or [plain[name]])[-1].append(f"{number} python\n{number} descriptor\n")
    while active:
        end(len(active) // 2)
    assert (sys.stdout, sys.stderr) == streams
    assert capfd.readouterr() == ("".join(plain["stdout"]), "".join(plain["stderr"]))


@pytest.mark.usefixtures("no_descriptor_is_left")
def test_threads_that_run_hooks_and_an_export_at_once_let_nothing_through(
    capfd: pytest.CaptureFixture[str],
) -> None:
    began = threading.Barrier(5)

    def hook() -> None:
        began.wait()
        for _ in range(100):
            with quiet_stdout():
                print("from a hook")  # noqa: T201

    threads = [threading.Thread(target=hook) for _ in range(4)]
    with capture() as captured:
        for thread in threads:
            thread.start()
        began.wait()
        for _ in range(100):
            print("from an export")  # noqa: T201
        for thread in threads:
            thread.join()
    print("afterwards")  # noqa: T201
    assert capfd.readouterr() == ("afterwards\n", "")
    # What a hook was found to print, it or another, goes to standard error, the export's own.
    assert captured.output.count("from a hook") == 400
    assert captured.output.count("from an export") == 100


@pytest.mark.usefixtures("no_descriptor_is_left")
def test_a_stream_that_is_not_the_descriptor_is_kept_free_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own = io.StringIO()
    monkeypatch.setattr(sys, "stdout", own)
    with quiet_stdout() as printed:
        say("hook")
        inside = io.StringIO()
        sys.stdout, stream = inside, sys.stdout
        with quiet_stdout() as inner:
            say("inner")
        assert sys.stdout is inside  # what the hook had put there
        sys.stdout = stream
    assert sys.stdout is own
    assert (own.getvalue(), inside.getvalue()) == ("", "")
    assert inner.text == "inner python\ninner c\ninner descriptor\n"
    assert printed.text == "hook python\nhook c\nhook descriptor\n"


def test_who_keeps_or_closes_the_stream_of_a_hook_does_no_harm(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with quiet_stdout():
        stream = sys.stdout
    stream.write("a handler's late line\n")
    with quiet_stdout() as printed:
        stream.write("in the next hook\n")
        sys.stdout.close()
    assert printed.text == "in the next hook\n"
    with quiet_stdout() as printed:
        print("after that")  # noqa: T201
    assert printed.text == "after that\n"
    out, err = capfd.readouterr()
    assert out == ""
    assert err == "a handler's late line\nin the next hook\nafter that\n"


CLOSED = """
import os, sys
from logexport.exporters.capture import capture
from logexport.hosting.guard import quiet_stdout

def opened():
    found = []
    for number in (0, 1, 2):
        try:
            os.fstat(number)
            found.append(number)
        except OSError:
            pass
    return found

before = opened()
with quiet_stdout() as hook:
    print("python", flush=True)
    os.write(1, b"descriptor\\n")
    with capture() as export:
        print("python", flush=True)
        os.write(1, b"descriptor\\n")
        os.write(2, b"error\\n")
said = repr((before == opened(), hook.text, export.output))
with open(sys.argv[1], "w") as file:
    print(said, file=file)
os._exit(0)
"""


@pytest.mark.parametrize("closed", [[0], [1], [2], [0, 1], [1, 2], [0, 2], [0, 1, 2]], ids=str)
def test_closed_descriptors_stay_closed_and_what_is_printed_is_kept(
    tmp_path: Path, closed: list[int]
) -> None:
    result = tmp_path / "result"
    closing = f"exec {' '.join(f'{number}>&-' for number in closed)}; exec "
    words = ["sh", "-c", closing + '"$@"', "sh", sys.executable, "-c", CLOSED, str(result)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    lines = "python\ndescriptor\n"
    assert result.read_text() == repr((True, lines, lines + "error\n")) + "\n"
