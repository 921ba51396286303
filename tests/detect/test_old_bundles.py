"""A bundle of an earlier release keeps its verdicts: see tests/old_bundles."""

from __future__ import annotations

import json
import re
from collections import Counter

import pytest
from logexport.bundle import Bundle
from logexport.detect import detect
from logexport.logs.lines import iter_logs
from logexport.verdicts.agreement import agreement
from logexport.verdicts.options import DetectOptions
from logexport.verify import verify_bundle

from tests.old_bundles import OLD_BUNDLES, OldBundle

NUMBERS = re.compile(r'("(?:score|share)": )[-+.0-9e]+')
"""What another ONNX Runtime or processor may compute otherwise in its last digits."""

old_bundle = pytest.mark.parametrize("old", OLD_BUNDLES, ids=lambda old: old.name)


def test_each_kind_that_a_version_could_make_is_kept() -> None:
    assert {old.name for old in OLD_BUNDLES} == {
        *(f"version1 {name}" for name in ("alog-detect", "deeplog", "mscred", "reserved")),
        *(f"version2 {name}" for name in ("boundaries", "counts-of-json", "inner")),
        "version2 session-counts",
    }


@old_bundle
def test_the_records_are_to_the_byte_but_for_what_the_model_computes(old: OldBundle) -> None:
    model = Bundle.load(old.bundle).model(None)
    found = list(
        detect(
            iter_logs([old.log], model.preprocess.reading),
            model,
            DetectOptions(session_summary=old.summaries),
        )
    )
    kept = old.records
    assert len(found) == len(kept)
    for record, line in zip(found, kept, strict=True):
        assert NUMBERS.sub(r"\1", record.to_line()) == NUMBERS.sub(r"\1", line)
        assert agreement(record, line) == "same"


HOSTILE = (
    *(b"\xef\xbb\xbf", b"\x00", b"\r\n", b"\r\r\n", b"\x0b", b"\xc2\x85", b"\xe2\x80\xa8"),
    *(b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\x1b[31m", b"<*>", b"a-a-a-"),
)


def test_the_kept_logs_hold_what_logs_must_not_hold() -> None:
    """So that the comparison above says something."""
    logs = [old.log.read_bytes() for old in OLD_BUNDLES]
    for what in HOSTILE:
        assert any(what in log for log in logs), what
    assert not any(log.endswith(b"\n") for log in logs)
    for old, log in zip(OLD_BUNDLES, logs, strict=True):
        longest = Bundle.load(old.bundle).model(None).preprocess.max_line_bytes
        # The rules of `inner` are made by `run`, with the longest lines that there are.
        assert max(map(len, log.split(b"\n"))) > longest or old.directory.name == "inner"


@old_bundle
def test_the_kept_records_are_of_every_kind(old: OldBundle) -> None:
    verdicts = Counter(
        (record["verdict"], record.get("reason")) for record in map(json.loads, old.records)
    )
    scored = ("mscred", "counts-of-json", "session-counts")
    decided = "threshold" if old.directory.name in scored else "topk"
    wanted = {("normal", None), ("anomaly", decided)}
    if decided == "topk":
        wanted |= {("warmup", None), ("anomaly", "unseen")}
    assert all(verdicts[one] >= 3 for one in wanted), verdicts


def test_the_kept_sessions_of_version_2_end_in_every_way() -> None:
    records = [json.loads(line) for old in OLD_BUNDLES for line in old.records]
    ends = Counter(record["closed_by"] for record in records if "closed_by" in record)
    assert all(ends[by] >= 5 for by in ("idle", "gap", "pattern", "end")), ends


@old_bundle
def test_a_bundle_of_an_earlier_release_passes_verify(old: OldBundle) -> None:
    (checks,) = verify_bundle(old.bundle).values()
    assert {check.name: check.status for check in checks if check.status == "failed"} == {}
