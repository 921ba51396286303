"""What the runs of the matrix recorded agrees, and the page is what the records say."""

from __future__ import annotations

import copy
import itertools
import json
import re
from configparser import ConfigParser
from pathlib import Path

import pytest
from logexport.verdicts.tolerance import ABSOLUTE, RELATIVE
from packaging.version import Version

from tests.matrix import compatibility, recording
from tests.matrix.cases import KINDS
from tests.matrix.recording import ONE_MEANING, disagreements

RECORDS = recording.read()
kept = pytest.mark.skipif(
    recording.wanted(),
    reason="a run of the matrix replaces them one by one, and checks at its end",
)


@kept
def test_a_bundle_means_the_same_wherever_it_was_made() -> None:
    if not RECORDS:
        pytest.skip("no environment of the matrix has been run")
    assert disagreements(RECORDS) == []


def test_a_different_verdict_would_be_found() -> None:
    facts = {key: [key] for key in ONE_MEANING}
    same = {"exports": {"deeplog-logdeep torchscript": facts, "deeplog-logdeep dynamo": facts}}
    other = {"exports": {"deeplog-logdeep torchscript": {**facts, "verdicts": ["else"]}}}
    assert disagreements({"a": same, "b": same}) == []
    assert disagreements({"a": same, "b": other}) == [
        "verdicts: b deeplog-logdeep torchscript is not as a deeplog-logdeep torchscript"
    ]


@kept
def test_the_page_says_what_differs() -> None:
    records = copy.deepcopy(RECORDS)
    record = next(iter(records.values()))
    exports = {key: facts for key, facts in record["exports"].items() if "mscred-weights" in key}
    assert "the same verdicts" in compatibility.document(records)
    next(iter(exports.values()))["verdicts"] = "others"
    page = compatibility.document(records)
    assert "the same verdicts" not in page
    assert re.search(r"^- verdicts: \S+ mscred-weights \S+ is not as", page, re.M)


@kept
@pytest.mark.parametrize("name", RECORDS)
def test_a_record_is_whole_and_of_the_release_that_its_name_says(name: str) -> None:
    row = recording.rows()[name]
    assert Version(Version(RECORDS[name]["versions"]["torch"]).public) == Version(row.torch)
    assert RECORDS[name]["python"].rpartition(".")[0] == row.python
    exported = {tuple(key.split()) for key in RECORDS[name]["exports"]}
    taken = [strategy for strategy, _ in RECORDS[name]["auto"]["order"]]
    kinds = {kind.name for kind in KINDS} - set(RECORDS[name]["refused"])
    assert exported == set(itertools.product(kinds, taken))
    assert all(facts["within_tolerance"] for facts in RECORDS[name]["exports"].values())


@kept
def test_every_row_of_the_matrix_has_a_record() -> None:
    assert set(RECORDS) == set(recording.rows()), "run: python tests/matrix/run.py"


@kept
def test_the_page_is_what_the_records_say() -> None:
    written = compatibility.DOCUMENT.read_text(encoding="utf-8")
    assert written == compatibility.document(RECORDS), "run: python tests/matrix/compatibility.py"


def test_the_page_names_the_tolerance_of_the_checks() -> None:
    # The page is also written where logexport is not installed.
    named = re.findall(r"\d+e-\d+", compatibility.LEGEND)
    assert [float(number) for number in named] == [ABSOLUTE, RELATIVE]


def test_the_page_has_every_row_of_the_matrix_and_says_which_have_no_record() -> None:
    page = compatibility.document({})
    for name, row in recording.rows().items():
        began = f"| {name} | {row.torch} | {row.python} | not run, or failed |"
        assert re.search(rf"^{re.escape(began)}", page, re.M)


def test_tox_has_every_row_and_an_explanation_of_it() -> None:
    parser = ConfigParser(interpolation=None)
    parser.read(recording.ROOT / "tox.ini", encoding="utf-8")
    listed = set()
    for word in re.findall(r"[\w-]+(?:\{[\d,]+\})?", parser["tox"]["env_list"]):
        began, _, numbers = word.rstrip("}").partition("{")
        listed |= {began + number for number in numbers.split(",")}
    assert set(recording.rows()) <= listed
    described = parser["testenv"]["description"]
    assert "{[matrix]tests}" in described
    assert "{[matrix]torch}" in described


def test_the_matrix_has_every_release_of_the_table() -> None:
    from logexport.exporters.table import RELEASES

    released = {row.torch for name, row in recording.rows().items() if name != "lowest"}
    assert {release.version for release in RELEASES.values()} == released
    # Besides: the oldest on Python 3.10, the newest on the newest Python, and the lower bounds.
    assert len(recording.rows()) == len(RELEASES) + 3


def test_records_are_added_to_by_several_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import multiprocessing

    monkeypatch.setenv("LOGEXPORT_MATRIX_RECORDS", str(tmp_path))
    monkeypatch.setenv("TOX_ENV_NAME", "py311-torch000")
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        pool.starmap(recording.add, [("exports", f"kind {n}", {"n": n}) for n in range(20)])
    record = json.loads((tmp_path / "py311-torch000.json").read_text())
    assert record["exports"] == {f"kind {n}": {"n": n} for n in range(20)}
    assert record["versions"]["torch"]
