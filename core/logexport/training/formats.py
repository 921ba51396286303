"""What ``logexport parse`` finds out from a sample of a log: structured forms, then heads.

Structured forms (:mod:`logexport.logs.structured`): texts that are JSON objects, CRI lines or
logfmt are looked at, then what they are opened to, then the messages behind heads. A form is taken
if it opens at least one line in twenty. The message of JSON is the value whose key says so
(``message``, ``msg`` and the like, whatever stands before the last dot, but rather not one of an
error or a request), else the texts with the most words, two at least, else what kind of thing
happened (``event_type``, ``method`` and the like). Of equals one that is the same in all lines is
taken last. The other fields are found by their keys.

Heads: a preset of :data:`WRITTEN` is taken if it matches at least one record in twenty. From the
records that none of these matches heads are learned (:mod:`logexport.training.heads`). If there is
neither, the preset is taken that matches at least half of the records, and more of them than any
other; of equal shares the one that stands first in :data:`logexport.logs.headers.PRESETS`.
Continuation lines and messages on the next line are not records, so that they do not count.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

from logexport.logs.headers import PRESETS, Header
from logexport.logs.joining import RecordReader
from logexport.logs.lines import LogLine, tokens
from logexport.logs.preprocess import LineParser, Preprocess
from logexport.logs.structured import (
    MAX_FORMS,
    MAX_LEVELS,
    MAX_NAME_LENGTH,
    StructuredForm,
    StructureReader,
    read_json_object,
    read_logfmt,
)
from logexport.training.heads import REACH, learn_heads
from logexport.training.times import find_time

__all__ = ["find_format", "find_forms", "find_heads", "form_with_key"]

SMALLEST_SHARE = 20
"""A form is taken if it opens at least one text in so many, a preset if it matches one."""
_DEPTH = 4  # objects in one another that are looked into for names

_SURE_MESSAGES = (
    *("message", "msg", "shortmessage", "renderedmessage", "m", "textpayload", "logmessage"),
    *("logmsg", "nachricht", "meldung", "mensaje", "mensagem", "messaggio", "komunikat"),
    *("сообщение", "消息", "信息", "メッセージ", "메시지"),
)
_MESSAGES = (
    *_SURE_MESSAGES,
    *("text", "event", "body", "stringvalue", "log", "messagetemplate", "mt", "description"),
)
_NO_MESSAGES = ("useragent", "ua", "referer", "referrer", "uri", "url", "path", "query", "cmdline")
"""How the keys end whose texts may have many words and still say nothing of what happened."""
_KINDS = (
    *("eventtype", "eventname", "type", "action", "operation", "operationname", "verb", "method"),
    *("requestmethod", "kind", "category"),
)
"""Keys whose few values say what happened, where there is no message."""
_MOST_KINDS = 64
_ELSEWHERE = frozenset(
    ("error", "err", "exception", "cause", "request", "req", "response", "res", "event", "agent")
)
"""Objects whose values are of something else than the record."""
_KEYS: Mapping[str, Sequence[str]] = {
    "timestamp": (
        *("timestamp", "time", "ts", "datetime", "t", "date", "asctime", "eventtime"),
        *("realtimetimestamp", "timemillis", "createdat", "when", "zeit", "fecha", "时间"),
    ),
    "level": (
        *("level", "severity", "lvl", "loglevel", "levelname", "severitytext", "priority", "l"),
        *("sev", "s", "stufe", "niveau", "nivel", "级别"),
    ),
    "logger": (
        *("logger", "loggername", "logname", "sourcecontext", "category", "target", "component"),
        "channel",
        *("module", "name", "namespace", "class", "caller", "c"),
    ),
    "host": ("hostname", "host", "nodename", "node", "machinename", "machine", "instance"),
    "process": (
        *("syslogidentifier", "program", "process", "processname", "appname", "app", "application"),
        *("service", "servicename", "svc", "comm"),
    ),
    "pid": ("pid", "processid", "procid"),
}
"""The last words of keys, in small letters and without signs, that are a field; best first."""


Members: TypeAlias = "Sequence[tuple[str, Any]]"
"""The keys and values of an object."""


@dataclass
class _Name:
    """What is known of a name in JSON or logfmt.

    Attributes:
        count: objects that have it as a text that is not blank, as a message is.
        words: of these texts.
        values: the first of these texts that are not the same.
        scalars: objects that have it as a text or a number.
    """

    count: int = 0
    words: int = 0
    scalars: int = 0
    values: set[str] = field(default_factory=set)

    @property
    def varies(self) -> bool:
        """Whether these texts are not all the same."""
        return len(self.values) > 1


def find_forms(
    texts: Iterable[str], known: Sequence[StructuredForm] = ()
) -> tuple[StructuredForm, ...]:
    """The structured forms of texts that begin records, in the order in which they are to be tried.

    Args:
        texts: decoded, blank ones left out.
        known: forms that are tried first.

    Returns:
        the known ones and those that were found.
    """
    forms = list(known)
    reader = StructureReader(forms)
    pool = [_open(reader, text) for text in texts]
    smallest = max(1, -(-len(pool) // SMALLEST_SHARE))
    refused: set[str] = set()
    while len(forms) < MAX_FORMS:
        form = _find_form(pool, smallest, refused, has_json=any(f.form == "json" for f in forms))
        if form is None:
            return tuple(forms)
        reader = StructureReader([*forms, form])
        opened = [_open(reader, text) for text in pool]
        # The forms before it opened none of these.
        if sum(new is not old for new, old in zip(opened, pool, strict=True)) < smallest:
            refused.add(form.form)
            continue
        forms.append(form)
        pool = opened
    return tuple(forms)


def _open(reader: StructureReader, text: str) -> str:
    for _ in range(MAX_LEVELS):
        opened = reader.open(text)
        if opened is None:
            break
        text = opened.message
    return text


def _find_form(
    pool: Sequence[str], smallest: int, refused: set[str], *, has_json: bool
) -> StructuredForm | None:
    objects = [members for text in pool if (members := read_json_object(text)) is not None]
    if len(objects) >= smallest and "json" not in refused:
        docker = _docker(objects)
        form = (
            docker if docker is not None and "docker" not in refused else _json(objects, has_json)
        )
        if form is not None:
            return form
    if "cri" not in refused:
        cri = StructuredForm("cri")
        reader = StructureReader([cri])
        if sum(reader.open(text) is not None for text in pool) >= smallest:
            return cri
    pairs = [
        list(found.items())
        for text in pool
        if (found := read_logfmt(text)) is not None and len(found) > 1
    ]
    if len(pairs) >= smallest and "logfmt" not in refused:
        return _logfmt(pairs)
    return None


def _docker(objects: Sequence[Members]) -> StructuredForm | None:
    """Docker's json-file, whose messages end with LF, if most objects are of it."""
    logs = [dict(members) for members in objects]
    ended = sum(
        isinstance(log["log"], str) and log["log"].endswith("\n")
        for log in logs
        if {"log", "stream", "time"} <= log.keys()
    )
    return StructuredForm("docker") if ended * 2 >= len(logs) else None


