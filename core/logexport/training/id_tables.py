"""Tables that say which template an id stands for: parsed logs, ours and other parsers'.

A table is parquet, or CSV with a line of column names, of a row a line or a row a template:
``parsed.parquet`` (``template_id``, ``template``), logparser's ``NAME_structured.csv`` and
``NAME_templates.csv`` (``EventId``, ``EventTemplate``), or another with such columns. The column of
ids is the one that holds those of the vocabulary. An id may be dressed differently there, be its
number alone, or be hashed in the vocabulary: of the readings in :data:`READINGS` the first that
finds the most ids is taken.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from logexport.errors import InputError
from logexport.ids import counter_of, is_special, undress
from logexport.training.line_tables import PARSED
from logexport.training.tables import open_table
from logexport.vocab import RESERVED_MARK

__all__ = ["READINGS", "IdTable", "read_id_table"]

_ID_NAMES = ("templateid", "eventid", "clusterid", "logkey", "keyid")
_TEMPLATE_NAMES = ("template", "eventtemplate", "templatemined", "logtemplate")
_LINE_NAMES = ("lineno", "lineid")
_MOST_PAIRS = 1 << 17
"""Pairs of a value and a template that a column of ids may have."""

_REMEDY = (
    "Name by --parsed the file that the parser of these ids wrote: parsed.parquet, logparser's"
    " NAME_structured.csv or NAME_templates.csv, or a parquet or CSV file of your own with the"
    " columns template_id and template."
)

_Pairs: TypeAlias = dict[tuple[str, str], int]  # (value, template) to the last line with both


@dataclass(frozen=True)
class IdTable:
    """The templates of a vocabulary's ids.

    Args:
        history: (id as the vocabulary has it, template), in the order of their last lines; an
            entry of the vocabulary that is a template itself stands for that.
        id_column, template_column: where they stand.
        reading: a key of :data:`READINGS`, how an id was found in its column.
    """

    history: list[tuple[str, str]]
    id_column: str
    template_column: str
    reading: str


def read_id_table(path: Path, entries: Collection[str]) -> IdTable:
    """Find the templates of the ids of a vocabulary.

    Args:
        path: a parquet or CSV file.
        entries: of the vocabulary; labels of reserved indices may be among them.

    Raises:
        InputError: not such a file, or none of its columns holds these ids or the templates.
    """
    with _open_columns(path) as (names, rows):
        template_column = next(
            (name for wanted in _TEMPLATE_NAMES for name in names if _plain(name) == wanted), None
        )
        if template_column is None:
            raise InputError(
                f"{path} has no column of templates; it has {', '.join(names)[:300]}", _REMEDY
            )
        columns = _collect(names, template_column, rows)
    ids = [one for one in entries if not one.startswith(RESERVED_MARK) and not is_special(one)]
    best: tuple[int, IdTable] | None = None
    for group in (True, False):
        for column, pairs in columns.items():
            if (_plain(column) in _ID_NAMES) != group or not (group or _tells_templates(pairs)):
                continue
            for reading, find in READINGS.items():
                owners = find(ids, pairs)
                if owners and (best is None or len(owners) > best[0]):
                    history = _history(owners, pairs) + _own_templates(ids, owners, pairs)
                    best = len(owners), IdTable(history, column, template_column, reading)
        if best is not None and best[0] == len(ids):
            break
    if best is None:
        shown = ", ".join(repr(one) for one in ids[:3])
        raise InputError(
            f"No column of {path} holds the ids of the vocabulary ({shown} …), nor what they are"
            f" hashes of; it has {', '.join(names)[:300]}",
            _REMEDY,
        )
    return best[1]


def _plain(name: str) -> str:
    return name.replace("_", "").replace(" ", "").lower()


def _tells_templates(pairs: _Pairs) -> bool:
    """Whether the values of a column and the templates go together, one with one or nearly so."""
    values = {value for value, _ in pairs}
    templates = {template for _, template in pairs}
    return len(pairs) <= 2 * min(len(values), len(templates))


def _history(owners: Mapping[str, str], pairs: _Pairs) -> list[tuple[str, str]]:
    """The pairs in the order of their last lines, by the vocabulary's ids."""
    ids: dict[str, list[str]] = {}
    for one, value in owners.items():
        ids.setdefault(value, []).append(one)
    return [
        (one, template)
        for value, template in sorted(pairs, key=pairs.__getitem__)
        for one in ids.get(value, ())
    ]


