"""``logexport.testing``: what it finds in plugins that break the contract in one place each."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from logexport.host import Host
from logexport.hosting.discovery import Declaration
from logexport.testing import CHECKS, Contract, ContractError, NotApplicable, Subject, check_plugin
from logexport.testing.watch import written_files

from tests.authors.careful import CAREFUL, Contracts, broken
from tests.distributions import Site

pytestmark = pytest.mark.torch

OF = {check.name: check for check in CHECKS}


def test_a_plugin_that_keeps_the_contract_passes_every_check(contract_of: Contracts) -> None:
    contract = contract_of(CAREFUL)
    outcomes = check_plugin(contract.subject, host=contract.host, directory=contract.directory)
    assert [one.name for one in outcomes] == list(OF)
    assert {one.name: one.message for one in outcomes if one.status == "failed"} == {}
    skipped = {one.name: one.message for one in outcomes if one.status == "skipped"}
    assert set(skipped) == {"contributes", "engine"}
    assert "no plugin runs the C engine here" in skipped["engine"]


BROKEN = [
    ("light_import", "import click\n", "import click\nimport numpy\n", "imports numpy",
     "inside the functions"),
    ("light_import", "logexport_api = 1", "logexport_api = 1\nprint('hello')", "prints 'hello'",
     "Print nothing"),
    ("declared", '"Successor of the last event."', '""', "summary", "one line"),
    ("options", ', help="Likeliest k."', "", "--tiny-k has no help", "what it does"),
    ("loads", "EventWindow(2)", "None", "task.input", "EventWindow"),
    ("loads", "module.eval()", "module", "training mode", "eval()"),
    ("loads", 'vocab_size=size)', 'vocab_size=str(size))', "str as vocab_size", "whole number"),
    ("loads", '"event_window", "next_event_topk"', '"count_matrix", "next_event_topk"',
     "model_info declares", "same kinds"),
    ("inputs", 'dtype="int64"', 'dtype="int32"', "int32", "dtype of the example"),
    ("inputs", 'shape = (sizes["batch_size"], sizes["sequence_length"])', "shape = (2, 3)",
     "for {'batch_size'", "first argument"),
    ("inputs", '"predictions",),', '"predictions", "more"),', "1 outputs", "every output"),
    ("inputs", 'NextEventTopK("predictions"', 'NextEventTopK("other"', "'other'", "same name"),
    ("inputs", "for n in (1, 2, 4)", "for n in (1, 4)", "own length 2", "into the grid"),
    ("inputs", "for b in (1, 7)", "for b in (1,)", "batch sizes [1]", "larger ones"),
    ("axes", "return self.logits[window[:, -1]]",
     "return self.logits[window[:, -1]] + 0.0 * window.reshape(-1, 1, 3)[:, 0, :1]",
     "fails at", "any size"),
    ("outputs", "return self.logits[window[:, -1]]",
     "return self.logits[window[:, -1]] + torch.rand(1)", "differs between two runs", "random"),
    ("outputs", "return self.logits[window[:, -1]]",
     "return torch.log(self.logits[window[:, -1]] - 9)", "not finite", "Guard logarithms"),
    ("refuses", "load_checkpoint(request.checkpoint).content",
     "__import__('torch').load(request.checkpoint, weights_only=True)", "is empty",
     "load_checkpoint"),
    ("refuses", '    if "logits" not in content:\n', "    if False:\n", "another model's",
     "CheckpointError"),
    ("refuses", "return load_vocab(request.vocab, model.vocab_size)",
     "from logexport.types import Vocabulary\n"
     "    return Vocabulary(tuple(__import__('json').loads(request.vocab.read_text())))",
     "ids in place of templates", "load_vocab"),
    ("exports", 'return {"seq_len": 2}', 'return {"vocab_size": 2}', "'vocab_size'", "Rename"),
    ("metadata", 'return {"seq_len": 2}', "return {}", "seq_len = None", "write_meta"),
    ("metadata", 'return {"seq_len": 2}', 'return {"seq_len": 3}', "seq_len = 3", "write_meta"),
    ("twice", 'return {"seq_len": 2}',
     'return {"seq_len": 2, "made": __import__("time").time()}', "'made'", "run to run"),
    ("tidy", 'return {"seq_len": 2}', 'print("done")\n    return {"seq_len": 2}',
     "printed to standard output", "Print nothing"),
    ("tidy", 'return {"seq_len": 2}',
     'open("notes.txt", "w").close()\n    return {"seq_len": 2}', "notes.txt", "tempfile"),
    ("tidy", 'return {"seq_len": 2}',
     'import os\n    os.system("touch seen")\n    return {"seq_len": 2}', "cwd/seen", "tempfile"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("check", "old", "new", "problem", "remedy"),
    BROKEN,
    ids=[f"{one[0]}-{number}" for number, one in enumerate(BROKEN)],
)
def test_a_breach_is_found_and_the_author_told_what_to_change(
    contract_of: Contracts, check: str, old: str, new: str, problem: str, remedy: str
) -> None:
    with pytest.raises(ContractError) as caught:
        OF[check](contract_of(broken(old, new)))
    assert problem in caught.value.problem
    assert remedy in caught.value.remedy
    assert "What to change" in str(caught.value)


# Nobody closes the file that the checkpoint's code opens.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_checkpoint_that_runs_code_is_noticed(contract_of: Contracts) -> None:
    source = broken(
        "load_checkpoint(request.checkpoint).content",
        "unsafe(request.checkpoint)",
    )
    source += (
        "\n\ndef unsafe(path):\n"
        "    import pickle, torch\n"
        "    from logexport.errors import CheckpointError\n"
        "    try:\n"
        "        return torch.load(path, weights_only=True)\n"
        "    except Exception:\n"
        "        try:\n"
        "            pickle.loads(path.read_bytes())\n"
        "        except Exception:\n"
        "            pass\n"
        "        raise CheckpointError(f'{path} is damaged')\n"
    )
    with pytest.raises(ContractError, match="ran code that a checkpoint contains"):
        OF["refuses"](contract_of(source))


def test_a_graph_that_froze_a_size_is_found_outside_the_grid(contract_of: Contracts) -> None:
    """The module is right at every size; the graph knows only the lengths below ten."""
    source = broken(
        "return self.logits[window[:, -1]]",
        "return self.logits[window[:, -1]] + freeze(window)",
    )
    source += (
        "\n\ndef freeze(window):\n"
        "    import torch\n"
        "    if torch.onnx.is_in_onnx_export():\n"
        "        return 0.5 * (window.shape[1] * torch.ones(1) > 4).float()\n"
        "    return torch.zeros(1)\n"
    )
    contract = contract_of(source)
    assert OF["exports"](contract)
    with pytest.raises(ContractError, match="outside the grid the graph differs"):
        OF["graph_axes"](contract)


def test_the_state_of_a_broken_plugin_is_the_failure(tmp_path: Path) -> None:
    host = Host([Declaration("lost", "no_such_module_at_all", "dist-lost", "1.0")])
    (outcome,) = check_plugin(Subject("lost"), host=host, directory=tmp_path)
    assert outcome.status == "failed"
    assert "no_such_module_at_all" in outcome.message
    assert "plugins list" in outcome.remedy
    (outcome,) = check_plugin(Subject("unheard"), host=host, directory=tmp_path)
    assert "'unheard'" in outcome.message
    assert "entry-points" in outcome.remedy


def test_checks_that_need_an_export_say_why_they_have_none(contract_of: Contracts) -> None:
    contract = contract_of(broken('return {"seq_len": 2}', "raise ZeroDivisionError('odd')"))
    with pytest.raises(ContractError, match="ZeroDivisionError: odd"):
        OF["exports"](contract)
    for name in ("metadata", "twice", "tidy", "engine", "graph_axes"):
        with pytest.raises(NotApplicable, match="the export failed"):
            OF[name](contract)


def test_what_python_writes_is_noted_wherever_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old").touch()
    with written_files() as written:
        Path("file").write_text("x")
        os.close(os.open("low", os.O_CREAT | os.O_WRONLY))
        Path("directory").mkdir()
        Path("old").rename("new")
        Path("file").read_text()
        Path(os.devnull).write_text("x")
    Path("later").touch()
    names = {path.name for path in written.outside()}
    assert names == {"file", "low", "directory", "old", "new"}
    assert written.outside(tmp_path) == []


# --- the command line, and pytest -----------------------------------------------------------------


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    made = Site(tmp_path_factory.mktemp("installed"))
    made.install("careful", CAREFUL)
    return made


def test_plugins_check_reports_failures_with_what_to_change(site: Site, tmp_path: Path) -> None:
    from tests.distributions import tiny_checkpoint

    checkpoint, vocab = tiny_checkpoint(tmp_path)
    given = ("--checkpoint", checkpoint, "--vocab", vocab)
    done = site.run("plugins", "check", "careful", *given, "--json")
    assert done.returncode == 0, done.stderr
    checks = {one["name"]: one for one in json.loads(done.stdout)["checks"]}
    assert list(checks) == list(OF)
    # By the C engine too, where it is installed: the log of a vocabulary is made up.
    assert checks["engine"]["status"] in ("passed", "skipped")

    done = site.run("plugins", "check", "careful", *given, "--option", "tiny_k=9")
    assert done.returncode == 1
    assert "top_k 9 is not below the vocabulary's 4 entries" in done.stdout
    assert "change: Choose a smaller --top-k." in done.stdout
    assert "breaks the contract in 1 of 16 checks: exports" in done.stderr
    assert "Traceback" not in done.stderr

    done = site.run("plugins", "check", "careful")
    assert done.returncode == 1
    assert "ships no sample" in done.stdout


def test_an_unknown_plugin_is_exit_status_1_and_names_what_is_installed(site: Site) -> None:
    done = site.run("plugins", "check", "unheard")
    assert done.returncode == 1
    assert "installed model types: careful" in done.stdout
    assert "Traceback" not in done.stderr


def test_the_class_to_inherit_gives_a_test_for_every_check(tmp_path: Path, site: Site) -> None:
    import subprocess

    from tests.distributions import tiny_checkpoint

    tiny_checkpoint(tmp_path)
    (tmp_path / "test_mine.py").write_text(
        "from pathlib import Path\n"
        "import pytest\n"
        "from logexport.testing import PluginContract\n\n"
        "class TestContract(PluginContract):\n"
        "    plugin = 'careful'\n\n"
        "    @pytest.fixture\n"
        "    def checkpoint(self): return Path(__file__).parent / 'tiny.pth'\n\n"
        "class TestOption(TestContract):\n"
        "    @pytest.fixture\n"
        "    def options(self): return {'tiny_k': 9}\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error::pytest."
         "PytestWarning", str(tmp_path)],
        env=site.environment(), cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stdout
    assert "FAILED test_mine.py::TestOption::test_contract[exports]" in done.stdout
    assert "What to change: Choose a smaller --top-k." in done.stdout
    assert "1 failed" in done.stdout
    assert "TestContract" not in done.stdout.partition("short test summary")[2]


def test_the_base_install_needs_no_pytest(contract_of: Contracts) -> None:
    import subprocess

    script = (
        "import sys; sys.modules['pytest'] = None\n"
        "from logexport.testing import CHECKS, check_plugin\n"
        "import logexport.cli.plugins\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
    assert isinstance(contract_of(CAREFUL), Contract)
