"""docs/verdicts.md says what the code does: presets, bounds, keys, reasons."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from logexport.logs import headers, instants, lines, masks, patterns, preprocess
from logexport.training import sampling
from logexport.verdicts.tolerance import ABSOLUTE, RELATIVE

DOC = Path(__file__).resolve().parents[2] / "docs" / "verdicts.md"


def shown(pattern: str) -> str:
    """With the characters that no reader would see written as its code point."""
    return pattern.replace("\ufeff", "⟨U+FEFF⟩").replace("\u202f", "⟨U+202F⟩")


def header_tables() -> str:
    out = []
    for name in headers.FORMATS:
        if name != "plain":
            rows = [
                f"{header.name}\n    {shown(header.pattern)}" for header in headers.headers_of(name)
            ]
            out.append(f"`{name}`:\n\n```\n" + "\n".join(rows) + "\n```\n")
    return "\n".join(out)


def mask_tables() -> str:
    out = []
    for name, of_set in masks.MASK_SETS.items():
        rows = [f"{mask.name} → {mask.replacement}\n    {mask.pattern}" for mask in of_set]
        if rows:
            out.append(f"`{name}`:\n\n```\n" + "\n".join(rows) + "\n```\n")
    return "\n".join(out) + "\n`none` has no mask.\n"


TABLES = {"headers": header_tables, "masks": mask_tables}


def between(text: str, name: str) -> str:
    found = re.search(rf"<!-- {name} -->\n(.*)<!-- /{name} -->", text, re.S)
    assert found is not None
    return found[1]


@pytest.mark.parametrize("name", TABLES)
def test_the_tables_are_the_codes(name: str) -> None:
    """To write them anew: python tests/detect/test_verdicts_doc.py."""
    assert between(DOC.read_text(encoding="utf-8"), name) == TABLES[name]()


def test_bounds_and_tolerances_are_the_codes() -> None:
    text = " ".join(DOC.read_text(encoding="utf-8").split())
    assert (
        f"`max_line_bytes` (`preprocess.json`; {lines.DEFAULT_MAX_LINE_BYTES:,} by default)" in text
    )
    assert f"({preprocess.DEFAULT_MAX_SESSIONS:,} by default" in text
    assert f"at most {sampling.SAMPLE_LINES:,} lines that are not blank" in text
    assert (
        f"{patterns.MAX_PATTERN_LENGTH:,} characters, groups nested {patterns.MAX_NESTING}" in text
    )
    assert f"numbers up to {patterns.MAX_REPEAT:,}" in text
    assert (ABSOLUTE, RELATIVE) == (1e-5, 1e-4)
    assert "≤ 1e-5 + 1e-4·|b|" in text


def test_groups_forms_and_names_of_instants_are_the_codes() -> None:
    text = DOC.read_text(encoding="utf-8")
    assert "```\n" + "\n".join(instants.FORMS) + "\n```\n" in text
    assert "```\n" + "\n".join(instants.MONTHS) + "\n```\n" in text
    halves = ", or ".join(", ".join(f"`{name}`" for name in one.split()) for one in instants.HALVES)
    assert halves in text
    for group in instants.TIME_GROUPS:
        assert f"\n| `{group}` | " in text


def test_every_option_of_the_command_is_described() -> None:
    from logexport.cli.detect import detect

    text = DOC.read_text(encoding="utf-8")
    for parameter in detect.params:
        for option in parameter.opts:
            if option.startswith("--"):
                assert f"`{option}" in text, option


def test_the_examples_are_records_that_the_code_writes() -> None:
    from logexport.verdicts.records import (
        Closing,
        LinePlace,
        NextEventPlace,
        Rank,
        Record,
        Score,
        SessionPlace,
        SessionSummary,
        Share,
        WindowPlace,
    )

    idle = Closing(189, "idle")
    examples = [
        Record(LinePlace(51, None, 17), "anomaly", "topk", Rank(9, 9)),
        Record(LinePlace(52, "web-1", 3), "warmup", None, Score(None, 0.5)),
        Record(NextEventPlace(3, 76, 602, None), "anomaly", "unseen", Rank(None, 9)),
        Record(
            WindowPlace(12, 301, 825),
            "anomaly",
            "threshold",
            Score(3.1375, 2.94840789, (Share(17, 0.61),)),
        ),
        Record(LinePlace(88, "blk_1", 30, idle), "normal", None, Rank(0, 9)),
        Record(
            SessionPlace("blk_1", 52, 88, 19, idle),
            "anomaly",
            "threshold",
            Score(1.25, 0.045, (Share(None, 1.0),)),
        ),
        SessionSummary("blk_1", 19, 20, 0, idle),
    ]
    block = "\n".join(example.to_line() for example in examples)
    assert f"```\n{block}\n```" in DOC.read_text(encoding="utf-8")


def write() -> None:
    text = DOC.read_text(encoding="utf-8")
    for name, table in TABLES.items():
        text = (
            text.replace(between(text, name), table())
            if between(text, name)
            else text.replace(f"<!-- {name} -->\n", f"<!-- {name} -->\n{table()}")
        )
    DOC.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(write())
