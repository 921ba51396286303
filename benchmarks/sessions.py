"""What DeepLog and event count vectors find in sessions, and what they flag of normal ones.

    python benchmarks/sessions.py FILE [--work DIR] [--fold N] [--only-table]

FILE has a normal session a line, as numbers of its events: the public ``hdfs_train`` of the HDFS
sessions (github.com/d0ng1ee/logdeep; Xu et al., SOSP 2009). Each event becomes a raw line, and
nothing but logexport's own commands sees the logs: parse, build, train, run, and ``detect`` by the
C engine.

Five folds: four fifths train, one fifth is judged, so that every session is judged once by models
that never saw it. The thresholds are from budgets of false alarms, inside each training part. The
last fifth is judged as it is and made abnormal in five ways, and each is written in two forms: one
session after the other, and many at once with long gaps. Everything is seeded. It takes about
twenty minutes on two cores, and writes sessions.json here and the table in docs/models.md.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "sessions.json"
DOCS = HERE.parent / "docs" / "models.md"
BEGIN = "<!-- sessions: written by benchmarks/sessions.py -->\n"
END = "<!-- sessions: end -->"

FOLDS = 5
BUDGETS = {"deeplog": 0.005, "ecvc": 0.002}
SESSION_BY = r"blk_\d+"
SEQ_LEN, EPOCHS = 10, 10
AT_ONCE, GAP = 200, 2_000
"""Of the form with long gaps: sessions that live at a time, and lines of others in some gaps."""
FORMS = ("in sequence", "interleaved")

Session = tuple[str, ...]


def seeded(seed: int) -> random.Random:
    """Draws that come again."""
    return random.Random(seed)  # noqa: S311 - not secret


# --- sessions made abnormal -----------------------------------------------------------------------


def cut(session: Session, rng: random.Random, events: Sequence[str]) -> Session:
    """It stops before its end."""
    return session[: rng.randrange(1, len(session))]


def drop(session: Session, rng: random.Random, events: Sequence[str]) -> Session:
    """One event is missing."""
    place = rng.randrange(len(session))
    return session[:place] + session[place + 1 :]


def double(session: Session, rng: random.Random, events: Sequence[str]) -> Session:
    """One event comes twice in a row."""
    place = rng.randrange(len(session))
    return session[: place + 1] + session[place:]


def swap(session: Session, rng: random.Random, events: Sequence[str]) -> Session:
    """Two neighbours that differ change places."""
    places = [i for i in range(len(session) - 1) if session[i] != session[i + 1]]
    i = rng.choice(places)
    return (*session[:i], session[i + 1], session[i], *session[i + 2 :])


def insert(session: Session, rng: random.Random, events: Sequence[str]) -> Session:
    """An event that other sessions have, and this one has not, stands somewhere in it."""
    place = rng.randrange(len(session) + 1)
    foreign = rng.choice([event for event in events if event not in session])
    return (*session[:place], foreign, *session[place:])


WAYS: dict[str, Callable[[Session, random.Random, Sequence[str]], Session]] = {
    "cut short": cut,
    "an event dropped": drop,
    "an event doubled": double,
    "two swapped": swap,
    "a foreign event": insert,
}


# --- logs -----------------------------------------------------------------------------------------


def write_log(path: Path, sessions: dict[str, Session], form: str, seed: int) -> None:
    """A raw line an event; the name of the block says the session."""
    lines = in_sequence(sessions) if form == FORMS[0] else interleaved(sessions, seed)
    with path.open("w", encoding="utf-8") as file:
        for number, (name, event) in enumerate(lines):
            clock = f"{number // 3600 % 24:02}{number // 60 % 60:02}{number % 60:02}"
            file.write(f"081109 {clock} {number % 997} INFO dfs.Node: {sentence(event, name)}\n")


def sentence(event: str, name: str) -> str:
    """What a line of an event says: words that no other event has, around the name."""
    letter = "abcdefghijklmnopqrstuvwxyz"[int(event) % 26] * (1 + int(event) // 26)
    return f"{letter}ing the {letter}er of {name} as {letter}ed by {letter}ion"


def in_sequence(sessions: dict[str, Session]) -> Iterator[tuple[str, str]]:
    """One session after the other."""
    for name, session in sessions.items():
        for event in session:
            yield name, event


def interleaved(sessions: dict[str, Session], seed: int) -> Iterator[tuple[str, str]]:
    """Many at once: lines in a drawn order, and one session in ten waits once for a long time."""
    rng = seeded(seed)
    waiting = list(sessions.items())[::-1]
    live: list[tuple[str, list[str]]] = []
    asleep: list[tuple[int, tuple[str, list[str]]]] = []
    written = 0
    while waiting or live or asleep:
        while asleep and (asleep[0][0] <= written or not (live or waiting)):
            live.append(asleep.pop(0)[1])
        while waiting and len(live) < AT_ONCE:
            name, session = waiting.pop()
            live.append((name, list(session[::-1])))
        place = rng.randrange(len(live))
        name, rest = live[place]
        yield name, rest.pop()
        written += 1
        if not rest:
            live.pop(place)
        elif rng.random() < 0.1 / 20:  # a session has about twenty events
            asleep.append((written + GAP, live.pop(place)))


# --- one fold -------------------------------------------------------------------------------------


def logexport(*words: object) -> str:
    """Run a command; what it prints on standard output."""
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "logexport", *map(str, words)],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"logexport {' '.join(map(str, words))} failed")
    return done.stdout


def train(work: Path, sessions: dict[str, Session], form: str, seed: int) -> Path:
    """From a raw log to a bundle of both models."""
    work.mkdir(parents=True, exist_ok=True)
    write_log(work / "train.log", sessions, form, seed)
    logexport("parse", work / "train.log", "-o", work)
    parsed, vocab = work / "parsed.parquet", work / "vocab.json"
    logexport("deeplog", "build", "--parsed", parsed, "--session-by", SESSION_BY, "-o", work)
    logexport(
        *("ecvc", "build", "--parsed", parsed, "--vocab", vocab),
        *("--session-by", SESSION_BY, "-o", work),
    )
    logexport(
        *("deeplog", "train", "--sequences", work / "sequences.parquet", "--vocab", vocab),
        *("--seq-len", SEQ_LEN, "--epochs", EPOCHS, "--seed", 1),
        *("--false-alarms", BUDGETS["deeplog"]),
        *("-o", work / "deeplog.safetensors"),
    )
    logexport(
        *("ecvc", "train", "--counts", work / "session_counts.parquet", "--vocab", vocab),
        *("--false-alarms", BUDGETS["ecvc"], "-o", work / "ecvc.safetensors"),
    )
    words = [("--model", m, "--checkpoint", f"{m}={work / m}.safetensors") for m in BUDGETS]
    flat = [word for part in words for word in part]
    logexport("run", *flat, "--vocab", vocab, "-o", work / "bundle")
    return work / "bundle"


def flagged(bundle: Path, log: Path, model: str) -> tuple[set[str], Counter[str]]:
    """The names of the sessions that a model of the bundle flags by the C engine, and how sessions
    closed."""
    text = logexport(
        *("detect", bundle, log, "--model", model, "--engine", "native"),
        *("--session-summary", "--anomalies-only"),
    )
    records = [json.loads(line) for line in text.splitlines()]
    summaries = [one for one in records if "judged" in one]
    names = {one["session"] for one in summaries if one["verdict"] == "anomaly"}
    return names, Counter(one["closed_by"] for one in summaries)


def judge(
    bundle: Path, work: Path, sessions: dict[str, Session], known: set[Session], form: str
) -> dict[str, Any]:
    """What is flagged of a fold, as it is and in each way made abnormal.

    Args:
        known: the sequences of training; a session that became one of them is normal by all that
            training can say, and counted apart.
    """
    rng = seeded(len(sessions))
    events = sorted({event for session in sessions.values() for event in session})
    made: dict[str, dict[str, Session]] = {"normal": sessions}
    for way, change in WAYS.items():
        fit = {name: one for name, one in sessions.items() if len(set(one)) > 1}
        made[way] = {name: change(one, rng, events) for name, one in fit.items()}
    found: dict[str, Any] = {}
    for way, variants in made.items():
        log = work / "test.log"
        write_log(log, variants, form, seed=len(way))
        by_model = {model: flagged(bundle, log, model) for model in BUDGETS}
        alike = {name for name, one in variants.items() if one in known}
        names = {model: one[0] for model, one in by_model.items()}
        names["together"] = set().union(*names.values())
        found[way] = {
            "sessions": len(variants),
            "as_in_training": len(alike),
            "flagged": {model: len(one) for model, one in names.items()},
            "flagged_of_others": {model: len(one - alike) for model, one in names.items()},
            "closed_by": dict(by_model["ecvc"][1]),
        }
    return found


# --- the whole ------------------------------------------------------------------------------------


def interval(hits: int, of: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson, 1927)."""
    if not of:
        return 0.0, 1.0
    z, p = 1.959964, hits / of
    middle = (p + z * z / (2 * of)) / (1 + z * z / of)
    half = z / (1 + z * z / of) * math.sqrt(p * (1 - p) / of + z * z / (4 * of * of))
    return max(0.0, middle - half), min(1.0, middle + half)


