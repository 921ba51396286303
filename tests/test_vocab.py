"""Vocabulary files: both forms are read, every kind of damage is refused with a remedy."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from logexport.errors import InputError, VocabularyError
from logexport.files import write_json
from logexport.types import Vocabulary
from logexport.vocab import (
    engine_form,
    load_vocab,
    read_id_entries,
    repair,
    save_training_vocab,
    training_form,
)

templates = st.lists(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n"), max_size=12).map(
        lambda text: "t " + text
    ),
    min_size=1,
    max_size=20,
    unique=True,
)


@given(templates)
def test_both_forms_read_back_the_same(tmp_path_factory: pytest.TempPathFactory, strings) -> None:
    vocab = Vocabulary(tuple(strings))
    path = tmp_path_factory.mktemp("vocab") / "vocab.json"
    for form in (training_form, engine_form):
        write_json(path, form(vocab))
        assert load_vocab(path, len(strings)) == vocab


def test_reserved_entries_are_read_back_by_name(tmp_path: Path) -> None:
    vocab = Vocabulary(("a b", "\nunknown", "\nmissing:7"), {"unknown": 1, "missing:7": 2})
    save_training_vocab(vocab, tmp_path / "v.json")
    assert load_vocab(tmp_path / "v.json") == vocab


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"1": 0, "10": 1, "2": 2}', "ids where template strings belong"),
        ('{"E1": 0, "E2": 1}', "ids where template strings belong"),
        ('{"0": "17", "1": "23"}', "ids where template strings belong"),
        ('{"a": 0, "b": 2}', "gaps"),
        ('{"0": "a", "2": "b"}', "gaps"),
        ('{"a": 0, "b": 0}', "one index for several templates"),
        ('{"0": "a", "1": "a"}', "one template at several indices"),
        ('{"a": 0, "a": 1}', "twice"),
        ('{"a": -1, "b": 0}', "negative"),
        ("{}", "without entries"),
        ("[]", "not a JSON object"),
        ("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\n", "Git LFS pointer"),
        ("<html><body>", "web page"),
        ("", "not valid JSON"),
        ("{", "not valid JSON"),
        ('{"a": 0.5}', "neither"),
        ('{"a": true}', "neither"),
        ('{"a": 0, "b": "c"}', "neither"),
        ('{"a": "b"}', "neither"),
        ('{"01": "b"}', "neither"),
    ],
)
def test_damage_is_refused_with_file_and_remedy(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "broken.json"
    path.write_text(content)
    with pytest.raises(VocabularyError) as caught:
        load_vocab(path)
    assert said in str(caught.value)
    assert "broken.json" in str(caught.value)
    assert caught.value.remedy


def test_ids_name_the_command_that_repairs_them(tmp_path: Path) -> None:
    path = tmp_path / "template_mapping.json"
    path.write_text(json.dumps({str(i + 1): i for i in range(116)}))
    with pytest.raises(VocabularyError) as caught:
        load_vocab(path, 139)
    assert f"logexport fix-vocab --parsed parsed.parquet --old-vocab {path}" in caught.value.remedy
    assert "116" in str(caught.value)
    assert "139" in str(caught.value)


def test_a_size_that_does_not_fit_the_checkpoint_gives_both_numbers(tmp_path: Path) -> None:
    path = tmp_path / "v.json"
    path.write_text('{"a b": 0, "c d": 1}')
    with pytest.raises(VocabularyError, match=r"2 entries .* 3"):
        load_vocab(path, 3)


@pytest.mark.parametrize("make", ["missing", "directory"])
def test_what_cannot_be_read_is_an_input_error(tmp_path: Path, make: str) -> None:
    path = tmp_path / "v.json"
    if make == "directory":
        path.mkdir()
    with pytest.raises(InputError, match=r"v\.json"):
        load_vocab(path)


HISTORY = [("1", "a <*>"), ("2", "b"), ("1", "a <*> <*>"), ("3", "c")]


def test_repair_keeps_every_index_and_takes_the_last_template(tmp_path: Path) -> None:
    vocab, several = repair({"2": 0, "3": 1, "1": 2}, HISTORY, tmp_path / "p")
    assert vocab.templates == ("b", "c", "a <*> <*>")
    assert several == {"1": ["a <*>", "a <*> <*>"]}


def test_repair_takes_the_template_of_the_last_line_even_if_it_came_first(tmp_path: Path) -> None:
    history = [("1", "x"), ("1", "y"), ("1", "x")]
    vocab, several = repair({"1": 0}, history, tmp_path / "p")
    assert vocab.templates == ("x",)
    assert several == {"1": ["y", "x"]}


def test_repair_names_ids_without_a_template_or_reserves_them(tmp_path: Path) -> None:
    entries = {"1": 0, "9": 1}
    with pytest.raises(VocabularyError, match='"9"'):
        repair(entries, HISTORY, tmp_path / "p")
    vocab, _ = repair(entries, HISTORY, tmp_path / "p", allow_missing=True)
    assert vocab.reserved == {"missing:9": 1}
    assert vocab.templates[1].startswith("\n")


def test_repair_refuses_two_ids_with_one_template(tmp_path: Path) -> None:
    with pytest.raises(VocabularyError, match=r'"1".*"2"'):
        repair({"1": 0, "2": 1}, [("1", "same"), ("2", "same")], tmp_path / "p")


def test_a_vocabulary_of_strings_needs_no_repair(tmp_path: Path) -> None:
    path = tmp_path / "v.json"
    path.write_text('{"a b": 0}')
    with pytest.raises(VocabularyError, match="template strings"):
        read_id_entries(path)
