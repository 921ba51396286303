"""The documentation says what the code does, and nothing that it does not."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from logexport import errors, hookspecs, model_info, schemas, types
from logexport.bundle import MANIFEST, VALIDATION, FileNames
from logexport.cli import cli

ROOT = Path(__file__).resolve().parents[1]

HOOKS = (ROOT / "docs/hooks.md").read_text(encoding="utf-8")
BUNDLE = (ROOT / "docs/bundle.md").read_text(encoding="utf-8")
COMMANDS = (ROOT / "docs/commands.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")

PAGES = sorted(
    path
    for place in (".", "docs", "benchmarks", "examples", "native", "tests")
    for path in (ROOT / place).glob("**/*.md" if place != "." else "*.md")
    if ".tox" not in path.parts  # an example's own environments
)


def sections(text: str, level: str) -> dict[str, str]:
    """Heading to the text under it, up to the next heading of that level or above."""
    parts = re.split(rf"^(?:#{{1,{len(level)}}}) (.+)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


# --- hooks ----------------------------------------------------------------------------------------


def hooks() -> dict[str, inspect.Signature]:
    return {
        name: inspect.signature(function)
        for name, function in vars(hookspecs).items()
        if inspect.isfunction(function) and hasattr(function, "logexport_spec")
    }


def test_every_hook_is_documented_with_its_signature_and_no_other_is() -> None:
    documented = {}
    for heading in sections(HOOKS, "###"):
        found = re.fullmatch(r"`(\w+)\((.*)\) -> (.+)`", heading)
        if found:
            documented[found[1]] = (found[2].split(", ") if found[2] else [], found[3])
    expected = {
        name: (list(signature.parameters), str(signature.return_annotation))
        for name, signature in hooks().items()
    }
    assert documented == expected


@pytest.mark.parametrize("hook", hooks())
def test_every_hook_says_who_answers_when_and_shows_an_example(hook: str) -> None:
    (text,) = [
        t for heading, t in sections(HOOKS, "###").items() if heading.startswith(f"`{hook}(")
    ]
    assert "*Who:*" in text
    assert "*When:*" in text
    example = re.search(r"```python\n(.+?)```", text, re.DOTALL)
    assert example is not None
    ast.parse(f"def hook():\n    {example[1].strip()}")


def test_every_type_of_a_signature_is_described() -> None:
    source = inspect.getsource(hookspecs)
    used = {
        name
        for name, found in vars(types).items()
        if getattr(found, "__module__", "") in (types.__name__, model_info.__name__)
        and re.search(rf"\b{name}\b", source)
    }
    assert used >= {"ModelInfo", "LoadedModel", "CheckResult"}
    described = sections(HOOKS, "##")["The types"]
    for name in used:
        assert f"`{name}`" in described, name
    for name in re.findall(r"`([A-Z]\w+)`", described):
        assert hasattr(types, name) or name in ("ExportLog", "ExportStrategy"), name


def test_every_error_that_the_hooks_page_names_exists() -> None:
    for name in set(re.findall(r"`(\w+Error)`", HOOKS)):
        from logexport import exporters

        assert hasattr(errors, name) or hasattr(exporters, name), name


# --- commands -------------------------------------------------------------------------------------


def commands(
    command: click.Command, path: tuple[str, ...] = ()
) -> Iterator[tuple[str, click.Command]]:
    if not isinstance(command, click.Group):
        yield " ".join(path), command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        below = command.get_command(context, name)
        assert below is not None
        yield from commands(below, (*path, name))


EVERY = dict(commands(cli))


@pytest.mark.parametrize("name", EVERY)
def test_every_command_is_documented_with_every_option_and_no_other(name: str) -> None:
    found = {
        heading: text
        for heading, text in sections(COMMANDS, "##").items()
        if re.match(rf"`logexport {re.escape(name)}[ `]", heading)
    }
    ((_, text),) = found.items()
    rows = "\n".join(re.findall(r"^\| `(-[^`]*)` \|", text, re.MULTILINE))
    documented = set(re.findall(r"(?<![\w-])(--?[a-z][a-z-]*)", rows))
    options = {
        flag
        for parameter in EVERY[name].get_params(click.Context(EVERY[name]))
        if isinstance(parameter, click.Option) and not parameter.hidden
        for flag in (*parameter.opts, *parameter.secondary_opts)
    }
    assert documented == options - {"--help", "-h"}


def test_no_command_is_documented_that_does_not_exist() -> None:
    for heading in sections(COMMANDS, "##"):
        found = re.fullmatch(r"`logexport ([a-z -]+?)(?: [A-Z\[].*)?`", heading)
        if found:
            assert found[1] in EVERY, heading


def test_commands_that_the_pages_show_exist_with_their_options() -> None:
    shown = 0
    for path in PAGES:
        if path.name == "plugin-guide.md":
            continue  # its commands have the options of the plugin that it makes: run by a test
        for line in re.findall(r"^\S*logexport ([a-z].*)$", path.read_text("utf-8"), re.MULTILINE):
            words = line.split("     ")[0].split()
            name = next((" ".join(words[:n]) for n in (2, 1) if " ".join(words[:n]) in EVERY), None)
            if name is None:
                continue
            shown += 1
            known = {
                flag
                for parameter in EVERY[name].get_params(click.Context(EVERY[name]))
                for flag in (*parameter.opts, *parameter.secondary_opts)
            }
            for word in words:
                if word.startswith("-"):
                    assert word in known, f"{path}: {line}"
    assert shown >= 5


def test_exit_statuses_are_those_of_the_errors() -> None:
    rows = re.findall(r"^\| (\d+) \| (.+) \|$", COMMANDS, re.MULTILINE)
    documented = {int(status) for status, _ in rows}
    raised = {
        error.exit_status
        for error in vars(errors).values()
        if inspect.isclass(error) and issubclass(error, errors.LogexportError)
    }
    assert raised == {1, 2}
    assert documented == {0, 130, 143} | raised  # the two are those of signals
    said = {int(status): text for status, text in rows}
    for error, words in (
        (errors.CheckFailedError, "check"),
        (errors.PluginError, "plugin"),
        (errors.UsageError, "usage"),
        (errors.InputError, "input"),
    ):
        assert words in said[error.exit_status]


def test_every_environment_variable_is_documented() -> None:
    read = {"LOGEXPORT_TEST_DATA"}
    for place in ("core", "plugins", "native/logexport_native"):
        for path in (ROOT / place).rglob("*.py"):
            read |= set(re.findall(r'"(LOGEXPORT_[A-Z_]+)"', path.read_text(encoding="utf-8")))
    for path in (ROOT / "native").glob("*/*.c"):
        text = path.read_text(encoding="utf-8")
        read |= set(re.findall(r'getenv\("(LOGEXPORT_[A-Z_]+)"\)', text))
    documented = set(re.findall(r"^\| `(LOGEXPORT_[A-Z_]+)` \|", COMMANDS, re.MULTILINE))
    assert read == documented


# --- bundles --------------------------------------------------------------------------------------


def test_every_file_of_a_bundle_is_documented() -> None:
    names = FileNames("NAME")
    files = [
        MANIFEST, VALIDATION, "vocab.json", "preprocess.json",
        names.onnx, names.meta, names.selftest_log, names.selftest_verdicts,
        names.variant("portable"), names.variant("optimized"),
        names.own("vocab.json"), names.own("preprocess.json"),
    ]  # fmt: skip
    documented = re.findall(r"^\| (`.+?`) \|", sections(BUNDLE, "##")["Files"], re.MULTILINE)
    assert sorted(re.findall(r"`(.+?)`", " ".join(documented))) == sorted(files)


def properties(schema: object) -> Iterator[str]:
    """Every property that a schema names, at any depth."""
    if isinstance(schema, dict):
        yield from schema.get("properties", ())
        for value in schema.values():
            yield from properties(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from properties(value)


@pytest.mark.parametrize("name", schemas.NAMES)
def test_every_key_of_a_schema_is_documented(name: str) -> None:
    schema = schemas._validators()[name].schema
    for key in set(properties(schema)):
        # In code by itself, in a list of keys, or in a piece of JSON.
        assert re.search(rf"`[^`\n]*\b{key}\b[^`\n]*`", BUNDLE), key


def check_names(path: Path) -> Iterator[str]:
    """Names of checks that a file can give: constants where a CheckResult's name stands."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    constants: dict[str, set[object]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                pairs = [(target, node.value)]
                if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                    pairs = list(zip(target.elts, node.value.elts, strict=True))
                for one, value in pairs:
                    if isinstance(one, ast.Name) and isinstance(value, ast.Constant):
                        constants.setdefault(one.id, set()).add(value.value)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            continue
        if node.func.id not in ("CheckResult", "parity_result", "_result"):
            continue
        given = [*node.args[:1], *(k.value for k in node.keywords if k.arg == "name")]
        for one in given[:1]:
            values = {one.value} if isinstance(one, ast.Constant) else set()
            if isinstance(one, ast.Name):
                values = constants.get(one.id, set())
            yield from (value for value in values if isinstance(value, str))


