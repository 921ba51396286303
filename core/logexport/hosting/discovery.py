"""Entry points of the group ``logexport``, found without ``importlib.metadata`` where that is safe.

Every ``--help`` asks the plugins for their commands and options. Half of what that takes over
``import click, pluggy`` would be the import of ``importlib.metadata`` (it brings the e-mail and the
zip packages along), so the files that it reads are read here: ``entry_points.txt`` of each
distribution in a directory of ``sys.path`` (Python packaging's entry points specification). Where
distributions may lie elsewhere (a zip file, a finder of somebody's own) it is asked itself.
"""

from __future__ import annotations

# Hundreds of directories are looked at, and pathlib takes milliseconds for that.
# ruff: noqa: PTH113, PTH118, PTH123, PTH208
import os
import sys
from collections.abc import Iterable, Iterator
from importlib import import_module
from typing import Any, NamedTuple

_FILES = {".dist-info": "METADATA", ".egg-info": "PKG-INFO"}


class Declaration(NamedTuple):
    """An entry point and who declares it.

    Attributes:
        name, value: as in ``name = value``, ``value`` being ``module`` or ``module:attribute``.
        distribution, version: of the distribution, ``unknown`` where its metadata do not say.
    """

    name: str
    value: str
    distribution: str
    version: str

    def load(self) -> Any:
        """Import what it refers to.

        Raises:
            ValueError: ``value`` refers to nothing that could be imported.
            Exception: whatever the import raises.
        """
        module, _, attributes = self.value.partition("[")[0].partition(":")
        if not module.strip():
            raise ValueError(f"{self.value!r} is neither module nor module:attribute")
        found: Any = import_module(module.strip())
        for attribute in filter(None, attributes.strip().split(".")):
            found = getattr(found, attribute)
        return found


def declarations(group: str) -> list[Declaration]:
    """The entry points of a group, in the order of ``sys.path``; of two versions of one
    distribution the first on it counts, as it does for imports."""
    if _only_directories():
        return list(_scan(sys.path, group))
    from importlib.metadata import entry_points

    return [
        Declaration(
            one.name,
            one.value,
            one.dist.name if one.dist else "unknown",
            one.dist.version if one.dist else "unknown",
        )
        for one in entry_points(group=group)
    ]


def _only_directories() -> bool:
    """Whether all distributions lie in directories of ``sys.path``."""
    finders = [finder for finder in sys.meta_path if hasattr(finder, "find_distributions")]
    own = all(getattr(finder, "__name__", "") == "PathFinder" for finder in finders)
    return own and not any(os.path.isfile(place) for place in sys.path)


def _scan(places: Iterable[str], group: str) -> Iterator[Declaration]:
    seen: set[str] = set()
    for place in places:
        try:
            names = sorted(os.listdir(place or "."))
        except OSError:  # sys.path may name what is not there
            continue
        for name in names:
            suffix = name[-10:] if name.endswith(".dist-info") else name[-9:]
            if suffix not in _FILES:
                continue
            # A directory is NAME-VERSION with no other hyphen; older tools kept dots in NAME.
            own = name.removesuffix(suffix).partition("-")[0].replace(".", "_").lower()
            if own in seen:
                continue
            seen.add(own)
            directory = os.path.join(place, name)
            entries = _entries(_read(os.path.join(directory, "entry_points.txt")), group)
            if entries:
                distribution, version = _identity(_read(os.path.join(directory, _FILES[suffix])))
                for entry, value in entries:
                    yield Declaration(entry, value, distribution, version)


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:  # most distributions have no entry points; some egg-infos are plain files
        return ""


def _entries(text: str, group: str) -> list[tuple[str, str]]:
    """``name = value`` in the section of the group."""
    out = []
    inside = False
    for line in text.splitlines():
        line = line.strip()
        if line.startswith("["):
            inside = line.strip("[]").strip() == group
        elif inside and line and not line.startswith(("#", ";")):
            name, _, value = line.partition("=")
            out.append((name.strip(), value.strip()))
    return out


def _identity(text: str) -> tuple[str, str]:
    """``Name`` and ``Version`` of the metadata's head."""
    found = {"name": "unknown", "version": "unknown"}
    for line in text.splitlines():
        key, colon, value = line.partition(":")
        if not colon:  # the head has ended
            break
        if key.lower() in found:
            found[key.lower()] = value.strip()
    return found["name"], found["version"]
