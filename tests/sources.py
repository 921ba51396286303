"""The Python that stands for anybody's plugin: the built-in ones, the examples, the scaffold."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

PLUGIN_SOURCES = [
    *(ROOT / "plugins").rglob("*.py"),
    *(ROOT / "native/logexport_native").rglob("*.py"),
    # Not what an example's own environments hold.
    *(p for p in (ROOT / "examples").glob("logexport-*/**/*.py") if ".tox" not in p.parts),
    *(ROOT / "core/logexport/scaffold/templates").rglob("*.py.tmpl"),
]


def python(path: Path) -> str:
    """A file's text; in a template any name stands for the package's."""
    return re.sub("%%[a-z]+%%", "placeholder", path.read_text(encoding="utf-8"))
