"""Presets: the engine finds in each sample what its preset says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from logexport.logs.headers import FIELDS, PRESETS
from logexport.logs.lines import tokens
from logexport.logs.preprocess import Preprocess
from logexport.logs.presets import NAMES, read_preset
from logexport.logs.tokens import TokenRule
from logexport.types import Vocabulary

from tests.native.bundles import make_task, write_bundle
from tests.native.engine import Engine


@pytest.mark.parametrize("name", NAMES)
def test_the_engine_takes_samples_apart_as_their_preset_says(name: str, tmp_path: Path) -> None:
    samples = read_preset(name)["samples"]
    messages = [" ".join(tokens(one["fields"]["message"])) for one in samples]
    templates = tuple(dict.fromkeys((*messages, "another", "one more")))
    # Without continuation lines each field of PostgreSQL is a record.
    rules = Preprocess(
        headers=PRESETS[name], masks=(), continuation=False, tokens=TokenRule("", False)
    )
    path = write_bundle(tmp_path / "bundle", make_task("events topk"), Vocabulary(templates), rules)
    log = "\n".join(line for one in samples for line in one["lines"]).encode()
    for field in FIELDS:
        with Engine(path, session_by=f"field:{field}") as one:
            one.push(log)
            one.finish()
            records = [json.loads(line) for line in one.said.splitlines()]
        assert [record["session"] for record in records] == [
            sample["fields"].get(field) for sample in samples
        ], field
        assert [templates[record["template"]] for record in records] == messages
