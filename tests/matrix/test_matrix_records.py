"""What the runs of the matrix recorded agrees, and the page is what the records say."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path
from typing import Any

import compatibility
import matrix_records
import pytest
from matrix_cases import KINDS

RECORDS = matrix_records.read()
ONE_MEANING = ("verdicts", "verdict_counts", "inputs", "outputs", "axes", "metadata_keys")


def disagreements(records: dict[str, matrix_records.Record]) -> list[str]:
    """Where an export of a checkpoint means something else than another of the same checkpoint."""
    first: dict[tuple[str, str], tuple[str, Any]] = {}
    found = []
    for name, record in records.items():
        for export, facts in record["exports"].items():
            kind = export.split()[0]
            for key in ONE_MEANING:
                where, value = first.setdefault((kind, key), (f"{name} {export}", facts[key]))
                if value != facts[key]:
                    found.append(f"{key}: {name} {export} is not as {where}")
    return found


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


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_is_whole_and_of_the_release_that_its_name_says(name: str) -> None:
    assert RECORDS[name]["versions"]["torch"].split("+")[0] == matrix_records.rows()[name]
    assert RECORDS[name]["python"].replace(".", "").startswith(name[2:5])
    exported = {tuple(key.split()) for key in RECORDS[name]["exports"]}
    taken = [strategy for strategy, _ in RECORDS[name]["auto"]["order"]]
    kinds = {kind.name for kind in KINDS} - set(RECORDS[name]["refused"])
    assert exported == set(itertools.product(kinds, taken))
    assert all(facts["within_tolerance"] for facts in RECORDS[name]["exports"].values())


def test_the_page_is_what_the_records_say() -> None:
    written = compatibility.DOCUMENT.read_text(encoding="utf-8")
    assert written == compatibility.document(RECORDS), "run: python tests/matrix/compatibility.py"


def test_the_page_has_every_row_of_the_matrix_and_says_which_were_not_run() -> None:
    page = compatibility.document({})
    for name, release in matrix_records.rows().items():
        assert re.search(rf"^\| {name} \| {re.escape(release)} \| .* not run yet", page, re.M)
    assert len(matrix_records.rows()) == 19


def test_the_matrix_has_every_release_of_the_table() -> None:
    from logexport.exporters.table import RELEASES

    assert {release.version for release in RELEASES.values()} == set(matrix_records.rows().values())


def test_records_are_added_to_by_several_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import multiprocessing

    monkeypatch.setenv("LOGEXPORT_MATRIX_RECORDS", str(tmp_path))
    monkeypatch.setenv("TOX_ENV_NAME", "py311-torch000")
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        pool.starmap(matrix_records.add, [("exports", f"kind {n}", {"n": n}) for n in range(20)])
    record = json.loads((tmp_path / "py311-torch000.json").read_text())
    assert record["exports"] == {f"kind {n}": {"n": n} for n in range(20)}
    assert record["versions"]["torch"]
