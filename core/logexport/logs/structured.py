r"""Structured records: JSON, Docker's json-file, CRI or logfmt, opened to their messages.

Rules (the reference; the engine's ``native/src/structured.c`` has the same):

- ``structured`` in ``preprocess.json`` is an ordered list of forms. The first that fits a text
  wins: the text is its message from then on, and the forms are tried again on that, at most
  :data:`MAX_LEVELS` times in all. Then headers are tried, and on the message of a header the forms
  once more.
- ``json``: a JSON object (:func:`read_json_object`), perhaps behind ``@cee:``, whose value of the
  name ``message`` is a string, or an array of at least one integer from 0 to 255 (journald's
  bytes, decoded as UTF-8 with replacement).
- ``docker``: a JSON object whose value of the name ``log`` is a string; its time is ``time``. A
  message without an LF at its end is a piece (:mod:`logexport.logs.joining`).
- ``cri``: ``TIME stdout|stderr TAGS MESSAGE``, each after one space. TAGS are ``F`` or ``P``,
  perhaps with more behind a colon; with ``P`` the message is a piece.
- ``logfmt``: nothing but ``KEY=VALUE`` and ``KEY="VALUE"`` with white space between; one of the
  keys is that of ``message``. Of a key that is there twice the first counts. In quotes ``\n \r \t
  \b \f`` and ``\uXXXX`` are what they are in JSON, and ``\`` before any other character is that
  character.
- Of a message of several lines the first that is not blank counts (of blank ones the first),
  without a CR directly before its LF. Then escape sequences are dropped from it, as from a line; a
  message of ``cri`` is a part of a line that has lost them.
- The other names of a form (``timestamp``, ``level``, ``logger``, ``host``, ``process``, ``pid``)
  say where these fields are: a string's text, a number as it is written, ``true`` or ``false``;
  anything else is null. A field that is found at several levels, headers included, is the
  innermost one.

Names in JSON: the name of a value is its keys joined by dots (``fields.message`` is ``message`` in
``fields``, or a key with a dot in it). Of several values of one name the first counts, whatever it
is, and nothing of the others.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from logexport.errors import InputError
from logexport.logs.decoding import strip_escapes
from logexport.logs.lines import WHITE_SPACE, decode, is_blank

__all__ = [
    "Opened",
    "StructuredForm",
]

Form = Literal["json", "docker", "cri", "logfmt"]
FORMS: tuple[Form, ...] = ("json", "docker", "cri", "logfmt")

FIELDS = ("timestamp", "level", "logger", "host", "process", "pid")
"""What a form's keys and a header's groups may say of a record beside its message."""

MAX_DEPTH = 64
"""Arrays and objects that may be open at once in JSON, the outermost one counted."""
MAX_LEVELS = 4
"""How often a line is opened at most."""
MAX_FORMS = 16
MAX_NAME_LENGTH = 256

_JSON_SPACE = " \t\n\r"
_COOKIE = "@cee:"
_LONE_SURROGATES = re.compile("[\ud800-\udfff]")
# A string without an end is one too, so that no quote in it is tried as another's beginning.
_STRINGS_AND_BRACKETS = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?|[\[\]{}]', re.DOTALL)
_BYTE = re.compile(r"(?:0|[1-9][0-9]{0,2})", re.ASCII)
_CRI = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)) (stdout|stderr) "
    r"([FP])(?::[^ ]*)?(?: (.*))?",
    re.ASCII | re.DOTALL,
)
_LOGFMT_KEY = re.compile(rf'[{WHITE_SPACE}]*([^{WHITE_SPACE}="]+)=')
_LOGFMT_BARE = re.compile(rf'[^{WHITE_SPACE}"]*')
_LOGFMT_QUOTED = re.compile(r'"([^"\\]*(?:\\.[^"\\]*)*)"', re.DOTALL)
_LOGFMT_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|(.))", re.DOTALL)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}
_END = re.compile(rf"(?:[{WHITE_SPACE}]|\Z)")


@dataclass(frozen=True)
class StructuredForm:
    """One form of structured records, and which keys say what.

    Args:
        form: one of :data:`FORMS`.
        message: the name of the message; needed for ``json`` and ``logfmt``, and None for the
            others, whose keys are fixed.
        timestamp, level, logger, host, process, pid: the names of these fields, or None.

    Raises:
        InputError: a name is missing, empty or longer than 256 characters, or the form has none.
    """

    form: Form
    message: str | None = None
    timestamp: str | None = None
    level: str | None = None
    logger: str | None = None
    host: str | None = None
    process: str | None = None
    pid: str | None = None

    def __post_init__(self) -> None:
        named = self.form in ("json", "logfmt")
        names = [name for name in (self.message, *self.names().values()) if name is not None]
        if named != (self.message is not None) or (names and not named):
            raise InputError(
                f"A structured form {self.form} {'needs' if named else 'has no'} names of keys",
                "Name the key of the message for json and logfmt, and no key for docker and cri.",
            )
        if not all(0 < len(name) <= MAX_NAME_LENGTH for name in names):
            raise InputError(
                f"A key of the structured form {self.form} is empty or too long",
                f"Use names of 1 to {MAX_NAME_LENGTH} characters.",
            )

    def names(self) -> dict[str, str]:
        """The name of each field that has one."""
        return {field: name for field in FIELDS if (name := getattr(self, field)) is not None}

    def to_json(self) -> dict[str, str]:
        """As ``preprocess.json`` has it."""
        message = {} if self.message is None else {"message": self.message}
        return {"form": self.form, **message, **self.names()}


class Opened(NamedTuple):
    """What a form makes of a text.

    Args:
        message: what the text is from now on.
        fields: those that were found, by their names in :data:`FIELDS`.
        by: the value of the key that sessions are by, or None.
        piece: whether the next line may hold more of the message.
        source: what pieces must have in common to be joined (a form, and a stream), or None for a
            form without pieces.
        stands_alone: of a form without pieces: the record cannot be part of another one, since
            lines of its message that are not blank were cut off, or since it is blank.
    """

    message: str
    fields: Mapping[str, str]
    by: str | None = None
    piece: bool = False
    source: tuple[str, str | None] | None = None
    stands_alone: bool = False


class StructureReader:
    """The structured forms of a log, ready to be tried.

    Args:
        forms: in order.
        session_key: the name that sessions are by, if they are by one.
    """

    def __init__(self, forms: Sequence[StructuredForm], session_key: str | None = None) -> None:
        self._openers: list[Callable[[str], Opened | None]] = []
        for form in forms:
            if form.form == "cri":
                self._openers.append(_Cri(session_key).open)
            elif form.form == "logfmt":
                self._openers.append(_Logfmt(form, session_key).open)
            else:
                self._openers.append(_Json(form, session_key).open)

    def open(self, text: str) -> Opened | None:
        """What the first form that fits makes of a text; None if none does."""
        for opener in self._openers:
            opened = opener(text)
            if opened is not None:
                return opened
        return None


# --- JSON -----------------------------------------------------------------------------------------


class _Number(str):
    """A number as it is written."""

    __slots__ = ()


class _Members(list[tuple[str, Any]]):
    """An object: its keys and values in their order."""


def _refuse_constant(name: str) -> Any:
    raise ValueError(name)  # NaN and Infinity are not JSON


_DECODER = json.JSONDecoder(
    object_pairs_hook=_Members,
    parse_int=_Number,
    parse_float=_Number,
    parse_constant=_refuse_constant,
)


def read_json_object(text: str) -> list[tuple[str, Any]] | None:
    """The members of a JSON object (RFC 8259) in their order; None if the text is something else.

    Before the object may stand ``@cee:``, with which syslog announces it.
    At most :data:`MAX_DEPTH` arrays and objects are open at once. Numbers are their text, marked as
    numbers; surrogates without a partner are still there. A key may come twice.
    """
    text = text.lstrip(_JSON_SPACE)
    if text.startswith(_COOKIE):
        text = text[len(_COOKIE) :].lstrip(_JSON_SPACE)
    if not text.startswith("{") or _is_too_deep(text):
        return None
    try:
        value = _DECODER.decode(text)
    except ValueError:
        return None
    return value if isinstance(value, _Members) else None


def _is_too_deep(text: str) -> bool:
    """Whether JSON nests deeper than is read; if it is not JSON, the answer means nothing."""
    if text.count("{") + text.count("[") <= MAX_DEPTH:
        return False
    depth = 0
    for found in _STRINGS_AND_BRACKETS.finditer(text):
        bracket = found[0]
        if bracket in ("{", "["):
            depth += 1
            if depth > MAX_DEPTH:
                return True
        elif bracket in ("}", "]"):
            depth -= 1
    return False


def _find_values(members: _Members, wanted: Mapping[str, bool]) -> dict[str, Any]:
    """The values of the wanted names.

    Args:
        members: of the outermost object.
        wanted: the names, each with True, and what stands before a dot in one of them with False.
    """
    found: dict[str, Any] = {}
    # Objects one after another in the order of the line, each with the name before its keys.
    todo: list[tuple[str, Any]] = [(_clean(key), value) for key, value in reversed(members)]
    while todo:
        name, value = todo.pop()
        if name not in wanted or name in found:
            continue
        found[name] = value
        if isinstance(value, _Members):
            todo.extend((f"{name}.{_clean(key)}", inner) for key, inner in reversed(value))
    return found


def _clean(text: str) -> str:
    """Text of JSON with U+FFFD for surrogates that have no partner."""
    return text if text.isascii() else _LONE_SURROGATES.sub("\ufffd", text)


def _field_text(value: Any) -> str | None:
    if value is True or value is False:
        return "true" if value else "false"
    return _clean(value) if isinstance(value, str) else None


def _message_text(value: Any) -> str | None:
    if isinstance(value, str) and not isinstance(value, _Number):
        return _clean(value)
    if isinstance(value, list) and not isinstance(value, _Members):
        return _bytes_text(value)
    return None


def _bytes_text(items: list[Any]) -> str | None:
    """An array of bytes as text, or None if it is another array."""
    if not items:
        return None
    for item in items:
        if not isinstance(item, _Number) or not _BYTE.fullmatch(item) or int(item) > 255:
            return None
    return decode(bytes(map(int, items)))


def _first_line(message: str) -> tuple[str, bool]:
    """The first line that is not blank, without escape sequences; and whether another one is."""
    rest = message.lstrip(WHITE_SPACE + "\n")
    if rest:
        message = message[message.rfind("\n", 0, len(message) - len(rest)) + 1 :]
    line, feed, others = message.partition("\n")
    if feed and line.endswith("\r"):
        line = line[:-1]
    return strip_escapes(line), bool(others.strip(WHITE_SPACE + "\n"))


class _Json:
    """``json`` and ``docker``."""

    def __init__(self, form: StructuredForm, session_key: str | None) -> None:
        self._docker = form.form == "docker"
        self._message = "log" if form.message is None else form.message
        self._names = {"timestamp": "time"} if self._docker else form.names()
        self._session_key = session_key
        names = {self._message, *self._names.values()}
        if self._docker:
            names.add("stream")
        if session_key is not None:
            names.add(session_key)
        self._wanted: dict[str, bool] = {}
        for name in names:
            for place, character in enumerate(name):
                if character == ".":
                    self._wanted.setdefault(name[:place], False)
        self._wanted.update(dict.fromkeys(names, True))

    def open(self, text: str) -> Opened | None:
        members = read_json_object(text)
        if members is None:
            return None
        found = _find_values(_Members(members), self._wanted)
        value = found.get(self._message)
        message = _message_text(value)
        if message is None or (self._docker and not isinstance(value, str)):
            return None
        texts = {field: _field_text(found.get(name)) for field, name in self._names.items()}
        fields = {field: text for field, text in texts.items() if text is not None}
        by = None if self._session_key is None else _field_text(found.get(self._session_key))
        line, more = _first_line(message)
        if not self._docker:
            return Opened(line, fields, by, stands_alone=more or is_blank(line))
        source = ("docker", _field_text(found.get("stream")))
        return Opened(line, fields, by, not message.endswith("\n"), source)


# --- others ---------------------------------------------------------------------------------------


class _Cri:
    """``cri``: Kubernetes' Container Runtime Interface, design proposal "kubelet-cri-logging"."""

    def __init__(self, session_key: str | None) -> None:
        self._session_key = session_key

    def open(self, text: str) -> Opened | None:
        match = _CRI.fullmatch(text)
        if match is None:
            return None
        time, stream, tag, message = match.groups()
        by = {"time": time, "stream": stream}.get(self._session_key or "")
        return Opened(message or "", {"timestamp": time}, by, tag == "P", ("cri", stream))


