"""Heads that are learned: the engine says what the reference says of the log and of a later one."""

from __future__ import annotations

from pathlib import Path

import pytest
from logexport.logs.events import EventReader
from logexport.logs.preprocess import Preprocess
from logexport.training.line_tables import read_parsed
from logexport.training.parse import ParseRequest, parse_logs
from logexport.types import Vocabulary

from tests.logs.head_forms import HEADS, LATER, TIMES, TRAINING, Head, compose_head, write_log
from tests.native.bundles import make_task, write_bundle
from tests.native.engine import engine, reference, said

__all__ = ["engine"]

LOGS: dict[str, tuple[Head, str]] = {
    **{
        f"{name}, {TIMES[place * 8]}": (head, TIMES[place * 8])
        for place, (name, head) in enumerate(HEADS.items())
    },
    **{f"drawn {seed}": (compose_head(seed), TIMES[seed * 8 % 99]) for seed in range(1000, 1012)},
}


@pytest.mark.parametrize("name", LOGS)
def test_engine_and_reference_say_the_same_of_a_learned_head(tmp_path: Path, name: str) -> None:
    head, form = LOGS[name]
    log = tmp_path / "app.log"
    lines = [line for line, _ in write_log(head, form, TRAINING, 150, 1, new=False)]
    log.write_text("\n".join(lines), encoding="utf-8")
    result = parse_logs(ParseRequest([log], tmp_path / "out"))
    rules = Preprocess.load(result.preprocess)
    templates = {row.template for row in read_parsed(result.parsed) if row.template is not None}
    vocabulary = Vocabulary(tuple(sorted(templates)))
    bundle = write_bundle(tmp_path / "bundle", make_task("events topk"), vocabulary, rules)
    for moment in (TRAINING, *LATER.values()):
        later = [line for line, _ in write_log(head, form, moment, 40, 2, new=True)]
        data = "\n".join([*later, *(line[:-9] for line in later), *lines[:9]]).encode()
        log.write_bytes(data)
        events = list(EventReader(rules, vocabulary).read_logs([log]))
        assert any(event.template is not None for event in events)
        assert said(bundle, [data]) == reference(bundle, data)
