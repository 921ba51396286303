"""Vocabulary files: both forms, what is refused and how to repair it.

Training form ``{"template": index}`` and engine form ``{"index": "template"}``; both are read, and
told apart by the type of their values. An entry whose string begins with a line feed is the label
of a reserved index (``"\\nunknown"``): no line holds a line feed, so nothing ever matches it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from logexport.errors import InputError, UsageError, VocabularyError
from logexport.files import read_json, write_json
from logexport.types import LoadedModel, ModelRequest, NextEventTopK, Vocabulary

__all__ = [
    "RESERVED_MARK",
    "engine_form",
    "load_vocab",
    "looks_like_ids",
    "read_entries",
    "read_id_entries",
    "repair",
    "reserved_label",
    "save_training_vocab",
    "training_form",
]

RESERVED_MARK = "\n"
MAX_VOCAB_BYTES = 256 << 20
_ID = re.compile(r"[A-Za-z]?[0-9]+", re.ASCII)
_INDEX = re.compile(r"0|[1-9][0-9]*", re.ASCII)


def reserved_label(name: str) -> str:
    """The vocabulary string of a reserved index."""
    return RESERVED_MARK + name


def looks_like_ids(strings: Iterable[str]) -> bool:
    """Whether all strings are ids (``1``, ``E12``) and so cannot be what a line is matched with."""
    return all(_ID.fullmatch(string) for string in strings)


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
    if looks_like_ids(indices):
        sizes = (
            f" (and it has {len(indices)} entries where the checkpoint has {expected_size})"
            if expected_size not in (None, len(indices))
            else ""
        )
        raise VocabularyError(
            f"{path} has template ids where template strings belong:"
            f" {_first(indices)}{sizes}; no log line can be matched with an id",
            f"Run `logexport fix-vocab --parsed parsed.parquet --old-vocab {path} --output"
            " vocab.json`, which puts each id's template string at the same index.",
        )
    size = len(indices)
    if expected_size is not None and size != expected_size:
        raise VocabularyError(
            f"{path} has {size} entries but the checkpoint was trained with {expected_size}",
            "Name the vocabulary that this checkpoint was trained with (--vocab).",
        )
    templates = [""] * size
    for template, index in indices.items():
        templates[index] = template
    reserved = {
        template[len(RESERVED_MARK) :]: index
        for index, template in enumerate(templates)
        if template.startswith(RESERVED_MARK)
    }
    return Vocabulary(tuple(templates), reserved)


def read_entries(path: Path) -> dict[str, int]:
    """Read the entries of either form, ids as keys allowed: string to index, indices 0 … n-1.

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
    return _checked(path, pairs, rebuild)


def read_id_entries(path: Path) -> dict[str, int]:
    """Read a vocabulary that holds template ids: id to index.

    Raises:
        VocabularyError: it holds template strings already, or see :func:`load_vocab`.
    """
    entries = read_entries(path)
    if not looks_like_ids(entries):
        strings = [string for string in entries if not _ID.fullmatch(string)]
        raise VocabularyError(
            f"{path} holds template strings, not template ids: {_first(strings)}",
            "It needs no repair: name it by --vocab.",
        )
    return entries


def _checked(path: Path, pairs: list[tuple[str, int]], remedy: str) -> dict[str, int]:
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
    missing = [index for index in range(len(pairs)) if index not in owners]
    if missing:
        beyond = sorted(index for index in owners if index >= len(pairs))
        raise VocabularyError(
            f"{path} has gaps: {len(pairs)} entries, but no index {_first(missing)}"
            f" (and {_first(beyond)} beyond the end)",
            remedy,
        )
    return seen


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
    missing = [template_id for template_id in entries if template_id not in known]
    if missing and not allow_missing:
        raise VocabularyError(
            f"{source} has no line of the template ids {_first(missing)}",
            "Name the parsed file of the whole training log, or reserve these indices with"
            " --allow-missing: no line will ever match them.",
        )
    templates = [""] * len(entries)
    reserved: dict[str, int] = {}
    owner: dict[str, str] = {}
    clashes = []
    for template_id, index in entries.items():
        if template_id not in known:
            name = f"missing:{template_id}"
            reserved[name] = index
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
    return Vocabulary(tuple(templates), reserved), several


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
            "Name the vocabulary that this checkpoint was trained with (--vocab).",
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
