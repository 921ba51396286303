"""Which fields stay in the events of a log: what is kept if nobody says otherwise, and who does.

:mod:`logexport.logs.kept` says what becomes of them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import get_args

from logexport.errors import UsageError
from logexport.logs.headers import FIELDS, Header
from logexport.logs.kept import MAX_KEPT, As, KeptField
from logexport.logs.patterns import analyse
from logexport.logs.structured import StructuredForm

__all__ = ["KEPT", "choose_kept", "find_fields", "parse_kept"]

KEPT = (
    KeptField("level"),
    KeptField("priority", "severity"),
    KeptField("method"),
    KeptField("status", "class"),
    KeptField("action"),
    KeptField("code"),
)
"""Fields that stay in the event if a header or a structured form has them, and as what."""
_FIXED = {"docker": ("timestamp",), "cri": ("timestamp",)}
"""The fields of forms that name no keys."""


def parse_kept(text: str) -> KeptField:
    """Read ``FIELD`` or ``FIELD=AS``; without ``AS`` it is that of :data:`KEPT`, else ``text``.

    Raises:
        UsageError: there is no such field, or it cannot be kept so.
    """
    name, equals, form = text.partition("=")
    if name not in FIELDS:
        raise UsageError(
            f"There is no field {name!r} to keep", f"The fields are {', '.join(FIELDS)}."
        )
    if not equals:
        return next((one for one in KEPT if one.field == name), KeptField(name))
    for known in get_args(As):
        if form == known:
            return KeptField(name, known)
    raise UsageError(
        f"The field {name!r} cannot be kept as {form!r}",
        f"Keep it as one of {', '.join(get_args(As))}: --keep {name}=text",
    )


def find_fields(headers: Sequence[Header], forms: Sequence[StructuredForm]) -> tuple[str, ...]:
    """The fields that at least one of the headers or forms has, in the order of ``FIELDS``."""
    found: set[str] = set()
    for header in headers:
        found.update(analyse(header.pattern, f"header {header.name!r}").names)
    for form in forms:
        found.update(_FIXED.get(form.form, form.names()))
    return tuple(field for field in FIELDS if field in found)


def choose_kept(
    kept: Sequence[KeptField],
    fields: Collection[str],
    keep: Sequence[KeptField],
    drop: Sequence[str],
) -> tuple[KeptField, ...]:
    """The fields that stay in the events, in the order of their tokens.

    Args:
        kept: what is kept before ``keep`` and ``drop`` are looked at.
        fields: those that the log's headers and forms have.
        keep: take the place of those of the same name, or are added at the end.
        drop: names of fields to leave out.

    Raises:
        UsageError: no header and no form has a field that is to be kept, a field that is to be left
            out is not kept, a field is named twice, or there are too many.
    """
    chosen = list(kept)
    for name in drop:
        if name not in [one.field for one in chosen]:
            raise UsageError(
                f"The field {name!r} is not kept, so that it cannot be left out",
                f"Leave out --drop {name}; kept are {_list(one.field for one in chosen)}.",
            )
        chosen = [one for one in chosen if one.field != name]
    names = [one.field for one in keep]
    for one in keep:
        if names.count(one.field) > 1 or one.field in drop:
            raise UsageError(
                f"More than one option says what becomes of the field {one.field!r}",
                "Give one --keep or one --drop for each field.",
            )
        if one.field not in fields:
            raise UsageError(
                f"No header and no structured form has the field {one.field!r}",
                f"The log has {_list(fields)}; `logexport heads` shows them.",
            )
        places = [place for place, other in enumerate(chosen) if other.field == one.field]
        if places:
            chosen[places[0]] = one
        else:
            chosen.append(one)
    if len(chosen) > MAX_KEPT:
        raise UsageError(
            f"{len(chosen)} fields are to be kept ({_list(one.field for one in chosen)})",
            f"Keep at most {MAX_KEPT}: leave one out by --drop.",
        )
    return tuple(chosen)


def _list(names: Iterable[str]) -> str:
    return ", ".join(names) or "no fields"
