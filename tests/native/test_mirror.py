"""The mirror by ctypes (tests/native/engine.py) is what the header says.

A field that the mirror lacks, or has at another place or of another type, would not fail by itself:
the tests would read something else, or too little. The names and types are those of the header's
text; places and sizes are those of the C compiler.
"""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
from enum import IntEnum
from typing import Any

import pytest

from tests.native.engine import (
    NATIVE,
    Activity,
    Doing,
    Error,
    Options,
    Record,
    Stats,
    Status,
)

STRUCTS: dict[str, type[ctypes.Structure]] = {
    "logexport_activity": Activity,
    "logexport_error": Error,
    "logexport_options": Options,
    "logexport_record": Record,
    "logexport_stats": Stats,
}
ENUMS: dict[str, type[IntEnum]] = {"logexport_doing": Doing, "logexport_status": Status}

#: What the mirror may have a type of the header as; an enum is an int. A pointer that Python shall
#: not read up to a NUL is a ``c_void_p``.
TYPES: dict[str, tuple[Any, ...]] = {
    "char": (ctypes.c_char,),
    "const char *": (ctypes.c_char_p, ctypes.c_void_p),
    "double": (ctypes.c_double,),
    "int": (ctypes.c_int,),
    "int64_t": (ctypes.c_int64,),
    "size_t": (ctypes.c_size_t,),
    "uint64_t": (ctypes.c_uint64,),
}


def header() -> str:
    """The header without its comments."""
    text = (NATIVE / "include" / "logexport" / "engine.h").read_text(encoding="utf-8")
    return re.sub(r"/\*.*?\*/", " ", text, flags=re.DOTALL)


def bodies(kind: str) -> dict[str, str]:
    """The name and the body of every struct, or enum, that the header defines."""
    return dict(re.findall(rf"\b{kind} (\w+) *\{{(.*?)\}}", header(), flags=re.DOTALL))


def enumerators(body: str) -> list[str]:
    """The names of an enum's values."""
    return re.findall(r"\bLOGEXPORT_\w+", body)


def fields_of(struct: str) -> list[tuple[str, str, bool]]:
    """The fields of a struct of the header: name, type, and whether it is an array."""
    fields = []
    for declaration in filter(None, map(str.strip, bodies("struct")[struct].split(";"))):
        match = re.fullmatch(r"((?:const |enum )?\w+(?: \*)?) *(\w.*)", declaration)
        assert match is not None, declaration
        for declarator in match[2].split(","):
            name, bracket, _ = declarator.strip().partition("[")
            fields.append((name, match[1], bool(bracket)))
    return fields


def mirror_of(struct: type[ctypes.Structure]) -> list[tuple[str, Any, bool]]:
    """The fields of a mirror: name, type (an array's: of its elements), whether it is an array."""
    fields: list[tuple[str, Any, bool]] = []
    for name, kind, *_ in struct._fields_:
        element = getattr(kind, "_type_", None) if issubclass(kind, ctypes.Array) else None
        fields.append((name, element or kind, element is not None))
    return fields


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, ...]]:
    """Sizes, places and values as a C compiler has them, of all that the header declares."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip(
            "this machine has no C compiler (cc), which knows where the fields of the header lie"
        )
    lines = ["#include <stddef.h>", "#include <stdio.h>", '#include "logexport/engine.h"']
    lines += ["int main(void)", "{"]
    for struct in bodies("struct"):
        lines.append(f'    printf("{struct} %zu\\n", sizeof(struct {struct}));')
        for name, *_ in fields_of(struct):
            places = f"offsetof(struct {struct}, {name}), sizeof ((struct {struct} *)0)->{name}"
            lines.append(f'    printf("{struct}.{name} %zu %zu\\n", {places});')
    for body in bodies("enum").values():
        for name in enumerators(body):
            lines.append(f'    printf("{name} %d\\n", (int){name});')
    work = tmp_path_factory.mktemp("mirror")
    (work / "layout.c").write_text("\n".join([*lines, "    return 0;", "}", ""]), encoding="utf-8")
    subprocess.run(
        [
            *(compiler, "-std=c11", "-Wall", "-Wextra", "-Werror", f"-I{NATIVE / 'include'}"),
            *("-o", work / "layout", work / "layout.c"),
        ],
        check=True,
    )
    printed = subprocess.run([work / "layout"], check=True, capture_output=True, text=True).stdout
    found = {}
    for line in printed.splitlines():
        name, *numbers = line.split()
        found[name] = tuple(map(int, numbers))
    return found


def test_every_struct_of_the_header_has_its_mirror() -> None:
    assert set(bodies("struct")) == set(STRUCTS)


@pytest.mark.parametrize("name", STRUCTS)
def test_a_mirror_has_the_fields_of_the_header_in_order(name: str) -> None:
    fields, mirror = fields_of(name), mirror_of(STRUCTS[name])
    assert [field for field, *_ in mirror] == [field for field, *_ in fields]
    for (field, kind, array), (_, mirror_kind, mirror_array) in zip(fields, mirror, strict=True):
        wanted = TYPES["int" if kind.removeprefix("enum ") in bodies("enum") else kind]
        assert mirror_kind in wanted, f"{name}.{field} is {kind}"
        assert array == mirror_array, f"{name}.{field}"


@pytest.mark.parametrize("name", STRUCTS)
def test_a_mirror_lies_as_the_compiler_lays_it(
    name: str, compiled: dict[str, tuple[int, ...]]
) -> None:
    mirror = STRUCTS[name]
    places = {
        f"{name}.{field}": (getattr(mirror, field).offset, getattr(mirror, field).size)
        for field, *_ in mirror._fields_
    }
    assert places == {key: value for key, value in compiled.items() if key.startswith(f"{name}.")}
    assert compiled[name] == (ctypes.sizeof(mirror),)


@pytest.mark.parametrize("name", ENUMS)
def test_a_mirrored_enum_has_the_names_and_values_of_the_header(
    name: str, compiled: dict[str, tuple[int, ...]]
) -> None:
    mirror = {f"LOGEXPORT_{one.name}": (one.value,) for one in ENUMS[name]}
    assert mirror == {one: compiled[one] for one in enumerators(bodies("enum")[name])}