def _json(objects: Sequence[Members], has_json: bool) -> StructuredForm | None:
    names = _count_names(objects)
    # Beside records that have a message, those of a single kind tell themselves apart by it.
    least = 1 if has_json else 2
    message = _find_message(names, len(objects)) or _find_kind(names, len(objects), least)
    return None if message is None else _with_fields("json", message, names)


def _logfmt(objects: Sequence[Members]) -> StructuredForm | None:
    names = _count_names(objects)
    message = _find_message(names, len(objects))
    if message is None:
        return None
    form = _with_fields("logfmt", message, names)
    # The words of a message in logfmt are in quotes; "msg=audit(1.2:3):" is not one, but
    # "level=info msg=started" has one.
    sure = message in ("msg", "message") and (form.level or form.timestamp) is not None
    return form if sure or names[message].words >= names[message].count * 1.2 else None


def _count_names(objects: Iterable[Members]) -> dict[str, _Name]:
    names: dict[str, _Name] = {}
    for members in objects:
        first: dict[str, Any] = {}
        for name, value in _walk(members, "", _DEPTH):
            first.setdefault(name, value)
        for name, value in first.items():
            _note(names.setdefault(name, _Name()), value)
    return names


def _walk(members: Members, before: str, depth: int) -> Iterator[tuple[str, Any]]:
    for key, value in members:
        name = before + key
        if isinstance(value, list) and value and isinstance(value[0], tuple) and depth > 1:
            yield from _walk(value, f"{name}.", depth - 1)
        else:
            yield name, value


