"""What ``build`` and ``train`` commands of plugins share: options, progress, how they end."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from logexport.cli.common import conclude, json_option, to_json
from logexport.cli.plugin_commands import (
    build_options,
    checkpoint_option,
    schedule_options,
    size_options,
)
from logexport.training.loop import Epoch, Schedule, training_record


@dataclass(frozen=True)
class Settings(Schedule):
    epochs: int = 3
    patience: int = 2
    learning_rate: float = 0.5
    batch_size: int = 7
    holdout: float = 0.25
    some_size: int = 11


@dataclass(frozen=True)
class Short:
    epochs: int = 4
    seed: int = 9


# --- options --------------------------------------------------------------------------------------


def values(*decorators: Any, arguments: tuple[str, ...] = ()) -> dict[str, Any]:
    """What a command with these options is called with."""
    called: list[dict[str, Any]] = []

    def command(**options: Any) -> None:
        called.append(options)

    for decorator in reversed(decorators):
        command = decorator(command)
    result = CliRunner().invoke(click.command()(command), arguments, standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    return called[0]


def test_the_options_of_a_schedule_are_its_fields_with_the_defaults_of_the_settings() -> None:
    found = values(schedule_options(Settings), size_options(Settings, some_size="Of something."))
    assert Settings(**found) == Settings()
    assert set(found) == set(Settings.__dataclass_fields__)
    given = ("--epochs", "5", "--patience", "1", "--holdout", "0", "--learning-rate", "0.1")
    given += ("--batch-size", "2", "--seed", "8", "--device", "cuda:1", "--threads", "4")
    given += ("--some-size", "3")
    found = values(
        schedule_options(Settings), size_options(Settings, some_size=""), arguments=given
    )
    assert Settings(**found) == Settings(5, 1, 0.1, 2, 8, "cuda:1", 4, 0.0, 3)


def test_settings_without_a_field_have_no_option_for_it() -> None:
    assert values(schedule_options(Short)) == {"epochs": 4, "seed": 9}


def test_a_help_is_replaced_by_the_name_of_its_field() -> None:
    @click.command()
    @schedule_options(Settings, patience="Wait so long.")
    def command(**_: Any) -> None: ...

    helps = {option.name: getattr(option, "help", "") for option in command.params}
    assert helps["patience"] == "Wait so long."
    assert helps["epochs"] == "At most."
    assert all(helps.values())
    with pytest.raises(TypeError, match="not of a schedule: size"):
        schedule_options(Settings, size="What?")


@pytest.mark.parametrize(
    "arguments",
    [
        ("--epochs", "0"),
        ("--patience", "0"),
        ("--holdout", "0.95"),
        ("--learning-rate", "0"),
        ("--batch-size", "0"),
        ("--seed", str(2**63)),
        ("--some-size", "65537"),
    ],
)
def test_values_that_cannot_be_are_refused(arguments: tuple[str, str]) -> None:
    with pytest.raises(click.BadParameter, match="range"):
        values(
            schedule_options(Settings), size_options(Settings, some_size=""), arguments=arguments
        )


def test_the_options_of_a_build_are_the_arguments_of_a_training_log() -> None:
    given = ("--parsed", "p", "-o", "out")
    found = values(build_options(), arguments=given)
    assert found == {
        "parsed": Path("p"),
        "output_dir": Path("out"),
        "vocab": None,
        "preprocess": None,
    }
    more = ("--vocab", "v", "--preprocess", "r", "--session-by", "host")
    found = values(build_options(sessions=True), json_option, arguments=(*given, *more))
    assert (found["vocab"], found["preprocess"], found["session_by"], found["as_json"]) == (
        Path("v"), Path("r"), "host", False,
    )  # fmt: skip
    with pytest.raises(click.NoSuchOption):
        values(build_options(), arguments=(*given, *more))
    assert values(checkpoint_option, arguments=("--output", "m.pth")) == {"output": Path("m.pth")}


# --- how a command ends ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Made:
    file: Path
    shares: dict[int, float]
    epochs: tuple[Epoch, ...]
    nothing: Path | None = None


MADE = Made(Path("/a/b"), {1: 0.5}, (Epoch(1, 0.25, None),))


def test_a_dataclass_becomes_its_document() -> None:
    assert to_json(MADE) == {
        "file": "/a/b",
        "shares": {"1": 0.5},
        "epochs": [{"number": 1, "loss": 0.25, "validation_loss": None}],
        "nothing": None,
    }
    odd = Made(Path(os.fsdecode(b"/caf\xe9")), {}, ())
    assert os.fsencode(to_json(odd)["file"]) == b"/caf\xe9"
    with pytest.raises(TypeError):
        to_json(Made(object(), {}, ()))  # type: ignore[arg-type]


def test_a_command_ends_with_a_document_or_with_sentences_and_paths(
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    paths = [Path("/a/b"), Path(os.fsdecode(b"/caf\xe9"))]
    conclude(to_json(MADE), False, ["one", "two"], *paths)
    out, err = capfdbinary.readouterr()
    assert out.splitlines() == [b"/a/b", b"/caf\xe9"]
    assert err.splitlines() == [b"one", b"two"]
    conclude(to_json(MADE), True, (pytest.fail("made") for _ in "a"), *paths)
    out, err = capfdbinary.readouterr()
    assert json.loads(out) == to_json(MADE)
    assert err == b""


def test_a_record_of_a_training_has_all_but_the_path_of_the_checkpoint() -> None:
    @dataclass(frozen=True)
    class Trained:
        checkpoint: Path
        epochs: tuple[Epoch, ...]
        best: int

    record = training_record(Short(), Trained(Path("m"), MADE.epochs, 1), {"masks": []})
    assert re.fullmatch(r"logexport \d.*", record.pop("written_by"))
    assert json.loads(json.dumps(record)) == {
        "training": {"epochs": 4, "seed": 9},
        "preprocess": {"masks": []},
        "epochs": [{"number": 1, "loss": 0.25, "validation_loss": None}],
        "best": 1,
    }


# --- progress -------------------------------------------------------------------------------------

TRAINING = """
from logexport.cli.plugin_commands import training_progress
from logexport.training.loop import Epoch

