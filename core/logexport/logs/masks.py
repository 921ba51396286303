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

Short cuts are taken where they are proven to give the same, see :class:`Masker`.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

from logexport.errors import InputError
from logexport.logs.lines import WHITE_SPACE
from logexport.logs.needs import Candidates
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
_IPV4 = rf"(?:{_OCTET}\.){{3}}{_OCTET}"
_H = "[0-9a-fA-F]{1,4}"
# RFC 4291, 2.2: eight groups (then perhaps a port, as Java prints it), or fewer around one "::",
# the last two perhaps as an IPv4 address. "::" alone does not vary, and programs print it for
# other things.
_IPV6 = (
    rf"(?:(?:{_H}:){{7}}{_H}(?::\d{{1,5}})?"
    rf"|(?:{_H}:){{6}}{_IPV4}"
    rf"|::(?:{_H}:){{0,5}}{_IPV4}"
    rf"|(?:{_H}:){{1,4}}(?::{_H}){{0,2}}:{_IPV4}"
    rf"|(?:{_H}:){{1,6}}:{_H}"
    rf"|(?:{_H}:){{1,5}}(?::{_H}){{2}}"
    rf"|(?:{_H}:){{1,4}}(?::{_H}){{3}}"
    rf"|(?:{_H}:){{1,3}}(?::{_H}){{4}}"
    rf"|(?:{_H}:){{1,2}}(?::{_H}){{5}}"
    rf"|{_H}:(?::{_H}){{6}}"
    rf"|:(?::{_H}){{1,7}}"
    rf"|(?:{_H}:){{1,7}}:)"
)
# Not the domains that are better known as endings of files: .py, .sh, .so, .md, .rs, .info.
_DOMAINS = (
    "com|net|org|edu|gov|mil|biz|arpa|io|local|localdomain|internal|lan|corp|eu|de|fr|uk|nl|be|ch"
    "|es|pt|se|fi|dk|cz|sk|hu|ro|bg|ru|ua|tr|gr|il|cn|hk|tw|jp|kr|sg|th|vn|au|nz|ca|mx|br|ar|cl|za"
    r"|(?:com|net|org|edu|gov|ac|co)\.[a-z]{2}"
)
# These are words or endings too, and need two names before them.
_AMBIGUOUS_DOMAINS = "ae|at|by|ee|hr|id|ie|in|ir|is|it|kz|lt|lu|lv|my|no|pk|pl|si|us"
_MONTHS = (
    "Jan(?:uary|uar)?|Feb(?:ruary|ruar)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?"
    "|Sept?(?:ember)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?|März?|Mai|Juni|Juli|Okt(?:ober)?"
    r"|Dez(?:ember)?|janv\.|févr\.|mars|avr\.|mai|juin|juil\.|août|sept\.|oct\.|nov\.|déc\."
)
_LOWER_MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|mrt|mei|okt|ene|abr|ago|dic"
_DAYS = (
    "Mon(?:day)?|Tue(?:sday)?|Wed(?:nesday)?|Thu(?:rsday)?|Fri(?:day)?|Sat(?:urday)?|Sun(?:day)?"
)
_HALVES = r"AM|PM|[ap]\.m\.|μμ|πμ|오전|오후|上午|下午|午前|午後"
_ZONES = (
    "UTC|GMT|[CEW]ES?T|EES?T|[ECMP][SD]T|AK[SD]T|HST|BST|IST|MSK|JST|KST|SGT|A[CEW][SD]T|NZ[SD]T"
    "|BRT|HKT|PKT|SAST|SST|AMT|WIB|(?:Africa|America|Antarctica|Asia|Atlantic|Australia|Etc|Europe|Indian|Pacific)"
    "/[A-Z][A-Za-z_]+(?:/[A-Z][A-Za-z_]+)?"
)
_UNITS = (
    "[bB]ytes?|B(?:/s(?:ec)?)?|[KMGTPkmgt]i?[bB](?:/s(?:ec)?|ps)?|bps|[kMG]?Hz|[munµμ]?s"
    "|(?:msec|usec|sec|second|min|minute|hr|hour|day|week)s?|(?:milli|micro|nano)s(?:econds?)?"
    "|(?:milli|micro|nano)second|percent"
)
_OPENED = r"""(?<![^\s\[("'<{])"""
_PATH_START = r"(?<![\w/<>~.\-\\*)\]}])"
_PATH_PART = r"""[^\s/"'`<>|,;:()\[\]{}?*&]"""
_WINDOWS_PART = r"""[^\s\\/"'`<>|,;:()\[\]{}?*]"""
_RUN = r"(?<![\w\-])"
_PART = r"[A-Za-z]*\d[A-Za-z0-9]*"

