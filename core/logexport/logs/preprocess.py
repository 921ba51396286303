"""The rules of a log, as a value and as ``preprocess.json``: from bytes to masked text.

Rules (the reference; each module names its own):

- A session is a text or null. ``by`` ``none``: every line's is null. ``host``: the field ``host``
  (null if there is none). ``field``: the value of the key ``field`` in a structured record (the
  outermost one that has it), else the field of that name. ``regex``: the first place where
  ``pattern`` matches in the whole decoded line, header included, not masked; its first capturing
  group if it has any (null, if that took no part in the match), else all of the match; null where
  nothing matches. The empty text is a session like any other. An oversize line's session is null.
- When a session ends is told in :mod:`logexport.logs.sessions`. That and ``max_line_bytes`` are
  part of the rules, so that detection ends and skips what training did.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

from logexport import schemas
from logexport.errors import InputError, UsageError
from logexport.files import atomic_path, encode_json, read_json
from logexport.logs.decoding import ENCODINGS, UTF_8_MARK, Encoding, strip_escapes
from logexport.logs.headers import (
    ALOG_DETECT_HEADERS,
    FIELDS,
    GROUPS,
    Fields,
    Header,
    HeaderMatcher,
    header_of,
)
from logexport.logs.kept import KeptField, kept_tokens
from logexport.logs.lines import DEFAULT_MAX_LINE_BYTES, Reading, decode, is_blank
from logexport.logs.masks import ALOG_DETECT_MASKS, DEFAULT_MASKS, Mask, Masker
from logexport.logs.matching import Prefer, TemplateMatcher
from logexport.logs.patterns import compile_portable
from logexport.logs.structured import (
    MAX_FORMS,
    MAX_LEVELS,
    MAX_NAME_LENGTH,
    Opened,
    StructuredForm,
    StructureReader,
)
from logexport.logs.tokens import WORD, Masked, Tokenizer, TokenRule

__all__ = [
    "ALOG_DETECT",
    "DEFAULT_MAX_SESSIONS",
    "LineParser",
    "ParsedLine",
    "Preprocess",
    "SessionRule",
    "refuse_endless_sessions",
]

PREPROCESS_SCHEMA_VERSION = 2
"""What is written for rules that are new; rules of version 1 keep theirs, and their meaning."""

DEFAULT_MAX_SESSIONS = 100_000
DEFAULT_IDLE_LINES = 100_000
MAX_IDLE_LINES = 10_000_000
MAX_IDLE_SECONDS = 1_000_000_000

_REMEDY = "Take the preprocess.json that logexport parse wrote, or repair the named place."


@dataclass(frozen=True)
class SessionRule:
    """How lines are divided into sessions, and since version 2 when a session ends.

    Args:
        by: ``none``, ``host``, ``field`` or ``regex``.
        pattern: with ``regex``, and only there.
        field: a key or a field with ``field``, and only there; 1 to 256 characters.
        idle_lines: lines of the log without one of a session that end it, 1 to
            :data:`MAX_IDLE_LINES`. None with ``none`` and under version 1; elsewhere
            :class:`Preprocess` has :data:`DEFAULT_IDLE_LINES` in its place.
        idle_seconds: a session's line that comes later than this begins another; None: none does.
        close_pattern: what a session's last line matches; None: no line closes one.

    Raises:
        InputError: these do not fit each other.
    """

    by: Literal["none", "host", "field", "regex"] = "none"
    pattern: str | None = None
    field: str | None = None
    idle_lines: int | None = None
    idle_seconds: int | None = None
    close_pattern: str | None = None

    def __post_init__(self) -> None:
        if self.by not in ("none", "host", "field", "regex"):
            raise InputError(
                f"Sessions cannot be made by {self.by!r}", "Use none, host, field or regex."
            )
        if (self.by == "regex") != (self.pattern is not None):
            raise InputError(
                f"Sessions by {self.by} and the pattern {self.pattern!r} do not fit each other",
                "A pattern belongs to sessions by regex, and only there.",
            )
        if (self.by == "field") != (self.field is not None):
            raise InputError(
                f"Sessions by {self.by} and the field {self.field!r} do not fit each other",
                "A field belongs to sessions by field, and only there.",
            )
        if self.field is not None and not 0 < len(self.field) <= MAX_NAME_LENGTH:
            raise InputError(
                "The field that sessions are by is empty or too long",
                f"Use a name of 1 to {MAX_NAME_LENGTH} characters.",
            )
        if self.by == "none" and self.has_ends:
            raise InputError(
                "Sessions by none do not end before the log does",
                "Leave out idle_lines, idle_seconds and close_pattern, or make sessions by regex.",
            )
        for name, value, most in (
            ("idle_lines", self.idle_lines, MAX_IDLE_LINES),
            ("idle_seconds", self.idle_seconds, MAX_IDLE_SECONDS),
        ):
            if value is not None and not 1 <= value <= most:
                raise InputError(f"{name} is {value:,}", f"Use a whole number from 1 to {most:,}.")

    @property
    def has_ends(self) -> bool:
        """Whether it says when a session ends."""
        return (self.idle_lines, self.idle_seconds, self.close_pattern) != (None, None, None)

    @property
    def begins_and_ends(self) -> bool:
        """Whether its sessions are units of work: what a task with ``start``, ``end`` or counts of
        sessions needs. A host does not end."""
        return self.by in ("field", "regex") and self.idle_lines is not None

    @property
    def without_ends(self) -> SessionRule:
        """What it says of names alone."""
        return replace(self, idle_lines=None, idle_seconds=None, close_pattern=None)

    @classmethod
    def from_option(cls, value: str, *, fields: bool = True) -> SessionRule:
        """Read ``--session-by none|host|field:NAME|REGEX``.

        Args:
            value: the option's.
            fields: the rules know sessions by field; those of version 1 take it for a pattern.

        Raises:
            InputError: the pattern is not portable, or the field has no name.
        """
        if value in ("none", "host"):
            return cls(value)  # type: ignore[arg-type]
        if fields and value.startswith("field:"):
            return cls("field", field=value.removeprefix("field:"))
        compile_portable(value, "--session-by")
        return cls("regex", value)


def refuse_endless_sessions(session_by: str | None) -> None:
    """Refuse a ``--session-by`` whose sessions do not end, for a model of sessions that do.

    Args:
        session_by: the option's value; None: it was not given.

    Raises:
        UsageError: it is ``none`` or ``host``.
    """
    if session_by in ("none", "host"):
        raise UsageError(
            f"--session-by {session_by} does not apply: the model judges sessions that begin and"
            " end",
            "Use a pattern, or field:NAME.",
        )


@dataclass(frozen=True)
class Preprocess:
    """All that turns the bytes of a line into masked text, a session and an event.

    Args:
        headers: tried in order, the first match wins.
        masks: applied in order.
        prefer: which of several matching templates a line is.
        session: how lines are divided.
        max_sessions: how many sessions detection holds, by rules of version 1, where None becomes
            :data:`DEFAULT_MAX_SESSIONS`. Others have none: they say when sessions end.
        max_line_bytes: longer lines are unseen.
        encoding: what a file without a byte order mark is. None: these are rules of version 1,
            which know neither marks nor escape sequences (:mod:`logexport.logs.decoding`), and
            none of what follows.
        structured: forms of structured records, tried in order (:mod:`logexport.logs.structured`).
        continuation: whether continuation lines belong to the record before them
            (:mod:`logexport.logs.continuation`).
        keep: fields that stay in the event, in their order (:mod:`logexport.logs.kept`).
        tokens: how masked messages are split (:mod:`logexport.logs.tokens`).
        inner: whether ``<*>`` inside a template's token stands for a part of a token
            (:mod:`logexport.logs.matching`).

    Raises:
        InputError: there is no such encoding, there are too many forms, or rules of one version
            have what only the other knows.
    """

    headers: tuple[Header, ...] = ()
    masks: tuple[Mask, ...] = DEFAULT_MASKS
    prefer: Prefer = "specific"
    session: SessionRule = field(default_factory=SessionRule)
    max_sessions: int | None = None
    max_line_bytes: int = DEFAULT_MAX_LINE_BYTES
    encoding: Encoding | None = "utf-8"
    structured: tuple[StructuredForm, ...] = ()
    continuation: bool = True
    keep: tuple[KeptField, ...] = ()
    tokens: TokenRule = field(default_factory=TokenRule)
    inner: bool = False

    def __post_init__(self) -> None:
        if self.encoding is None:
            object.__setattr__(self, "continuation", False)
            object.__setattr__(self, "tokens", TokenRule("", False))
            if self.max_sessions is None:
                object.__setattr__(self, "max_sessions", DEFAULT_MAX_SESSIONS)
            if self._has_what_is_new():
                raise InputError(
                    "Rules of version 1 know neither structured records, kept fields, sessions by"
                    " field, ends of sessions, messages on the next line nor wildcards inside"
                    " tokens",
                    "Make the rules anew by logexport parse.",
                )
        elif self.max_sessions is not None:
            raise InputError(
                "Rules of version 2 know no max_sessions: they say when a session ends",
                "Leave it out; idle_lines bounds how many sessions are held.",
            )
        elif self.session.by != "none" and self.session.idle_lines is None:
            ending = replace(self.session, idle_lines=DEFAULT_IDLE_LINES)
            object.__setattr__(self, "session", ending)
        if len(self.structured) > MAX_FORMS:
            raise InputError(
                f"There are {len(self.structured)} structured forms",
                f"Name at most {MAX_FORMS}.",
            )
        if self.encoding not in (None, *ENCODINGS):
            raise InputError(
                f"There is no encoding {self.encoding!r} for logs",
                f"Use one of {', '.join(ENCODINGS)}.",
            )

    def _has_what_is_new(self) -> bool:
        return (
            bool(self.structured)
            or bool(self.keep)
            or self.inner
            or self.session.by == "field"
            or self.session.has_ends
            or any(header.next_line for header in self.headers)
        )

    @property
    def version(self) -> int:
        """The schema version that these rules are written in."""
        return 1 if self.encoding is None else PREPROCESS_SCHEMA_VERSION

    @property
    def reading(self) -> Reading:
        """How the bytes of a log become lines."""
        return Reading(self.max_line_bytes, self.encoding)

    @property
    def mark(self) -> bytes:
        """What a log begins with that logexport writes to be read by these rules, in UTF-8."""
        return b"" if self.encoding is None else UTF_8_MARK

    def make_matcher(
        self, templates: Sequence[str], reserved: Collection[int] = ()
    ) -> TemplateMatcher:
        """What finds the template of a record.

        Args:
            templates: by index.
            reserved: indices that are labels and match nothing.
        """
        return TemplateMatcher(
            templates, reserved, self.prefer, typed=self.version > 1, inner=self.inner
        )

    def decode(self, raw: bytes) -> str:
        """The text of a line that is not oversize."""
        text = decode(raw)
        return text if self.encoding is None else strip_escapes(text)

    def with_encoding(self, encoding: str) -> Preprocess:
        """The rules for logs of which files without a mark are of this encoding.

        Raises:
            UsageError: these are rules of version 1.
        """
        if self.encoding is None:
            raise UsageError(
                "--encoding does not apply: the rules are of version 1 and read UTF-8",
                "Turn the log into UTF-8 (iconv -f UTF-16 -t UTF-8), or parse and train anew.",
            )
        return replace(self, encoding=encoding)  # type: ignore[arg-type]

    def with_sessions(self, option: str) -> Preprocess:
        """The rules with what ``--session-by`` says of sessions; their ends stay, but for ``none``.

        Raises:
            InputError: see :meth:`SessionRule.from_option`.
        """
        named = SessionRule.from_option(option, fields=self.version > 1)
        if named.by != "none":
            ends = self.session
            named = replace(
                named,
                idle_lines=ends.idle_lines,
                idle_seconds=ends.idle_seconds,
                close_pattern=ends.close_pattern,
            )
        return replace(self, session=named)

    def with_continuation(self, continuation: bool) -> Preprocess:
        """The rules with continuation lines on or off.

        Raises:
            UsageError: they are to be on, but these are rules of version 1.
        """
        if continuation and self.encoding is None:
            raise UsageError(
                "--continuation does not apply: the rules are of version 1, which know no "
                "continuation lines",
                "Parse and train anew.",
            )
        return replace(self, continuation=continuation)

    @classmethod
    def load(cls, path: Path | str) -> Preprocess:
        """Read ``preprocess.json`` through its schema; every pattern is compiled once.

        Raises:
            InputError: the file cannot be read or is malformed, or a rule in it is.
        """
        document = read_json(path, "preprocessing rules", max_bytes=4 * 1024 * 1024)
        return cls.from_json(document, str(path))

    @classmethod
    def from_json(cls, document: Any, name: str = "preprocess.json") -> Preprocess:
        """As :meth:`load`, from the parsed document; ``name`` stands for the file in errors."""
        schemas.check(document, "preprocess", Path(name), remedy=_REMEDY)
        data: Mapping[str, Any] = document
        rules = cls(
            headers=tuple(map(header_of, data["headers"])),
            masks=tuple(Mask(m["name"], m["pattern"], m["replacement"]) for m in data["masks"]),
            prefer=data["matching"]["prefer"],
            session=SessionRule(**data["session"]),
            max_sessions=data.get("max_sessions"),
            max_line_bytes=data["max_line_bytes"],
            encoding=data.get("encoding"),
            structured=tuple(StructuredForm(**form) for form in data.get("structured", ())),
            continuation=data.get("continuation", False),
            keep=tuple(KeptField(one["field"], one["as"]) for one in data.get("keep", ())),
            tokens=TokenRule(**data.get("tokens", {})),
            inner=data["matching"].get("inner", False),
        )
        LineParser(rules)
        return rules

    def to_json(self) -> dict[str, Any]:
        """The document of ``preprocess.json``, keys in the documented order."""
        reading: dict[str, Any] = {}
        tokens: dict[str, Any] = {}
        matching: dict[str, Any] = {"prefer": self.prefer}
        if self.encoding is not None:
            reading = {
                "encoding": self.encoding,
                "structured": [form.to_json() for form in self.structured],
                "continuation": self.continuation,
                "keep": [{"field": one.field, "as": one.form} for one in self.keep],
            }
            tokens = {"tokens": asdict(self.tokens)}
            matching["inner"] = self.inner
        rule = self.session
        session: dict[str, Any] = {"by": rule.by, "pattern": rule.pattern}
        if rule.field is not None:
            session = {"by": rule.by, "field": rule.field}
        for name in ("idle_lines", "idle_seconds", "close_pattern"):
            if getattr(rule, name) is not None:
                session[name] = getattr(rule, name)
        return {
            "schema_version": self.version,
            **reading,
            "headers": [
                {
                    "name": h.name,
                    "pattern": h.pattern,
                    **({"message": "next_line"} if h.next_line else {}),
                }
                for h in self.headers
            ],
            "masks": [
                {"name": m.name, "pattern": m.pattern, "replacement": m.replacement}
                for m in self.masks
            ],
            **tokens,
            "matching": matching,
            "session": session,
            **({"max_sessions": self.max_sessions} if self.encoding is None else {}),
            "max_line_bytes": self.max_line_bytes,
        }

    def save(self, path: Path | str) -> None:
        """Write ``preprocess.json`` through its schema, atomically.

        Raises:
            InputError: a rule is invalid.
            OutputError: the file cannot be written.
        """
        data = self.encode(path)
        with atomic_path(path) as temporary:
            temporary.write_bytes(data)

    def encode(self, path: Path | str) -> bytes:
        """What ``preprocess.json`` holds, for whoever writes it at ``path``.

        Raises:
            InputError: a rule is invalid.
        """
        document = self.to_json()
        schemas.check(document, "preprocess", Path(path), remedy=_REMEDY)
        LineParser(self)
        return encode_json(document)

    def sha256(self) -> str:
        """Identity of the rules, whatever the layout of their file."""
        import hashlib
        import json

        text = json.dumps(self.to_json(), ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(text.encode("utf-8")).hexdigest()


ALOG_DETECT = Preprocess(
    headers=ALOG_DETECT_HEADERS, masks=ALOG_DETECT_MASKS, prefer="general", encoding=None
)
"""The rules of alog-detect, for vocabularies from there (which hold templates of every moment)."""


class ParsedLine(NamedTuple):
    """What the rules make of one text.

    Args:
        text: the decoded line; of a structured record its message.
        message: what follows the header, not masked.
        session: by the session rule, or None.
        timestamp, host, process: fields, or None.
        header: name of the header that matched, or None.
        next_line: the message goes on in the next line.
        opened: the line is a structured record.
        opened_behind: what stands behind its header is one.
        stands_alone: it cannot be a continuation line
            (:class:`logexport.logs.structured.Opened`).
        blank: Docker or CRI were opened to white space, so that it is nothing.
        kept: the tokens of the kept fields.
        head_pid, head_level: what the header itself says in these groups, or None.
        time: the match of its header, if groups of time in it say ``timestamp``.
        wrapped: Docker or CRI were opened to it, and no structured record is inside.
    """

    text: str
    message: str
    session: str | None = None
    timestamp: str | None = None
    host: str | None = None
    process: str | None = None
    header: str | None = None
    next_line: bool = False
    opened: bool = False
    opened_behind: bool = False
    stands_alone: bool = False
    blank: bool = False
    kept: tuple[str, ...] = ()
    head_pid: str | None = None
    head_level: str | None = None
    time: re.Match[str] | None = None
    wrapped: bool = False


class LineParser:
    """The rules of a log, compiled; one for one thread.

    Raises:
        InputError: a header, mask or session pattern cannot be used.
    """

    def __init__(self, preprocess: Preprocess) -> None:
        self.preprocess = preprocess
        first = preprocess.encoding is None
        self._headers = HeaderMatcher(preprocess.headers, GROUPS if first else FIELDS, not first)
        self._keep = preprocess.keep
        self._masker = Masker(preprocess.masks)
        self._tokenizer = None if first else Tokenizer(self._masker, preprocess.tokens)
        rule = preprocess.session
        self._by, self._field = rule.by, rule.field
        self.decode = preprocess.decode
        self._pattern = (
            compile_portable(rule.pattern, "the sessions") if rule.pattern is not None else None
        )
        self._group = 1 if self._pattern is not None and self._pattern.groups else 0
        self._close_pattern = (
            compile_portable(rule.close_pattern, "the lines that close a session")
            if rule.close_pattern is not None
            else None
        )
        self._structure = StructureReader(preprocess.structured, rule.field)
        self.open = self._structure.open
        """What the first structured form that fits makes of a line's text, or None."""

    def mask(self, message: str) -> Masked:
        """The tokens of a message."""
        if self._tokenizer is None:
            return Masked(self._masker(message))
        return self._tokenizer(message)

    def mask_record(self, parsed: ParsedLine) -> Masked:
        """What a record's template is looked for with: kept tokens, then those of its message."""
        masked = self.mask(parsed.message)
        if not parsed.kept:
            return masked
        text = " ".join((*parsed.kept, masked.text) if masked.text else parsed.kept)
        return Masked(text, bytes([WORD]) * len(parsed.kept) + masked.kinds)

    def find_session(self, text: str) -> str | None:
        """What the session pattern finds in a line's text; None if nothing, or if there is none."""
        if self._pattern is None:
            return None
        found = self._pattern.search(text)
        return None if found is None else found[self._group]

    def closes_session(self, text: str) -> bool:
        """Whether a line with this text is the last of its session."""
        return self._close_pattern is not None and self._close_pattern.search(text) is not None

    def parse(self, raw: bytes) -> ParsedLine:
        """Apply the rules to a line alone that is not oversize."""
        text = self.decode(raw)
        return self.parse_text(text, self.open(text), self.find_session(text))

    def parse_text(self, text: str, opened: Opened | None, session: str | None) -> ParsedLine:
        """Apply the rules to a text.

        Args:
            text: a decoded line.
            opened: what it was opened to, if it is a structured record; ``text`` is not looked at.
            session: what the session pattern finds.
        """
        if not (self.preprocess.structured or self._keep or self._field):  # the way of most logs
            fields = self._headers.match(text)
            return ParsedLine(
                text,
                fields.message,
                fields.host if self._by == "host" else session,
                fields.timestamp,
                fields.host,
                fields.process,
                fields.header,
                fields.next_line,
                head_pid=fields.others.get("pid"),
                head_level=fields.others.get("level"),
                time=fields.time,
            )
        levels: list[Opened] = []
        if opened is not None:
            levels.append(opened)
            text = self._open_further(opened.message, levels)
        fields = self._headers.match(text)
        outside = len(levels)
        message = fields.message
        if fields.header is not None and not fields.next_line and self.preprocess.structured:
            message = self._open_further(message, levels)
        values = _merge_fields(levels[:outside], fields, levels[outside:])
        if self._by == "host":
            session = values.get("host")
        elif self._field is not None:
            keys = [level.by for level in levels if level.by is not None]
            session = keys[0] if keys else values.get(self._field)
        is_wrapped = outside > 0 and levels[outside - 1].source is not None
        return ParsedLine(
            text,
            message,
            session,
            values.get("timestamp"),
            values.get("host"),
            values.get("process"),
            fields.header,
            fields.next_line,
            outside > 0,
            len(levels) > outside,
            any(level.stands_alone for level in levels),
            is_wrapped and is_blank(text),
            kept_tokens(self._keep, values) if self._keep else (),
            fields.others.get("pid"),
            fields.others.get("level"),
            None if any("timestamp" in level.fields for level in levels[outside:]) else fields.time,
            is_wrapped,
        )

    def find_fields(self, text: str) -> dict[str, str]:
        """All fields that structured forms and the header find in a decoded line, by name."""
        levels: list[Opened] = []
        fields = self._headers.match(self._open_further(text, levels))
        outside = len(levels)
        if fields.header is not None and not fields.next_line:
            self._open_further(fields.message, levels)
        return _merge_fields(levels[:outside], fields, levels[outside:])

    def _open_further(self, text: str, levels: list[Opened]) -> str:
        """The text opened as often as it can be; what it was opened to is added to the levels."""
        while len(levels) < MAX_LEVELS and (opened := self.open(text)) is not None:
            levels.append(opened)
            text = opened.message
        return text


def _merge_fields(
    outside: Sequence[Opened], header: Fields, inside: Sequence[Opened]
) -> dict[str, str]:
    """The fields of a line by their names; of one that is found at several levels the innermost."""
    values: dict[str, str] = {}
    for level in outside:
        values.update(level.fields)
    found = {"timestamp": header.timestamp, "host": header.host, "process": header.process}
    values.update((name, value) for name, value in found.items() if value is not None)
    values.update(header.others)
    for level in inside:
        values.update(level.fields)
    return values
