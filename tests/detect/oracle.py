"""A second, slow reading of the rules: whole log in memory, every window cut out by its definition.

Written from docs/verdicts.md, sharing nothing with the streaming implementation: sessions are
replayed by scanning, windows are slices, ranks and shares are plain Python.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from logexport.logs.preprocess import SessionRule
from logexport.types import (
    CountMatrix,
    EventWindow,
    NextEventTopK,
    SessionCounts,
    Task,
    Vocabulary,
)

Row = Callable[[np.ndarray], dict[str, Any]]


def g9(value: float) -> str:
    return "%.9g" % value  # noqa: UP031 - the C format that the rules name


def verdicts(
    events: Sequence[Any],
    task: Task,
    vocabulary: Vocabulary,
    row: Row,
    max_sessions: int = 100_000,
    summaries: bool = False,
) -> list[str]:
    """By rules of version 1."""
    if isinstance(task.input, EventWindow):
        return _events(events, task, vocabulary, row, max_sessions, summaries)
    return _counts(events, task, vocabulary, row)


def _ranked(task: Task, actual: int, logits: Sequence[float]) -> tuple[str, str | None, int | None]:
    if not all(math.isfinite(value) for value in logits):
        return "anomaly", "not_finite", None
    rank = sum(1 for value in logits if value > logits[actual])
    if rank >= task.decision.top_k:
        return "anomaly", "topk", rank
    return "normal", None, rank


def _scored(task: Task, score: float, attribution: Sequence[float]) -> tuple[str, str | None, str]:
    bits = struct.unpack("f", struct.pack("f", score))[0]
    if not math.isfinite(bits):
        return "anomaly", "not_finite", _score_json(task, None, attribution)
    if bits <= task.decision.threshold:
        return "normal", None, _score_json(task, bits, [])
    return "anomaly", "threshold", _score_json(task, bits, attribution)


def _score_json(task: Task, score: float | None, attribution: Sequence[float]) -> str:
    total = 0.0
    for value in attribution:
        total = total + float(value)
    top = []
    if math.isfinite(total) and total > 0:
        order = sorted(range(len(attribution)), key=lambda i: (-float(attribution[i]), i))[:5]
        top = [f'{{"template": {i}, "share": {g9(float(attribution[i]) / total)}}}' for i in order]
    text = "null" if score is None else g9(score)
    return f'"score": {text}, "threshold": {g9(task.decision.threshold)}, "top": [{", ".join(top)}]'


def _null(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _events(
    events: Sequence[Any],
    task: Task,
    vocabulary: Vocabulary,
    row: Row,
    max_sessions: int,
    summaries: bool,
) -> list[str]:
    length = task.input.length
    topk = isinstance(task.decision, NextEventTopK)
    out: list[str] = []
    held: list[dict[str, Any]] = []  # least recently touched first

    def close(session: dict[str, Any]) -> None:
        if summaries:
            verdict = (
                "anomaly" if session["anomalies"] else "normal" if session["judged"] else "short"
            )
            out.append(
                f'{{"session": {_null(session["key"])}, "lines": {session["lines"]}, '
                f'"judged": {session["judged"]}, "anomalies": {session["anomalies"]}, '
                f'"verdict": "{verdict}"}}'
            )

    for event in events:
        found = [session for session in held if session["key"] == event.session]
        if found:
            held.remove(found[0])
            session = found[0]
        else:
            if len(held) == max_sessions:
                close(held.pop(0))
            session = {"key": event.session, "seen": [], "lines": 0, "judged": 0, "anomalies": 0}
        held.append(session)
        session["lines"] += 1
        before = list(session["seen"])
        if event.template is not None:
            session["seen"].append(event.template)
        elif "unknown" in vocabulary.reserved:
            session["seen"].append(vocabulary.reserved["unknown"])
        window = before[-length:] if topk else session["seen"][-length:]
        place = (
            f'"line": {event.line}, "session": {_null(event.session)}, '
            f'"template": {_null(event.template)}'
        )
        judged = False
        if event.template is None:
            verdict, reason = "anomaly", "unseen"
        elif len(window) < length:
            verdict, reason = "warmup", None
        else:
            judged = True
            outputs = row(np.array(window, dtype=np.int64))
        if topk:
            rank = None
            if judged:
                verdict, reason, rank = _ranked(task, event.template, outputs["logits"])
            tail = f'"rank": {_null(rank)}, "top_k": {task.decision.top_k}'
        elif judged:
            verdict, reason, tail = _scored(task, outputs["score"], outputs["attribution"])
        else:
            tail = _score_json(task, None, [])
        session["judged"] += judged
        session["anomalies"] += verdict == "anomaly"
        out.append(f'{{{place}, "verdict": "{verdict}", "reason": {_null(reason)}, {tail}}}')
    for session in held:
        close(session)
    return out


def _counts(events: Sequence[Any], task: Task, vocabulary: Vocabulary, row: Row) -> list[str]:
    assert isinstance(task.input, CountMatrix)
    lines, stride, steps = task.input.lines, task.input.stride, task.input.steps
    out = []
    sample = 0
    while True:
        first, last = sample * stride + 1, (sample + steps - 1) * stride + lines
        if last > len(events):
            return out
        counts = np.zeros((1, steps, len(vocabulary)), dtype=np.float32)
        for step in range(steps):
            start = (sample + step) * stride
            for event in events[start : start + lines]:
                if event.template is not None:
                    counts[0, step, event.template] += 1
        place = (
            f'"window": {sample}, "first_line": {events[first - 1].line}, '
            f'"last_line": {events[last - 1].line}'
        )
        if isinstance(task.decision, NextEventTopK):
            if last == len(events):
                return out
            actual = events[last].template
            place += f', "template": {_null(actual)}'
            if actual is None:
                verdict, reason, rank = "anomaly", "unseen", None
            else:
                verdict, reason, rank = _ranked(task, actual, row(counts)["logits"])
            tail = f'"rank": {_null(rank)}, "top_k": {task.decision.top_k}'
        else:
            outputs = row(counts)
            verdict, reason, tail = _scored(task, outputs["score"], outputs["attribution"])
        out.append(f'{{{place}, "verdict": "{verdict}", "reason": {_null(reason)}, {tail}}}')
        sample += 1


# --- sessions by rules of version 2 ---------------------------------------------------------------


def find_sessions(
    events: Sequence[Any], rule: SessionRule, lines: int
) -> list[tuple[list[Any], int, str]]:
    """The events of each session, the line at which it is closed, and by what.

    Name by name: where each next event of a name begins a new session is looked up in the events
    before it.
    """
    found = []
    for name in dict.fromkeys(event.session for event in events):
        own = [event for event in events if event.session == name]
        if name is None:
            found.append((own, lines + 1, "end"))
            continue
        session = [own[0]]
        for event in own[1:]:
            ended = _ended_by(session, event, rule)
            if ended is not None:
                found.append((session, *ended))
                session = []
            session.append(event)
        last = session[-1]
        if last.closes:
            found.append((session, last.line, "pattern"))
        elif last.line + rule.idle_lines + 1 <= lines:
            found.append((session, last.line + rule.idle_lines + 1, "idle"))
        else:
            found.append((session, lines + 1, "end"))
    return found


def _ended_by(session: Sequence[Any], event: Any, rule: SessionRule) -> tuple[int, str] | None:
    """Where a session was closed before an event of its name, and by what."""
    last = session[-1]
    if last.closes:
        return last.line, "pattern"
    if event.line - last.line > rule.idle_lines:
        return last.line + rule.idle_lines + 1, "idle"
    times = [one.instant for one in session if one.instant is not None]
    if rule.idle_seconds is None or not times or event.instant is None:
        return None
    apart = (event.instant - max(times)) / 1_000_000
    return (event.line, "gap") if apart > rule.idle_seconds else None


def session_verdicts(
    events: Sequence[Any],
    task: Task,
    vocabulary: Vocabulary,
    row: Row,
    rule: SessionRule,
    lines: int,
    summaries: bool = False,
    leave: bool = False,
) -> list[str]:
    """Each record with the key that orders it, then sorted."""
    out: list[tuple[tuple[int, int, int, int], str]] = []
    for session, closed, by in find_sessions(events, rule, lines):
        first, last, name = session[0].line, session[-1].line, session[0].session
        own = []
        if isinstance(task.input, EventWindow):
            records = _replay(session, task, vocabulary, row)
            places = [(event.line, 3, event.line, 0) for event in session]
            own = list(zip(places, records, strict=True))
        closing = f'"closed": {closed}, "closed_by": "{by}"'
        place = 5 if by == "pattern" else 2
        if not (leave and by == "end"):
            if name is not None and getattr(task.input, "end", None) is not None:
                record = _end_of(session, task, vocabulary, row)
                own.append(((closed, place, last, 0), f"{record[:-1]}, {closing}}}"))
            if name is not None and isinstance(task.input, SessionCounts):
                counts = np.zeros(len(vocabulary) + 1, dtype=np.float32)
                for event in session:
                    counts[len(vocabulary) if event.template is None else event.template] += 1
                outputs = row(counts)
                verdict, reason, tail = _scored(task, outputs["score"], outputs["attribution"])
                tail = tail.replace(f'"template": {len(vocabulary)},', '"template": null,')
                text = (
                    f'{{"session": {_null(name)}, "first_line": {first}, "last_line": {last}, '
                    f'"lines": {len(session)}, "verdict": "{verdict}", "reason": {_null(reason)}, '
                    f"{tail}, {closing}}}"
                )
                own.append(((closed, place, last, 1), text))
        if summaries and not (leave and by == "end"):
            records = [json.loads(text) for _, text in own]
            anomalies = sum(record["verdict"] == "anomaly" for record in records)
            judged = sum(
                record["reason"] != "unseen" and record["verdict"] != "warmup" for record in records
            )
            verdict = "anomaly" if anomalies else "normal" if judged else "short"
            text = (
                f'{{"session": {_null(name)}, "lines": {len(session)}, "judged": {judged}, '
                f'"anomalies": {anomalies}, "verdict": "{verdict}", {closing}}}'
            )
            own.append(((closed, place, last, 2), text))
        out += own
    return [text for _, text in sorted(out)]


def _end_of(session: Sequence[Any], task: Task, vocabulary: Vocabulary, row: Row) -> str:
    """The record of a session's end: what a line of that event would say."""
    last = session[-1]
    end = type(last)(last.line, last.session, task.input.end)
    return _replay([*session, end], task, vocabulary, row)[-1]


def _replay(session: Sequence[Any], task: Task, vocabulary: Vocabulary, row: Row) -> list[str]:
    """As if the start had been written out as lines that nothing is told of."""
    start, length = task.input.start, task.input.length
    before = []
    if start is not None and session[0].session is not None:
        before = [type(session[0])(0, session[0].session, start)] * length
    records = _events([*before, *session], task, vocabulary, row, 1, summaries=False)
    return records[len(before) :]
