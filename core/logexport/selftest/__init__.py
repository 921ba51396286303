"""Logs made from a vocabulary, and the verdicts that a bundle gives of them."""

from __future__ import annotations

from logexport.selftest.rendering import RenderedLog, render_selftest
from logexport.selftest.writing import write_selftest

__all__ = ["RenderedLog", "render_selftest", "write_selftest"]
