"""The JSON Schemas of the project's files, and the one way to check a document against them."""

from __future__ import annotations

import json
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

from logexport.errors import InputError

NAMES = ("manifest", "meta", "vocab", "preprocess", "validation")
"""The schemas of a bundle's files; the file of each is ``NAME.schema.json`` in this package."""
PACKAGE_NAMES = ("preset",)
"""The schemas of files in the package (:mod:`logexport.logs.presets`)."""


@lru_cache(maxsize=1)
def _validators() -> dict[str, Any]:
    from jsonschema import Draft202012Validator
    from jsonschema.validators import extend
    from referencing import Registry, Resource

    here = resources.files(__package__)
    schemas = {
        name: json.loads((here / f"{name}.schema.json").read_text(encoding="utf-8"))
        for name in (*NAMES, *PACKAGE_NAMES)
    }
    registry = Registry().with_resources(
        (schema["$id"], Resource.from_contents(schema)) for schema in schemas.values()
    )
    # To JSON Schema 1.0 is an integer; to the engine, and to what the documents are read into, not.
    types = Draft202012Validator.TYPE_CHECKER.redefine(
        "integer", lambda _, value: isinstance(value, int) and not isinstance(value, bool)
    )
    validator = extend(Draft202012Validator, type_checker=types)
    return {name: validator(schema, registry=registry) for name, schema in schemas.items()}


def check(
    document: Any, schema: str, path: Path, error: type[InputError] = InputError, remedy: str = ""
) -> None:
    """Check a document against a schema of :data:`NAMES` or :data:`PACKAGE_NAMES`.

    Raises:
        InputError: or the given subclass: names ``path``, the place in it and what is wrong there.
    """
    from jsonschema.exceptions import best_match

    worst = best_match(_validators()[schema].iter_errors(document))
    if worst is not None:
        place = "/".join(str(part) for part in worst.absolute_path)
        where = f" at {place!r}" if place else ""
        message = worst.message if len(worst.message) <= 200 else worst.message[:200] + "…"
        raise error(f"{path} is not a valid {schema} file{where}: {message}", remedy)
