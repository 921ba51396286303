"""Entry points are found as importlib.metadata finds them, without importing it."""

from __future__ import annotations

import sys
import zipfile
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from logexport.hosting.discovery import Declaration, declarations


def expected(group: str) -> set[Declaration]:
    return {
        Declaration(one.name, one.value, one.dist.name, one.dist.version)
        for one in entry_points(group=group)
        if one.dist is not None
    }


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    directory = tmp_path / "site"
    directory.mkdir()
    monkeypatch.syspath_prepend(str(directory))
    return directory


def distribution(place: Path, folder: str, name: str, version: str, entries: str) -> None:
    metadata = "PKG-INFO" if folder.endswith(".egg-info") else "METADATA"
    (place / folder).mkdir()
    (place / folder / metadata).write_text(
        f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nSummary: x\n\nName: not this\n"
    )
    (place / folder / "entry_points.txt").write_text(entries)


def test_the_installed_distributions_are_those_that_importlib_metadata_finds() -> None:
    for group in ("logexport", "console_scripts", "pytest11", "no.such.group"):
        assert set(declarations(group)) == expected(group)
    assert any(one.name == "deeplog" for one in declarations("logexport"))


def test_forms_of_entry_point_files(place: Path) -> None:
    distribution(
        place, "one_plugin-1.0.dist-info", "one.plugin", "1.0",
        "# a comment\n[console_scripts]\nx = y:z\n\n[try.me]\n a=m\nb = m.n : attr.b [extra]\n"
        "# another\n[other]\nc = d\n",
    )  # fmt: skip
    distribution(place, "old.egg-info", "old", "0.1", "[try.me]\nq = r:s\n")
    found = declarations("try.me")
    assert set(found) == expected("try.me")
    assert {one.name for one in found} == {"a", "b", "q"}


def test_of_two_versions_of_a_distribution_the_first_on_the_path_counts(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    distribution(place, "twice_it-1.0.dist-info", "twice-it", "1.0", "[try.me]\na = old\n")
    second = tmp_path / "second"
    second.mkdir()
    monkeypatch.syspath_prepend(str(second))
    distribution(second, "Twice.It-2.0.dist-info", "twice-it", "2.0", "[try.me]\na = new\n")
    assert declarations("try.me") == [Declaration("a", "new", "twice-it", "2.0")]
    assert set(declarations("try.me")) == expected("try.me")


def test_a_zip_file_on_the_path_is_left_to_importlib_metadata(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = tmp_path / "zipped.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("zipped-3.0.dist-info/METADATA", "Name: zipped\nVersion: 3.0\n")
        file.writestr("zipped-3.0.dist-info/entry_points.txt", "[try.me]\na = b\n")
    monkeypatch.syspath_prepend(str(archive))
    assert declarations("try.me") == [Declaration("a", "b", "zipped", "3.0")]


def test_what_is_no_distribution_is_passed_over(place: Path) -> None:
    (place / "plain.dist-info").write_text("a file")
    (place / "bare-1.dist-info").mkdir()
    distribution(place, "nameless-1.dist-info", "", "", "[try.me]\na = b\n")
    (place / "nameless-1.dist-info/METADATA").unlink()
    sys.path.append(str(place / "not there"))
    try:
        assert declarations("try.me") == [Declaration("a", "b", "unknown", "unknown")]
    finally:
        sys.path.pop()


def test_an_entry_point_refers_to_a_module_or_to_something_in_it() -> None:
    assert Declaration("a", "logexport.errors", "d", "1").load().__name__ == "logexport.errors"
    assert Declaration("a", "pathlib:Path.cwd", "d", "1").load() == Path.cwd
    with pytest.raises(AttributeError):
        Declaration("a", "pathlib:Nothing", "d", "1").load()
    with pytest.raises(ValueError, match="neither"):
        Declaration("a", ":x", "d", "1").load()
