"""Structured records around messages, as logs have them and as the rules open them again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from random import Random
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from logexport.logs.preprocess import Preprocess
    from logexport.logs.structured import StructuredForm

_TIME = "2024-06-14T{hour:02d}:{minute:02d}:{second:02d}.5Z"


class StructuredLines:
    """Puts messages into the structured forms of the rules."""

    def __init__(self, preprocess: Preprocess, random: Random) -> None:
        self._forms = preprocess.structured
        self._session_key = preprocess.session.field
        self._random = random
        self._ticks = 0

    def put_around(
        self, text: str, slot: int, kept: Mapping[str, str | None] = MappingProxyType({})
    ) -> str:
        """The text as the message of a line of some form; as it is if the rules have none.

        Args:
            text: the message.
            slot: the number of a session.
            kept: values of fields; None is one that the line must not have.
        """
        self._ticks += 1
        if not self._forms or self._random.random() < 0.03:
            return text
        if len(self._forms) > 1 and self._random.random() < 0.5:
            text = self._write(self._random.choice(self._forms[1:]), text, slot, kept)
        return self._write(self._forms[0], text, slot, kept)

    def pieces(self, text: str) -> list[str]:
        """The text in two lines, if a form has pieces; else nothing."""
        middle = len(text) // 2
        time = self._time()
        for form in self._forms:
            if form.form == "cri":
                return [f"{time} stdout P {text[:middle]}", f"{time} stdout F {text[middle:]}"]
            if form.form == "docker":
                return [
                    json.dumps({"log": piece, "stream": "stdout", "time": time})
                    for piece in (text[:middle], text[middle:] + "\n")
                ]
        return []

    def _time(self) -> str:
        second = self._ticks
        return _TIME.format(hour=second // 3600 % 24, minute=second // 60 % 60, second=second % 60)

    def _write(
        self, form: StructuredForm, text: str, slot: int, kept: Mapping[str, str | None]
    ) -> str:
        time = kept.get("timestamp") or self._time()
        if form.form == "cri":
            return f"{time} {self._random.choice(('stdout', 'stderr'))} F {text}"
        if form.form == "docker":
            document = {"log": text + "\n", "stream": "stdout", "time": time}
            if "timestamp" in kept and kept["timestamp"] is None:
                del document["time"]
            return self._json(document)
        values = {name: f"{field}-{slot}" for field, name in form.names().items()}
        if self._session_key is not None:
            values[self._session_key] = f"session-{slot}"
        if form.timestamp is not None:
            values[form.timestamp] = time
        for field, name in form.names().items():
            if field in kept:
                value = kept[field]
                values.pop(name, None)
                if value is not None:
                    values[name] = value
        assert form.message is not None  # noqa: S101 - json and logfmt have it
        values.pop(form.message, None)
        items = [*values.items(), (form.message, text)]
        self._random.shuffle(items)
        if form.form == "logfmt":
            return " ".join(f"{name}={json.dumps(value)}" for name, value in items)
        return self._json(_nest(items))

    def _json(self, document: dict[str, Any]) -> str:
        compact = self._random.random() < 0.5
        return json.dumps(
            document,
            ensure_ascii=self._random.random() < 0.5,
            separators=(",", ":") if compact else (", ", ": "),
        )


def _nest(items: list[tuple[str, str]]) -> dict[str, Any]:
    """Values under their names, whose parts before dots are objects if that is possible."""
    document: dict[str, Any] = {}
    for name, value in items:
        *outer, last = name.split(".")
        inner = document
        for key in outer:
            following = inner.setdefault(key, {})
            if not isinstance(following, dict):
                break
            inner = following
        else:
            if last not in inner:
                inner[last] = value
    return document
