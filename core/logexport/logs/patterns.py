r"""Regular expressions that mean the same in Python and in PCRE2.

A pattern is compiled by Python's ``re`` with ``re.ASCII`` and by PCRE2 with ``PCRE2_UTF``, without
``PCRE2_UCP``, newline LF; for masks PCRE2 matches with ``PCRE2_NOTEMPTY``. The text never holds LF.
Only what is listed here is allowed; everything else is refused, because its meaning differs between
the two, or between versions of one of them, or has not been proven the same.

- Literal characters but the special ones; ``\`` before an ASCII punctuation character or space;
  ``\t \n \r \f \a`` and ``\xHH`` (exactly two hexadecimal digits, a code point). ``}`` and ``]``
  are literal; a literal ``{`` is written ``\{``.
- ``.`` and the classes ``\d \D \s \S \w \W`` (ASCII).
- Sets ``[...]`` and ``[^...]`` of literal characters, the escapes above, classes and ranges
  ``a-z``. ``]`` is literal directly after ``[`` or ``[^``; ``-`` is literal only as first or
  last; ``[`` is written ``\[``; no ``--``, ``&&``, ``||``, ``~~``; a set that begins with ``.``,
  ``:`` or ``=`` does not end with the same character.
- ``^ $ \A \b \B``.
- Groups ``(...)``, ``(?:...)``, ``(?P<name>...)``; names ``[A-Za-z_][A-Za-z0-9_]*``, at most 32
  characters. Alternatives ``|``.
- Look-around ``(?=...) (?!...) (?<=...) (?<!...)``; a look-behind has one fixed width and holds no
  other look-around.
- Quantifiers ``* + ? {n} {n,} {n,m}`` with 1 <= m and numbers up to 1000, each also lazy (``*?``);
  not after an assertion or another quantifier, and not after a group that can match the empty text
  (engines disagree on when such a repetition ends).
- A capturing group may be made optional by ``?``; it stands in no other repetition and in no
  look-around (Python before 3.11 forgets or invents such captures).
- At most 4,096 characters, 50 groups deep, 50 capturing groups, and at most about 32 KiB when
  compiled by PCRE2 (which copies a repeated group as often as it may repeat).
"""

from __future__ import annotations

import re
import warnings
from functools import lru_cache

from logexport.errors import InputError
from logexport.logs.syntax import (
    Alternatives,
    AnyChar,
    Assertion,
    Character,
    CharSet,
    Class,
    Facts,
    Group,
    Item,
    Literal,
    Look,
    Member,
    Range,
    Repeat,
    Sequence,
)

__all__ = [
    "compile_portable",
]

MAX_PATTERN_LENGTH = 4096
MAX_NESTING = 50
MAX_CAPTURES = 50
MAX_REPEAT = 1000
MAX_COMPILED = 32 * 1024
"""PCRE2 as distributions build it compiles at most 64 KiB; the estimate here is generous."""

_REMEDY = "Write it in the portable subset that logexport's docs/verdicts.md lists."
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,31}")
_QUANTIFIER = re.compile(r"\{([0-9]+)(,([0-9]*))?\}")
_CONTROL = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "a": "\a"}
_PUNCTUATION = frozenset(" !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")
_CLASSES = frozenset("dDsSwW")


class _RefusedError(ValueError):
    """The pattern is outside the subset; the text says why, in the user's words."""


def compile_portable(pattern: str, where: str) -> re.Pattern[str]:
    """Compile ``pattern`` with ``re.ASCII`` once it is known to mean the same in PCRE2.

    Args:
        pattern: see the module's text for what is allowed.
        where: what the pattern is, for the error: ``"mask 'ip'"``.

    Raises:
        InputError: the pattern is not in the portable subset or does not compile.
    """
    analyse(pattern, where)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return re.compile(pattern, re.ASCII)
    except (re.error, RecursionError, OverflowError, Warning) as error:
        raise InputError(f"The pattern of {where} does not compile: {error}", _REMEDY) from error


def analyse(pattern: str, where: str) -> Facts:
    """What is known of a portable pattern.

    Raises:
        InputError: the pattern is not in the portable subset.
    """
    return parse(pattern, where).facts


@lru_cache(maxsize=256)
def parse(pattern: str, where: str) -> Alternatives:
    """A portable pattern as a tree.

    Args:
        pattern: see the module's text for what is allowed.
        where: what the pattern is, for the error: ``"mask 'ip'"``.

    Raises:
        InputError: the pattern is not in the portable subset.
    """
    try:
        return _Parser(pattern).parse()
    except _RefusedError as error:
        raise InputError(f"The pattern of {where} is not portable: {error}", _REMEDY) from None