def _own_templates(
    ids: Sequence[str], owners: Mapping[str, str], pairs: _Pairs
) -> list[tuple[str, str]]:
    templates = {template for _, template in pairs}
    return [(one, one) for one in ids if one in templates and one not in owners]


# --- how an id is found among the values of a column ----------------------------------------------


def _as_it_is(ids: Sequence[str], pairs: _Pairs) -> dict[str, str]:
    values = {value for value, _ in pairs}
    return {one: one for one in ids if one in values}


def _undressed(ids: Sequence[str], pairs: _Pairs) -> dict[str, str]:
    values = _unambiguous(pairs, lambda value: undress(value).lower())
    return {one: values[key] for one in ids if (key := undress(one).lower()) in values}


def _by_number(ids: Sequence[str], pairs: _Pairs) -> dict[str, str]:
    """Only if every id has a number of its own: ``A_1`` and ``B_1`` are two."""
    numbers = {one: counter_of(one) for one in ids}
    if len(set(numbers.values())) < len(ids):
        return {}
    values = _unambiguous(pairs, counter_of)
    return {one: values[key] for one, key in numbers.items() if key is not None and key in values}


def _by_hash(ids: Sequence[str], pairs: _Pairs) -> dict[str, str]:
    """The ids as the first digits of a hash, of the template (logparser's) or of the value."""
    found: dict[str, str] = {}
    wanted = {undress(one).lower(): one for one in ids}
    lengths = {len(key) for key in wanted if len(key) >= 6}
    for value, template in pairs:
        for text in (template, value):
            for kind in (hashlib.md5, hashlib.sha1, hashlib.sha256):
                digest = kind(text.encode("utf-8", "replace")).hexdigest()  # nosec: names, no secret
                for length in lengths:
                    if digest[:length] in wanted:
                        found[wanted[digest[:length]]] = value
    return found


def _unambiguous(pairs: _Pairs, key_of: Callable[[str], Any]) -> dict[Any, str]:
    """Values by a key, without the keys that several values have."""
    found: dict[Any, str | None] = {}
    for value in {value for value, _ in pairs}:
        key = key_of(value)
        found[key] = None if key in found else value
    return {key: value for key, value in found.items() if value is not None}


READINGS: Mapping[str, Callable[[Sequence[str], _Pairs], dict[str, str]]] = {
    "the same text": _as_it_is,
    "the same without brackets and quotes": _undressed,
    "the same number": _by_number,
    "a hash of the template or of the id": _by_hash,
}
"""How an id of the vocabulary is found among the values of a column: ids to values, by name."""


# --- files ----------------------------------------------------------------------------------------


def _collect(
    names: Sequence[str], template_column: str, rows: Iterator[Sequence[Any]]
) -> dict[str, _Pairs]:
    """The pairs of every column that may hold ids."""
    line_column = next((names.index(n) for n in names if _plain(n) in _LINE_NAMES), None)
    place = names.index(template_column)
    columns: dict[int, _Pairs] = {
        index: {} for index in range(len(names)) if index not in (place, line_column)
    }
    for number, row in enumerate(rows):
        template = row[place]
        if not isinstance(template, str):
            continue
        line = number
        if line_column is not None and str(row[line_column]).isdecimal():
            line = int(row[line_column])
        for index in list(columns):
            value = row[index]
            if isinstance(value, (str, int)):
                pair = (str(value), template)
                pairs = columns[index]
                pairs[pair] = max(pairs.get(pair, line), line)
                if len(pairs) > _MOST_PAIRS:
                    del columns[index]
    return {names[index]: pairs for index, pairs in columns.items()}


@contextmanager
def _open_columns(path: Path) -> Iterator[tuple[list[str], Iterator[Sequence[Any]]]]:
    """The names of a table's columns, and its rows."""
    try:
        with path.open("rb") as stream:
            is_parquet = stream.read(4) == b"PAR1"
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror or error}", "Check the path."
        ) from error
    if is_parquet:
        with open_table(path, PARSED.kind, "parsed lines", _REMEDY) as table:
            names = list(table.names)
            yield names, (row for batch in table.batches(names) for row in batch)
        return
    try:
        with path.open(newline="", encoding="utf-8-sig", errors="replace") as text:
            lines = csv.reader(text, strict=True)
            names = next(lines, [])
            yield names, (row for row in lines if len(row) == len(names))
    except csv.Error as error:
        raise InputError(f"{path} is neither parquet nor CSV: {error}", _REMEDY) from error
