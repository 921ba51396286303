"""Whatever a plugin's code raises is reported with its name, and everything else works.

A panic of an extension in Rust is a BaseException (PyO3 derives PanicException from it), and so is
SystemExit; only KeyboardInterrupt is the user's.
"""

from __future__ import annotations

from pathlib import Path

import logexport
import pytest
from logexport.errors import LogexportError, PluginError
from logexport.hookspecs import REQUIRED_OF_MODELS
from logexport.host import Host

from tests.distributions import TINY, Site
from tests.host.exports import Job, hosted, tiny

PANIC = """
class PanicException(BaseException):
    pass


def panic(*_, **__):
    raise PanicException("index out of bounds")

"""
BESIDE = """
from logexport import hookimpl
logexport_api = 1
"""


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job.make(tmp_path / "job")


def states(host: Host) -> list[str]:
    return [plugin.state for plugin in host.plugins if plugin.name != "logexport"]


def raising(hook: str, source: str = TINY) -> str:
    """The source with a panic at the beginning of a hook."""
    return PANIC + "\n".join(
        line + ("\n    panic()" if line.startswith(f"def {hook}(") else "")
        for line in source.splitlines()
    )


# --- what a plugin raises -------------------------------------------------------------------------


@pytest.mark.parametrize("raised", ["PanicException('so')", "SystemExit(3)", "GeneratorExit()"])
def test_a_plugin_that_raises_when_imported_is_named_and_the_rest_works(
    job: Job, raised: str
) -> None:
    host = hosted(job.directory, f"{PANIC}\nraise {raised}\n", tiny())
    broken, good = states(host)
    assert broken.startswith("cannot be imported: ")
    assert raised.partition("(")[0] in broken
    assert (good, [*host.models()]) == ("ok", ["tiny"])


def test_a_plugin_that_raises_when_it_is_looked_at_is_named(job: Job) -> None:
    source = PANIC + "def __getattr__(name):\n    panic()\n"
    assert "PanicException" in states(hosted(job.directory, source, tiny()))[0]


@pytest.mark.parametrize("hook", ["model_info", "run_options"])
def test_a_panic_in_a_hook_of_discovery_keeps_the_plugin_out_and_no_other(
    job: Job, hook: str
) -> None:
    host = hosted(job.directory, raising(hook), tiny("other"))
    broken, good = states(host)
    assert f"{hook!r}: PanicException: index out of bounds" in broken
    assert (good, [*host.models()]) == ("ok", ["other"])


HOOKS_OF_A_RUN = ["load_model", "build_vocab", "dummy_input", "write_meta"]


@pytest.mark.torch
@pytest.mark.parametrize("hook", HOOKS_OF_A_RUN)
def test_a_panic_in_a_hook_names_plugin_and_hook_and_publishes_nothing(job: Job, hook: str) -> None:
    with pytest.raises(PluginError, match=rf"plugin_.*{hook}.*PanicException: index out of bounds"):
        logexport.run(job.request(), host=hosted(job.directory, raising(hook)))
    assert not job.bundle.exists()


@pytest.mark.torch
@pytest.mark.parametrize(
    ("where", "old", "new"),
    [
        ("draw", "        shape = (sizes", "        panic()\n        shape = (sizes"),
        ("forward", "        return self.logits", "        panic()\n        return self.logits"),
        ("options", "type=click.IntRange(min=1)", "type=Numbers()"),
    ],
)
def test_a_panic_in_what_a_hook_has_given_is_the_plugins_too(
    job: Job, where: str, old: str, new: str
) -> None:
    numbers = (
        "\nimport click\nclass Numbers(click.ParamType):\n    name = 'n'\n    convert = panic\n"
    )
    host = hosted(job.directory, PANIC + numbers + tiny(**{old: new}))
    with pytest.raises(PluginError, match=r"plugin_.*PanicException: index out of bounds"):
        logexport.run(job.request(), host=host)
    assert not job.bundle.exists()