def _note(name: _Name, value: Any) -> None:
    """Count a value: numbers are strings of another class, arrays of bytes are messages too."""
    is_text = type(value) is str or (isinstance(value, list) and len(value) > 8)
    name.scalars += isinstance(value, str)
    words = len(tokens(value)) if isinstance(value, str) else 2
    if is_text and words > 0:
        name.count += 1
        name.words += words
        if len(name.values) <= _MOST_KINDS:
            name.values.add(str(value))


def _word(name: str) -> str:
    """The last part of a name, in small letters and without signs."""
    last = name.rsplit(".", 1)[-1]
    return "".join(character for character in last.lower() if character.isalnum())


def _field_of(name: str) -> tuple[str, int] | None:
    """The field that a name says, and the place of its word among those of the field.

    The last two parts are looked at before the last one: ``service.name`` is not a logger.
    """
    parts = name.split(".")
    for word in (_word("".join(parts[-2:])), _word(name)):
        for kind, words in _KEYS.items():
            if word in words:
                return kind, words.index(word)
    return None


def _is_elsewhere(name: str) -> bool:
    """Whether a value says something of an error or a request instead of the record."""
    return not _ELSEWHERE.isdisjoint(map(_word, name.split(".")[:-1]))


def _find_message(names: Mapping[str, _Name], total: int) -> str | None:
    """The name of the message, or None if there seems to be none."""
    candidates = [name for name in names if 0 < len(name) <= MAX_NAME_LENGTH and names[name].count]
    by_key = [name for name in candidates if _word(name) in _MESSAGES]
    often = [name for name in by_key if names[name].count * 2 >= total] or by_key
    best = min(
        often,
        key=lambda name: (
            _is_elsewhere(name),
            _word(name) not in _SURE_MESSAGES,
            not names[name].varies,
            name.count("."),
            _MESSAGES.index(_word(name)),
            -names[name].count,
            name,
        ),
        default=None,
    )
    if best is not None and (names[best].varies or _word(best) in _SURE_MESSAGES):
        return best
    wordy = [
        name
        for name in candidates
        if names[name].count * 2 >= total
        and names[name].words >= 2 * names[name].count
        and (names[name].varies or total == 1)
        and not _word(name).endswith(_NO_MESSAGES)
    ]
    return max(wordy, key=lambda name: (names[name].words / names[name].count, name), default=best)


def _find_kind(names: Mapping[str, _Name], total: int, least: int) -> str | None:
    """The name whose few texts say what happened, or None."""
    kinds = [
        name
        for name, found in names.items()
        if _word(name) in _KINDS
        and len(name) <= MAX_NAME_LENGTH
        and found.count * 2 >= total
        and least <= len(found.values) <= _MOST_KINDS
    ]
    return min(
        kinds,
        key=lambda name: (name.count("."), _KINDS.index(_word(name)), name),
        default=None,
    )


def _with_fields(
    form: Literal["json", "logfmt"], message: str, names: Mapping[str, _Name]
) -> StructuredForm:
    """The form with the names of the other fields that it has."""
    best: dict[str, tuple[int, int, int, str]] = {}
    for name, found in names.items():
        of = _field_of(name)
        if of is None or name == message or not found.scalars or len(name) > MAX_NAME_LENGTH:
            continue
        if _is_elsewhere(name):
            continue
        kind, place = of
        if kind == "process" and not found.count:
            kind = "pid"  # Python's "process" is a number
        rank = (name.count("."), place, -found.scalars, name)
        best[kind] = min(best.get(kind, rank), rank)
    return StructuredForm(form, message, **{kind: rank[-1] for kind, rank in best.items()})