DEFAULT_MASKS = (
    # Windows adds it to the name of a program that is not of the system's own width.
    Mask("width", r"(?<!\S)\*(?:32|64)(?!\S)", ""),
    Mask(
        "url",
        r"""(?<![\w+.\-])[a-zA-Z][a-zA-Z0-9+.\-]{1,63}://[^\s"'<>|]*[\w/=&#~+%\-]""",
        "<URL>",
    ),
    # As OpenSSH prints it: base64 without padding, so that "/" is part of it.
    Mask("fingerprint", r"(?<![\w+/])(SHA256:)[A-Za-z0-9+/]{43}(?![\w+/])", r"\1<NUM>"),
    Mask("email", r"(?<![\w+.@\-])[\w+.\-]+@[\w\-]+(?:\.[\w\-]+)+", "<EMAIL>"),
    # C:\a and C:/a, \\server\share, \\?\C:\a, \Device\a, %TEMP%\a, HKLM\a, and what is behind the
    # blank of "Program Files", "(x86)" and "and Settings"; /a, ~/a, ./a and ../a, with a query. Not
    # a closing tag, nor the slash that Java prints before an address.
    Mask(
        "path",
        r"(?<![\w\\])(?:(?:\\(?:\\[?.]|\?\?)\\)?[A-Za-z]:(?=[\\/])|\\\\[\w.?$\-]+(?=\\)"
        r"|\\[A-Z]\w*(?=\\)|%\w+%(?=\\)|(?:HK[A-Z_]{2,20}|Files|\(x86\)|Settings)(?=\\))"
        rf"(?:[\\/]+{_WINDOWS_PART}+)*[\\/]*"
        rf"|{_PATH_START}(?!/(?:{_IPV4}(?![\w.])|[0-9a-fA-F]{{0,4}}:[0-9a-fA-F:]))"
        rf"""(?:~\w*|\.{{1,2}})?(?:/+{_PATH_PART}+)+/?(?:\?[^\s"'<>]*)?""",
        "<PATH>",
    ),
    Mask(
        "uuid",
        r"(?<![A-Za-z0-9])[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}(?![A-Za-z0-9])",
        "<UUID>",
    ),
    # With colons or hyphens of any length, so that the fingerprint of a key is one too. Also the
    # address of a PCI device.
    Mask(
        "mac",
        r"(?<![\w:.\-])(?:[0-9a-fA-F]{2}(?:[:\-][0-9a-fA-F]{2}){5,}"
        r"|[0-9a-fA-F]{4}(?:\.[0-9a-fA-F]{4}){2}"
        r"|[0-9a-fA-F]{4}:[0-9a-fA-F]{2}:[0-9a-fA-F]{2}\.[0-7])(?![\w\-])(?!:\w)",
        "<MAC>",
    ),
    # One mark for names and addresses: the same program prints either, as the name is known. Four
    # numbers behind "~" are a version of a Windows package.
    Mask(
        "host",
        rf"(?<![\w.@\-])[\w\-]+(?:(?:\.[\w\-]+)*\.(?:{_DOMAINS})"
        rf"|(?:\.[\w\-]+)+\.(?:{_AMBIGUOUS_DOMAINS}))(?![\w\-])(?!\.\w)"
        r"|(?<![\w.@\-])localhost(?![\w\-])(?!\.\w)|(?<=\[)::(?=\]:\d)"
        rf"|(?<![\w.])(?<![0-9a-fA-F:]{{3}}:){_IPV6}(?:%[\w.\-]+)?(?!\w)(?!:[\w:])(?!\.\w)"
        rf"|(?<![\w.~]){_IPV4}(?!\w)(?!\.\w)",
        "<HOST>",
    ),
    # Words of a date: whole tokens, punctuation aside, in the writing that dates have. "May" and
    # "Sun" begin sentences too; such a sentence has a mark more, and no other becomes equal to it.
    Mask(
        "time",
        r"""(?<![^\s\[("'<{,;|=:])"""
        rf"(?:(?:{_MONTHS}|{_DAYS}|{_HALVES}|{_ZONES})"
        r"""(?:(?=[+\-]\d)|(?![^\s\])"'>},;:.|]))"""
        rf"|(?:{_MONTHS}|{_LOWER_MONTHS})(?=[\-/]\d))",
        "<TIME>",
    ),
    # ISO 8601: PT5M3S.
    Mask(
        "duration",
        r"(?<!\w)P(?:\d+[YMWD])*(?:T(?:\d+(?:[.,]\d+)?[HMS])+|(?<=[YMWD]))(?!\w)",
        "<NUM>",
    ),
    # What is drawn from letters and digits is a number that happens to begin with a letter, so it
    # has the mark of a number. In turn: a JSON web token (RFC 7519); hexadecimal digits, of letters
    # only from eight on, since no word of English has so many; the same after "Foo@" and "Foo{"; a
    # container's network interface; letters and digits that take turns twice, or 20 of them with
    # one digit; base64 with its padding.
    Mask(
        "hash",
        rf"{_RUN}eyJ[\w\-]{{8,}}(?:\.[\w\-]+){{1,2}}"
        rf"|{_RUN}[a-fA-F](?:[0-9a-fA-F]{{7,}}|(?=[a-fA-F]*\d)[0-9a-fA-F]{{6}})(?![\w\-])"
        r"|(?<=[\w\]$;]@)[0-9a-f]{4,16}(?!\w)"
        r"|(?<=[A-Za-z]\{)(?:[0-9a-f]{7,8}|(?=[a-f]*\d)[0-9a-f]{4,6})(?![\w\-])"
        rf"|{_RUN}veth[0-9a-f]{{7}}(?![\w\-])"
        rf"|{_RUN}(?:(?=[A-Za-z]+\d+[A-Za-z]+\d)[A-Za-z0-9]+|(?=[A-Za-z]*\d)[A-Za-z0-9]{{20,}})"
        r"(?![\w\-=])"
        r"|(?<![\w+/\-])(?:[A-Za-z0-9+/]{6,}==|(?=[A-Za-z+/]*\d)[A-Za-z0-9+/]{15,}=)(?![\w+/=\-])",
        "<NUM>",
    ),
    # All that begins with a digit: numbers with sign, decimals, exponent, unit, percent sign;
    # versions, clocks, dates, ranges. One mark, since a redrawn value may look like another kind.
    Mask(
        "num",
        r"(?<!\w)(?<!\w-)[\-+−]?[vV]?\d[\w%µμ年月日時时分秒]*"
        r"(?:(?:(?:,|::?)(?=\d)|[\-.+−]|/(?:[A-Za-z]{3,9}/)?(?=\d))[\wµμ]+)*%?",
        "<NUM>",
    ),
    # A unit that stands apart: "1.5 GB" and "300 MB" become one mark when neighbours collapse. Not
    # before "=" or ":", where it is a name.
    Mask("unit", rf"""{_OPENED}(?:{_UNITS})(?![^\s\])}}"',;.])(?!\.\w)""", "<NUM>"),
    # job_1445144423722_0020 and attempt_1445144423722_0020_m_000000_0: a value as a whole, so that
    # a list of them collapses.
    Mask(
        "joined",
        rf"{_RUN}[A-Za-z]+_[_\-]*{_PART}(?:_(?:{_PART}|[A-Za-z]))*(?![\w\-])",
        "<ID>",
    ),
    # Kubernetes draws the ends of a pod's name from 27 signs without vowels, which may be letters
    # only: web-bdfxczlkj-x2x9z, agent-lkjhg. No word of English is like them, but "https" is.
    Mask(
        "pod",
        r"(?<=[a-z0-9])-(?:[b-df-hj-np-tv-xz2456789]{8,10}-[b-df-hj-np-tv-xz2456789]{5}"
        r"|(?<=[a-z]-)(?!http)[b-df-hj-np-tv-xz]{5}(?!_))(?![A-Za-z0-9\-])",
        "-<ID>",
    ),
    # worker-3, web-7d4b9c6f5-x2x9z: words stay up to the first part with a digit. Parts that belong
    # to it: others with a digit, single letters, five letters without vowels (Kubernetes' suffix).
    Mask(
        "id",
        rf"(?:{_RUN}|(?<=\d)(?=[_\-][A-Za-z]))([A-Za-z_\-]*[A-Za-z][_\-])[_\-]*{_PART}"
        rf"(?:[_\-]+(?:{_PART}|[A-Za-z](?![A-Za-z0-9])|[b-df-hj-np-tv-xz]{{5}}(?![A-Za-z0-9])))*",
        r"\1<ID>",
    ),
    # What says that there is no value, where a value must stand. Nothing at all behind "=" is left
    # as it is: a template has the token "key=", and a line rendered from it must have it too.
    Mask(
        "null",
        r"(?:(?<==)(?:-|N/A|[+\-]?(?:NaN|nan|inf|Inf(?:inity)?))|(?<=[=:])(?:null|NULL|nil|None)"
        rf"|{_OPENED}(?:[+\-]?(?:NaN|nan|inf|Inf(?:inity)?)|N/A|\((?:null|nil)?\)|<null>|\[\]|\{{\}}|\"\"|''))(?![^\s,;.)\]}}])",
        "<NUM>",
    ),
    # Digits that are left stand in a word: eth0, log4j, jk2_init. Those of IPv4 and IPv6 are names.
    # Of a part of a word where letters and digits take turns nothing is a name.
    Mask(
        "digits",
        r"(?<=[_\-])\d+(?:[A-Za-z]+\d+)+[A-Za-z]*|(?<![iI][pP][vV])\d+(?:[._:\-]+\d+)*",
        "<ID>",
    ),
)
r"""logexport's own.

``<NUM>`` is a value with digits or the lack of one, ``<ID>`` the part of a name that varies,
``<HOST>`` a name or an address of a host, ``<TIME>`` a word of a date. No digit is left, IPv4 and
IPv6 apart; words are, for states and for true and false too.

All of them are linear in the length of a text (``benchmarks/masks.py``), by these rules: what
repeats begins where the character before it cannot belong to it (a look-behind on the same set, or
for a digit that ends what goes before), so
that no place is read from two beginnings; of two repetitions that follow one another the second
begins with a character that the first one has not; a look-ahead reads no further than the part that
it stands before. All are local (:class:`logexport.logs.syntax.Facts`).
"""

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

    Two short cuts, which ``tests/logs`` compares with :meth:`in_sequence` and
    :meth:`mark_in_sequence`:

    - A mask is left out where a text lacks what the mask needs (:mod:`logexport.logs.needs`).
    - Where every mask is *local* (:class:`logexport.logs.syntax.Facts`) and no replacement holds
      white space, what a mask does to a piece of text between two white space characters depends on
      that piece alone, and leaves the white space as it is; so the result for a line is the results
      for its pieces, joined. Pieces repeat, and are remembered (at most 65,536 of at most 128
      characters).

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
        self._candidates = Candidates(
            [(mask.pattern, f"mask {mask.name!r}") for mask in self.masks]
        )
        self._memo = Memo(self._mask)

    def __call__(self, text: str) -> str:
        """The masked text."""
        if self.local:
            return " ".join(map(self._memo.__getitem__, text.split(" ")))
        return self._mask(text)

    def in_sequence(self, text: str) -> str:
        """The masked text by the definition: one mask after another on the whole of it."""
        for step in self._steps:
            text, _ = step(text, b"")
        return text

    def mark(self, text: str) -> tuple[str, bytes]:
        """The masked text, and for each of its characters 1 if a mask put it there, else 0."""
        return self._run(self._marking, text, bytes(len(text)))

    def mark_in_sequence(self, text: str) -> tuple[str, bytes]:
        """As :meth:`mark`, by the definition."""
        marks = bytes(len(text))
        for step in self._marking:
            text, marks = step(text, marks)
        return text, marks

    def _mask(self, text: str) -> str:
        return self._run(self._steps, text, b"")[0]

    def _run(self, steps: Sequence[_Step], text: str, marks: bytes) -> tuple[str, bytes]:
        """Run the masks that may match, one after another."""
        find = self._candidates.find
        left = find(text)
        at = 0  # of the candidates
        while at < len(left):
            number = left[at]
            masked, marks = steps[number](text, marks)
            at += 1
            if masked != text:
                text = masked
                left = find(text)
                at = bisect_right(left, number)
        return text, marks


