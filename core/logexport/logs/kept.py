"""Fields that stay in the event: tokens of their own before the message.

Rules (the reference; the engine's ``native/src/kept.c`` has the same):

- ``keep`` in ``preprocess.json`` lists fields in the order of their tokens. Each gives one token of
  every event, before those of the masked message; masks do not see it.
- ``text``: the field as it is, white space at its ends dropped and inside it an underscore for each
  run. ``severity``: of a decimal number the syslog severity (RFC 5424, 6.2.1) of its last three
  bits, else as ``text``. ``class``: of three digits the first one and ``xx``, else as ``text``.
- A field that is null or blank gives :data:`ABSENT`, which no message can hold.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from logexport.errors import InputError
from logexport.logs.headers import FIELDS
from logexport.logs.lines import WHITE_SPACE, tokens

__all__ = ["ABSENT", "KeptField"]

ABSENT = "-\n"
"""The token of a field that a record does not have."""

MAX_KEPT = 8
"""How many fields rules may keep."""

As: TypeAlias = Literal["text", "severity", "class"]
"""What a kept field's token is made of."""
SEVERITIES = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")
_NUMBER = re.compile(r"[0-9]{1,9}")
_STATUS = re.compile(r"[0-9]{3}")


@dataclass(frozen=True)
class KeptField:
    """A field that stays in the event.

    Args:
        field: one of :data:`logexport.logs.headers.FIELDS`.
        form: what its token is made of, ``text``, ``severity`` or ``class``.

    Raises:
        InputError: there is no such field or form.
    """

    field: str
    form: As = "text"

    def __post_init__(self) -> None:
        if self.field not in FIELDS or self.form not in ("text", "severity", "class"):
            raise InputError(
                f"The field {self.field!r} cannot be kept as {self.form!r}",
                f"Keep one of {', '.join(FIELDS)} as text, severity or class.",
            )


def kept_tokens(keep: Sequence[KeptField], values: Mapping[str, str]) -> tuple[str, ...]:
    """The tokens of a record's kept fields."""
    return tuple(_token(one.form, values.get(one.field)) for one in keep)


def _token(form: As, value: str | None) -> str:
    if value is None:
        return ABSENT
    value = value.strip(WHITE_SPACE)
    if form == "severity" and _NUMBER.fullmatch(value):
        return SEVERITIES[int(value) % 8]
    if form == "class" and _STATUS.fullmatch(value):
        return value[0] + "xx"
    return "_".join(tokens(value.replace("\n", " "))) or ABSENT
