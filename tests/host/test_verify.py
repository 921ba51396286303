"""``inspect`` and ``verify``: what a published bundle is, and whether it still is that."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from logexport.bundle import Bundle, sha256_of
from logexport.cli import main
from logexport.errors import BundleError

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.torch

FILES = [
    "manifest.json",
    "preprocess.json",
    "tiny.onnx",
    "tiny.onnx.meta.json",
    "tiny.selftest.jsonl",
    "tiny.selftest.log",
    "validation.json",
    "vocab.json",
]


@pytest.fixture
def bundle(exported: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(exported, tmp_path / "bundle"))


Command = Callable[..., "tuple[int, Any, str]"]


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    """Run a command with --json: status, the document, standard error."""

    def run(*words: str | Path) -> tuple[int, Any, str]:
        status = main([*map(str, words), "--json"])
        out = capsys.readouterr()
        assert "Traceback" not in out.err
        return status, json.loads(out.out), out.err

    return run


def edit(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def reseal(bundle: Path) -> None:
    """Let the manifest say what the files are, as somebody who means harm would."""
    edit(
        bundle / "manifest.json",
        lambda manifest: manifest["files"].update(
            {
                name: {
                    "sha256": sha256_of(bundle / name),
                    "size": (bundle / name).stat().st_size,
                }
                for name in manifest["files"]
            }
        ),
    )


def refused(command: Command, bundle: Path, said: str) -> None:
    for word in ("verify", "inspect"):
        status, document, err = command(word, bundle)
        assert status == 2, word
        assert re.search(said, document["error"]["problem"]), document["error"]
        assert document["error"]["kind"] == "BundleError"
        assert len(document["error"]["problem"].splitlines()) == 1
        assert document["error"]["problem"] in err


# --- a bundle as it was published -----------------------------------------------------------------


def test_verify_passes_and_says_what_was_checked(command: Command, bundle: Path) -> None:
    assert sorted(path.name for path in bundle.iterdir()) == FILES
    status, document, _ = command("verify", bundle)
    assert status == 0
    assert document["status"] == "passed"
    checks = {check["name"]: check for check in document["models"]["tiny"]}
    assert {"sums", "graph", "selftest", "proof"} <= set(checks)
    assert {checks[name]["status"] for name in ("sums", "graph", "selftest", "proof")} == {"passed"}
    assert checks["sums"]["figures"]["files"] == len(FILES) - 1
    assert checks["selftest"]["figures"]["differ"] == 0
    assert checks["selftest"]["figures"]["verdicts"] > 50


def test_inspect_shows_task_decision_proof_and_checks(
    command: Command, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, document, _ = command("inspect", bundle)
    assert status == 0
    assert document["proof"] == "no_native"
    assert set(document["files"]) == set(FILES) - {"manifest.json"}
    assert set(document["versions"]) == {"logexport", "torch", "onnx", "onnxruntime"}
    model = document["models"]["tiny"]
    meta = json.loads((bundle / "tiny.onnx.meta.json").read_text())
    assert {key: model[key] for key in meta} == meta
    assert model["proof"] == "no_native"
    report = json.loads((bundle / "validation.json").read_text())["models"]["tiny"]
    assert model["validation"] == report

    assert main(["inspect", str(bundle)]) == 0
    text = capsys.readouterr().out
    for words in ("proof: no_native", "event_window", "next_event_topk", "top_k 1", "length 2"):
        assert words in text
    for check in report["checks"]:
        assert re.search(rf"^ +{check['name']} +{check['status']}", text, re.MULTILINE)


def test_every_figure_of_a_check_is_documented(command: Command, bundle: Path) -> None:
    rows = {}
    for line in (ROOT / "docs/bundle.md").read_text(encoding="utf-8").splitlines():
        found = re.match(r"\| `(\w+)` \|.*\|([^|]*)\|$", line)
        if found:
            rows.setdefault(found[1], found[2])
    report = Bundle.load(bundle).validation["tiny"]["checks"]
    for check in [*report, *command("verify", bundle)[1]["models"]["tiny"]]:
        said = rows[check["name"]].strip()
        if said.startswith("as `"):
            said = rows[said.partition("`")[2].partition("`")[0]]
        for key in check["figures"]:
            assert f"`{key}`" in said, f"{check['name']}: {key}"


def test_verify_and_inspect_need_no_torch(bundle: Path) -> None:
    code = (
        "import sys\nfrom logexport.cli import main\n"
        "sys.modules['torch'] = None\n"  # an import of it raises
        "status = main(sys.argv[1:])\n"
        "assert sys.modules['torch'] is None\nsys.exit(status)"
    )
    for word in ("verify", "inspect"):
        done = subprocess.run(
            [sys.executable, "-c", code, word, str(bundle)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr


# --- damage ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FILES)
def test_a_flipped_byte_in_any_file_is_found(command: Command, bundle: Path, name: str) -> None:
    path = bundle / name
    data = bytearray(path.read_bytes())
    for place in (0, len(data) // 2, len(data) - 2):
        data[place] ^= 0x01
        path.write_bytes(data)
        refused(command, bundle, re.escape(name) if name != "manifest.json" else "")
        data[place] ^= 0x01
    path.write_bytes(data)
    assert command("verify", bundle)[0] == 0


@pytest.mark.parametrize("name", FILES)
def test_a_missing_or_a_short_file_is_found(command: Command, bundle: Path, name: str) -> None:
    path = bundle / name
    data = path.read_bytes()
    path.write_bytes(data[:-3])  # the manifest ends with a brace and a line feed
    refused(command, bundle, "" if name == "manifest.json" else f"{name} has {len(data) - 3} bytes")
    path.unlink()
    said = "holds no manifest.json" if name == "manifest.json" else f"{name} is missing"
    refused(command, bundle, said)


@pytest.mark.parametrize("name", FILES)
def test_a_link_or_a_directory_in_place_of_a_file_is_refused(
    command: Command, bundle: Path, tmp_path: Path, name: str
) -> None:
    path = bundle / name
    elsewhere = tmp_path / "elsewhere"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    refused(command, bundle, "no manifest" if name == "manifest.json" else "not a regular file")
    path.unlink()
    path.mkdir()
    refused(command, bundle, "no manifest" if name == "manifest.json" else "not a regular file")


@pytest.mark.parametrize(
    "name", ["../vocab.json", "/etc/passwd", "a/b", "..", ".hidden", "", "a\nb", "x" * 129, "é"]
)
def test_a_path_that_could_leave_the_bundle_is_refused(
    command: Command, bundle: Path, name: str
) -> None:
    def change(manifest: dict[str, Any]) -> None:
        manifest["files"][name] = {"sha256": "0" * 64, "size": 1}

    edit(bundle / "manifest.json", change)
    refused(command, bundle, "not a valid manifest|no plain file name")


def meta_change(key: str, value: object) -> Callable[[Path], None]:
    return lambda bundle: edit(
        bundle / "tiny.onnx.meta.json", lambda meta: meta.update({key: value})
    )


RESEALED: list[tuple[str, Callable[[Path], None], str]] = [
    ("meta schema", meta_change("task", {"input": "event_window"}), "not a valid meta"),
    ("another's name", meta_change("model_type", "other"), "model_type 'other'"),
    (
        "a vocabulary elsewhere",
        meta_change("vocab", {"file": "manifest.json", "sha256": "0" * 64, "reserved": {}}),
        "sha256 that manifest.json does not have",
    ),
    ("a variant", meta_change("variants", {"portable": "x.onnx"}), "refers to x.onnx"),
    ("not JSON", lambda b: (b / "tiny.onnx.meta.json").write_text("{"), "not valid JSON"),
    (
        "a key twice",
        lambda b: (b / "tiny.onnx.meta.json").write_text('{"a": 1, "a": 2}'),
        "occurs twice",
    ),
    (
        "deep",
        lambda b: (b / "tiny.onnx.meta.json").write_text("[" * 100_000),
        "nested|not valid JSON",
    ),
]


@pytest.mark.parametrize(
    ("change", "said"), [row[1:] for row in RESEALED], ids=[row[0] for row in RESEALED]
)
def test_a_manifest_that_fits_does_not_make_a_malformed_bundle_good(
    command: Command, bundle: Path, change: Callable[[Path], None], said: str
) -> None:
    change(bundle)
    reseal(bundle)
    refused(command, bundle, said)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda m: m.update(schema_version=1), "not a valid manifest"),  # which has no warnings
        (lambda m: m.update(schema_version=3), "not a valid manifest"),
        (lambda m: m.pop("warnings"), "not a valid manifest"),
        (lambda m: m["models"]["tiny"].update(warnings=-1), "not a valid manifest"),
        (lambda m: m.pop("proof"), "not a valid manifest"),
        (lambda m: m.update(models={}), "not a valid manifest"),
        (lambda m: m["models"]["tiny"].update(metadata="vocab.json"), "not 'tiny.onnx.meta.json'"),
        (lambda m: m["files"].pop("tiny.onnx"), "without its tiny.onnx"),
        (lambda m: m["files"]["vocab.json"].update(size=1 << 50), "has .* bytes"),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(
    command: Command, bundle: Path, change: Callable[[dict[str, Any]], object], said: str
) -> None:
    edit(bundle / "manifest.json", change)
    refused(command, bundle, said)


def test_what_is_no_bundle_is_named(command: Command, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "empty").mkdir()
    refused(command, tmp_path / "gone", "gone does not exist")
    refused(command, tmp_path / "file", "file is not a directory")
    refused(command, tmp_path / "empty", "holds no manifest.json")


# --- checks that fail although the sums fit -------------------------------------------------------


def failed(command: Command, bundle: Path) -> dict[str, str]:
    status, document, _ = command("verify", bundle)
    assert status == 1
    assert document["status"] == "failed"
    return {
        check["name"]: check["message"]
        for check in document["models"]["tiny"]
        if check["status"] == "failed"
    }


def test_another_graph_is_found(command: Command, bundle: Path) -> None:
    import onnx

    path = bundle / "tiny.onnx"
    model = onnx.load(str(path))
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_value = 5
    onnx.save(model, str(path))
    reseal(bundle)
    assert set(failed(command, bundle)) == {"graph"}
    path.write_bytes(b"no graph at all")
    reseal(bundle)
    assert "tiny.onnx" in failed(command, bundle)["graph"]


def test_other_weights_are_found_by_the_self_test(command: Command, bundle: Path) -> None:
    import onnx

    path = bundle / "tiny.onnx"
    model = onnx.load(str(path))
    (weights,) = [one for one in model.graph.initializer if one.data_type == 1]
    values = onnx.numpy_helper.to_array(weights)
    weights.CopyFrom(onnx.numpy_helper.from_array(values[::-1].copy(), weights.name))
    onnx.save(model, str(path))
    reseal(bundle)
    found = failed(command, bundle)
    assert "selftest" in found
    assert "verdicts differ" in found["selftest"]


def test_other_verdicts_are_found(command: Command, bundle: Path) -> None:
    path = bundle / "tiny.selftest.jsonl"
    lines = path.read_text(encoding="utf-8").split("\n")
    path.write_text("\n".join([*lines[:10], *lines[11:]]), encoding="utf-8")
    reseal(bundle)
    assert "selftest" in failed(command, bundle)


def test_metadata_that_are_not_the_graphs_are_found(command: Command, bundle: Path) -> None:
    edit(bundle / "tiny.onnx.meta.json", lambda meta: meta.update(opset_version=11))
    reseal(bundle)
    assert "opset_version is 17, the metadata says 11" in failed(command, bundle)["graph"]


def test_a_failed_check_in_the_report_is_found(command: Command, bundle: Path) -> None:
    def change(report: dict[str, Any]) -> None:
        report["models"]["tiny"]["checks"][0]["status"] = "failed"

    edit(bundle / "validation.json", change)
    reseal(bundle)
    assert "structure" in failed(command, bundle)["proof"]


# --- loading --------------------------------------------------------------------------------------


def test_sums_can_be_left_out_but_sizes_cannot(bundle: Path) -> None:
    path = bundle / "tiny.selftest.log"
    data = path.read_bytes()
    path.write_bytes(bytes([data[0] ^ 1]) + data[1:])
    Bundle.load(bundle, verify=False)
    with pytest.raises(BundleError, match="has changed"):
        Bundle.load(bundle)
    path.write_bytes(data[:-1])
    with pytest.raises(BundleError, match="bytes"):
        Bundle.load(bundle, verify=False)


def test_models_and_variants_are_asked_for_by_name(bundle: Path) -> None:
    loaded = Bundle.load(bundle)
    assert loaded.model(None).name == loaded.model("tiny").name == "tiny"
    with pytest.raises(BundleError, match="no model 'other'"):
        loaded.model("other")
    with pytest.raises(BundleError, match="no variant 'portable'") as caught:
        loaded.model("tiny").graph("portable")
    assert "--portable" in caught.value.remedy


def test_a_file_that_the_manifest_does_not_list_is_not_read(command: Command, bundle: Path) -> None:
    (bundle / "stray.json").write_text("{")
    assert command("verify", bundle)[0] == 0
