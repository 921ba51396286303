"""The schemas are schemas, take what the code writes, and refuse what a reader could trip over."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from logexport import schemas
from logexport.errors import BundleError, InputError
from logexport.logs.preprocess import ALOG_DETECT, Preprocess
from logexport.types import (
    CountMatrix,
    EventWindow,
    NextEventTopK,
    OtherDecision,
    OtherInput,
    ScoreThreshold,
    Task,
)

SHA = "0" * 64

MANIFEST: dict[str, Any] = {
    "schema_version": 2,
    "proof": "full",
    "warnings": 1,
    "models": {
        "deeplog": {
            "metadata": "deeplog.onnx.meta.json",
            "opset_version": 17,
            "ir_version": 8,
            "proof": "full",
            "warnings": 1,
        }
    },
    "files": {"deeplog.onnx": {"sha256": SHA, "size": 1}},
    "versions": {"logexport": "0.1.0", "torch": "2", "onnx": "1", "onnxruntime": "1"},
}
META: dict[str, Any] = {
    "schema_version": 1,
    "model_type": "deeplog",
    "vocab_size": 139,
    "seq_len": 10,
    "seq_len_source": "checkpoint",
    "input_shape": ["batch_size", "sequence_length"],
    "output_shape": ["batch_size", 139],
    "input_names": ["input_sequence"],
    "output_names": ["predictions"],
    "opset_version": 17,
    "dynamic_axes": {"input_sequence": {"0": "batch_size"}},
    "notes": [],
    "exporter": {"strategy": "s", "torch_version": "2", "reason": "r", "tried": []},
    "vocab": {"file": "vocab.json", "sha256": SHA, "reserved": {}},
    "preprocess": {"file": "preprocess.json", "sha256": SHA, "source": "vocab"},
    "variants": {},
    "task": Task(EventWindow(10), NextEventTopK("predictions", 9)).to_json(),
}
VALIDATION: dict[str, Any] = {
    "schema_version": 1,
    "models": {
        "deeplog": {
            "created": "2026-01-01T00:00:00+00:00",
            "proof": "full",
            "warnings": [],
            "exporter_warnings": [],
            "attempts": [
                {"strategy": "s", "opset_version": 17, "reason": "", "outcome": "", "seconds": 1.5}
            ],
            "checks": [
                {
                    "name": "structure",
                    "plugin": "logexport",
                    "status": "passed",
                    "scope": "graph",
                    "message": "",
                    "figures": {"nodes": 1},
                    "warnings": [],
                    "seconds": 0.1,
                }
            ],
        }
    },
}
GOOD = {
    "manifest": MANIFEST,
    "meta": META,
    "validation": VALIDATION,
    "vocab": {"0": "a b", "1": "\nunknown"},
    "preprocess": ALOG_DETECT.to_json(),
}


def refused(document: Any, schema: str) -> str:
    with pytest.raises(InputError) as caught:
        schemas.check(document, schema, Path("some.json"))
    assert "some.json" in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", schemas.NAMES)
def test_every_schema_is_one_and_takes_a_good_document(name: str) -> None:
    validator = schemas._validators()[name]
    validator.check_schema(validator.schema)
    assert validator.schema["title"]
    schemas.check(GOOD[name], name, Path("x"))


@pytest.mark.parametrize("name", ["manifest", "meta", "validation", "preprocess"])
def test_every_required_key_is_missed(name: str) -> None:
    for key in schemas._validators()[name].schema["required"]:
        document = copy.deepcopy(GOOD[name])
        del document[key]
        assert key in refused(document, name)


WRONG = [
    ("manifest", ("schema_version",), 1),  # which has no warnings
    ("manifest", ("schema_version",), 3),
    ("manifest", ("warnings",), None),
    ("manifest", ("warnings",), -1),
    ("manifest", ("models", "deeplog", "warnings"), "1"),
    ("manifest", ("proof",), "complete"),
    ("manifest", ("models",), {}),
    ("manifest", ("models", "../up"), MANIFEST["models"]["deeplog"]),
    ("manifest", ("models", "deeplog", "metadata"), "../x.json"),
    ("manifest", ("files", "a/b"), {"sha256": SHA, "size": 1}),
    ("manifest", ("files", ".hidden"), {"sha256": SHA, "size": 1}),
    ("manifest", ("files", "deeplog.onnx", "size"), -1),
    ("manifest", ("files", "deeplog.onnx", "size"), 1.5),
    ("manifest", ("files", "deeplog.onnx", "sha256"), SHA.replace("0", "g")),
    ("manifest", ("extra",), 1),
    ("meta", ("vocab", "file"), "/etc/passwd"),
    ("meta", ("vocab", "file"), ".."),
    ("meta", ("vocab", "reserved", "unknown"), -1),
    ("meta", ("preprocess", "source"), "guessed"),
    ("meta", ("variants", "fast"), "x.onnx"),
    ("meta", ("input_shape",), [0, "x"]),
    ("meta", ("task",), {"input": "event_window", "decision": "other"}),
    ("meta", ("task", "length"), 0),
    ("meta", ("task", "length"), 65537),
    ("meta", ("task", "top_k"), "9"),
    ("meta", ("model_type",), "DeepLog"),
    ("validation", ("models", "deeplog", "checks", 0, "status"), "fine"),
    ("validation", ("models", "deeplog", "checks", 0, "scope"), "all"),
    ("validation", ("models", "deeplog", "checks", 0, "name"), "Two Words"),
    ("vocab", ("01",), "x"),
    ("vocab", ("-1",), "x"),
    ("vocab", ("2",), 7),
    ("preprocess", ("session",), {"by": "regex", "pattern": None}),
    ("preprocess", ("session",), {"by": "none", "pattern": "x"}),
    ("preprocess", ("matching", "prefer"), "any"),
    ("preprocess", ("max_sessions",), 0),
    ("preprocess", ("session", "idle_lines"), 9),
    ("preprocess", ("headers", 0, "extra"), 1),
    ("preprocess", ("masks", 0, "replacement"), "a\nb"),
]


@pytest.mark.parametrize(("name", "place", "value"), WRONG)
def test_what_a_reader_could_trip_over_is_refused(
    name: str, place: tuple[Any, ...], value: Any
) -> None:
    document = copy.deepcopy(GOOD[name])
    inner = document
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    refused(document, name)


def test_manifests_of_both_versions_are_taken_each_with_its_own_keys() -> None:
    schemas.check(MANIFEST, "manifest", Path("x"))
    unknown = copy.deepcopy(MANIFEST)
    unknown["models"]["deeplog"]["warnings"] = None
    schemas.check(unknown, "manifest", Path("x"))
    first = copy.deepcopy(MANIFEST) | {"schema_version": 1}
    del first["warnings"]
    assert "warnings" in refused(first, "manifest")
    del first["models"]["deeplog"]["warnings"]
    schemas.check(first, "manifest", Path("x"))
    first["schema_version"] = 2
    assert "warnings" in refused(first, "manifest")
    first["warnings"] = 0
    assert "warnings" in refused(first, "manifest")


def test_the_error_names_file_place_and_is_of_the_wanted_kind() -> None:
    document = copy.deepcopy(MANIFEST)
    document["files"]["deeplog.onnx"]["size"] = "big"
    with pytest.raises(BundleError, match=r"m\.json .* at 'files/deeplog\.onnx/size'") as caught:
        schemas.check(document, "manifest", Path("m.json"), BundleError, "the remedy")
    assert caught.value.remedy == "the remedy"


names = st.text("abcdefgh_", min_size=1, max_size=8)
inputs = st.one_of(
    st.builds(EventWindow, st.integers(1, 65536)),
    st.builds(CountMatrix, st.integers(1, 1 << 24), st.integers(1, 1 << 24), st.integers(1, 65536)),
    st.builds(OtherInput, st.just("images"), st.fixed_dictionaries({"width": st.integers()})),
)
finite = st.floats(allow_nan=False, allow_infinity=False)
decisions = st.one_of(
    st.builds(NextEventTopK, names, st.integers(1, 1 << 30)),
    st.builds(
        ScoreThreshold, names, finite, names, st.dictionaries(names, finite), st.none() | names
    ),
    st.just(OtherDecision("vote")),
)


@given(inputs, decisions)
def test_every_task_is_written_through_the_schema_and_read_back(input_: Any, decision: Any) -> None:
    task = Task(input_, decision)
    document = json.loads(json.dumps({**META, "task": task.to_json()}))
    schemas.check(document, "meta", Path("x"))
    back = Task.from_json(document["task"])
    assert back.known == task.known
    assert back.to_json() == task.to_json()
    if task.known:
        assert back == task


def test_the_default_rules_pass_their_schema() -> None:
    schemas.check(Preprocess().to_json(), "preprocess", Path("x"))
