"""The templates of a parsed log: counted with an example each, judged, and as a list to edit.

A list is a text file with one template a line, or a vocabulary. A line that is a JSON string stands
for that string: so are templates written that hold a line feed (the token of a kept field that a
line lacks) or are empty. A blank line is nothing.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from logexport.errors import InputError
from logexport.files import read_bounded
from logexport.logs.kept import kept_tokens
from logexport.logs.lines import tokens
from logexport.logs.matching import MARK_WILDCARD, WILDCARD
from logexport.logs.preprocess import LineParser, Preprocess
from logexport.logs.wildcards import WildcardFinder, are_too_many
from logexport.training.keeping import find_fields, parse_kept
from logexport.training.line_tables import ParsedRow, read_parsed
from logexport.training.rules import MOST_VALUES, shorten
from logexport.vocab import RESERVED_MARK, load_vocab

__all__ = [
    "TemplateCount",
    "TemplateTally",
    "count_templates",
    "read_templates",
    "write_template",
]

PARSED, PREPROCESS = "parsed.parquet", "preprocess.json"

_SHOWN = 3  # templates that are warned of
_SPLITS = 0.8  # of a template's records: the largest part that they may be left with
_OFTEN = 0.02  # of a template's records: a word that is worth a template of its own
_MOST_WORDS = 20  # that are worth one, at a place
_COUNTED = 1000  # different words that are counted at a place
_LEAST = 20  # records of a log that should have more than one template
_NAMED = 5  # words that a warning names
_NEVER_KEPT = ("timestamp", "message")


@dataclass
class TemplateCount:
    """A template with its records.

    Args:
        template: None for the records that have none.
        records: how many there are.
        line_no, raw: of the first one.
    """

    template: str | None
    records: int
    line_no: int
    raw: bytes | None


@dataclass(frozen=True)
class TemplateTally:
    """The templates of a parsed log.

    Args:
        path: the parsed file.
        records: how many it has, those that were too long included.
        oversize: how many were too long.
        counts: a template each, in the order that was asked for.
        unseen: the records that match no template of a given list; None if there are none.
        warnings: sentences for a person.
    """

    path: Path
    records: int
    oversize: int
    counts: tuple[TemplateCount, ...]
    unseen: TemplateCount | None
    warnings: tuple[str, ...]

    def share(self, count: TemplateCount) -> float:
        """The share of all records."""
        return count.records / self.records

    def to_json(self) -> dict[str, Any]:
        """The document of ``logexport templates --json``."""
        return {
            "parsed": str(self.path),
            "records": self.records,
            "oversize": self.oversize,
            "templates": [
                {"template": count.template, **self.describe(count)} for count in self.counts
            ],
            "unseen": None if self.unseen is None else self.describe(self.unseen),
            "warnings": list(self.warnings),
        }

    def describe(self, count: TemplateCount) -> dict[str, Any]:
        """Records, share and example of a template, as :meth:`to_json` has them."""
        text = (count.raw or b"").decode("utf-8", "replace")
        return {
            "records": count.records,
            "share": round(self.share(count), 6),
            "example": {"line": count.line_no, "text": shorten(text)},
        }


def count_templates(work: Path, by_text: bool = False) -> TemplateTally:
    """Count the records of each template of a parsed log.

    Args:
        work: what ``logexport parse`` wrote: the directory, or its ``parsed.parquet``.
        by_text: order the templates by their text, in code point order.

    Raises:
        InputError: there is no such file, or it holds no record.
    """
    path = work / PARSED if work.is_dir() else work
    parsed = read_parsed(path)
    counts: dict[str | None, TemplateCount] = {}
    records = oversize = 0
    for row in parsed:
        records += 1
        if row.template is None and row.raw is None:
            oversize += 1
            continue
        count = counts.get(row.template)
        if count is None:
            count = counts[row.template] = TemplateCount(row.template, 0, row.line_no, row.raw)
        count.records += 1
    if not records:
        raise InputError(f"{path} holds no record", "Parse a log that is not empty.")
    unseen = counts.pop(None, None)
    ordered = sorted(counts.values(), key=lambda one: (-one.records, one.template or ""))
    warnings = _find_warnings(path, parsed, ordered, records)
    if by_text:
        ordered.sort(key=lambda one: one.template or "")
    return TemplateTally(path, records, oversize, tuple(ordered), unseen, warnings)


# --- warnings -------------------------------------------------------------------------------------


class _Suspect:
    """A template that is mostly wildcards and has much of the log, and what would divide it.

    Args:
        template: the template.
        names: fields that are not kept and could be.
    """

    def __init__(self, template: str, names: Iterable[str]) -> None:
        self.template = template
        self.records = 0
        self.fields: dict[str, Counter[str]] = {name: Counter() for name in names}
        self.words: dict[int, Counter[str]] = {
            place: Counter() for place, token in enumerate(tokens(template)) if token == WILDCARD
        }

    def add(self, masked: Sequence[str], fields: Mapping[str, str]) -> None:
        """Count a record of the template."""
        self.records += 1
        for place, words in self.words.items():
            _count(words, masked[place])
        for name, values in self.fields.items():
            _count(values, kept_tokens((parse_kept(name),), fields)[0])

    def describe(self, records: int, is_only: bool) -> str:
        """What is wrong with the template."""
        shown = repr(shorten(self.template))
        if is_only:
            return (
                f"The template {shown} is the only one, of all {records:,} records: there is"
                " nothing for a model to learn."
            )
        return (
            f"The template {shown} is nearly all wildcards, and {self.records / records:.0%} of the"
            " records are of it."
        )

    def find_remedy(self) -> str:
        """What divides the records of the template, tried on these records."""
        largest = {
            name: max(values.values()) / self.records
            for name, values in self.fields.items()
            if 1 < len(values) <= MOST_VALUES
        }
        name = min(largest, key=lambda one: largest[one], default="")
        if name and largest[name] <= _SPLITS:
            return (
                f"Parse it again with --keep {name}: its lines have {len(self.fields[name])}"
                f" different values there, the most frequent on {largest[name]:.0%} of them"
            )
        for place, words in self.words.items():
            least = self.records * _OFTEN
            often = [
                word
                for word, count in words.most_common(_MOST_WORDS)
                if count >= least and word not in (WILDCARD, MARK_WILDCARD)
            ]
            share = sum(words[word] for word in often) / self.records
            if often and share >= 1 - _SPLITS and words[often[0]] <= self.records * _SPLITS:
                named = ", ".join(map(repr, often[:_NAMED]))
                return (
                    "Write the list of templates to a file (`logexport templates --list`), add"
                    f" templates that have {named} in place of the token {place + 1}, and parse it"
                    f" again with --templates FILE: {share:.0%} of its lines have such a word"
                )
        return (
            "No field and no word tells its lines apart, so that a model learns little from them;"
            " if a part of the line should, give it a name that is kept (action, status, code) by"
            " a --header of your own"
        )


def _count(values: Counter[str], value: str) -> None:
    if value in values or len(values) < _COUNTED:
        values[value] += 1


def _find_warnings(
    path: Path, parsed: Iterable[ParsedRow], counts: Sequence[TemplateCount], records: int
) -> tuple[str, ...]:
    """A sentence for each template that tells little of much of the log, with what to do."""
    if not (path.parent / PREPROCESS).exists():
        return ()
    rules = Preprocess.load(path.parent / PREPROCESS)
    kept = [one.field for one in rules.keep]
    names = [
        name
        for name in find_fields(rules.headers, rules.structured)
        if name not in kept and name not in _NEVER_KEPT
    ]
    suspects = {one: _Suspect(one, names) for one in _find_suspects(rules, counts, records)}
    if suspects:
        parser = LineParser(rules)
        for row in parsed:
            suspect = suspects.get(row.template or "")
            if suspect is not None and row.raw is not None and row.masked is not None:
                first = row.raw.split(b"\n", 1)[0]
                fields = parser.find_fields(parser.decode(first)) if names else {}
                suspect.add(tokens(row.masked), fields)
    return tuple(
        f"{one.describe(records, is_only=len(counts) == 1)} {one.find_remedy()}"
        for one in suspects.values()
    )


def _find_suspects(
    rules: Preprocess, counts: Sequence[TemplateCount], records: int
) -> Sequence[str]:
    """The templates of the most records that are nearly all wildcards, if these have many together;
    the only one of a log, whatever it is."""
    named = [(one.template, one.records) for one in counts if one.template is not None]
    if len(named) == 1 and records >= _LEAST:
        return [named[0][0]]
    finder = WildcardFinder(rules)
    opened = [one for one in named if finder.is_nearly_all_wildcards(one[0])]
    if not are_too_many(sum(held for _, held in opened), records):
        return []
    return [template for template, _ in opened[:_SHOWN]]


# --- lists ----------------------------------------------------------------------------------------


def write_template(template: str) -> str:
    """A template as a line of a list; as a JSON string where the line would be read as another
    thing: as nothing, as two lines, as a string, or, if it is the first, as a vocabulary."""
    is_plain = (
        template.strip() and "\n" not in template and not template.startswith(("{", '"', "\ufeff"))
    )
    return template if is_plain else json.dumps(template, ensure_ascii=False)


def read_templates(path: Path) -> list[str]:
    """Read a list of templates, or those of a vocabulary.

    Returns:
        each once, its tokens joined by one blank, in the order of the file.

    Raises:
        InputError: the file cannot be read or holds no template.
    """
    remedy = "Name a file with one template a line, such as `logexport templates --list` writes."
    data = read_bounded(path, "a list of templates")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"The templates {path} are not UTF-8: {error.reason}", remedy) from error
    if _is_object(text):
        found: Iterable[str] = load_vocab(path).templates
    else:
        lines = (line.removesuffix("\r") for line in text.split("\n"))
        found = (_read_line(line) for line in lines if line.strip())
    templates = {" ".join(tokens(one)): None for one in found if not one.startswith(RESERVED_MARK)}
    if not templates:
        raise InputError(f"The file {path} holds no template", remedy)
    return list(templates)


def _is_object(text: str) -> bool:
    if not text.lstrip().startswith("{"):
        return False
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def _read_line(line: str) -> str:
    string = _read_string(line)
    return line if string is None else string


def _read_string(line: str) -> str | None:
    """The string that a line of a list holds as JSON; None if it is a template as it is."""
    if not line.startswith('"'):
        return None
    try:
        string = json.loads(line)
    except ValueError:
        return None
    return string if isinstance(string, str) else None
