"""The engine refuses the graphs with weights in other files that the reference refuses."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from logexport.errors import BundleError
from logexport.logs.preprocess import Preprocess
from logexport.types import Vocabulary
from logexport.verdicts.scorers import OnnxRuntimeScorer

from tests.native.bundles import make_task, write_bundle, write_manifest
from tests.native.engine import Engine, EngineError, Status
from tests.onnx_places import Place, places, plant, send_outside

PLACES = places()


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("graphs") / "bundle"
    return write_bundle(path, make_task("events topk"), Vocabulary(("a", "b", "c")), Preprocess())


@pytest.fixture(scope="module")
def whole(bundle: Path) -> bytes:
    """The graph as it runs."""
    return (bundle / "tiny.onnx").read_bytes()


def refusals(bundle: Path, model: onnx.ModelProto) -> tuple[bool, bool]:
    """Whether the reference and the engine refuse the graph for weights in another file."""
    (bundle / "tiny.onnx").write_bytes(model.SerializeToString())
    write_manifest(bundle, ["tiny"])
    reference, engine, status = "", "", Status.BUNDLE
    try:
        OnnxRuntimeScorer(bundle / "tiny.onnx")
    except BundleError as error:
        reference = str(error)
    try:
        Engine(bundle).close()
    except EngineError as error:
        engine, status = str(error), error.status
    assert status == Status.BUNDLE or "another file" not in engine
    return "lie in another file" in reference, "has weights in another file" in engine


@pytest.mark.parametrize("way", ["location", "entries", "both"])
def test_a_tensor_outside_is_refused_wherever_it_is(bundle: Path, whole: bytes, way: str) -> None:
    missed = []
    for place in PLACES:
        model = onnx.load_from_string(whole)
        send_outside(plant(model, place), way)
        if refusals(bundle, model) != (True, True):
            missed.append(".".join(place))
    assert missed == []


@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.tuples(st.sampled_from(PLACES), st.booleans()), max_size=5))
def test_the_engine_and_the_reference_refuse_the_same(
    bundle: Path, whole: bytes, planted: list[tuple[Place, bool]]
) -> None:
    model = onnx.load_from_string(whole)
    for place, is_outside in planted:
        tensor = plant(model, place)
        if is_outside:
            send_outside(tensor)
    reference, engine = refusals(bundle, model)
    assert reference == engine
    if not any(is_outside for _, is_outside in planted):
        assert not engine