def form_with_key(
    texts: Sequence[str], key: str, known: Sequence[StructuredForm]
) -> StructuredForm | None:
    """The form whose message is the value of a key that somebody named.

    Args:
        texts: that begin records, decoded.
        key: its name.
        known: forms that texts are opened with, in which the key may be found as well.

    Returns:
        None if no text has such a key.
    """
    reader = StructureReader(known)
    pool = list(texts)
    for _ in range(MAX_LEVELS):
        for kind in ("json", "logfmt"):
            found = _objects_with(pool, StructuredForm(kind, key))
            if found:
                return _with_fields(kind, key, _count_names(found))
        pool = [opened.message for text in pool if (opened := reader.open(text)) is not None]
    return None


def _objects_with(pool: Sequence[str], form: StructuredForm) -> list[Members]:
    """The members of those texts that a form opens."""
    reader = StructureReader([form])
    texts = [text for text in pool if reader.open(text) is not None]
    if form.form == "json":
        return [read_json_object(text) or [] for text in texts]
    return [list((read_logfmt(text) or {}).items()) for text in texts]


WRITTEN = ("rfc5424", "java-util-logging", "dotnet-console", "logcat-long")
"""Presets that say more than can be learned: structured data, messages on the next line."""


def find_heads(lines: Sequence[LogLine], rules: Preprocess) -> tuple[str, tuple[Header, ...]]:
    """The headers of a log, and what they are called.

    Args:
        lines: a sample of the log.
        rules: the log's, whose headers are not looked at.

    Returns:
        a preset's name (those of several joined by ``+``), ``learned`` or ``plain``; the headers.
    """
    if rules.version > 1:
        written = [name for name in WRITTEN if _has_heads(lines, rules, PRESETS[name])]
        known = tuple(header for name in written for header in PRESETS[name])
        learned = _learn_others(lines, rules, known)
        if learned:
            return "learned", (*known, *learned)
        if written:
            return "+".join(written), known
    name = find_format(lines, rules)
    return name, PRESETS[name]


def _has_heads(lines: Sequence[LogLine], rules: Preprocess, headers: tuple[Header, ...]) -> bool:
    """Whether headers match at least one record in :data:`SMALLEST_SHARE`."""
    count, total = _count_heads(lines, replace(rules, headers=headers))
    return count > 0 and count * SMALLEST_SHARE >= total


def _learn_others(
    lines: Sequence[LogLine], rules: Preprocess, known: tuple[Header, ...]
) -> tuple[Header, ...]:
    """The headers of records that no known one matches, as what structured ones were opened to."""
    reader = RecordReader(LineParser(replace(rules, headers=known)))
    texts: list[str] = []
    followed: list[bool] = []
    for record in reader.read(lines):
        if record.parsed is None or record.continues:
            continue
        if followed and find_time(record.parsed.text[:REACH]) is None:
            followed[-1] = True
        if record.parsed.header is None:
            texts.append(record.parsed.text)
            followed.append(b"\n" in record.raw)
    return learn_heads(texts, followed)


def find_format(lines: Sequence[LogLine], rules: Preprocess) -> str:
    """The preset that fits a log best, ``plain`` if none does.

    Args:
        lines: a sample of the log.
        rules: the log's, whose headers are not looked at.
    """
    best, best_count = "plain", 0
    for name, headers in PRESETS.items():
        if rules.version == 1 and any(header.next_line for header in headers):
            continue
        count, total = _count_heads(lines, replace(rules, headers=headers))
        if count > best_count and count * 2 >= total:
            best, best_count = name, count
    return best


def _count_heads(lines: Sequence[LogLine], rules: Preprocess) -> tuple[int, int]:
    """How many records have a head, and how many there are."""
    count = total = 0
    for record in RecordReader(LineParser(rules)).read(lines):
        if record.parsed is not None and not record.continues:
            total += 1
            count += record.parsed.header is not None
    return count, total
