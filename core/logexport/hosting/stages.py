"""The stages of one model's export: who is told, how long each takes, what the host noticed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

Reporter = Callable[[str, str], None]
"""Called with a model's name and the stage that begins: ``load``, ``validate (native)`` …"""


class Stages:
    """Announces stages and times them.

    Args:
        model: whose stages they are.
        report: told of every stage as it begins, or None.
        notices: the host's, which grow; what is new at a stage's end becomes a warning.

    Attributes:
        seconds: wall time by stage; a stage that comes again adds to its own.
        warnings: sentences for the report.
    """

    def __init__(self, model: str, report: Reporter | None, notices: Sequence[str]) -> None:
        self._model, self._report, self._notices = model, report, notices
        self._noticed = len(notices)
        self.seconds: dict[str, float] = {}
        self.warnings: list[str] = []

    @contextmanager
    def stage(self, name: str, plugin: str = "") -> Iterator[None]:
        """One stage, or a plugin's part in it."""
        if self._report:
            self._report(self._model, f"{name} ({plugin})" if plugin else name)
        began = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - began
            self.warnings += self._notices[self._noticed :]
            self._noticed = len(self._notices)