def test_every_check_is_documented_with_its_scope_and_no_other_is() -> None:
    given = set()
    for place in ("core/logexport", "plugins", "native/logexport_native"):
        for path in (ROOT / place).rglob("*.py"):
            given |= set(check_names(path))
    assert {"structure", "parity_random", "training_events", "sums"} <= given
    text = sections(BUNDLE, "##")["Checks"] + sections(BUNDLE, "##")["Inspect and verify"]
    documented = set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE))
    assert documented == given


# --- pages ----------------------------------------------------------------------------------------


def anchors(path: Path) -> set[str]:
    """The anchors that a Markdown page's headings have on GitHub."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_relative_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", link):
            continue
        file, _, anchor = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        assert target.exists(), link
        assert target.is_relative_to(ROOT), link
        if anchor:
            assert anchor in anchors(target), link


@pytest.mark.parametrize("heading", ["Install and run", "Run the tests"])
def test_the_readmes_two_commands_are_one_line_each(heading: str) -> None:
    blocks = re.findall(r"^```sh\n(.*?)^```$", sections(README, "###")[heading], re.S | re.M)
    assert len(blocks) == 1
    (line,) = blocks[0].splitlines()
    assert "constraints.txt" in line
    (line,) = [one for one in README.splitlines() if one == line]
    assert line.startswith("apt-get install -y ")
    assert "python3 -m venv .venv && .venv/bin/pip install " in line
    last = line.rpartition(" && ")[2]
    if heading == "Run the tests":
        assert last.startswith(".venv/bin/python -m pytest")
    else:
        assert last == ".venv/bin/logexport run --model deeplog"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_page_names_a_place_of_one_machine(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"(?<![\w.])/(?:work|home|root|tmp)/", text)
