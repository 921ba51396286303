"""The options of detection are the same for the reference and for the C engine."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest
from logexport.engine import build_detect_arguments
from logexport.verdicts.options import DEFAULT_OPTIONS, DetectOptions

HEADER = Path(__file__).resolve().parents[2] / "native/include/logexport/engine.h"
NAMES = {field.name for field in fields(DetectOptions)}


def test_the_fields_are_those_of_the_c_struct() -> None:
    struct = re.search(
        r"struct logexport_options \{(.*?)^\};", HEADER.read_text(encoding="utf-8"), re.S | re.M
    )
    assert struct is not None
    in_c = set(re.findall(r"(\w+);", re.sub(r"/\*.*?\*/", "", struct[1], flags=re.S)))
    only_in_c = {"size", "no_jit", "threshold_name", "set_threshold"}
    assert only_in_c < in_c
    assert in_c - only_in_c == NAMES - {"batch_size", "at_end"} | {"leave_at_end"}


@pytest.mark.parametrize("name", sorted(NAMES - {"batch_size"}))
def test_the_program_is_given_every_option(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("logexport.engine.runtime_arguments", list)
    default = getattr(DEFAULT_OPTIONS, name)
    value = ("7",) if isinstance(default, tuple) else not default if default is False else 7
    options = DetectOptions(**{name: value})
    flags = {"ort_library": "--ort-lib", "with_keys": "--with"}
    flag = flags.get(name, "--" + name.replace("_", "-"))
    words = [word for word in build_detect_arguments(options) if word.partition("=")[0] == flag]
    assert words == [flag if isinstance(default, bool) else f"{flag}=7"]
