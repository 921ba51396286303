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
from dataclasses import dataclass
from functools import lru_cache

from logexport.errors import InputError
from logexport.logs.lines import WHITE_SPACE

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
_SPACES = frozenset(WHITE_SPACE)


@dataclass(frozen=True)
class Facts:
    """What is known of a part of a pattern, or of a whole one.

    Args:
        low, high: fewest and most characters that it matches; ``high`` None for no bound.
        size: estimate of PCRE2's compiled size, bytes.
        captures: number of capturing groups.
        names: of the named groups, in order.
        looks: holds a look-around.
        local: matches no white space and holds no ``^``, ``$`` or ``\\A``, look-arounds included.
            Whether such a pattern matches at a place of a token depends on that token alone, since
            ``\\b``, ``\\B`` and look-arounds then see white space as they see the text's ends.
    """

    low: int = 0
    high: int | None = 0
    size: int = 0
    captures: int = 0
    names: tuple[str, ...] = ()
    looks: bool = False
    local: bool = True


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


@lru_cache(maxsize=256)
def analyse(pattern: str, where: str) -> Facts:
    """What is known of a portable pattern.

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

    def parse(self) -> Facts:
        if len(self.text) > MAX_PATTERN_LENGTH:
            raise _RefusedError(f"it is longer than {MAX_PATTERN_LENGTH:,} characters")
        try:
            self.text.encode("utf-8")
        except UnicodeEncodeError:
            raise _RefusedError("it holds an unpaired surrogate") from None
        facts = self._alternatives(0)
        if self.at < len(self.text):
            raise _RefusedError(f"unbalanced ) at character {self.at + 1}")
        if facts.size > MAX_COMPILED:
            raise _RefusedError("its repeated groups make it too large for PCRE2")
        return facts

    def _alternatives(self, depth: int) -> Facts:
        if depth > MAX_NESTING:
            raise _RefusedError(f"groups are nested deeper than {MAX_NESTING}")
        branches = [self._sequence(depth)]
        while self._take("|"):
            branches.append(self._sequence(depth))
        highs = [b.high for b in branches]
        return Facts(
            low=min(b.low for b in branches),
            high=None if None in highs else max(h for h in highs if h is not None),
            size=sum(b.size + 3 for b in branches) + 3,
            captures=sum(b.captures for b in branches),
            names=tuple(name for b in branches for name in b.names),
            looks=any(b.looks for b in branches),
            local=all(b.local for b in branches),
        )

    def _sequence(self, depth: int) -> Facts:
        total = Facts()
        while self.at < len(self.text) and self.text[self.at] not in "|)":
            item = self._quantified(depth)
            total = Facts(
                low=total.low + item.low,
                high=None if total.high is None or item.high is None else total.high + item.high,
                size=total.size + item.size,
                captures=total.captures + item.captures,
                names=total.names + item.names,
                looks=total.looks or item.looks,
                local=total.local and item.local,
            )
        return total

    def _quantified(self, depth: int) -> Facts:
        start = self.at
        item, kind = self._atom(depth)
        bounds = self._quantifier()
        if bounds is None:
            return item
        low, high = bounds
        what = self.text[start : self.at]
        if kind == "assertion":
            raise _RefusedError(f"{_short(what)} repeats an assertion")
        if item.low == 0:
            raise _RefusedError(
                f"{_short(what)} repeats a group that can match the empty text; write the group "
                "so that it takes at least one character"
            )
        if item.captures and (low, high) != (0, 1):
            raise _RefusedError(
                f"{_short(what)} repeats a capturing group; put the repetition inside the group "
                "or use (?:...)"
            )
        if self.at < len(self.text) and self.text[self.at] == "?":
            if item.captures:
                raise _RefusedError(f"{_short(what)} is a lazy optional capturing group")
            self.at += 1
        if self.at < len(self.text) and (
            self.text[self.at] in "*+?" or _QUANTIFIER.match(self.text, self.at)
        ):
            raise _RefusedError(
                f"{_short(what)} is followed by a second quantifier or a possessive +"
            )
        copies = 1 if kind == "character" else max(low, high or 0, 1)
        return Facts(
            low=item.low * low,
            high=None if high is None or item.high is None else item.high * high,
            size=(item.size + 6) * copies + 6,
            captures=item.captures,
            names=item.names,
            looks=item.looks,
            local=item.local,
        )

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

    def _atom(self, depth: int) -> tuple[Facts, str]:
        """One item and its kind: ``character``, ``group`` or ``assertion``."""
        char = self.text[self.at]
        if char == "(":
            return self._group(depth)
        if char == "[":
            return self._set(), "character"
        self.at += 1
        if char == "\\":
            return self._escape()
        if char in "^$":
            return Facts(size=1, local=False), "assertion"
        if char == ".":
            return Facts(1, 1, 1, local=False), "character"
        if char in "*+?":
            raise _RefusedError(f"nothing before {char} at character {self.at}")
        if char == "{":
            raise _RefusedError(r"a { that follows nothing to repeat must be written \{")
        return _literal(char), "character"

    def _escape(self) -> tuple[Facts, str]:
        char = self._next("a lone \\ at the end")
        if char in "bB":
            return Facts(size=1), "assertion"
        if char == "A":
            return Facts(size=1, local=False), "assertion"
        if char in "dwS":
            return Facts(1, 1, 1), "character"
        if char in "DWs":
            return Facts(1, 1, 1, local=False), "character"
        return _literal(self._literal_escape(char)), "character"

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

    def _group(self, depth: int) -> tuple[Facts, str]:
        text = self.text
        if text.startswith("(*", self.at):
            raise _RefusedError("(* begins a verb of PCRE2")
        name = ""
        look = None
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
                    look = None if opening == "(?:" else opening
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
        inner = self._alternatives(depth + 1)
        if not self._take(")"):
            raise _RefusedError("a ( is never closed")
        if look is None:
            return Facts(
                low=inner.low,
                high=inner.high,
                size=inner.size + 2,
                captures=inner.captures + captures,
                names=((name,) if name else ()) + inner.names,
                looks=inner.looks,
                local=inner.local,
            ), "group"
        if inner.captures:
            raise _RefusedError("a capturing group stands in a look-around; use (?:...)")
        if "<" in look:
            if inner.low != inner.high:
                raise _RefusedError("a look-behind has no fixed width")
            if inner.looks:
                raise _RefusedError("a look-around stands in a look-behind")
        return Facts(size=inner.size + 4, looks=True, local=inner.local), "assertion"

    def _set(self) -> Facts:
        """A set ``[...]``; ``self.at`` is at its ``[``."""
        self.at += 1
        start = self.at
        negated = self._take("^")
        spaces: set[str] = set()  # the white space characters that the set lists
        wide = 0
        first = True
        while True:
            char = self._next("a [ is never closed")
            if char == "]" and not first:
                break
            low = self._member(char, spaces, first)
            first = False
            if self.text[self.at : self.at + 1] == "-" and self.text[self.at + 1 :][:1] != "]":
                self.at += 1
                upper = self._next("a [ is never closed")
                high = self._member(upper, set(), False)
                if low is None or high is None or (upper == "-"):
                    raise _RefusedError(
                        r"a - in a set stands for itself only as first or last, or \-"
                    )
                if ord(high) < ord(low):
                    raise _RefusedError(f"the range {_short(low + '-' + high)} is backwards")
                spaces |= {c for c in _SPACES if low <= c <= high}
                wide += ord(high) > 127
                # [a-c-e]: Python and PCRE2 agree on no reading of the second hyphen.
                if self.text[self.at : self.at + 1] == "-" and self.text[self.at + 1 :][:1] != "]":
                    raise _RefusedError(
                        r"a - in a set stands for itself only as first or last, or \-"
                    )
            elif low is not None:
                if low in _SPACES:
                    spaces.add(low)
                wide += ord(low) > 127
        # [.a.] and the like are POSIX collating elements to PCRE2, which it refuses.
        edge = self.text[start]
        if edge in ".:=" and self.at - 2 > start and self.text[self.at - 2] == edge:
            raise _RefusedError(f"a set that begins with {edge} ends with it; put it elsewhere")
        allowed = _SPACES - spaces if negated else spaces
        return Facts(1, 1, 40 + 10 * wide, local=not allowed)

    def _member(self, char: str, spaces: set[str], first: bool) -> str | None:
        """One member of a set: its character, or None for a class such as ``\\d``."""
        if char == "\\":
            escaped = self._next("a lone \\ at the end")
            if escaped in "dwS":
                return None
            if escaped in "sDW":
                spaces |= _SPACES
                return None
            if escaped in "bBA":
                raise _RefusedError(f"\\{escaped} in a set is not an assertion")
            return self._literal_escape(escaped)
        if char == "[":
            raise _RefusedError(r"a [ in a set must be written \[")
        if char in "-&|~" and self.text.startswith(char, self.at):
            raise _RefusedError(f"{char}{char} in a set is kept for set operations; escape it")
        if char == "-" and not first and self.text[self.at : self.at + 1] != "]":
            raise _RefusedError(r"a - in a set stands for itself only as first or last, or \-")
        return char

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


def _literal(char: str) -> Facts:
    return Facts(1, 1, 1 + len(char.encode("utf-8")), local=char not in _SPACES)


def _short(text: str, limit: int = 40) -> str:
    return text if len(text) <= limit else text[:limit] + "…"
