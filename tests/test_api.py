"""The public surface: stated, typed, and changed only with a word in the changelog.

``python tests/test_api.py`` records the surface anew, once the changelog names what changed.
"""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
import json
import re
import subprocess
import sys
import textwrap
import warnings
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, get_origin

import pytest
from logexport import hookspecs, schemas
from logexport.hookspecs import hookspec
from logexport.host import Host
from logexport.hosting.deprecation import renamed
from logexport.hosting.discovery import Declaration

from tests.sources import PLUGIN_SOURCES, python

ROOT = Path(__file__).resolve().parents[1]
RECORDED = ROOT / "tests" / "api_surface.json"


# --- the surface ----------------------------------------------------------------------------------


def public_modules() -> list[str]:
    """The modules of the table in docs/api.md."""
    section = (ROOT / "docs/api.md").read_text(encoding="utf-8").partition("## Modules")[2]
    table = section.partition("\n## ")[0]
    return re.findall(r"^\| `(logexport[a-z_.]*)` \|", table, re.MULTILINE)


def surface() -> dict[str, str]:
    """Every public thing by its full name, with what a caller relies on."""
    found: dict[str, str] = {}
    for name in public_modules():
        module = importlib.import_module(name)
        for public in module.__all__:
            found.update(described(f"{name}.{public}", getattr(module, public)))
    for hook, function in vars(hookspecs).items():
        if hasattr(function, "logexport_spec"):
            for argument in inspect.signature(function).parameters:
                found[f"hook {hook}({argument})"] = "argument"
            found[f"hook {hook}"] = str(inspect.signature(function).return_annotation)
    for schema in schemas.NAMES:
        text = (ROOT / f"core/logexport/schemas/{schema}.schema.json").read_text(encoding="utf-8")
        for path, what in keys(json.loads(text)):
            found[f"bundle {schema}{path}"] = what
    return dict(sorted(found.items()))


def described(name: str, thing: Any) -> Iterator[tuple[str, str]]:
    """A name and what a caller relies on; of a class, its fields and its methods too."""
    # Python 3.10 takes `Mapping[str, int]` for a class.
    if inspect.isclass(thing) and get_origin(thing) is None:
        yield name, f"class({', '.join(base.__name__ for base in thing.__bases__)})"
        yield from members(name, thing)
    elif inspect.isfunction(thing):
        yield name, signature(thing)
    elif isinstance(thing, (str, int, float, tuple)) and not isinstance(thing, bool):
        yield name, f"{type(thing).__name__} {shortened(repr(thing))}"
    else:
        yield name, type(thing).__name__


def members(name: str, cls: type) -> Iterator[tuple[str, str]]:
    if dataclasses.is_dataclass(cls):
        for field in dataclasses.fields(cls):
            if field.init and not field.name.startswith("_"):
                required = (
                    field.default is dataclasses.MISSING
                    and field.default_factory is dataclasses.MISSING
                )
                yield f"{name}.{field.name}", f"{field.type}{'' if required else ' = …'}"
    elif issubclass(cls, tuple) and hasattr(cls, "_fields"):
        for one in cls._fields:
            yield f"{name}.{one}", str(cls.__annotations__[one])
    elif "__init__" in vars(cls) and not getattr(cls, "_is_protocol", False):
        yield f"{name}()", signature(vars(cls)["__init__"])
    for member, value in vars(cls).items():
        if member.startswith("_") and member != "__call__":
            continue
        if isinstance(value, (classmethod, staticmethod)):
            yield f"{name}.{member}", f"{type(value).__name__} {signature(value.__func__)}"
        elif inspect.isfunction(value):
            yield f"{name}.{member}", signature(value)
        elif isinstance(value, property) or type(value).__name__ == "cached_property":
            yield f"{name}.{member}", "property"


def signature(function: Any) -> str:
    return shortened(str(inspect.signature(function)))


def shortened(text: str) -> str:
    return re.sub(r" at 0x[0-9a-f]+", "", text)[:400]


