"""Plugins are found, selected, kept apart and blamed, each shown with a real distribution."""

from __future__ import annotations

import inspect
import json
from pathlib import Path

import click
import pytest
from logexport.cli import cli
from logexport.cli.run import run
from logexport.hosting.answers import RUN_NAMES, RUN_OPTIONS

from tests.distributions import TINY, Site, tiny_checkpoint


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "installed")


def run_tiny(site: Site, directory: Path, *more: str, **environment: str):
    directory.mkdir(exist_ok=True)
    checkpoint, vocab = tiny_checkpoint(directory)
    return site.run(
        "run", "--model", "tiny", "--checkpoint", checkpoint, "--vocab", vocab,
        "-o", directory / "bundle", *more, **environment,
    )  # fmt: skip


@pytest.mark.torch
def test_an_installed_model_type_is_listed_and_exported(site: Site, tmp_path: Path) -> None:
    site.install("logexport-tiny", TINY, version="2.5")
    listed = site.plugins()["logexport-tiny"]
    assert (listed["model"], listed["version"], listed["state"]) == ("tiny", "2.5", "ok")
    assert listed["hooks"] == [
        "build_vocab", "dummy_input", "load_model", "model_info", "run_options", "write_meta",
    ]  # fmt: skip
    done = run_tiny(site, tmp_path / "job", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert {check["status"] for check in result["models"][0]["checks"]} <= {"passed", "skipped"}
    assert (tmp_path / "job/bundle/tiny.onnx").is_file()


def test_a_plugin_that_cannot_be_imported_is_named_and_the_rest_works(site: Site) -> None:
    site.install("logexport-broken", "import no_such_module_anywhere\n")
    plugins = site.plugins()
    state = plugins["logexport-broken"]["state"]
    assert "no_such_module_anywhere" in state
    assert "ModuleNotFoundError" in state
    assert plugins["logexport"]["state"] == "ok"


def test_an_unknown_model_names_the_known_ones_and_the_broken_plugins(
    site: Site, tmp_path: Path
) -> None:
    site.install("logexport-broken", "raise RuntimeError('out of order')\n")
    done = run_tiny(site, tmp_path / "job")
    assert done.returncode == 2
    assert "'tiny'" in done.stderr
    assert "deeplog" in done.stderr
    assert "logexport-broken" in done.stderr
    assert "out of order" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("statement", "said"), [("", "no version"), ("logexport_api = 99", "version 99")]
)
def test_a_plugin_of_another_contract_version_is_refused_with_both_versions(
    site: Site, statement: str, said: str
) -> None:
    site.install("logexport-old", TINY.replace("logexport_api = 1", statement))
    state = site.plugins()["logexport-old"]["state"]
    assert "incompatible" in state
    assert said in state
    assert "logexport has 1" in state


def test_two_plugins_of_one_model_type_are_an_error_naming_both(site: Site, tmp_path: Path) -> None:
    site.install("logexport-tiny", TINY)
    site.install("another-tiny", TINY)
    done = run_tiny(site, tmp_path / "job")
    assert done.returncode == 1
    assert "logexport-tiny 1.0" in done.stderr
    assert "another-tiny 1.0" in done.stderr
    assert "also declared by" in site.plugins()["another-tiny"]["state"]


@pytest.mark.torch
def test_another_model_types_hooks_are_left_out(site: Site, tmp_path: Path) -> None:
    site.install("logexport-tiny", TINY)
    meddler = TINY.replace('NAME = "tiny"', 'NAME = "meddler"')
    for hook in ("load_model", "build_vocab", "dummy_input", "write_meta"):
        meddler = meddler.replace(f"def {hook}(", f"def {hook}_(").replace(
            f"@hookimpl\ndef {hook}_(", f"@hookimpl(specname='{hook}')\ndef {hook}_("
        )
    meddler += "\n\ndef refuse(*a, **k): raise RuntimeError('a stranger was asked')\n"
    meddler = meddler.replace("    state = torch.load", "    refuse()\n    state = torch.load")
    site.install("logexport-meddler", meddler)
    assert site.plugins()["logexport-meddler"]["state"] == "ok"
    assert run_tiny(site, tmp_path / "job").returncode == 0


HOOKS_THAT_RAISE = ["load_model", "build_vocab", "dummy_input", "write_meta"]


@pytest.mark.torch
@pytest.mark.parametrize("hook", HOOKS_THAT_RAISE)
def test_an_exception_in_a_hook_names_plugin_and_hook_and_publishes_nothing(
    site: Site, tmp_path: Path, hook: str
) -> None:
    lines = []
    inside = False
    for line in TINY.splitlines():
        lines.append(line)
        inside = line.startswith(f"def {hook}(")
        if inside:
            lines.append("    raise ZeroDivisionError('as expected')")
    site.install("logexport-tiny", "\n".join(lines))
    done = run_tiny(site, tmp_path / "job")
    assert done.returncode == 1
    assert "logexport-tiny" in done.stderr
    assert repr(hook) in done.stderr
    assert "ZeroDivisionError: as expected" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "job/bundle").exists()


@pytest.mark.torch
@pytest.mark.parametrize("hook", ["load_model", "build_vocab", "dummy_input"])
def test_no_answer_and_an_answer_of_the_wrong_type_are_errors(
    site: Site, tmp_path: Path, hook: str
) -> None:
    for number, answer in enumerate(("None", "'a string'")):
        source = "\n".join(
            line + (f"\n    return {answer}" if line.startswith(f"def {hook}(") else "")
            for line in TINY.splitlines()
        )
        site.install("logexport-tiny", source, version=f"1.{number}")
        done = run_tiny(site, tmp_path / "job")
        assert done.returncode == 1
        assert repr(hook) in done.stderr
        assert ("no answer" if answer == "None" else "returned str") in done.stderr


