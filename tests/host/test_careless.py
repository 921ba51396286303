"""A careless plugin cannot hurt a run: whatever it does is reported with its name."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from logexport import run
from logexport.errors import CheckFailedError, LogexportError, PluginError, UsageError
from logexport.host import Host
from logexport.hosting.guard import quiet_stdout

from tests.distributions import TINY, Site, tiny_checkpoint
from tests.host.exports import Job, contents, hosted, leftovers, tiny

pytestmark = pytest.mark.torch

Hosts = Callable[..., Host]

EXTRA = """
import os, sys
import click
from logexport import hookimpl
from logexport.types import CheckResult
logexport_api = 1

{code}
"""


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job.make(tmp_path / "job")


@pytest.fixture
def beside_tiny(tmp_path: Path) -> Callable[[str], Host]:
    """The tiny model type, and a plugin that is no model with the given code."""

    def make(code: str) -> Host:
        directory = tmp_path / "modules"
        directory.mkdir(exist_ok=True)
        return hosted(directory, TINY, EXTRA.format(code=code))

    return make


def careless(host: Host) -> str:
    """The name of the plugin that is not the host's and no model."""
    return next(p.name for p in host.plugins if p.model is None and p.name != "logexport")


# --- it prints ------------------------------------------------------------------------------------

PRINTS = {
    "print": "print('chatter')",
    "descriptor": "os.write(1, b'chatter\\n')",
    "child": "os.system('echo chatter')",
    "buffered": "sys.stdout.write('chatter')",
    "original": "sys.__stdout__.write('chatter')",
}


