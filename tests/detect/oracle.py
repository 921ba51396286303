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
from logexport.types import CountMatrix, EventWindow, NextEventTopK, Task, Vocabulary

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