class _Parser:
    """One pass of recursive descent over the pattern's text."""

    def __init__(self, pattern: str) -> None:
        self.text = pattern
        self.at = 0
        self.captures = 0
        self.names: set[str] = set()

    def parse(self) -> Alternatives:
        if len(self.text) > MAX_PATTERN_LENGTH:
            raise _RefusedError(f"it is longer than {MAX_PATTERN_LENGTH:,} characters")
        try:
            self.text.encode("utf-8")
        except UnicodeEncodeError:
            raise _RefusedError("it holds an unpaired surrogate") from None
        tree = self._alternatives(0)
        if self.at < len(self.text):
            raise _RefusedError(f"unbalanced ) at character {self.at + 1}")
        if tree.facts.size > MAX_COMPILED:
            raise _RefusedError("its repeated groups make it too large for PCRE2")
        return tree

    def _alternatives(self, depth: int) -> Alternatives:
        if depth > MAX_NESTING:
            raise _RefusedError(f"groups are nested deeper than {MAX_NESTING}")
        branches = [self._sequence(depth)]
        while self._take("|"):
            branches.append(self._sequence(depth))
        return Alternatives(tuple(branches))

    def _sequence(self, depth: int) -> Sequence:
        items: list[Item] = []
        while self.at < len(self.text) and self.text[self.at] not in "|)":
            items.append(self._quantified(depth))
        return Sequence(tuple(items))

    def _quantified(self, depth: int) -> Item:
        start = self.at
        item = self._atom(depth)
        bounds = self._quantifier()
        if bounds is None:
            return item
        low, high = bounds
        what = self.text[start : self.at]
        if isinstance(item, (Assertion, Look)):
            raise _RefusedError(f"{_short(what)} repeats an assertion")
        known = item.facts
        if known.low == 0:
            raise _RefusedError(
                f"{_short(what)} repeats a group that can match the empty text; write the group "
                "so that it takes at least one character"
            )
        if known.captures and (low, high) != (0, 1):
            raise _RefusedError(
                f"{_short(what)} repeats a capturing group; put the repetition inside the group "
                "or use (?:...)"
            )
        lazy = self._take("?")
        if lazy and known.captures:
            raise _RefusedError(f"{_short(what)} is a lazy optional capturing group")
        if self.at < len(self.text) and (
            self.text[self.at] in "*+?" or _QUANTIFIER.match(self.text, self.at)
        ):
            raise _RefusedError(
                f"{_short(what)} is followed by a second quantifier or a possessive +"
            )
        return Repeat(item, low, high, lazy)

    def _quantifier(self) -> tuple[int, int | None] | None:
        if self.at == len(self.text):
            return None
        char = self.text[self.at]
        if char in "*+?":
            self.at += 1
            return {"*": (0, None), "+": (1, None), "?": (0, 1)}[char]
        if char != "{":
            return None
        match = _QUANTIFIER.match(self.text, self.at)
        if not match:
            raise _RefusedError(r"a { that begins no {n}, {n,} or {n,m} must be written \{")
        if any(len(number) > 5 for number in match.group(1, 3) if number):
            raise _RefusedError(f"{_short(match.group())} repeats more than {MAX_REPEAT} times")
        low = int(match.group(1))
        high = low if match.group(2) is None else int(match.group(3)) if match.group(3) else None
        if high is not None and (high < low or high == 0):
            raise _RefusedError(f"{match.group()} has no sensible upper bound")
        if max(low, high or 0) > MAX_REPEAT:
            raise _RefusedError(f"{match.group()} repeats more than {MAX_REPEAT} times")
        self.at = match.end()
        return low, high

    def _atom(self, depth: int) -> Character | Assertion | Look | Group:
        char = self.text[self.at]
        if char == "(":
            return self._group(depth)
        if char == "[":
            return self._set()
        self.at += 1
        if char == "\\":
            return self._escape()
        if char in "^$":
            return Assertion(char)
        if char == ".":
            return AnyChar()
        if char in "*+?":
            raise _RefusedError(f"nothing before {char} at character {self.at}")
        if char == "{":
            raise _RefusedError(r"a { that follows nothing to repeat must be written \{")
        return Literal(char)

    def _escape(self) -> Character | Assertion:
        char = self._next("a lone \\ at the end")
        if char in "bBA":
            return Assertion("\\" + char)
        if char in _CLASSES:
            return Class(char)
        return Literal(self._literal_escape(char))

    def _literal_escape(self, char: str) -> str:
        if char in _PUNCTUATION:
            return char
        if char in _CONTROL:
            return _CONTROL[char]
        if char == "x":
            digits = self.text[self.at : self.at + 2]
            if not re.fullmatch("[0-9A-Fa-f]{2}", digits):
                raise _RefusedError(r"\x is not followed by two hexadecimal digits")
            self.at += 2
            return chr(int(digits, 16))
        if char in "123456789":
            raise _RefusedError(f"\\{char} is a back-reference")
        if char == "0":
            raise _RefusedError(r"\0 is an octal escape; write \x00")
        if char == "v":
            raise _RefusedError(
                r"\v means VT in Python and vertical white space in PCRE2; write \x0b"
            )
        if char == "Z":
            raise _RefusedError(r"\Z differs between Python and PCRE2; write $")
        raise _RefusedError(f"\\{char} is not the same, or not known, in Python and PCRE2")

    def _group(self, depth: int) -> Group | Look:
        text = self.text
        if text.startswith("(*", self.at):
            raise _RefusedError("(* begins a verb of PCRE2")
        name = None
        look = ":"
        if not text.startswith("(?", self.at):
            self.at += 1
            captures = 1
        elif text.startswith("(?P<", self.at):
            match = _NAME.match(text, self.at + 4)
            if not match or not text.startswith(">", match.end()):
                raise _RefusedError("a group's name is not [A-Za-z_][A-Za-z0-9_]* of at most 32")
            name = match.group()
            if name in self.names:
                raise _RefusedError(f"two groups are named {name}")
            self.names.add(name)
            self.at = match.end() + 1
            captures = 1
        else:
            for opening in ("(?:", "(?=", "(?!", "(?<=", "(?<!"):
                if text.startswith(opening, self.at):
                    look = opening[2:]
                    self.at += len(opening)
                    break
            else:
                raise _RefusedError(
                    f"{_short(text[self.at :], 5)} begins an inline flag, a conditional, an atomic "
                    "group, a comment, a back-reference or a construct that only one of them knows"
                )
            captures = 0
        self.captures += captures
        if self.captures > MAX_CAPTURES:
            raise _RefusedError(f"it has more than {MAX_CAPTURES} capturing groups")
        number = self.captures if captures else None
        body = self._alternatives(depth + 1)
        if not self._take(")"):
            raise _RefusedError("a ( is never closed")
        inner = body.facts
        if look == ":":
            return Group(body, number, name)
        if inner.captures:
            raise _RefusedError("a capturing group stands in a look-around; use (?:...)")
        ahead = not look.startswith("<")
        if not ahead:
            if inner.low != inner.high:
                raise _RefusedError("a look-behind has no fixed width")
            if inner.looks:
                raise _RefusedError("a look-around stands in a look-behind")
        return Look(ahead, look.endswith("!"), body)

    def _set(self) -> CharSet:
        """A set ``[...]``; ``self.at`` is at its ``[``."""
        self.at += 1
        start = self.at
        negated = self._take("^")
        members: list[Member] = []
        while True:
            char = self._next("a [ is never closed")
            if char == "]" and members:
                break
            low = self._member(char, first=not members)
            if self.text[self.at : self.at + 1] == "-" and self.text[self.at + 1 :][:1] != "]":
                self.at += 1
                upper = self._next("a [ is never closed")
                high = self._member(upper, first=False)
                if isinstance(low, Class) or isinstance(high, Class) or upper == "-":
                    raise _RefusedError(
                        r"a - in a set stands for itself only as first or last, or \-"
                    )
                if ord(high.char) < ord(low.char):
                    backwards = f"{low.char}-{high.char}"
                    raise _RefusedError(f"the range {_short(backwards)} is backwards")
                members.append(Range(low.char, high.char))
                # [a-c-e]: Python and PCRE2 agree on no reading of the second hyphen.
                if self.text[self.at : self.at + 1] == "-" and self.text[self.at + 1 :][:1] != "]":
                    raise _RefusedError(
                        r"a - in a set stands for itself only as first or last, or \-"
                    )
            else:
                members.append(low)
        # [.a.] and the like are POSIX collating elements to PCRE2, which it refuses.
        edge = self.text[start]
        if edge in ".:=" and self.at - 2 > start and self.text[self.at - 2] == edge:
            raise _RefusedError(f"a set that begins with {edge} ends with it; put it elsewhere")
        return CharSet(negated, tuple(members))

    def _member(self, char: str, first: bool) -> Literal | Class:
        if char == "\\":
            escaped = self._next("a lone \\ at the end")
            if escaped in _CLASSES:
                return Class(escaped)
            if escaped in "bBA":
                raise _RefusedError(f"\\{escaped} in a set is not an assertion")
            return Literal(self._literal_escape(escaped))
        if char == "[":
            raise _RefusedError(r"a [ in a set must be written \[")
        if char in "-&|~" and self.text.startswith(char, self.at):
            raise _RefusedError(f"{char}{char} in a set is kept for set operations; escape it")
        if char == "-" and not first and self.text[self.at : self.at + 1] != "]":
            raise _RefusedError(r"a - in a set stands for itself only as first or last, or \-")
        return Literal(char)

    def _take(self, char: str) -> bool:
        if self.text.startswith(char, self.at):
            self.at += 1
            return True
        return False

    def _next(self, otherwise: str) -> str:
        if self.at >= len(self.text):
            raise _RefusedError(otherwise)
        self.at += 1
        return self.text[self.at - 1]


def _short(text: str, limit: int = 40) -> str:
    return text if len(text) <= limit else text[:limit] + "…"
