"""The rules of a log, as a value and as ``preprocess.json``: from bytes to masked text.

Rules (the reference; each module names its own):

- A session is a text or null. ``by`` ``none``: every line's is null. ``host``: the header's host
  (null where there is none). ``regex``: the first place where ``pattern`` matches in the whole
  decoded line, header included, not masked; its first capturing group if it has any (null, if that
  took no part in the match), else all of the match; null where nothing matches. The empty text is a
  session like any other. An oversize line's session is null.
- ``max_sessions`` and ``max_line_bytes`` are part of the rules, so that detection holds and skips
  what training did.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

from logexport import schemas
from logexport.errors import InputError, UsageError
from logexport.files import atomic_path, encode_json, read_json
from logexport.logs.decoding import ENCODINGS, UTF_8_MARK, Encoding, strip_escapes
from logexport.logs.headers import ALOG_DETECT_HEADERS, Header, HeaderMatcher
from logexport.logs.lines import DEFAULT_MAX_LINE_BYTES, Reading, decode, is_blank
from logexport.logs.masks import ALOG_DETECT_MASKS, DEFAULT_MASKS, Mask, Masker
from logexport.logs.matching import Prefer
from logexport.logs.patterns import compile_portable

__all__ = [
    "ALOG_DETECT",
    "DEFAULT_MAX_SESSIONS",
    "LineParser",
    "ParsedLine",
    "Preprocess",
    "SessionRule",
]

PREPROCESS_SCHEMA_VERSION = 2
"""What is written for rules that are new; rules of version 1 keep theirs, and their meaning."""

DEFAULT_MAX_SESSIONS = 100_000

_REMEDY = "Take the preprocess.json that logexport parse wrote, or repair the named place."


@dataclass(frozen=True)
class SessionRule:
    """How lines are divided into sessions; ``pattern`` with ``by="regex"`` and only then."""

    by: Literal["none", "host", "regex"] = "none"
    pattern: str | None = None

    def __post_init__(self) -> None:
        if self.by not in ("none", "host", "regex"):
            raise InputError(f"Sessions cannot be made by {self.by!r}", "Use none, host or regex.")
        if (self.by == "regex") != (self.pattern is not None):
            raise InputError(
                f"Sessions by {self.by} and the pattern {self.pattern!r} do not fit each other",
                "A pattern belongs to sessions by regex, and only there.",
            )

    @classmethod
    def from_option(cls, value: str) -> SessionRule:
        """Read ``--session-by none|host|REGEX``.

        Raises:
            InputError: the pattern is not portable.
        """
        if value in ("none", "host"):
            return cls(value)  # type: ignore[arg-type]
        compile_portable(value, "--session-by")
        return cls("regex", value)


@dataclass(frozen=True)
class Preprocess:
    """All that turns the bytes of a line into masked text, a session and an event.

    Args:
        headers: tried in order, the first match wins.
        masks: applied in order.
        prefer: which of several matching templates a line is.
        session: how lines are divided.
        max_sessions: how many sessions detection holds.
        max_line_bytes: longer lines are unseen.
        encoding: what a file without a byte order mark is. None: these are rules of version 1,
            which know neither marks nor escape sequences (:mod:`logexport.logs.decoding`).
    """

    headers: tuple[Header, ...] = ()
    masks: tuple[Mask, ...] = DEFAULT_MASKS
    prefer: Prefer = "specific"
    session: SessionRule = field(default_factory=SessionRule)
    max_sessions: int = DEFAULT_MAX_SESSIONS
    max_line_bytes: int = DEFAULT_MAX_LINE_BYTES
    encoding: Encoding | None = "utf-8"

    def __post_init__(self) -> None:
        if self.encoding not in (None, *ENCODINGS):
            raise InputError(
                f"There is no encoding {self.encoding!r} for logs",
                f"Use one of {', '.join(ENCODINGS)}.",
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
            headers=tuple(Header(h["name"], h["pattern"]) for h in data["headers"]),
            masks=tuple(Mask(m["name"], m["pattern"], m["replacement"]) for m in data["masks"]),
            prefer=data["matching"]["prefer"],
            session=SessionRule(data["session"]["by"], data["session"]["pattern"]),
            max_sessions=data["max_sessions"],
            max_line_bytes=data["max_line_bytes"],
            encoding=data.get("encoding"),
        )
        LineParser(rules)
        return rules

    def to_json(self) -> dict[str, Any]:
        """The document of ``preprocess.json``, keys in the documented order."""
        encoding = {} if self.encoding is None else {"encoding": self.encoding}
        return {
            "schema_version": self.version,
            **encoding,
            "headers": [{"name": h.name, "pattern": h.pattern} for h in self.headers],
            "masks": [
                {"name": m.name, "pattern": m.pattern, "replacement": m.replacement}
                for m in self.masks
            ],
            "matching": {"prefer": self.prefer},
            "session": {"by": self.session.by, "pattern": self.session.pattern},
            "max_sessions": self.max_sessions,
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
    """What the rules make of one line's bytes.

    Args:
        text: the decoded line.
        message: what follows the header.
        masked: the message after all masks.
        host, process, timestamp_text: the header's fields, or None.
        session: by the session rule, or None.
        header: name of the header that matched, or None.
    """

    text: str
    message: str
    masked: str
    host: str | None
    process: str | None
    timestamp_text: str | None
    session: str | None
    header: str | None

    @property
    def blank(self) -> bool:
        """Whether the line holds white space only."""
        return is_blank(self.text)


class LineParser:
    """The rules of a log, compiled; one for one thread.

    Raises:
        InputError: a header, mask or session pattern cannot be used.
    """

    def __init__(self, preprocess: Preprocess) -> None:
        self.preprocess = preprocess
        self._headers = HeaderMatcher(preprocess.headers)
        self._masker = Masker(preprocess.masks)
        rule = preprocess.session
        self._by_host = rule.by == "host"
        self._decode = preprocess.decode
        self._pattern = (
            compile_portable(rule.pattern, "the sessions") if rule.pattern is not None else None
        )
        self._group = 1 if self._pattern is not None and self._pattern.groups else 0

    def parse(self, raw: bytes) -> ParsedLine:
        """Apply the rules to a line that is not oversize."""
        text = self._decode(raw)
        message, timestamp, host, process, header = self._headers.match(text)
        return ParsedLine(
            text,
            message,
            self._masker(message),
            host,
            process,
            timestamp,
            self._session(text, host),
            header,
        )

    def masked_and_session(self, raw: bytes) -> tuple[str, str | None] | None:
        """Only what an event needs, None for a blank line."""
        text = self._decode(raw)
        if is_blank(text):
            return None
        fields = self._headers.match(text)
        return self._masker(fields.message), self._session(text, fields.host)

    def mask(self, message: str) -> str:
        """Apply the masks to a message."""
        return self._masker(message)

    def _session(self, text: str, host: str | None) -> str | None:
        if self._by_host:
            return host
        if self._pattern is not None:
            found = self._pattern.search(text)
            return None if found is None else found[self._group]
        return None