@pytest.mark.torch
@pytest.mark.parametrize(
    ("hook", "body"),
    [
        ("validate()", "panic()"),
        ("validate()", "yield panic()"),
        ("register_exporters()", "panic()"),
    ],
)
def test_a_panic_of_a_plugin_beside_the_model_ends_the_run_in_its_name(
    job: Job, hook: str, body: str
) -> None:
    beside = f"{BESIDE}{PANIC}\n@hookimpl\ndef {hook}:\n    {body}\n"
    with pytest.raises(PluginError, match=r"plugin_.*PanicException: index out of bounds"):
        logexport.run(job.request(), host=hosted(job.directory, tiny(), beside))
    assert not job.bundle.exists()


STRATEGY = """

class Strategy:
    name = "mine"

    def availability(self, env):
        {availability}
        from logexport.exporters import Availability
        return Availability(True, "it is there")

    def opsets(self, env):
        return (17,)

    def default_opset(self, env):
        return 17

    def export(self, module, dummy, opset, path):
        panic()


@hookimpl
def register_exporters():
    return [Strategy()]
"""


@pytest.mark.torch
@pytest.mark.parametrize("availability", ["panic()", "pass"])
def test_a_strategy_that_panics_hurts_only_itself(job: Job, availability: str) -> None:
    source = BESIDE + PANIC + STRATEGY.format(availability=availability)
    host = hosted(job.directory, tiny(), source)
    assert logexport.run(job.request(), host=host).models[0].attempts[-1].strategy != "mine"
    with pytest.raises(LogexportError, match="PanicException: index out of bounds"):
        logexport.run(job.request(exporter="mine"), host=host)


@pytest.mark.torch
def test_ctrl_c_in_a_hook_is_the_users(job: Job) -> None:
    source = raising("load_model").replace("raise PanicException", "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        logexport.run(job.request(), host=hosted(job.directory, source))


def test_the_command_line_survives_a_panic(tmp_path: Path) -> None:
    site = Site(tmp_path / "installed")
    site.install("logexport-broken", f"{PANIC}\npanic()\n")
    command = f"{BESIDE}{PANIC}\n@hookimpl\ndef register_commands(cli):\n    panic()\n"
    site.install("logexport-commands", command)
    done = site.run("--help")
    assert done.returncode == 0
    for name in ("logexport-broken", "logexport-commands"):
        assert f"{name} 1.0) takes no part" in done.stderr
    assert "Traceback" not in done.stderr
    assert "deeplog" in done.stdout


# --- what a model plugin must answer --------------------------------------------------------------


def without(hook: str) -> str:
    """The tiny model type without one of its hooks."""
    return TINY.replace(f"@hookimpl\ndef {hook}(", f"def {hook}(")


def test_what_a_model_must_answer_is_what_the_contract_says() -> None:
    """And the page of the hooks names the same."""
    page = (Path(__file__).resolve().parents[2] / "docs/hooks.md").read_text(encoding="utf-8")
    sentence = page.partition("A model plugin must answer ")[2].partition(".")[0]
    assert [word.strip("`, ") for word in sentence.split() if "`" in word] == [
        "model_info",
        *REQUIRED_OF_MODELS,
    ]


@pytest.mark.parametrize("hook", REQUIRED_OF_MODELS)
def test_a_model_without_a_required_hook_takes_no_part_and_is_told_which(
    job: Job, hook: str
) -> None:
    host = hosted(job.directory, without(hook), tiny("other"))
    lacking, good = states(host)
    assert lacking == f"declares a model type but does not implement {hook}"
    assert (good, [*host.models()]) == ("ok", ["other"])
    with pytest.raises(LogexportError, match=f"does not implement {hook}"):
        logexport.run(job.request(), host=host)


def test_plugins_list_and_plugins_check_show_what_a_model_lacks(tmp_path: Path) -> None:
    site = Site(tmp_path / "installed")
    site.install(
        "logexport-tiny", without("write_meta").replace("@hookimpl\ndef dummy", "def dummy")
    )
    said = "declares a model type but does not implement dummy_input, write_meta"
    assert site.plugins()["logexport-tiny"]["state"] == said
    assert said in site.run("plugins", "list").stdout
    for name in ("tiny", "logexport_tiny"):
        done = site.run("plugins", "check", name)
        assert done.returncode == 1
        assert said in done.stdout