_Step: TypeAlias = Callable[[str, bytes], tuple[str, bytes]]
"""What one mask makes of a text and its marks."""

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


def _step(mask: Mask) -> _Step:
    """A mask that leaves the marks alone."""
    where = f"mask {mask.name!r}"
    pattern = compile_portable(mask.pattern, where)
    parts = _parts(mask, pattern.groups)
    if analyse(mask.pattern, where).low > 0:
        # No match is empty: Python's own template does it, a group without part giving "".
        template = "".join(
            rf"\g<{part}>" if isinstance(part, int) else part.replace("\\", r"\\") for part in parts
        )
        substitute = pattern.sub
        return lambda text, marks: (substitute(template, text), marks)

    def replace(match: re.Match[str]) -> str:
        if match.end() == match.start():
            return ""  # Python tries the same place again, for a match that is not empty
        return "".join(match[p] or "" if isinstance(p, int) else p for p in parts)

    return lambda text, marks: (pattern.sub(replace, text), marks)


def _marking_step(mask: Mask) -> _Step:
    """As :func:`_step`, with the marks of the text."""
    pattern = compile_portable(mask.pattern, f"mask {mask.name!r}")
    parts = [
        part if isinstance(part, int) else (part, b"\x01" * len(part))
        for part in _parts(mask, pattern.groups)
    ]

    def replace(text: str, marks: bytes) -> tuple[str, bytes]:
        if pattern.search(text) is None:
            return text, marks
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

    return replace


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