def keys(schema: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every key that a schema knows, with its type and whether it must be there."""
    if not isinstance(schema, Mapping):
        return
    required = schema.get("required", [])
    for key, value in schema.get("properties", {}).items():
        if isinstance(value, bool):
            continue
        kind = value.get("type") or value.get("$ref") or next(iter(value), "")
        yield f"{path}/{key}", f"{kind}{', required' if key in required else ''}"
        yield from keys(value, f"{path}/{key}")
    for inner in ("items", "additionalProperties", "then"):
        yield from keys(schema.get(inner), path)
    for inner in ("allOf", "anyOf"):
        for one in schema.get(inner, []):
            yield from keys(one, path)
    for name, value in schema.get("$defs", {}).items():
        yield from keys(value, f"{path}#{name}")


def unreleased() -> str:
    """What the changelog says of the next version."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    return re.split(r"^## ", text, flags=re.MULTILINE)[1]


def unnamed(recorded: Mapping[str, str], now: Mapping[str, str], changelog: str) -> list[str]:
    """What changed without the changelog naming it, by its last two names (``Class.member``)."""
    out = []
    for name in sorted({*recorded, *now}):
        if recorded.get(name) == now.get(name):
            continue
        parts = re.split(r"[./ #]", name.partition("(")[0])
        # `ModelRequest`, `ModelRequest.parsed`, `run_engine`, a hook's or a key's name
        words = {parts[-1], ".".join(parts[-2:])}
        if ".".join(parts[:-1]) in now.keys() - recorded.keys():
            words.add(parts[-2])  # the members of a class that is new come with it
        if not any(re.search(rf"`[^`]*\b{re.escape(word)}\b[^`]*`", changelog) for word in words):
            was = recorded.get(name, "not there")
            out.append(f"{name}: was {was}; is {now.get(name, 'not there')}")
    return out


def test_no_public_name_changes_without_a_word_in_the_changelog() -> None:
    recorded = json.loads(RECORDED.read_text(encoding="utf-8"))
    changed = unnamed(recorded, surface(), unreleased())
    assert not changed, (
        "the public surface changed and CHANGELOG.md, Unreleased, does not name (in back quotes):\n"
        + "\n".join(changed)
    )


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("logexport.types.ModelRequest.parsed", "Path | None = …", None),
        ("logexport.vocab.load_vocab", "(path: Path)", "(path: Path, *, strict: bool)"),
        ("hook validate(bundle)", "argument", None),
        ("hook validate(extra)", None, "argument"),
        ("bundle meta/seq_len", "integer", None),
        ("logexport.types.Fresh", None, "class(object)"),
    ],
)
def test_a_change_is_seen_until_the_changelog_names_it(
    name: str, before: str | None, after: str | None
) -> None:
    now = surface()
    recorded = {**now, **({name: before} if before else {})}
    current = {**now, **({name: after} if after else {})}
    if before is None:
        recorded.pop(name, None)
    if after is None:
        current.pop(name, None)
    (said,) = unnamed(recorded, current, "- nothing of note")
    assert said.startswith(name)
    last = re.split(r"[./ ]", name.partition("(")[0])[-1]
    assert unnamed(recorded, current, f"- `{last}` is other than it was") == []


# --- what is stated -------------------------------------------------------------------------------


def test_every_public_module_states_its_names_and_has_them() -> None:
    modules = public_modules()
    assert len(modules) > 20
    for name in modules:
        module = importlib.import_module(name)
        assert list(module.__all__) == list(dict.fromkeys(module.__all__)), name
        for public in module.__all__:
            assert not public.startswith("_"), f"{name}.{public}"
            assert getattr(module, public) is not None, f"{name}.{public}"


def test_everything_public_is_documented_and_typed() -> None:
    for name in public_modules():
        module = importlib.import_module(name)
        assert module.__doc__, name
        for public in module.__all__:
            thing = getattr(module, public)
            if not str(getattr(thing, "__module__", "")).startswith("logexport"):
                continue  # a constant, or what another package made
            if inspect.isclass(thing) or inspect.isfunction(thing):
                assert thing.__doc__, f"{name}.{public} has no docstring"
            if inspect.isfunction(thing):
                untyped = [
                    parameter.name
                    for parameter in inspect.signature(thing).parameters.values()
                    if parameter.annotation is parameter.empty
                ]
                assert not untyped, f"{name}.{public}: {untyped}"


def test_the_packages_say_that_they_are_typed() -> None:
    for package in ("logexport", "logexport_deeplog", "logexport_mscred", "logexport_native"):
        spec = find_spec(package)
        assert spec is not None
        assert spec.origin is not None
        assert (Path(spec.origin).parent / "py.typed").is_file(), package


def test_docs_hooks_and_docs_api_name_the_same_modules() -> None:
    text = (ROOT / "docs/hooks.md").read_text(encoding="utf-8")
    section = text.partition("## What a plugin may import")[2].partition("The rest")[0]
    of_hooks = set(re.findall(r"`(logexport[a-z_.]*)`", section)) - {"logexport.logs"}
    assert of_hooks == {name for name in public_modules() if ".logs." not in name}


def test_plugins_examples_and_scaffold_import_public_names_only() -> None:
    public = {name: set(importlib.import_module(name).__all__) for name in public_modules()}
    seen = 0
    for path in PLUGIN_SOURCES:
        for node in ast.walk(ast.parse(python(path))):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    if alias.name.partition(".")[0] == "logexport":
                        assert alias.name in public, f"{path}:{node.lineno}: {alias.name}"
            elif isinstance(node, ast.ImportFrom) and node.module:
                if node.module.partition(".")[0] != "logexport":
                    continue
                assert node.module in public, f"{path}:{node.lineno}: {node.module}"
                for alias in node.names:
                    seen += 1
                    allowed = public[node.module] | {"__version__"}
                    assert alias.name in allowed, f"{path}:{node.lineno}: {alias.name}"
    assert seen > 100


