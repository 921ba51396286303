r"""Masks: what varies in a message is replaced by a name, before templates are looked at.

Rules (the reference of masking):

- Masks run in their order, each on the result of the one before.
- A mask replaces every non-overlapping match from left to right. An empty match replaces nothing:
  at a place where the pattern could match empty, its next way to match there that is not empty is
  taken (``PCRE2_NOTEMPTY``).
- In a replacement ``\1`` to ``\9`` stand for the text of the pattern's capturing group of that
  number (nothing, if it took no part in the match) and ``\\`` for one backslash; every other
  character, a ``\`` before anything else included, stands for itself. A replacement holds no LF.
- White space is kept; nothing is stripped.
- A character is *marked* if a mask put it there: the literal parts of a replacement are marked, and
  text that a group stands for is as it was before. What is replaced is gone with its marks. So a
  name such as ``<NUM>`` that stands in the log itself is not marked.

A short cut is taken where it is proven to give the same, see :class:`Masker`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

from logexport.errors import InputError
from logexport.logs.lines import WHITE_SPACE
from logexport.logs.patterns import analyse, compile_portable

__all__ = [
    "ALOG_DETECT_MASKS",
    "DEFAULT_MASKS",
    "MASK_SETS",
    "Mask",
    "Masker",
    "Memo",
    "parse_mask",
]

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
MAX_REPLACEMENT = 256
_REFERENCE = re.compile(r"\\([1-9\\])")
_MEMO_ENTRIES = 65_536
_MEMO_LONGEST = 128  # characters


@dataclass(frozen=True)
class Mask:
    """One mask: every match of ``pattern`` becomes ``replacement``."""

    name: str
    pattern: str
    replacement: str


_OCTET = r"(?:25[0-5]|2[0-4]\d|[01]?\d?\d)"
_OCTET_IP = rf"(?:{_OCTET}\.){{3}}{_OCTET}"
_H = "[0-9a-fA-F]{1,4}"
# RFC 4291, 2.2: eight groups, or fewer around one "::", the last two perhaps as an IPv4 address.
# "::" alone is left as it is: it does not vary, and programs print it for other things.
_IPV6 = (
    rf"(?:(?:{_H}:){{7}}{_H}"
    rf"|(?:{_H}:){{6}}{_OCTET_IP}"
    rf"|::(?:{_H}:){{0,5}}{_OCTET_IP}"
    rf"|(?:{_H}:){{1,4}}(?::{_H}){{0,2}}:{_OCTET_IP}"
    rf"|(?:{_H}:){{1,6}}:{_H}"
    rf"|(?:{_H}:){{1,5}}(?::{_H}){{2}}"
    rf"|(?:{_H}:){{1,4}}(?::{_H}){{3}}"
    rf"|(?:{_H}:){{1,3}}(?::{_H}){{4}}"
    rf"|(?:{_H}:){{1,2}}(?::{_H}){{5}}"
    rf"|{_H}:(?::{_H}){{6}}"
    rf"|:(?::{_H}){{1,7}}"
    rf"|(?:{_H}:){{1,7}}:)"
)

DEFAULT_MASKS = (
    Mask("url", r"""\b[a-zA-Z][a-zA-Z0-9+.\-]{1,15}://[^\s"'<>]*[\w/=&#~+%\-]""", "<URL>"),
    Mask(
        "uuid",
        r"(?<![\w-])[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}(?![\w-])",
        "<UUID>",
    ),
    Mask("mac", r"(?<![\w:-])[0-9a-fA-F]{2}(?:[:-][0-9a-fA-F]{2}){5}(?![\w:-])", "<MAC>"),
    Mask("ipv6", rf"(?<![\w:.]){_IPV6}(?:%[\w.\-]+)?(?![\w:])(?!\.\w)", "<IP>"),
    Mask("ipv4", rf"(?<![\w.]){_OCTET_IP}(?!\w)(?!\.\w)", "<IP>"),
    Mask("path", r"(?<![\w/>~.\-])(?:~\w*)?(?:/[\w.@%+=~\-]+)+/?", "<PATH>"),
    Mask("hex", r"(?<![\w-])0[xX][0-9a-fA-F]+(?![\w-])", "<HEX>"),
    Mask(
        "hash",
        r"(?<![\w-])(?=[0-9]*[a-fA-F])[0-9a-fA-F]{8,}(?![\w-])",
        "<NUM>",
    ),
    Mask("id", r"\b([a-zA-Z]+(?:[_-][a-zA-Z]+)*_?)(?:(?<=_)-)?\d+\b(?!\.\d)", r"\1<ID>"),
    Mask(
        "num",
        r"(?<![\w.])[-+]?\d+(?:\.\d+)*(?=(?:[munp]?s|B|[kKMGTP](?:i?[bB])?|[kMG]?Hz)?(?!\w))",
        "<NUM>",
    ),
)
"""logexport's own. ``<IP>`` for both families: ``<IP6>`` would itself look like a name with a
number to the mask ``id``. Addresses come before paths, so that ``/10.0.0.1:80`` is an address. A
hash is a ``<NUM>``: one of eight digits in 43 has no letter, and cannot be told from a number. One
in 2,557 has letters only; no word of English has eight of them."""

