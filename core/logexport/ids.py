"""Ids among the entries of a vocabulary: told from templates by what the entries are to each other.

An id stands for a template and is not one, so no line is ever matched by it. Ids come in any
dress: ``E12``, ``Event_0``, ``1.0``, ``(0,)``, ``"T-17"``, hashes, UUIDs. A single short entry can
be both, since ``E1001`` is a message somewhere; a whole vocabulary is not. Rules:

- A *counter* is a run of digits, a UUID, or a run of hexadecimal digits that stands alone: of 8 and
  more, or of 6 and more that has both digits and letters. The *stem* of an entry is what it is
  without its counters.
- An entry is an id by itself if it has digits and no letter outside a hash or UUID, or one letter
  before digits.
- Entries of one word are ids if they have the same stem and a counter, or the same stem and one
  last letter behind a separator (``Event_A``); at least 2 of them, 3 if by the letter.
- Entries of one word, at least 3 of the same length of 8 and more, that look drawn (digits between
  letters, no separators) are ids.
- Entries of two to four words that end in a counter are ids if all of the vocabulary has their
  stem, there are at least 4, and their numbers count from near 0 with few gaps.
- What holds a wildcard or a mark (``<*>``, ``<NUM>``, ``eth<ID>``) is a template.
- A vocabulary holds ids if more than half of its entries are; the empty text and names of padding
  and unknown events (``<unk>``, ``PAD``) do not count.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping

__all__ = ["counter_of", "find_ids", "is_special", "is_unknown", "undress"]

LONGEST_ID = 200
"""Characters of the longest id; what is longer is a template."""

_UUID = r"[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}"
_MIXED = r"(?=[0-9]*[a-fA-F])(?=[a-fA-F]*[0-9])[0-9a-fA-F]{6,}"
_HASH = re.compile(
    rf"(?<![0-9A-Za-z])(?:0[xX])?(?:{_UUID}|[0-9a-fA-F]{{8,}}|{_MIXED})(?![0-9A-Za-z])"
)
_NUMBER = re.compile(r"[0-9]+")
_COUNTER = "\0"

_ONE_LETTER = re.compile(r"[A-Za-z][0-9]+")
_LAST_LETTER = re.compile(r"(\S*[_\-#.:/])[A-Za-z]")
_DRAWN = re.compile(r"(?=[A-Za-z+/]*[0-9])(?=[0-9+/]*[A-Za-z])[A-Za-z0-9+/]{8,}={0,2}")
_TEMPLATE_MARK = re.compile(r"<(?:\*|:?[A-Z][A-Z_-]*:?|\*:[^<>\s]+)>")
_SPECIAL = re.compile(
    r"|[<\[({_]*(?:unk|unknown|unseen|oov|pad|padding|nan)[>\])}_]*"
    r"|[<\[](?:cls|sep|mask|bos|eos|sos|/?s|start|end|none|null)[>\]]",
    re.IGNORECASE,
)
_UNKNOWN = re.compile(r"[<\[({_]*(?:unk|unknown|unseen|oov)[>\])}_]*", re.IGNORECASE)
_DRESS = "()[]{}<>\"'`,;:#= \t"


def is_special(entry: str) -> bool:
    """Whether an entry names padding or unknown events, as ``<unk>``, ``PAD`` and ``""`` do."""
    return _SPECIAL.fullmatch(entry) is not None


def is_unknown(entry: str) -> bool:
    """Whether an entry names what all unknown events are, as ``<unk>`` and ``OOV`` do."""
    return _UNKNOWN.fullmatch(entry) is not None


def undress(entry: str) -> str:
    """An id without brackets, quotes and the like around it: ``T-17`` of ``("T-17",)``."""
    bare = entry.strip(_DRESS)
    return bare[2:].strip(_DRESS) if re.match(r"[bu]['\"]", bare) else bare


def counter_of(entry: str) -> int | None:
    """The one number of an id, 3 of ``Event_3`` and of ``3.0``; None if it has none or several."""
    bare = re.sub(r"(?<=[0-9])\.0+(?![0-9])", "", undress(entry))
    numbers = _NUMBER.findall(bare)
    return int(numbers[0]) if len(numbers) == 1 and len(numbers[0]) <= 18 else None


def find_ids(entries: Iterable[str]) -> tuple[str, ...]:
    """The ids of a vocabulary in their order, if it holds ids in place of templates; else none.

    Args:
        entries: of a vocabulary, without the labels of reserved indices.
    """
    counted = [entry for entry in entries if not is_special(entry)]
    found = _bare_ids(counted) | _families(counted)
    ids = tuple(entry for entry in counted if entry in found)
    if len(ids) * 2 > len(counted) and (len(ids) > 1 or len(counted) == 1):
        return ids
    return tuple(counted) if _is_numbered(counted) else ()


def _bare_ids(entries: Iterable[str]) -> set[str]:
    """Those that are ids by themselves."""
    found = set()
    for entry in entries:
        if len(entry) <= LONGEST_ID and _TEMPLATE_MARK.search(entry) is None:
            bare = undress(entry)
            without = _HASH.sub(_COUNTER, bare)
            has_counter = _COUNTER in without or _NUMBER.search(without) is not None
            is_letterless = not any(character.isalpha() for character in without)
            if _ONE_LETTER.fullmatch(bare) or (has_counter and is_letterless):
                found.add(entry)
    return found


def _families(entries: Iterable[str]) -> set[str]:
    """Those of one word that are ids because others are like them."""
    families: dict[tuple[str, str | int], list[str]] = defaultdict(list)
    for entry in entries:
        if len(entry) > LONGEST_ID or len(entry.split()) != 1 or _TEMPLATE_MARK.search(entry):
            continue
        stem = _stem(entry)
        bare = undress(entry)
        if _COUNTER in stem:
            families["stem", stem].append(entry)
        elif (letter := _LAST_LETTER.fullmatch(bare)) is not None:
            families["letter", letter[1]].append(entry)
        if _DRAWN.fullmatch(bare):
            families["drawn", len(bare)].append(entry)
    least: Mapping[str, int] = {"stem": 2, "letter": 3, "drawn": 3}
    return {
        entry
        for (kind, _), members in families.items()
        if len(members) >= least[kind]
        for entry in members
    }


def _is_numbered(entries: list[str]) -> bool:
    """Whether all are a few words of one stem, and a number that counts them at the end."""
    if len(entries) < 4:
        return False
    numbers = []
    for entry in entries:
        if len(entry) > LONGEST_ID or not 2 <= len(entry.split()) <= 4:
            return False
        if _stem(entry) != _stem(entries[0]) or _COUNTER not in _stem(entry.split()[-1]):
            return False
        number = counter_of(entry)
        if number is not None and _HASH.search(entry) is None:
            numbers.append(number)
    if len(numbers) < len(entries):  # hashes
        return not numbers
    return min(numbers) <= 5 and max(numbers) <= 3 * len(numbers) + 5


def _stem(entry: str) -> str:
    return _NUMBER.sub(_COUNTER, _HASH.sub(_COUNTER, entry))