# --- how it may change ----------------------------------------------------------------------------


def changed_contract(**hooks: Any) -> ModuleType:
    """The contract of a later version: today's hooks, some of them replaced."""
    module = ModuleType("later_hookspecs")
    vars(module).update(
        {name: hook for name, hook in vars(hookspecs).items() if hasattr(hook, "logexport_spec")}
    )
    vars(module).update(hooks)
    return module


def installed(tmp_path: Path, name: str, source: str) -> Declaration:
    (tmp_path / f"{name}.py").write_text(textwrap.dedent(source), encoding="utf-8")
    return Declaration(name, name, f"dist-{name}", "1.0")


OLD_PLUGIN = """
from logexport import hookimpl
from logexport.types import CheckResult
logexport_api = 1

@hookimpl
def validate(bundle):
    return [CheckResult("seen", "passed", message=repr(bundle))]
"""


def test_a_hook_gets_a_further_argument_and_old_plugins_do_not_notice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)

    @hookspec
    def validate(request, model, vocab, dummy, bundle, weather): ...

    declared = installed(tmp_path, "old_plugin_of_the_api_tests", OLD_PLUGIN)
    host = Host([declared], changed_contract(validate=validate))
    plugin = host.plugin(declared.name)
    assert (plugin.state, plugin.deprecations) == ("ok", ())
    ((result,),) = host.call(
        plugin, "validate", bundle="B", weather="fair",
        **dict.fromkeys(("request", "model", "vocab", "dummy")),
    )  # fmt: skip
    assert result.message == "'B'"


def test_a_plugin_that_takes_an_argument_which_no_hook_has_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    source = OLD_PLUGIN.replace("validate(bundle)", "validate(bundle, moon)")
    declared = installed(tmp_path, "moon_plugin_of_the_api_tests", source)
    assert "moon" in Host([declared]).plugin(declared.name).state


def test_a_deprecated_argument_and_a_deprecated_hook_work_and_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    soon = DeprecationWarning("validate: take `staged`, not `bundle`")

    @hookspec(warn_on_impl_args={"bundle": soon})
    def validate(request, model, vocab, dummy, bundle, staged): ...

    @hookspec(warn_on_impl=DeprecationWarning("write_meta: implement `describe` instead"))
    def write_meta(request, model, vocab, graph): ...

    contract = changed_contract(validate=validate, write_meta=write_meta)
    both = OLD_PLUGIN + "\n@hookimpl\ndef write_meta():\n    return {'still': 'called'}\n"
    declared = installed(tmp_path, "both_plugin_of_the_api_tests", both)
    with (
        pytest.warns(DeprecationWarning, match="write_meta: implement `describe` instead"),
        pytest.warns(DeprecationWarning, match="validate: take `staged`, not `bundle`"),
    ):
        host = Host([declared], contract)
    plugin = host.plugin(declared.name)
    assert plugin.state == "ok"
    assert set(plugin.deprecations) >= {str(soon), "write_meta: implement `describe` instead"}
    nothing = dict.fromkeys(("request", "model", "vocab"))
    ((result,),) = host.call(plugin, "validate", bundle="B", staged="S", dummy=None, **nothing)
    assert result.message == "'B'"
    assert host.call(plugin, "write_meta", graph=None, **nothing) == [{"still": "called"}]


def test_a_renamed_name_works_and_says_where_it_is() -> None:
    get = renamed("old.module", {"read": "logexport.vocab:load_vocab"}, since="0.3")
    with pytest.warns(DeprecationWarning, match=r"old.module.read is logexport.vocab.load_vocab"):
        found = get("read")
    from logexport.vocab import load_vocab

    assert found is load_vocab
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(AttributeError, match=r"'old.module' has no attribute 'other'"):
            get("other")


def test_the_public_package_imports_nothing_heavy() -> None:
    script = (
        "import sys, logexport, logexport.types, logexport.testing, logexport.exporters;"
        "print([m for m in ('torch','onnx','numpy','pyarrow','jsonschema','pytest')"
        " if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


if __name__ == "__main__":
    before = json.loads(RECORDED.read_text(encoding="utf-8")) if RECORDED.exists() else {}
    after = surface()
    silent = unnamed(before, after, unreleased()) if before else []
    if silent:
        sys.exit("CHANGELOG.md, Unreleased, does not name:\n" + "\n".join(silent))
    RECORDED.write_text(json.dumps(after, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