@pytest.mark.parametrize("how", PRINTS)
def test_what_a_hook_prints_is_named_and_standard_output_stays_one_document(
    tmp_path: Path, how: str
) -> None:
    site = Site(tmp_path / "installed")
    site.install("logexport-tiny", TINY)
    code = (
        f"@hookimpl\ndef validate():\n    {PRINTS[how]}\n"
        "    return [CheckResult('mine', 'passed')]\n"
    )
    site.install("logexport-chatty", EXTRA.format(code=code))
    checkpoint, vocab = tiny_checkpoint(tmp_path)
    done = site.run(
        "run", "--model", "tiny", "--checkpoint", checkpoint, "--vocab", vocab,
        "-o", tmp_path / "bundle", "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (model,) = json.loads(done.stdout)["models"]
    (warning,) = [one for one in model["warnings"] if "printed to standard output" in one]
    assert "logexport-chatty" in warning
    assert "'validate'" in warning
    assert "'chatter'" in warning
    assert "chatter" in done.stderr
    report = json.loads((tmp_path / "bundle/validation.json").read_text(encoding="utf-8"))
    assert warning in report["models"]["tiny"]["warnings"]


def test_what_is_printed_at_import_and_by_discovery_is_named_at_every_command(
    tmp_path: Path,
) -> None:
    site = Site(tmp_path / "installed")
    code = (
        "print('good morning')\n\n@hookimpl\ndef run_options():\n    print('options!')\n"
        "    return []\n"
    )
    site.install("logexport-chatty", EXTRA.format(code=code))
    done = site.run("run", "--model", "nobody", "--json")
    assert "good morning" not in done.stdout
    assert json.loads(done.stdout)["error"]["kind"] == "UnknownModelError"
    warned = [line for line in done.stderr.splitlines() if line.startswith("Warning:")]
    assert any("when imported" in line and "logexport-chatty" in line for line in warned)
    assert any("'run_options'" in line and "'options!'" in line for line in warned)


def test_hooks_inside_each_other_and_what_comes_after_are_told_apart(
    capfd: pytest.CaptureFixture[str],
) -> None:
    sys.stdout.write("before\n")
    with quiet_stdout() as outer:
        sys.stdout.write("outer 1\n")
        with quiet_stdout() as inner:
            os.write(1, b"inner\n")
        sys.stdout.write("outer 2\n")
    sys.stdout.write("after\n")
    assert inner.text == "inner\n"
    assert outer.text == "outer 1\nouter 2\n"
    out, err = capfd.readouterr()
    assert out == "before\nafter\n"
    assert err == "inner\nouter 1\nouter 2\n"


def test_standard_output_comes_back_after_an_exception(capfd: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        with quiet_stdout():
            sys.stdout.write("lost\n")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    sys.stdout.write("found\n")
    assert capfd.readouterr().out == "found\n"


# --- it raises ------------------------------------------------------------------------------------

RAISES = ["sys.exit('bye')", "raise SystemExit(0)", "raise ValueError('bye')", "1 / 0"]


@pytest.mark.parametrize("statement", RAISES)
@pytest.mark.parametrize("hook", ["validate", "write_meta"])
def test_whatever_a_hook_raises_is_the_plugins(
    beside_tiny: Callable[[str], Host], job: Job, hook: str, statement: str
) -> None:
    host = beside_tiny(f"@hookimpl\ndef {hook}():\n    {statement}\n")
    with pytest.raises(PluginError) as caught:
        run(job.request(), host=host)
    assert careless(host) in str(caught.value)
    assert f"'{hook}'" in str(caught.value)
    assert not job.bundle.exists()
    assert leftovers(job.bundle) == []


@pytest.mark.parametrize("hook", ["run_options", "register_exporters", "engine_command"])
def test_a_hook_that_exits_ends_no_command(beside_tiny: Callable[[str], Host], hook: str) -> None:
    host = beside_tiny(f"@hookimpl\ndef {hook}():\n    sys.exit(3)\n")
    name = careless(host)
    if hook == "run_options":
        assert "SystemExit" in host.plugin(name).state
        return
    with pytest.raises(PluginError, match="SystemExit") as caught:
        list(host.each(hook))
    assert name in str(caught.value)


def test_a_module_that_exits_when_imported_is_named(tmp_path: Path) -> None:
    host = hosted(tmp_path, "import sys\nsys.exit('not today')\n")
    assert "SystemExit: not today" in host.plugins[-1].state


def test_a_users_error_in_discovery_keeps_only_that_plugin_out(
    beside_tiny: Callable[[str], Host],
) -> None:
    code = (
        "from logexport.errors import InputError\n@hookimpl\ndef model_info():\n"
        "    raise InputError('no licence file')\n"
    )
    host = beside_tiny(code)
    assert any(plugin.state == "no licence file" for plugin in host.plugins)
    assert "tiny" in host.models()


# --- it returns the wrong type --------------------------------------------------------------------

WRONG = [
    ("LoadedModel(module.eval()", "LoadedModel('a module'", "str as module"),
    ("EventWindow(2)", "EventWindow('two')", "str as task.input.length"),
    ("EventWindow(2)", "EventWindow(0)", "0 as task.input.length"),
    ("vocab_size=size", "vocab_size=float(size)", "float as vocab_size"),
    ("return load_vocab(request.vocab, model.vocab_size)",
     "from logexport.types import Vocabulary\n    return Vocabulary((1, 2, 3, 4))", "no string"),
    ("return load_vocab(request.vocab, model.vocab_size)",
     "from logexport.types import Vocabulary\n    return Vocabulary(tuple('abcd'), {'unknown': 4})",
     "index 4 of 4"),
    ("tensors=(torch.ones(2, 3, dtype=torch.int64),)", "tensors=([[1, 2]],)", "list as an input"),
    ('input_names=("input_sequence",)', "input_names=('',)", "input_names"),
    ('"predictions": {0: "batch_size"}', '"forecasts": {0: "batch_size"}', "'forecasts'"),
    ('return (rng.integers(0, size, shape, dtype="int64"),)',
     'return rng.integers(0, size, shape, dtype="int64")', "ndarray as its answer"),
    ('return (rng.integers(0, size, shape, dtype="int64"),)', "raise KeyError('x')",
     "draw failed"),
    ('return (rng.integers(0, size, shape, dtype="int64"),)',
     "return (rng.random(shape),)", "float64"),
    ("return self.logits[window[:, -1]]", "return self.logits[window[:, -1]].double()",
     "float64"),
    ("return self.logits[window[:, -1]]", "return self.logits[window]", "needs float32 [2, 4]"),
    ("return self.logits[window[:, -1]]", "return None", "NoneType as predictions"),
    ("return self.logits[window[:, -1]]", "raise RuntimeError('shape')", "RuntimeError: shape"),
    ('NextEventTopK("predictions"', 'NextEventTopK("logits"', "the output 'logits'"),
    ('return {"seq_len": 2}', 'return ["seq_len"]', "returned list, not Mapping"),
    ('return {"seq_len": 2}', 'return {"seq_len": 2, "notes": "one"}', "list of sentences"),
    ('return {"seq_len": 2}', 'return {"seq_len": 2, 3: 4}', "key 3"),
    ('return {"seq_len": 2}', 'return {"seq_len": 2, "odd": {1, 2}}', "'odd'"),
    ('return {"seq_len": 2}', 'return {"seq_len": 2, "odd": float("nan")}', "'odd'"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "said"), WRONG, ids=[row[2] for row in WRONG])
def test_an_answer_of_the_wrong_type_names_the_plugin_and_the_field(
    tmp_path: Path, job: Job, old: str, new: str, said: str
) -> None:
    with pytest.raises(PluginError) as caught:
        run(job.request(), host=hosted(tmp_path, tiny(**{old: new})))
    assert said in str(caught.value)
    assert "dist-plugin_" in str(caught.value)
    assert not job.bundle.exists()


RESULTS = [
    ("7", "returned int"),
    ("['passed']", "returned str among its results"),
    ("[CheckResult('Odd Name', 'passed')]", "'Odd Name'"),
    ("[CheckResult('odd', 'fine')]", "status 'fine'"),
    ("[CheckResult('odd', 'passed', scope='world')]", "scope 'world'"),
    ("[CheckResult('odd', 'passed', figures={'x': object()})]", "figures"),
    ("[CheckResult('odd', 'passed', figures={'x': float('inf')})]", "figures"),
    ("[CheckResult('odd', 'passed', message=None)]", "NoneType as message"),
]


@pytest.mark.parametrize(("answer", "said"), RESULTS)
def test_a_result_that_is_none_names_the_plugin(
    beside_tiny: Callable[[str], Host], job: Job, answer: str, said: str
) -> None:
    host = beside_tiny(f"@hookimpl\ndef validate():\n    return {answer}\n")
    with pytest.raises(PluginError) as caught:
        run(job.request(), host=host)
    assert said in str(caught.value)
    assert careless(host) in str(caught.value)
    assert not job.bundle.exists()


@pytest.mark.parametrize(
    ("hook", "answer", "said"),
    [
        ("register_exporters", "['fast']", "returned str, not a list of ExportStrategy"),
        ("register_exporters", "'fast'", "not a list of ExportStrategy"),
        ("register_exporters",
         "[__import__('logexport.exporters', fromlist=['x']).TorchScriptStrategy()]",
         "'torchscript' is already the host's"),
    ],
)  # fmt: skip
def test_what_is_no_strategy_names_the_plugin(
    beside_tiny: Callable[[str], Host], job: Job, hook: str, answer: str, said: str
) -> None:
    host = beside_tiny(f"@hookimpl\ndef {hook}():\n    return {answer}\n")
    with pytest.raises(PluginError) as caught:
        run(job.request(), host=host)
    assert said in str(caught.value)
    assert careless(host) in str(caught.value)


def test_an_engine_that_is_no_list_of_words_names_the_plugin(
    beside_tiny: Callable[[str], Host],
) -> None:
    host = beside_tiny("@hookimpl\ndef engine_command():\n    return '/usr/bin/engine'\n")
    with pytest.raises(PluginError, match="returned str, not words"):
        host.engine_command()


@pytest.mark.parametrize("name", ["../tiny", "Tiny", "", "tiny.onnx", None])
def test_a_model_type_whose_name_is_none_takes_no_part(tmp_path: Path, name: str | None) -> None:
    host = hosted(tmp_path, TINY.replace('NAME = "tiny"', f"NAME = {name!r}"))
    assert "model_info gave the name" in host.plugins[-1].state


# --- it writes into a bundle ----------------------------------------------------------------------

STAGED = [
    ("validate(bundle)", "(bundle.path / 'more.txt').write_text('x'); return []",
     "wrote more.txt"),
    ("validate(bundle)", "(bundle.path / 'vocab.json').unlink(); return []",
     "removed vocab.json"),
    ("validate(bundle)", "(bundle.path / 'a/b').mkdir(parents=True); return []", "wrote a"),
    ("validate(bundle)", "bundle.graph.path.write_bytes(b'x'); return []",
     "changed tiny.onnx"),
    ("write_meta(graph)", "(graph.path.parent / 'more.txt').write_text('x'); return {}",
     "wrote more.txt"),
    ("write_meta(graph)", "graph.path.write_bytes(b'x'); return {}", "changed tiny.onnx"),
]  # fmt: skip


@pytest.mark.parametrize(("hook", "body", "said"), STAGED)
def test_who_writes_into_the_staged_bundle_is_named_and_nothing_is_published(
    beside_tiny: Callable[[str], Host], job: Job, hook: str, body: str, said: str
) -> None:
    host = beside_tiny(f"@hookimpl\ndef {hook}:\n    {body}\n")
    with pytest.raises(PluginError, match="changed the staged bundle") as caught:
        run(job.request(), host=host)
    assert said in str(caught.value)
    assert careless(host) in str(caught.value)
    assert not job.bundle.exists()
    assert leftovers(job.bundle) == []


@pytest.mark.parametrize("hook", ["validate", "write_meta"])
def test_who_writes_into_the_published_bundle_is_named(
    beside_tiny: Callable[[str], Host], job: Job, hook: str
) -> None:
    run(job.request(), host=beside_tiny(""))
    before = contents(job.bundle)
    manifest = str(job.bundle / "manifest.json")
    body = f"from pathlib import Path; Path({manifest!r}).write_text(' '); return {{}}"
    host = beside_tiny(f"@hookimpl\ndef {hook}():\n    {body}\n")
    with pytest.raises(PluginError, match="changed the published bundle") as caught:
        run(job.request(), host=host)
    assert careless(host) in str(caught.value)
    assert "changed manifest.json" in str(caught.value)
    # The old bundle stays in its place; what the plugin did to it is all that differs.
    after = contents(job.bundle)
    assert {name for name in before if before[name] != after[name]} == {"manifest.json"}


def test_the_chosen_model_is_watched_like_anybody(tmp_path: Path, job: Job) -> None:
    old = tiny()
    new = old.replace(
        "    state = torch.load",
        f"    from pathlib import Path; Path({str(job.bundle)!r}).mkdir()\n"
        f"    (Path({str(job.bundle)!r}) / 'note').touch()\n    state = torch.load",
    )
    with pytest.raises(PluginError, match="changed the published bundle in the hook 'load_model'"):
        run(job.request(), host=hosted(tmp_path, new))


def test_a_module_left_in_training_mode_names_who_left_it(
    beside_tiny: Callable[[str], Host], job: Job
) -> None:
    host = beside_tiny("@hookimpl\ndef validate(model):\n    model.module.train()\n    return []\n")
    with pytest.raises(PluginError, match="left the module in training mode") as caught:
        run(job.request(), host=host)
    assert careless(host) in str(caught.value)


# --- its options ----------------------------------------------------------------------------------

OPTIONS = [
    ("['--opset']", "--opset is the host's own"),
    ("['--fine/--no-validate']", "--no-validate is the host's own"),
    ("['-o', '--other']", "-o is the host's own"),
    ("['--other', 'output_dir']", "the name 'output_dir', which is the host's own"),
    ("['--models']", "the name 'models', which is the host's own"),
    ("['--many'], multiple=True", "takes other than one value"),
    ("['--pair'], nargs=2", "takes other than one value"),
    ("['-x', '--loud'], count=True", "takes other than one value"),
    ("['--top-k'], is_flag=True", "--top-k is declared in another way by"),
    ("['--top-k', 'k']", "--top-k is declared in another way by"),
    ("['--likeliest', 'top_k'], is_flag=True", "--likeliest is declared in another way by"),
]


@pytest.mark.parametrize(("option", "said"), OPTIONS)
def test_an_option_that_shadows_another_keeps_its_plugin_out(
    beside_tiny: Callable[[str], Host], job: Job, option: str, said: str
) -> None:
    host = beside_tiny(f"@hookimpl\ndef run_options():\n    return [click.Option({option})]\n")
    assert said in host.plugin(careless(host)).state
    assert run(job.request(), host=host).bundle == job.bundle


def test_two_plugins_may_share_an_option_that_both_declare_alike(
    beside_tiny: Callable[[str], Host],
) -> None:
    host = beside_tiny(
        "@hookimpl\ndef run_options():\n    return [click.Option(['--top-k'], type=int)]\n"
    )
    assert host.plugin(careless(host)).state == "ok"


def test_a_type_of_the_plugins_own_is_asked_before_any_work_begins(
    beside_tiny: Callable[[str], Host], job: Job
) -> None:
    code = (
        "class Odd(click.ParamType):\n    name = 'odd'\n"
        "    def convert(self, value, param, ctx):\n"
        "        if value == 'bad': self.fail('bad is not odd')\n"
        "        raise KeyError(value)\n\n"
        "@hookimpl\ndef run_options():\n    return [click.Option(['--odd'], type=Odd())]\n"
    )
    host = beside_tiny(code)
    stages: list[str] = []
    with pytest.raises(UsageError, match="bad is not odd"):
        run(job.request(options={"odd": "bad"}), host=host, report=lambda _, s: stages.append(s))
    with pytest.raises(PluginError, match="KeyError: 'other'") as caught:
        run(job.request(options={"odd": "other"}), host=host)
    assert careless(host) in str(caught.value)
    assert stages == []


def test_the_options_of_the_chosen_model_stand_under_its_plugins_name(tmp_path: Path) -> None:
    site = Site(tmp_path / "installed")
    site.install("logexport-tiny", TINY)
    site.install("logexport-other", TINY.replace('"tiny"', '"other"').replace("--top-k", "--most"))
    for arguments in (("--model", "tiny", "--help"), ("--help", "--model=tiny")):
        shown = site.run("run", *arguments).stdout
        assert "Options of logexport_tiny:" in shown
        assert "--top-k" in shown
        assert "--most" not in shown
        assert "Options of deeplog:" not in shown
    everything = site.run("run", "--help").stdout
    assert "Options of logexport_tiny:" in everything
    assert "Options of logexport_other:" in everything


def test_errors_of_checks_are_no_faults_of_plugins(
    beside_tiny: Callable[[str], Host], job: Job
) -> None:
    host = beside_tiny(
        "@hookimpl\ndef validate():\n    yield CheckResult('odd', 'failed', message='too odd')\n"
    )
    with pytest.raises(CheckFailedError) as caught:
        run(job.request(), host=host)
    assert isinstance(caught.value, LogexportError)
    (odd,) = [check for check in caught.value.checks if check.name == "odd"]
    assert odd.plugin == careless(host)