with training_progress(3, "elsewhere") as shown:
    shown.begin(40, "40 windows", warnings=["watch out"])
    for number, loss in ((1, 2.5), (2, 1.25)):
        for rows in (16, 16, 8):
            shown.batch(rows)
        shown.epoch(Epoch(number, loss, None if number == 1 else loss / 2))
"""
SAID = [
    "Warning: watch out",
    "40 windows",
    "epoch 1/3: loss 2.5000",
    "epoch 2/3: loss 1.2500, elsewhere 0.6250",
]


def test_elsewhere_a_training_is_plain_lines() -> None:
    done = subprocess.run(
        [sys.executable, "-c", TRAINING], capture_output=True, text=True, check=True
    )
    assert done.stdout == ""
    assert done.stderr.splitlines() == [*SAID[:2], "Training (windows)", *SAID[2:]]


def test_on_a_terminal_every_epoch_has_a_line_of_its_own_above_the_bar() -> None:
    seen = screen(on_a_terminal(TRAINING))
    *lines, bar = [line.rstrip() for line in seen if line.strip()]
    assert lines == SAID
    assert re.fullmatch(r"Training \(windows\)  \[#+-*\]  80/120   66%.*", bar)


def test_an_interrupted_training_leaves_the_cursor_visible() -> None:
    written = on_a_terminal(TRAINING + "\n    raise SystemExit(3)\n")
    assert written.rindex("\x1b[?25h") > written.rindex("\x1b[?25l")


def on_a_terminal(script: str) -> str:
    """What a script writes to standard error where that is a terminal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen([sys.executable, "-c", script], stderr=theirs)
    os.close(theirs)
    written = bytearray()
    while True:
        try:
            data = os.read(ours, 4096)
        except OSError:  # what Linux gives where the other end is closed
            break
        if not data:
            break
        written += data
    os.close(ours)
    process.wait(timeout=60)
    return written.decode()


def screen(written: str) -> list[str]:
    """The lines that stand on a wide terminal: a carriage return begins a line again."""
    shown, column = [""], 0
    for character in re.sub(r"\x1b\[\?25[lh]", "", written):
        if character == "\n":
            shown.append("")
        elif character == "\r":
            column = 0
        else:
            assert character.isprintable(), repr(character)
            line = shown[-1].ljust(column)
            shown[-1] = line[:column] + character + line[column + 1 :]
            column += 1
    return shown


def test_the_module_of_the_options_and_the_schedule_import_nothing_heavy() -> None:
    script = (
        "import sys, logexport.cli.plugin_commands;"
        "import logexport.training.loop, logexport.training.log;"
        "print([m for m in ('torch','onnx','numpy','pyarrow','jsonschema') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
