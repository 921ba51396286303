"""The rules that a log is read with: what is asked for, completed by what its lines tell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from logexport.errors import InputError
from logexport.logs.growth import describe_growth
from logexport.logs.headers import ALOG_DETECT_HEADERS, PRESETS, Header, headers_of
from logexport.logs.kept import KeptField
from logexport.logs.lines import LogLine
from logexport.logs.masks import MASK_SETS
from logexport.logs.preprocess import LineParser, Preprocess
from logexport.logs.structured import MAX_FORMS, StructuredForm
from logexport.training.formats import find_forms, find_heads, form_with_key
from logexport.training.keeping import KEPT, choose_kept, find_fields

__all__ = ["RulesRequest", "find_growing", "find_rules", "shorten"]

MOST_VALUES = 200
"""A field with more values in the sample of a log does not stay in the event by itself."""
_SHOWN = 200


@dataclass(frozen=True, kw_only=True)
class RulesRequest:
    """How a log is to be read.

    Args:
        format: a name of :data:`logexport.logs.headers.FORMATS`, ``auto`` to find the heads, or
            None to take the headers of ``preprocess``.
        headers: of somebody's own, in the place of those of ``format`` and ``preprocess``.
        preprocess: masks, matching and limits; headers if ``format`` is None, structured forms and
            kept fields if they are not found.
        find_forms: find the structured forms of the log.
        find_kept: keep those of :data:`logexport.training.keeping.KEPT` that the sample has, with
            at most :data:`MOST_VALUES` values, in place of what ``preprocess`` keeps.
        message_key: the key that has the message in JSON or logfmt; None to find it.
        keep, drop: see :func:`logexport.training.keeping.choose_kept`.
    """

    format: str | None = "auto"
    headers: tuple[Header, ...] = ()
    preprocess: Preprocess = field(default_factory=Preprocess)
    find_forms: bool = True
    find_kept: bool = True
    message_key: str | None = None
    keep: tuple[KeptField, ...] = ()
    drop: tuple[str, ...] = ()


def find_rules(request: RulesRequest, lines: Sequence[LogLine]) -> tuple[str, Preprocess]:
    """The name of a log's format (``custom`` if the headers were given), and its rules.

    Args:
        request: see there.
        lines: a sample of the log (:func:`logexport.training.sampling.sample_lines`).

    Raises:
        InputError: no line has the message key, or a rule cannot be used.
        UsageError: what is to be kept or left out does not fit the log.
    """
    rules = request.preprocess
    key = request.message_key
    looks_for_forms = request.find_forms or key is not None
    if rules.version == 1 and (looks_for_forms or request.keep):
        what = "structured records" if looks_for_forms else "kept fields"
        raise InputError(
            f"Rules of version 1 know no {what}",
            "Leave --preprocess out, or name rules of version 2.",
        )
    texts = [rules.decode(line.raw) for line in lines if not line.oversize]
    if request.find_forms:
        rules = replace(rules, structured=find_forms(texts))
    keyed = None if key is None else form_with_key(texts, key, rules.structured)
    rules = _with_form_first(rules, keyed)
    name, headers = _find_headers(request, lines, rules)
    rules = replace(rules, headers=headers)
    if looks_for_forms and headers:
        parser = LineParser(rules)
        parsed = (parser.parse(line.raw) for line in lines if not line.oversize)
        behind = [one.message for one in parsed if one.header is not None and not one.next_line]
        if key is not None and keyed is None:
            keyed = form_with_key(behind, key, rules.structured)
            rules = _with_form_first(rules, keyed)
        if request.find_forms:
            rules = replace(rules, structured=find_forms(behind, rules.structured))
    if key is not None and keyed is None:
        raise InputError(
            f"No line has a text under the key {key!r}; the first one is "
            f"{shorten(next(iter(texts), ''))!r}",
            "Name a key of the JSON or logfmt lines by --message-key; keys inside one another are "
            "joined by dots.",
        )
    fields = find_fields(rules.headers, rules.structured)
    kept = rules.keep
    if request.find_kept:
        few = _fields_of_few_values(lines, rules)
        kept = tuple(one for one in KEPT if one.field in fields and one.field in few)
    return name, replace(rules, keep=choose_kept(kept, fields, request.keep, request.drop))


def find_growing(request: RulesRequest) -> Iterator[str]:
    """Warnings of patterns of somebody's own whose time grows faster than the line.

    The patterns that are shipped are linear, and are not tried.
    """
    headers = request.headers
    if not headers and request.format is None:
        headers = request.preprocess.headers
    own = {header.pattern for of_format in PRESETS.values() for header in of_format}
    own |= {header.pattern for header in ALOG_DETECT_HEADERS}
    tried = [
        (f"header {header.name!r}", header.pattern, True)
        for header in headers
        if header.pattern not in own
    ]
    own = {mask.pattern for of_set in MASK_SETS.values() for mask in of_set}
    tried += [
        (f"mask {mask.name!r}", mask.pattern, False)
        for mask in request.preprocess.masks
        if mask.pattern not in own
    ]
    for what, pattern, anchored in tried:
        warning = describe_growth(what, pattern, anchored)
        if warning is not None:
            yield warning


def _fields_of_few_values(lines: Sequence[LogLine], rules: Preprocess) -> set[str]:
    """The fields that tell events apart: of at most :data:`MOST_VALUES` values in a sample."""
    parser = LineParser(rules)
    values: dict[str, set[str]] = {one.field: set() for one in KEPT}
    for line in lines:
        if not line.oversize:
            for field_name, value in parser.find_fields(rules.decode(line.raw)).items():
                if field_name in values:
                    values[field_name].add(value)
    return {field_name for field_name, found in values.items() if 0 < len(found) <= MOST_VALUES}


def shorten(text: str) -> str:
    """A line's text as it is shown to a person: its first characters."""
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def _find_headers(
    request: RulesRequest, lines: Sequence[LogLine], rules: Preprocess
) -> tuple[str, tuple[Header, ...]]:
    if request.headers:
        return "custom", request.headers
    if request.format is None:
        return "custom", rules.headers
    if request.format == "auto":
        return find_heads(lines, rules)
    return request.format, headers_of(request.format)


def _with_form_first(rules: Preprocess, form: StructuredForm | None) -> Preprocess:
    """The rules with a form before the others, if there is one."""
    if form is None:
        return rules
    return replace(rules, structured=(form, *rules.structured)[:MAX_FORMS])