ALOG_DETECT_MASKS = (
    Mask("path", r"(?:(?:/|~)[\w.\-_/]+)", "<PATH>"),
    Mask("hex", r"0x[0-9a-fA-F]+", "<HEX>"),
    Mask(
        "ipv4",
        r"\b(?:(?:25[0-5]|2[0-4]\d|[01]?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|[01]?\d?\d)\b",
        "<IP>",
    ),
    Mask("ipv6", r"\b(?:[0-9a-fA-F]{1,4}:){7}[0-9a-fA-F]{1,4}\b", "<IP6>"),
    Mask("mac", r"\b(?:[0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}\b", "<MAC>"),
    Mask(
        "uuid",
        r"\b[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[1-5][0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}"
        r"-[0-9a-fA-F]{12}\b",
        "<UUID>",
    ),
    Mask("id", r"\b(pid|tid|uid|gid)=\d+\b", r"\1=<ID>"),
    Mask("name-id", r"\b([a-zA-Z]+)(\d+)\b", r"\1<ID>"),
    Mask("num", r"(?<![\w./-])-?\d+(?:\.\d+)?(?![\w./-])", "<NUM>"),
)
"""The rules of alog-detect, as they are, for models that were trained on its output."""

MASK_SETS: dict[str, tuple[Mask, ...]] = {
    "default": DEFAULT_MASKS,
    "alog-detect": ALOG_DETECT_MASKS,
    "none": (),
}


def parse_mask(text: str) -> Mask:
    """Read ``NAME=PATTERN=>REPLACEMENT``; the last ``=>`` divides.

    Raises:
        InputError: another form; what the parts hold is checked when they are compiled.
    """
    name, _, rest = text.partition("=")
    pattern, arrow, replacement = rest.rpartition("=>")
    if not arrow or not NAME.fullmatch(name):
        raise InputError(
            f"The mask {text!r} is not of the form NAME=PATTERN=>REPLACEMENT",
            r"For example: --mask 'block=blk_-?\d+=><BLOCK>'.",
        )
    return Mask(name, pattern, replacement)


class Masker:
    """The masks of a log, compiled; ``masker(text)`` is the masked text.

    The short cut: where every mask is *local* (:class:`logexport.logs.syntax.Facts`) and no
    replacement holds white space, what a mask does to a piece of text between two white space
    characters depends on that piece alone, and leaves the white space as it is; so the result for a
    line is the results for its pieces, joined. Pieces repeat, and are remembered (at most 65,536 of
    at most 128 characters). ``tests/logs`` compares it with :meth:`in_sequence`.

    Raises:
        InputError: two masks of one name, a pattern that is not portable, a replacement that holds
            LF, refers to a group that the pattern lacks, or is longer than 256 characters.
    """

    def __init__(self, masks: Iterable[Mask]) -> None:
        self.masks = tuple(masks)
        names = [mask.name for mask in self.masks]
        for name in names:
            if names.count(name) > 1:
                raise InputError(f"Two masks are named {name!r}", "Give each its own name.")
        self._steps = [_step(mask) for mask in self.masks]
        self._marking = [_marking_step(mask) for mask in self.masks]
        self.local = all(
            analyse(mask.pattern, f"mask {mask.name!r}").local
            and not any(space in mask.replacement for space in WHITE_SPACE)
            for mask in self.masks
        )
        self._memo = Memo(self.in_sequence)

    def __call__(self, text: str) -> str:
        """The masked text."""
        if self.local:
            return " ".join(map(self._memo.__getitem__, text.split(" ")))
        return self.in_sequence(text)

    def in_sequence(self, text: str) -> str:
        """The masked text by the definition: one mask after another on the whole of it."""
        for step in self._steps:
            text = step(text)
        return text

    def mark(self, text: str) -> tuple[str, bytes]:
        """The masked text, and for each of its characters 1 if a mask put it there, else 0."""
        marks = bytes(len(text))
        for search, step in self._marking:
            if search(text):
                text, marks = step(text, marks)
        return text, marks