@pytest.mark.torch
def test_a_metadata_key_given_twice_is_an_error_naming_both(site: Site, tmp_path: Path) -> None:
    site.install("logexport-tiny", TINY)
    site.install(
        "logexport-extra",
        """
        from logexport import hookimpl
        logexport_api = 1

        @hookimpl
        def write_meta():
            return {"seq_len": 3}
        """,
    )
    done = run_tiny(site, tmp_path / "job")
    assert done.returncode == 1
    assert "'seq_len'" in done.stderr
    assert "logexport-tiny" in done.stderr
    assert "logexport-extra" in done.stderr


EXTRA_CHECK = """
    from logexport import hookimpl
    from logexport.types import CheckResult
    logexport_api = 1

    @hookimpl
    def validate(bundle):
        {body}
"""


@pytest.mark.torch
def test_a_check_of_a_third_party_is_reported_under_its_name(site: Site, tmp_path: Path) -> None:
    site.install("logexport-tiny", TINY)
    body = 'yield CheckResult("odd", "passed", figures={"files": len(list(bundle.path.iterdir()))})'
    site.install("logexport-extra", EXTRA_CHECK.format(body=body))
    done = run_tiny(site, tmp_path / "job", "--json")
    assert done.returncode == 0, done.stderr
    (odd,) = [c for c in json.loads(done.stdout)["models"][0]["checks"] if c["name"] == "odd"]
    assert odd["plugin"] == "logexport_extra"
    assert odd["figures"]["files"] >= 6


@pytest.mark.torch
@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('return [CheckResult("odd", "failed", message="too odd")]', "odd"),
        ('raise ValueError("as expected")', "ValueError: as expected"),
        ('yield "passed"', "returned str"),
        ('(bundle.path / "tiny.onnx").write_bytes(b"x"); return []', "changed the staged bundle"),
    ],
)
def test_a_careless_check_fails_the_run_by_name_and_publishes_nothing(
    site: Site, tmp_path: Path, body: str, said: str
) -> None:
    site.install("logexport-tiny", TINY)
    site.install("logexport-extra", EXTRA_CHECK.format(body=body))
    done = run_tiny(site, tmp_path / "job")
    assert done.returncode == 1
    assert said in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "job/bundle").exists()


def test_no_plugin_can_take_an_option_of_the_command_or_its_values_name() -> None:
    """The names are written down for the sake of every --help; here they are read off."""
    context = click.Context(run, parent=click.Context(cli, **cli.context_settings))
    own = [*run.params, *cli.params, run.get_help_option(context)]
    flags = {flag for option in own for flag in (*option.opts, *option.secondary_opts)}
    assert flags - {"--version"} == RUN_OPTIONS
    arguments = set(inspect.signature(run.callback).parameters)
    spelled = {flag.lstrip("-").replace("-", "_") for flag in flags}
    assert ({option.name for option in own} | arguments | spelled) - {
        "version",
        "_click_default_help",
    } == RUN_NAMES


def test_an_option_that_is_the_hosts_own_keeps_the_plugin_out(site: Site) -> None:
    site.install("logexport-tiny", TINY.replace('"--top-k"', '"--opset"'))
    assert "--opset is the host's own" in site.plugins()["logexport-tiny"]["state"]


def test_a_plugins_options_are_shown_under_its_name_and_validated(
    site: Site, tmp_path: Path
) -> None:
    site.install("logexport-tiny", TINY)
    shown = site.run("run", "--help").stdout
    assert "--top-k" in shown[shown.index("Options of") :]
    assert "tiny" in shown
    done = run_tiny(site, tmp_path / "job", "--top-k", "many")
    assert done.returncode == 2
    assert "--top-k" in done.stderr
    done = run_tiny(site, tmp_path / "job", "--top-k", "deeplog=2")
    assert done.returncode == 2
    assert "deeplog" in done.stderr


@pytest.mark.torch
def test_the_trace_prints_every_hook_with_its_plugin_and_seconds(
    site: Site, tmp_path: Path
) -> None:
    site.install("logexport-tiny", TINY)
    done = run_tiny(site, tmp_path / "job", "--json", LOGEXPORT_TRACE="1")
    traced = [line for line in done.stderr.splitlines() if line.startswith("logexport trace:")]
    for hook in ("load_model", "build_vocab", "dummy_input", "export", "write_meta", "validate"):
        assert any(f"trace: {hook} by" in line and line.endswith(" s") for line in traced), hook
    assert any("load_model by logexport-tiny:logexport_tiny" in line for line in traced)
    json.loads(done.stdout)


def test_a_command_of_a_plugin_is_there_and_cannot_take_the_hosts_names(site: Site) -> None:
    source = """
    import click
    from logexport import hookimpl
    logexport_api = 1

    @hookimpl
    def register_commands(cli):
        @cli.command("{name}")
        def command():
            click.echo("hello from a plugin")
    """
    site.install("logexport-one", source.format(name="greet"))
    site.install("logexport-two", source.format(name="doctor"))
    assert site.run("greet").stdout == "hello from a plugin\n"
    assert "hello" not in site.run("doctor", "--help").stdout
    assert "'doctor' is already taken" in site.run("--help").stderr
