"""Presets: the headers of formats that many programs write, each a file ``NAME.json`` here.

A file holds the keys of :mod:`logexport.schemas`' ``preset``:

- ``name``: as in :data:`NAMES`, and ``writes``: what writes such lines.
- ``headers``: as in ``preprocess.json``, the most specific first.
- ``samples``, each of one record: its ``lines``; the ``header`` that matches them, null if none
  does; its ``fields`` that are not null, with the whole ``message``; and the ``instant`` in UTC, if
  there is one (a year that is not written is 2024). Tests match them by the reference and by the
  engine.

To add one, write its file and put its name in :data:`NAMES`.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

__all__ = ["NAMES", "read_preset"]

NAMES = (
    *("rfc5424", "hdfs", "apache", "syslog", "dmesg", "java-util-logging", "dotnet-console"),
    *("logcat-long", "postgresql", "log4j", "python-logging", "iso8601", "plain"),
)
"""The most specific first: of two that match as many lines, the first is taken."""


@cache
def read_preset(name: str) -> dict[str, Any]:
    """What the file of a preset of :data:`NAMES` holds."""
    from importlib import resources  # ``--help`` names presets and reads none

    text = (resources.files(__package__) / f"{name}.json").read_text(encoding="utf-8")
    document: dict[str, Any] = json.loads(text)
    return document
