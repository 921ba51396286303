"""Texts that a regular expression matches, drawn at random: values that a mask turns back.

A drawn text is a guess: assertions and look-arounds are not looked at. Who draws tries the text on
the real pattern and keeps what works.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from functools import lru_cache
from importlib import import_module
from random import Random
from typing import Any

_MORE = 3
"""Repetitions drawn beyond the fewest that a quantifier asks for."""

_PLAIN = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_PRINTABLE = _PLAIN + "-_./:=+%@#~!$&*,;?^|'\"`()[]{}<>\\ \t"


def draw(pattern: str, random: Random, groups: Mapping[str, str] | None = None) -> str:
    """A text that ``pattern`` (with ``re.ASCII``) probably matches.

    Args:
        pattern: a pattern that compiles.
        random: the source of choices.
        groups: the texts of named groups, taken as they are.
    """
    tree, names = _parse(pattern)
    fixed = {names[name]: text for name, text in (groups or {}).items() if name in names}
    return "".join(_draw(tree, random, fixed))


@lru_cache(maxsize=256)
def _parse(pattern: str) -> tuple[Any, dict[str, int]]:
    # Python's own parser: public as sre_parse up to 3.10, which later versions warn about.
    parser: Any = import_module("re._parser" if sys.version_info >= (3, 11) else "sre_parse")
    tree = parser.parse(pattern, re.ASCII)
    return tree, dict(tree.state.groupdict)


def _draw(tree: Any, random: Random, fixed: Mapping[int, str]) -> list[str]:
    out: list[str] = []
    for op, argument in tree:
        kind = str(op)
        if kind == "LITERAL":
            out.append(chr(argument))
        elif kind in ("NOT_LITERAL", "ANY", "IN"):
            out.append(_character(kind, argument, random))
        elif kind == "BRANCH":
            out += _draw(random.choice(argument[1]), random, fixed)
        elif kind == "SUBPATTERN":
            number, _, _, inner = argument
            out += [fixed[number]] if number in fixed else _draw(inner, random, fixed)
        elif kind in ("MAX_REPEAT", "MIN_REPEAT"):
            low, high, inner = argument
            for _ in range(random.randint(low, min(int(high), low + _MORE))):
                out += _draw(inner, random, fixed)
        elif kind not in ("AT", "ASSERT", "ASSERT_NOT"):
            raise ValueError(f"{kind} is in no portable pattern")
    return out


def _character(kind: str, argument: Any, random: Random) -> str:
    if kind == "ANY":
        return random.choice(_PLAIN)
    if kind == "NOT_LITERAL":
        return random.choice(_PLAIN.replace(chr(argument), ""))
    allowed = _members(tuple((str(op), value) for op, value in argument))
    plain = [char for char in allowed if char in _PLAIN]
    return random.choice(plain or list(allowed) or ["x"])


@lru_cache(maxsize=1024)
def _members(items: tuple[tuple[str, Any], ...]) -> str:
    """The printable ASCII characters of a set, and the others that it lists by themselves."""
    negated = items[0][0] == "NEGATE"
    others = "".join(chr(value) for op, value in items if op == "LITERAL" and value > 127)
    chosen = [char for char in _PRINTABLE if _in(char, items) != negated]
    return "".join(chosen) + ("" if negated else others)


def _in(char: str, items: tuple[tuple[str, Any], ...]) -> bool:
    for op, value in items:
        if op == "LITERAL" and ord(char) == value:
            return True
        if op == "RANGE" and value[0] <= ord(char) <= value[1]:
            return True
        if op == "CATEGORY" and re.match(_CATEGORIES[str(value)], char, re.ASCII):
            return True
    return False


_CATEGORIES = {
    "CATEGORY_DIGIT": r"\d",
    "CATEGORY_NOT_DIGIT": r"\D",
    "CATEGORY_SPACE": r"\s",
    "CATEGORY_NOT_SPACE": r"\S",
    "CATEGORY_WORD": r"\w",
    "CATEGORY_NOT_WORD": r"\W",
}