class _Logfmt:
    def __init__(self, form: StructuredForm, session_key: str | None) -> None:
        assert form.message is not None  # noqa: S101 - the form has seen to that
        self._message = form.message
        self._names = form.names()
        self._session_key = session_key

    def open(self, text: str) -> Opened | None:
        pairs = read_logfmt(text)
        if pairs is None or self._message not in pairs:
            return None
        fields = {field: pairs[name] for field, name in self._names.items() if name in pairs}
        by = None if self._session_key is None else pairs.get(self._session_key)
        line, more = _first_line(pairs[self._message])
        return Opened(line, fields, by, stands_alone=more or is_blank(line))


def read_logfmt(text: str) -> dict[str, str] | None:
    """The pairs of a line of logfmt, the first of each key; None if the text is something else."""
    pairs: dict[str, str] = {}
    text = text.rstrip(WHITE_SPACE)
    place = 0
    while place < len(text):
        key = _LOGFMT_KEY.match(text, place)
        if key is None:
            return None
        place = key.end()
        quoted = _LOGFMT_QUOTED.match(text, place)
        value = quoted or _LOGFMT_BARE.match(text, place)
        assert value is not None  # noqa: S101 - a bare value may be empty
        place = value.end()
        if _END.match(text, place) is None:
            return None
        pairs.setdefault(key[1], _unescape(quoted[1]) if quoted else value[0])
    return pairs or None


def _unescape(text: str) -> str:
    if "\\" not in text:
        return text

    def replace(match: re.Match[str]) -> str:
        if match[1] is not None:
            return chr(int(match[1], 16))
        return _ESCAPES.get(match[2], match[2])

    # Escapes of surrogates come in pairs, which UTF-16 joins; one without its partner is U+FFFD.
    joined = _LOGFMT_ESCAPE.sub(replace, text)
    if not _LONE_SURROGATES.search(joined):
        return joined
    return joined.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
