"""Vocabulary files: both forms, what is refused and how to repair it.

Training form ``{"template": index}`` and engine form ``{"index": "template"}``; both are read, and
told apart by the type of their values. An entry whose string begins with a line feed is the label
of a reserved index (``"\\nunknown"``): no line holds a line feed, so nothing ever matches it.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from logexport.errors import InputError, UsageError, VocabularyError
from logexport.files import read_json, write_json
from logexport.ids import find_ids, is_special, is_unknown
from logexport.types import LoadedModel, ModelRequest, NextEventTopK, Vocabulary

__all__ = [
    "RESERVED_MARK",
    "engine_form",
    "fix_command",
    "load_vocab",
    "looks_like_ids",
    "read_entries",
    "read_id_entries",
    "repair",
    "reserve",
    "reserved_label",
    "save_training_vocab",
    "training_form",
    "vocabulary_of",
    "with_reserved",
]

RESERVED_MARK = "\n"
MAX_VOCAB_BYTES = 256 << 20
MAX_ENTRIES = 1 << 20
"""Most entries that a vocabulary is filled up to."""
_INDEX = re.compile(r"0|[1-9][0-9]*", re.ASCII)


def reserved_label(name: str) -> str:
    """The vocabulary string of a reserved index."""
    return RESERVED_MARK + name


def looks_like_ids(strings: Iterable[str]) -> bool:
    """Whether a vocabulary's strings are ids (``1``, ``E12``, hashes), which no line can match.

    By the rules of :mod:`logexport.ids`; labels of reserved indices are left out.
    """
    return bool(find_ids(_templates_of(strings)))


def _templates_of(strings: Iterable[str]) -> list[str]:
    return [string for string in strings if not string.startswith(RESERVED_MARK)]


def _first(entries: Iterable[Any], count: int = 3) -> str:
    shown = list(entries)
    more = f" and {len(shown) - count} more" if len(shown) > count else ""
    texts = (json.dumps(entry, ensure_ascii=False) for entry in shown[:count])
    return ", ".join(text if len(text) <= 100 else text[:100] + "…" for text in texts) + more


def load_vocab(path: Path, expected_size: int | None = None) -> Vocabulary:
    """Read a vocabulary file of either form.

    Args:
        path: a JSON file.
        expected_size: number of entries that the checkpoint has, if there is one to fit.

    Raises:
        VocabularyError: not a file, not JSON, no entries, ids in place of templates, duplicate
            templates or JSON keys, gaps, negative indices, or a size that does not fit; the message
            names the file and the first offending entries, the remedy the command that repairs it.
    """
    indices = read_entries(path)
    ids = find_ids(_templates_of(indices))
    if ids:
        sizes = (
            f" (and it has {len(indices)} entries where the checkpoint has {expected_size})"
            if expected_size not in (None, len(indices))
            else ""
        )
        raise VocabularyError(
            f"{path} has template ids where template strings belong:"
            f" {_first(ids)}{sizes}; no log line can be matched with an id",
            f"Run `{fix_command(path, f'--parsed {shlex.quote(_parsed_beside(path))}')}`, which"
            " puts each id's template string at the same index; --parsed names the file that has"
            " both, as the parser that gave the ids wrote it.",
        )
    size = len(indices)
    if expected_size is not None and size != expected_size:
        raise VocabularyError(
            f"{path} has {size} entries but the checkpoint was trained with {expected_size}",
            _size_remedy(path, size, expected_size),
        )
    return vocabulary_of(indices)


def vocabulary_of(entries: Mapping[str, int]) -> Vocabulary:
    """The vocabulary of entries without gaps, string to index."""
    return _vocabulary(sorted(entries, key=entries.__getitem__))


def _vocabulary(strings: Sequence[str]) -> Vocabulary:
    reserved = {
        string[len(RESERVED_MARK) :]: index
        for index, string in enumerate(strings)
        if string.startswith(RESERVED_MARK)
    }
    return Vocabulary(tuple(strings), reserved)


def fix_command(path: Path, what: str) -> str:
    """The command that writes a mended vocabulary beside the one at ``path``."""
    fixed = shlex.quote(str(path.with_name(f"fixed-{path.name}")))
    return f"logexport fix-vocab {what} --old-vocab {shlex.quote(str(path))} --output {fixed}"


def _parsed_beside(path: Path) -> str:
    """The parsed log beside a vocabulary, or the name that it mostly has."""
    for pattern in ("parsed.parquet", "*_structured.csv", "*_templates.csv"):
        found = sorted(path.parent.glob(pattern))
        if found:
            return str(found[0])
    return "parsed.parquet"


def _size_remedy(path: Path, size: int, expected: int) -> str:
    """What to do about a vocabulary that has another size than the model."""
    name_it = "Name the vocabulary that this checkpoint was trained with (--vocab)."
    if size > expected:
        return name_it
    return (
        f"{name_it} If it is this one, the model has indices that stand for no template, such as"
        " padding: reserve those at the end by"
        f" `{fix_command(path, f'--entries {expected}')}`, or one before the templates by"
        " --reserve padding=0 in place of --entries, and name the new file by --vocab."
    )


def read_entries(path: Path, allow_gaps: bool = False) -> dict[str, int]:
    """Read the entries of either form, ids as keys allowed: string to index, indices 0 … n-1.

    Args:
        path: a JSON file.
        allow_gaps: indices may be missing; none is :data:`MAX_ENTRIES` or more.

    Raises:
        VocabularyError: see :func:`load_vocab`.
    """
    document = read_json(path, "a vocabulary", MAX_VOCAB_BYTES, VocabularyError)
    rebuild = "Build it anew with `logexport deeplog build`, or repair the named entries."
    if not isinstance(document, dict):
        raise VocabularyError(f"{path} is not a vocabulary: not a JSON object", rebuild)
    if not document:
        raise VocabularyError(f"{path} is a vocabulary without entries", rebuild)
    strings = all(isinstance(value, str) for value in document.values())
    numbers = all(
        isinstance(value, int) and not isinstance(value, bool) for value in document.values()
    )
    if numbers:
        pairs = [(template, index) for template, index in document.items()]
    elif strings and all(_INDEX.fullmatch(key) for key in document):
        pairs = [(template, int(key)) for key, template in document.items()]
    else:
        raise VocabularyError(
            f"{path} is neither of a vocabulary's forms,"
            ' {"template": index} or {"index": "template"}:'
            f" first entries {_first(map(list, document.items()))}",
            rebuild,
        )
    return _checked(path, pairs, rebuild, allow_gaps)


def read_id_entries(path: Path) -> dict[str, int]:
    """Read a vocabulary that holds template ids: id to index.

    Raises:
        VocabularyError: it holds template strings already, or see :func:`load_vocab`.
    """
    entries = read_entries(path)
    if not looks_like_ids(entries):
        raise VocabularyError(
            f"{path} holds template strings, not template ids: {_first(_templates_of(entries))}",
            "It needs no repair: name it by --vocab.",
        )
    return entries


def _checked(
    path: Path, pairs: list[tuple[str, int]], remedy: str, allow_gaps: bool
) -> dict[str, int]:
    negative = [list(pair) for pair in pairs if pair[1] < 0]
    if negative:
        raise VocabularyError(f"{path} has negative indices: {_first(negative)}", remedy)
    seen: dict[str, int] = {}
    repeated = []
    for template, index in pairs:
        if template in seen:
            repeated.append([template, seen[template], index])
        seen.setdefault(template, index)
    if repeated:
        raise VocabularyError(
            f"{path} has one template at several indices: {_first(repeated)}", remedy
        )
    owners: dict[int, str] = {}
    doubled = []
    for template, index in pairs:
        if index in owners:
            doubled.append([index, owners[index], template])
        owners.setdefault(index, template)
    if doubled:
        raise VocabularyError(
            f"{path} has one index for several templates: {_first(doubled)}", remedy
        )
    if not (allow_gaps and max(owners) < MAX_ENTRIES):
        _refuse_gaps(path, seen, remedy)
    return seen


def _refuse_gaps(path: Path, entries: Mapping[str, int], remedy: str) -> None:
    taken = set(entries.values())
    missing = [index for index in range(len(taken)) if index not in taken]
    if not missing:
        return
    beyond = sorted(index for index in taken if index >= len(taken))
    if beyond[-1] < MAX_ENTRIES:
        remedy += (
            " If the missing indices stand for no template (padding, unknown events), reserve them"
            f" by `{fix_command(path, f'--entries {beyond[-1] + 1}')}`."
        )
    raise VocabularyError(
        f"{path} has gaps: {len(taken)} entries, but no index {_first(missing)}"
        f" (and {_first(beyond)} beyond the end)",
        remedy,
    )


def reserve(
    path: Path,
    entries: Mapping[str, int],
    names: Sequence[tuple[str, int | None]],
    size: int | None = None,
) -> dict[str, int]:
    """Add reserved entries to those of a vocabulary.

    Args:
        path: the vocabulary, for messages.
        entries: string to index, as :func:`read_entries` gives it; there may be gaps.
        names: of the new entries, each with its index, or None for the first that is free. If the
            index has an entry, that and all above it move up by one.
        size: the entries that there shall be; the indices that are still free are reserved as
            ``unused:INDEX``. None leaves none free either, but adds no entry.

    Returns:
        string to index, without gaps; a reserved entry under its label.

    Raises:
        UsageError: a name is there already, or an index is beyond all entries.
        VocabularyError: more entries than ``size``, or gaps.
    """
    made = dict(entries)
    for name, wanted in names:
        label = reserved_label(name)
        if not name or RESERVED_MARK in name or label in made:
            raise UsageError(
                f"{path} cannot have a reserved entry {name!r}: the name is empty or there already",
                "Name another one by --reserve.",
            )
        taken = set(made.values())
        index = next(i for i in range(len(taken) + 1) if i not in taken)
        if wanted is not None:
            index = wanted
        if index in taken:
            made = {text: i + (i >= index) for text, i in made.items()}
        made[label] = index
    most = max(made.values()) + 1
    if most > MAX_ENTRIES or (size is not None and not most <= size <= MAX_ENTRIES):
        raise VocabularyError(
            f"{path} has, with what is reserved, the indices 0 to {most - 1}, which is not within"
            f" {MAX_ENTRIES if size is None else size} entries",
            f"Name the number of the checkpoint's classes by --entries, at most {MAX_ENTRIES:,}.",
        )
    taken = set(made.values())
    for index in range(size or 0):
        if index not in taken:
            made[reserved_label(f"unused:{index}")] = index
    _refuse_gaps(path, made, "Name the number of the checkpoint's classes by --entries.")
    return made


def with_reserved(vocab: Vocabulary, names: Sequence[str]) -> Vocabulary:
    """The vocabulary with reserved entries of these names, after all others if they are new."""
    labels = [reserved_label(name) for name in names if name not in vocab.reserved]
    return _vocabulary((*vocab.templates, *labels))


def training_form(vocab: Vocabulary) -> dict[str, int]:
    """``{"template": index}`` in the order of the indices."""
    return {template: index for index, template in enumerate(vocab.templates)}


def engine_form(vocab: Vocabulary) -> dict[str, str]:
    """``{"index": "template"}`` in the order of the indices."""
    return {str(index): template for index, template in enumerate(vocab.templates)}


def save_training_vocab(vocab: Vocabulary, path: Path) -> None:
    """Write the training form, atomically: one entry a line, UTF-8."""
    write_json(path, training_form(vocab))


def repair(
    entries: Mapping[str, int],
    history: Iterable[tuple[str, str]],
    source: Path,
    allow_missing: bool = False,
) -> tuple[Vocabulary, dict[str, list[str]]]:
    """Turn an id-keyed vocabulary into a template-keyed one, every index kept.

    Args:
        entries: template id to index, as :func:`read_entries` gives it.
        history: (template id, template) of the parsed log in the order of line numbers.
        source: the parsed file, for messages.
        allow_missing: reserve the index of an id without a template under a label that no line can
            match, instead of refusing.

    Entries that are reserved stay so. One that names padding or unknown events and is not an id of
    the log is reserved, ``unknown`` if it is the first for unknown events.

    Returns:
        the vocabulary, and the ids that have had several templates with all of them in the order in
        which they came; the last is the one taken.

    Raises:
        VocabularyError: an id without a template, or two ids with one template.
    """
    known: dict[str, dict[str, None]] = {}
    for template_id, template in history:
        of_id = known.setdefault(template_id, {})
        of_id.pop(template, None)  # the dict's order is that of the last line of each
        of_id[template] = None
    reserved = _reserved_of(entries, known)
    missing = [entry for entry in entries if entry not in known and entry not in reserved]
    if missing and not allow_missing:
        raise VocabularyError(
            f"{source} has no line of the template ids {_first(missing)}",
            "Name the parsed file of the whole training log, or reserve these indices with"
            " --allow-missing: no line will ever match them.",
        )
    templates = [""] * len(entries)
    owner: dict[str, str] = {}
    clashes = []
    for template_id, index in entries.items():
        if template_id not in known:
            name = reserved.get(template_id, f"missing:{template_id}")
            templates[index] = reserved_label(name)
            continue
        template = next(reversed(known[template_id]))
        if template in owner:
            clashes.append([owner[template], template_id, template])
        owner[template] = template_id
        templates[index] = template
    if clashes:
        raise VocabularyError(
            f"{source} gives two template ids one template: {_first(clashes)}; which index a line"
            " of it means cannot be known",
            "Parse the log anew and retrain.",
        )
    several = {
        template_id: list(known[template_id])
        for template_id in entries
        if len(known.get(template_id, ())) > 1
    }
    return _vocabulary(templates), several


def _reserved_of(entries: Mapping[str, int], known: Mapping[str, Any]) -> dict[str, str]:
    """The names under which entries are reserved that are neither ids nor templates."""
    names: dict[str, str] = {}
    for entry in entries:
        if entry.startswith(RESERVED_MARK):
            names[entry] = entry[len(RESERVED_MARK) :]
        elif is_special(entry) and entry not in known:
            is_first = is_unknown(entry) and reserved_label("unknown") not in entries
            is_first = is_first and "unknown" not in names.values()
            names[entry] = "unknown" if is_first else f"special:{entry}"
    return names


def check_fits_model(request: ModelRequest, loaded: LoadedModel, vocab: Vocabulary) -> None:
    """Refuse a vocabulary that the checkpoint was not trained with.

    Args:
        request: names both files.
        loaded: the checkpoint, read.
        vocab: the vocabulary, read.

    Raises:
        InputError: another number of entries, or another vocabulary than the checkpoint says.
        UsageError: ``top_k`` leaves no event that could be an anomaly.
    """
    if len(vocab) != loaded.vocab_size:
        raise InputError(
            f"{request.vocab} has {len(vocab)} entries but {request.checkpoint} was"
            f" trained with {loaded.vocab_size}",
            _size_remedy(request.vocab, len(vocab), loaded.vocab_size),
        )
    trained = loaded.trained_vocab_sha256
    if trained is not None and trained != vocab.sha256():
        raise InputError(
            f"{request.vocab} is not the vocabulary that {request.checkpoint} was"
            f" trained with (sha256 {vocab.sha256()[:12]}…, trained with {trained[:12]}…)",
            "Name the vocabulary that this checkpoint was trained with (--vocab).",
        )
    decision = loaded.task.decision
    if isinstance(decision, NextEventTopK) and decision.top_k >= len(vocab):
        raise UsageError(
            f"top_k {decision.top_k} is not below the vocabulary's {len(vocab)} entries:"
            " no line could ever be an anomaly",
            "Choose a smaller --top-k.",
        )