def run(path: Path, work: Path, only: int | None) -> dict[str, Any]:
    """All folds in both forms, pooled."""
    lines = path.read_text(encoding="utf-8").splitlines()
    everything = [tuple(line.split()) for line in lines if line.strip()]
    names = [f"blk_{number}" for number in range(1, len(everything) + 1)]
    order = list(range(len(everything)))
    seeded(7).shuffle(order)
    folds: dict[str, list[dict[str, Any]]] = {form: [] for form in FORMS}
    for fold in range(FOLDS) if only is None else [only]:
        held = set(order[fold::FOLDS])
        parts: list[dict[str, Session]] = [{}, {}]
        for number, session in enumerate(everything):
            parts[number in held][names[number]] = session
        known = set(parts[0].values())
        for form in FORMS:
            place = work / f"{fold}-{form.replace(' ', '-')}"
            bundle = train(place, parts[0], form, seed=fold)
            folds[form].append(judge(bundle, place, parts[1], known, form))
            say(f"fold {fold}, {form}: {summary(folds[form][-1])}")
    return {
        "sessions": len(everything),
        "budgets": BUDGETS,
        "forms": {form: pool(found) for form, found in folds.items()},
    }


def pool(folds: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """The sums of all folds."""
    pooled: dict[str, Any] = {}
    for found in folds:
        for way, figures in found.items():
            into = pooled.setdefault(way, {})
            for key, value in figures.items():
                if isinstance(value, int):
                    into[key] = into.get(key, 0) + value
                else:
                    into[key] = dict(Counter(into.get(key, {})) + Counter(value))
    return pooled


def summary(found: dict[str, Any]) -> str:
    """A fold in a line."""
    return "; ".join(
        f"{way} {', '.join(f'{m} {n}' for m, n in one['flagged'].items())} of {one['sessions']}"
        for way, one in found.items()
    )


def write_table(results: dict[str, Any], docs: Path) -> None:
    """The table between its markers."""
    text = docs.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    docs.write_text(before + BEGIN + render(results) + END + after, encoding="utf-8")


def render(results: dict[str, Any]) -> str:
    """The results in Markdown."""
    models = [*BUDGETS, "together"]
    titles = {"deeplog": "DeepLog", "ecvc": "count vectors", "together": "together"}
    budgets = ", ".join(f"{titles[m]} {100 * b:g} %" for m, b in results["budgets"].items())
    out = [
        f"\n{results['sessions']:,} normal sessions, five folds, pooled. Budgets of false alarms:"
        f" {budgets}. In brackets the 95 % interval.\n"
    ]
    for form, ways in results["forms"].items():
        closed = ways["normal"]["closed_by"]
        ends = ", ".join(f"{count:,} by {by}" for by, count in sorted(closed.items()))
        out.append(f"\nA log of sessions {form} (the normal ones closed: {ends}):\n\n")
        out.append(f"| sessions | number | {' | '.join(titles[m] for m in models)} |\n")
        out.append(f"| --- | --- |{' --- |' * len(models)}\n")
        for way, one in ways.items():
            of = one["sessions"] if way == "normal" else one["sessions"] - one["as_in_training"]
            hits = one["flagged"] if way == "normal" else one["flagged_of_others"]
            cells = []
            for model in models:
                low, high = interval(hits.get(model, 0), of)
                share = 100 * hits.get(model, 0) / of
                cells.append(f"{share:.2f} % ({100 * low:.2f}–{100 * high:.2f})")
            name = "normal: false alarms" if way == "normal" else way
            out.append(f"| {name} | {of:,} | {' | '.join(cells)} |\n")
        alike = sum(one["as_in_training"] for way, one in ways.items() if way != "normal")
        out.append(
            f"\n{alike:,} sessions that were changed into a sequence which training has are left"
            " out.\n"
        )
    return "".join(out) + "\n"


def say(text: str) -> None:
    """Progress, on standard error."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def main() -> None:
    """Parse the options, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path, nargs="?", help="a session of event numbers a line")
    parser.add_argument("--work", type=Path, help="keep what is made on the way here")
    parser.add_argument("--fold", type=int, choices=range(FOLDS), help="only this; no table")
    parser.add_argument("--only-table", action="store_true", help="from sessions.json again")
    options = parser.parse_args()
    if options.file is None and not options.only_table:
        parser.error("name the FILE of sessions")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if not options.only_table:
        with tempfile.TemporaryDirectory() as temporary:
            results = run(options.file, options.work or Path(temporary), options.fold)
        if options.fold is not None:
            return
        RESULTS.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    write_table(json.loads(RESULTS.read_text(encoding="utf-8")), DOCS)


if __name__ == "__main__":
    main()