_Result = TypeVar("_Result")


class Memo(dict[str, _Result], Generic[_Result]):
    """Remembers the results of a function of a text, boundedly."""

    def __init__(self, function: Callable[[str], _Result]) -> None:
        super().__init__()
        self._function = function

    def __missing__(self, text: str) -> _Result:
        result = self._function(text)
        if len(text) <= _MEMO_LONGEST:
            if len(self) >= _MEMO_ENTRIES:
                self.clear()
            self[text] = result
        return result


def _step(mask: Mask) -> Callable[[str], str]:
    where = f"mask {mask.name!r}"
    pattern = compile_portable(mask.pattern, where)
    parts = _parts(mask, pattern.groups)
    if analyse(mask.pattern, where).low > 0:
        # No match is empty: Python's own template does it, a group without part giving "".
        template = "".join(
            rf"\g<{part}>" if isinstance(part, int) else part.replace("\\", r"\\") for part in parts
        )
        substitute = pattern.sub
        return lambda text: substitute(template, text)

    def replace(match: re.Match[str]) -> str:
        if match.end() == match.start():
            return ""  # Python tries the same place again, for a match that is not empty
        return "".join(match[p] or "" if isinstance(p, int) else p for p in parts)

    return lambda text: pattern.sub(replace, text)


_Search: TypeAlias = Callable[[str], "re.Match[str] | None"]


def _marking_step(mask: Mask) -> tuple[_Search, Callable[[str, bytes], tuple[str, bytes]]]:
    """As :func:`_step`, with the marks of the text; and what tells whether that is needed."""
    pattern = compile_portable(mask.pattern, f"mask {mask.name!r}")
    parts = [
        part if isinstance(part, int) else (part, b"\x01" * len(part))
        for part in _parts(mask, pattern.groups)
    ]

    def replace(text: str, marks: bytes) -> tuple[str, bytes]:
        texts: list[str] = []
        flags: list[bytes] = []
        at = 0
        for match in pattern.finditer(text):
            begin, end = match.span()
            if begin == end:
                continue
            texts.append(text[at:begin])
            flags.append(marks[at:begin])
            for part in parts:
                if isinstance(part, int):
                    first, last = match.span(part)  # both -1 if it took no part
                    texts.append(text[first:last])
                    flags.append(marks[first:last])
                else:
                    texts.append(part[0])
                    flags.append(part[1])
            at = end
        return "".join([*texts, text[at:]]), b"".join([*flags, marks[at:]])

    return pattern.search, replace


def _parts(mask: Mask, groups: int) -> Sequence[str | int]:
    """A replacement as literal texts and numbers of groups."""
    text = mask.replacement
    if "\n" in text:
        raise InputError(
            f"The replacement of mask {mask.name!r} holds a line feed",
            "A masked line stays one line: take it out.",
        )
    if len(text) > MAX_REPLACEMENT:
        raise InputError(
            f"The replacement of mask {mask.name!r} is longer than {MAX_REPLACEMENT} characters",
            "Use a short name such as <ID>.",
        )
    parts: list[str | int] = []
    at = 0
    for match in _REFERENCE.finditer(text):
        parts.append(text[at : match.start()])
        at = match.end()
        if match[1] == "\\":
            parts.append("\\")
            continue
        number = int(match[1])
        if number > groups:
            raise InputError(
                f"The replacement of mask {mask.name!r} refers to group {number}, "
                f"but its pattern has {groups}",
                r"Refer to a capturing group of the pattern, or write \\ for a backslash.",
            )
        parts.append(number)
    parts.append(text[at:])
    return [part for part in parts if part != ""]
