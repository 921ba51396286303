"""What plugins ask of a checkpoint that was read: its weights, their fit, its facts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from logexport.checkpoints import (
    Checkpoint,
    Facts,
    as_float32,
    find_weights,
    load_checkpoint,
    misfit,
    save_checkpoint,
)
from logexport.errors import CheckpointError
from safetensors.torch import save_file

pytestmark = pytest.mark.torch

PATH = Path("some.pth")
WEIGHTS = {"a": torch.zeros(2), "b": torch.ones(3, 1)}

anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(10**5000), 10**5000)
    | st.floats()
    | st.text()
    | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


def refused(facts: Facts, ask: str, *bounds: int) -> str:
    with pytest.raises(CheckpointError) as caught:
        getattr(facts, ask)("n", *bounds)
    said = str(caught.value)
    assert said.startswith(f"{PATH} ")
    assert len(said.splitlines()) == 1
    assert len(said) < 300
    return said


# --- facts ----------------------------------------------------------------------------------------


@given(value=anything, bounds=st.tuples(st.integers(-(2**65), 2**65), st.integers(0, 2**65)))
def test_a_whole_number_is_one_within_its_bounds_or_a_sentence(
    value: Any, bounds: tuple[int, int]
) -> None:
    least, most = bounds[0], bounds[0] + bounds[1]
    facts = Facts(PATH, {"n": value})
    if value is None:
        assert facts.integer("n", least, most) is None
        assert "does not say n" in refused(facts, "needed_integer", least, most)
    elif type(value) is int and least <= value <= most:
        assert facts.integer("n", least, most) == facts.needed_integer("n", least, most) == value
    else:
        assert f"is no whole number from {least} to {most}" in refused(
            facts, "integer", least, most
        )
        refused(facts, "needed_integer", least, most)


@given(least=st.integers(-(2**40), 2**40), width=st.integers(0, 2**40))
def test_both_bounds_of_a_whole_number_are_within(least: int, width: int) -> None:
    most = least + width
    for value in (least, most):
        assert Facts(PATH, {"n": value}).integer("n", least, most) == value
    for value in (least - 1, most + 1):
        refused(Facts(PATH, {"n": value}), "integer", least, most)


def test_a_whole_number_is_positive_and_of_31_bits_unless_told_otherwise() -> None:
    for value, fits in ((0, False), (1, True), (2**31 - 1, True), (2**31, False), (True, False)):
        if fits:
            assert Facts(PATH, {"n": value}).integer("n") == value
        else:
            refused(Facts(PATH, {"n": value}), "integer")


@given(value=anything)
def test_a_number_is_a_finite_one_or_a_sentence(value: Any) -> None:
    facts = Facts(PATH, {"n": value})
    finite = type(value) in (int, float) and abs(value) <= 1.7976931348623157e308
    if value is None:
        assert facts.number("n") is None
    elif finite:
        found = facts.number("n")
        assert found == float(value)
        assert type(found) is float
    else:
        assert "is no number" in refused(facts, "number")


@given(value=anything)
def test_numbers_are_an_object_of_finite_ones_or_a_sentence(value: Any) -> None:
    facts = Facts(PATH, {"n": value})
    if value is None:
        assert facts.numbers("n") == {}
    elif not isinstance(value, dict):
        assert "holds n that are no JSON object" in refused(facts, "numbers")
    elif all(
        type(one) in (int, float) and abs(one) <= 1.7976931348623157e308 for one in value.values()
    ):
        assert facts.numbers("n") == {key: float(one) for key, one in value.items()}
    else:
        assert " n." in refused(facts, "numbers")


@given(value=anything | st.text("0123456789abcdef", min_size=63, max_size=65))
def test_a_sum_has_64_characters_or_is_a_sentence(value: Any) -> None:
    facts = Facts(PATH, {"n": value})
    if value is None:
        assert facts.sha256("n") is None
    elif isinstance(value, str) and len(value) == 64:
        assert facts.sha256("n") == value
    else:
        assert "is no SHA-256" in refused(facts, "sha256")


# --- weights --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "facts", "wrapped"),
    [
        (WEIGHTS, {}, False),
        ({"state_dict": WEIGHTS}, {}, True),
        ({"model_state_dict": WEIGHTS, "epoch": 3}, {"epoch": 3}, True),
        ({"state_dict": WEIGHTS, "model_state_dict": {}}, {"model_state_dict": {}}, True),
    ],
)
def test_weights_are_found_bare_or_under_either_name(
    content: dict[str, Any], facts: dict[str, Any], wrapped: bool
) -> None:
    found = find_weights(Checkpoint(PATH, content))
    assert found is not None
    assert (found.tensors, dict(found.facts.entries), found.wrapped) == (WEIGHTS, facts, wrapped)
    assert found.facts.path == PATH


NAMED = {"fc.weight": torch.zeros(2, 1), "fc.bias": torch.zeros(2)}


@pytest.mark.parametrize(
    ("content", "facts"),
    [
        ({"model": NAMED}, {}),
        ({"net": NAMED, "epoch": 3}, {"epoch": 3}),
        ({"epoch": 3, "checkpoint": {"weights": NAMED, "loss": 2}}, {"epoch": 3, "loss": 2}),
        ({"model": NAMED, "optimizer": {"state": {0: {"step": torch.ones(1)}}}}, None),
        ({"model": NAMED, "scaler": {"mean": torch.ones(1), "scale": torch.ones(1)}}, None),
        ({"inner": {"model_state_dict": NAMED, "ema": NAMED}}, None),
    ],
)
def test_the_one_dict_of_weights_inside_is_found_whatever_its_name(
    content: dict[str, Any], facts: dict[str, Any] | None
) -> None:
    found = find_weights(Checkpoint(PATH, content))
    assert found is not None
    assert found.tensors == NAMED
    assert found.wrapped
    assert facts is None or dict(found.facts.entries) == facts


def test_of_several_dicts_of_weights_each_is_named_and_the_printed_command_saves_one(
    tmp_path: Path,
) -> None:
    import subprocess
    import sys

    path = tmp_path / "two.pth"
    torch.save({"model": NAMED, "teacher": {"net": NAMED}}, path)
    with pytest.raises(
        CheckpointError, match=r"several dicts of weights.*model, teacher\.net"
    ) as e:
        find_weights(load_checkpoint(path))
    command = e.value.remedy[e.value.remedy.index("python -c ") :]
    shell = command.replace("python", sys.executable, 1)
    subprocess.run(["/bin/sh", "-c", shell], cwd=tmp_path, check=True)
    found = find_weights(load_checkpoint(tmp_path / "model.pth"))
    assert found is not None
    assert set(found.tensors) == set(NAMED)


@given(
    st.sampled_from(["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u8", "b1", ">f8", ">i4"]),
    st.integers(0, 1),
    st.booleans(),
)
def test_numpy_scalars_beside_weights_are_read_as_numbers(
    tmp_path_factory: pytest.TempPathFactory, kind: str, value: int, zipped: bool
) -> None:
    import numpy as np

    scalar = np.array([value], kind)[0]
    content = {"net": NAMED, "loss": scalar, "log": [scalar, {"best": scalar}]}
    path = tmp_path_factory.mktemp("numpy") / "w.pth"
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    found = find_weights(load_checkpoint(path))
    assert found is not None
    assert dict(found.facts.entries) == {
        "loss": scalar.item(),
        "log": [scalar.item(), {"best": scalar.item()}],
    }
    assert type(found.facts.entries["loss"]) in (int, float, bool)


def test_other_objects_of_numpy_are_refused_and_nothing_stays_allowed(tmp_path: Path) -> None:
    import pickle

    import numpy as np

    path = tmp_path / "w.pth"
    for other in (np.str_("x"), np.complex128(1), np.datetime64("2020")):
        torch.save({"net": NAMED, "other": other}, path)
        with pytest.raises(CheckpointError, match="needs Python objects"):
            load_checkpoint(path)
    torch.save({"net": NAMED, "loss": np.float64(0.5)}, path)
    load_checkpoint(path)
    with pytest.raises(pickle.UnpicklingError):
        torch.load(str(path), weights_only=True)


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"epoch": 3},
        {"state_dict": {}},
        {"state_dict": {"a": 1}},
        {**WEIGHTS, "epoch": 3},
        {"state_dict": {"a": WEIGHTS}},
    ],
)
def test_what_is_no_dict_of_tensors_is_not_found(content: dict[str, Any]) -> None:
    assert find_weights(Checkpoint(PATH, content)) is None


def test_a_safetensors_file_is_wrapped_where_it_holds_settings(tmp_path: Path) -> None:
    bare, own = tmp_path / "bare.safetensors", tmp_path / "own.safetensors"
    save_file(WEIGHTS, str(bare))
    save_checkpoint(own, WEIGHTS, {"size": 2}, {"more": [1]})
    found = [find_weights(load_checkpoint(path)) for path in (bare, own)]
    assert [one is not None and one.wrapped for one in found] == [False, True]
    assert found[1] is not None
    assert found[1].facts.integer("size") == 2


def test_a_misfit_is_named_by_its_first_tensor() -> None:
    shapes = {"a": (2,), "b": (3, 1)}
    counted = {**WEIGHTS, "n": torch.tensor(3)}
    assert misfit(WEIGHTS, shapes) is None
    assert misfit(counted, {**shapes, "n": ()}, ["n"]) is None
    assert misfit({"a": WEIGHTS["a"]}, shapes) == "it has no b"
    assert misfit(counted, shapes) == "no known kind has n"
    assert misfit({**WEIGHTS, "a": torch.zeros(3)}, shapes) == (
        "a is (3,) where (2,) would fit the rest"
    )
    assert misfit(counted, {**shapes, "n": ()}) == "n holds torch.int64, not weights"


def test_other_floats_become_float32_with_a_warning_and_the_rest_stays() -> None:
    count = torch.tensor(3)
    given = {"a": torch.zeros(2).half(), "b": torch.ones(1).double(), "n": count}
    found, warnings = as_float32(PATH, given)
    assert {name: tensor.dtype for name, tensor in found.items()} == {
        "a": torch.float32,
        "b": torch.float32,
        "n": torch.int64,
    }
    assert list(found) == list(given)
    assert found["n"] is count
    assert warnings == (
        f"{PATH} has torch.float16 and torch.float64 weights; they are exported as float32.",
    )
    assert as_float32(PATH, {**WEIGHTS, "n": count})[1] == ()


@pytest.mark.parametrize("value", [float("nan"), float("-inf"), 1e300])
def test_weights_that_are_not_finite_before_or_after_are_refused(value: float) -> None:
    bad = torch.tensor([value], dtype=torch.float64)
    with pytest.raises(CheckpointError, match="not finite numbers, in bad"):
        as_float32(PATH, {"good": torch.ones(1), "bad": bad})
