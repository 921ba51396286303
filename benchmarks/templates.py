"""How well templates tell the events of the public labelled logs apart, and what mining costs.

*accuracy* is the share of lines whose group is exactly the labelled group, *F1* that of groups. A
line's group is the template that it matches in the end; a continuation line has its record's, and
a line without a template is a group of its own. *new* are the lines of the second half whose event
the first half does not hold, and how many of them the templates of the first half leave unseen;
*known* are the others. *us* is what the miner takes for a line, reading and masking left out.

Raw lines, no option. With ``--pieces`` also a quarter of the lines at random, and the log shuffled.
``--leave-one-out`` chooses each figure of the miner on all logs but one, for that one. ``--repeat``
does another thing: it mines each log N times in a row, every time with fresh digits, and says how
many templates differ from the log's own.

    python benchmarks/templates.py [--data DIR] [--pieces] [--leave-one-out] [--repeat N]
        [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import resource
import statistics
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import click
from logexport.logs.events import EventReader
from logexport.logs.joining import RecordReader
from logexport.logs.lines import LogLine, iter_logs
from logexport.logs.preprocess import LineParser, Preprocess
from logexport.logs.tokens import Masked
from logexport.training.line_tables import read_parsed
from logexport.training.mining import Rules, TemplateMiner
from logexport.training.parse import ParseRequest, parse_logs
from logexport.types import Vocabulary

LOGS = ("HDFS", "Linux", "Apache", "Hadoop", "Mac", "OpenStack", "HPC")
BESIDE = Path(__file__).resolve().parent.parent.parent / "shared" / "data"
TRIED = {
    "words": (3, 4, 5, 6, 8),
    "names": (3, 4, 5, 6),
    "few": (8, 12, 20),
    "often": (0.001, 0.002, 0.005, 0.01),
    "first": (2, 3, 5),
    "lonely": (2, 4, 8),
    "groups": (8, 10, 20),
    "ratio": (5, 10, 20),
}
"""What ``--leave-one-out`` chooses from."""


@dataclass(frozen=True)
class Score:
    """What is known of one log.

    Args:
        log: its name.
        accuracy, f1: see above.
        templates, events: how many there are, and how many are labelled.
        new, new_unseen, known, known_unseen: lines of the second half.
        seconds: of ``logexport parse``.
        us: of mining, for each line.
    """

    log: str
    accuracy: float
    f1: float
    templates: int
    events: int
    new: int
    new_unseen: int
    known: int
    known_unseen: int
    seconds: float
    us: float


# --- groups ---------------------------------------------------------------------------------------


def score_groups(found: Sequence[Hashable], labels: Sequence[str]) -> tuple[float, float]:
    """Grouping accuracy and F1 of groups."""
    by_found: dict[Hashable, list[int]] = defaultdict(list)
    by_label: dict[str, list[int]] = defaultdict(list)
    for number, (group, label) in enumerate(zip(found, labels, strict=True)):
        by_found[group].append(number)
        by_label[label].append(number)
    labelled = {tuple(group) for group in by_label.values()}
    right = [group for group in by_found.values() if tuple(group) in labelled]
    f1 = 2 * len(right) / (len(by_found) + len(by_label))
    return sum(map(len, right)) / len(labels), f1


def spread(starts: Iterable[tuple[int, Hashable]], count: int) -> list[Hashable]:
    """The group of each of so many lines, from those of the records' first lines."""
    groups: list[Hashable] = [("unseen", number) for number in range(count)]
    found = sorted(starts, key=lambda one: one[0])
    ends = [number for number, _ in found[1:]] + [count + 1]
    for (number, group), end in zip(found, ends, strict=True):
        for line in range(number, end):
            groups[line - 1] = ("unseen", line) if group is None else group
    return groups


def parse(
    lines: Sequence[bytes], place: Path
) -> tuple[list[Hashable], Preprocess, set[str], float]:
    """The group of each line, the rules, the templates, and the seconds."""
    log = place / "log"
    log.write_bytes(b"".join(line + b"\n" for line in lines))
    result = parse_logs(ParseRequest(logs=[log], output_dir=place))
    rows = [(row.line_no, row.template) for row in read_parsed(result.parsed)]
    templates = {template for _, template in rows if template is not None}
    rules = Preprocess.load(result.preprocess)
    return spread(rows, len(lines)), rules, templates, result.seconds


def match(lines: Sequence[bytes], rules: Preprocess, templates: Iterable[str]) -> list[Hashable]:
    """The group of each line by templates of another log."""
    vocabulary = Vocabulary(tuple(sorted(templates)))
    numbered = (LogLine(number, line, False) for number, line in enumerate(lines, 1))
    events = EventReader(rules, vocabulary).read(numbered)
    return spread(((event.line, event.template) for event in events), len(lines))


def mask(lines: Iterable[bytes], rules: Preprocess) -> Iterator[Masked]:
    """The masked records of a log."""
    parser = LineParser(rules)
    numbered = (LogLine(number, line, False) for number, line in enumerate(lines, 1))
    records = RecordReader(parser).read(numbered)
    return (parser.mask_record(one.parsed) for one in records if one.parsed is not None)


def score_log(name: str, lines: Sequence[bytes], labels: Sequence[str]) -> Score:
    """Everything about one log."""
    with tempfile.TemporaryDirectory() as made:
        groups, rules, templates, seconds = parse(lines, Path(made))
    half = len(lines) // 2
    with tempfile.TemporaryDirectory() as made:
        _, first_rules, first_templates, _ = parse(lines[:half], Path(made))
    second = match(lines[half:], first_rules, first_templates)
    held = set(labels[:half])
    unseen = [isinstance(group, tuple) for group in second]
    is_new = [label not in held for label in labels[half:]]
    masked = list(mask(lines, rules))
    began = time.process_time()
    miner = TemplateMiner(len(rules.keep))
    for one in masked:
        miner.add(one)
    miner.mine()
    us = (time.process_time() - began) / len(lines) * 1e6
    accuracy, f1 = score_groups(groups, labels)
    return Score(
        name,
        accuracy,
        f1,
        len(templates),
        len(set(labels)),
        sum(is_new),
        sum(a and b for a, b in zip(unseen, is_new, strict=True)),
        len(is_new) - sum(is_new),
        sum(a and not b for a, b in zip(unseen, is_new, strict=True)),
        seconds,
        us,
    )


def score_drain(name: str, lines: Sequence[bytes], labels: Sequence[str]) -> tuple[float, float]:
    """Accuracy and F1 of Drain3 with its defaults on the same masked lines."""
    from drain3.drain import Drain

    with tempfile.TemporaryDirectory() as made:
        _, rules, _, _ = parse(lines, Path(made))
    drain = Drain(depth=4, sim_th=0.4, max_children=100, param_str="<*>")
    for one in mask(lines, rules):
        drain.add_log_message(one.text)
    return score_groups(match(lines, rules, {c.get_template() for c in drain.clusters}), labels)


# --- more -----------------------------------------------------------------------------------------


def cut_pieces(count: int) -> Iterator[tuple[str, list[int]]]:
    """Lines of a log: a quarter of them at random, in their order, and all of them shuffled."""
    rng = random.Random(1)  # noqa: S311 - reproducible, not secret
    yield "quarter", sorted(rng.sample(range(count), count // 4))
    shuffled = list(range(count))
    rng.shuffle(shuffled)
    yield "shuffled", shuffled


def leave_one_out(logs: dict[str, tuple[list[bytes], list[str]]]) -> dict[str, tuple[float, str]]:
    """For each log its accuracy by the rules that are best on the others."""
    prepared = {}
    for name, (lines, labels) in logs.items():
        with tempfile.TemporaryDirectory() as made:
            _, rules, _, _ = parse(lines, Path(made))
        prepared[name] = (lines, labels, rules, list(mask(lines, rules)))

    def measure(name: str, figures: Rules) -> float:
        lines, labels, rules, masked = prepared[name]
        miner = TemplateMiner(len(rules.keep), rules=figures)
        for one in masked:
            miner.add(one)
        return score_groups(match(lines, rules, miner.mine()), labels)[0]

    settings = [Rules()]
    settings += [replace(Rules(), **{key: v}) for key, values in TRIED.items() for v in values]
    found = {name: [measure(name, one) for one in settings] for name in logs}
    chosen = {}
    for name in logs:
        sums = [
            sum(found[other][at] for other in logs if other != name) for at in range(len(settings))
        ]
        best = max(range(len(settings)), key=lambda at: (sums[at], -at))
        changed = [
            f"{field.name}={getattr(settings[best], field.name)}"
            for field in fields(Rules)
            if getattr(settings[best], field.name) != getattr(Rules(), field.name)
        ]
        chosen[name] = (found[name][best], ", ".join(changed) or "the defaults")
    return chosen


def redraw(line: bytes, rng: random.Random) -> bytes:
    """The line with other digits in its long numbers."""
    return re.sub(
        rb"(?<![0-9A-Za-z.:])[0-9]{4,}(?![0-9A-Za-z.:])",
        lambda found: b"%d" % rng.randrange(10 ** (len(found[0]) - 1), 10 ** len(found[0])),
        line,
    )


def repeat(lines: Sequence[bytes], times: int) -> tuple[set[str], set[str], float]:
    """The templates of a log and those of it with fresh values so many times, and CPU seconds.

    The long log is mined in rounds as ``parse`` does; its lines are masked once.
    """
    with tempfile.TemporaryDirectory() as made:
        _, rules, templates, _ = parse(lines, Path(made))
    rng = random.Random(2)  # noqa: S311 - reproducible, not secret
    long = (redraw(line, rng) if number else line for number in range(times) for line in lines)
    began = time.process_time()
    counts: Counter[Masked] = Counter()
    miner = TemplateMiner(len(rules.keep))
    for one in mask(long, rules):
        miner.add(one)
        counts[one] += 1
    while True:
        mined = miner.mine()
        matcher = rules.make_matcher(mined)
        found = {one: matcher.match(one) for one in counts}
        unseen = [one for one, index in found.items() if index is None]
        if not unseen:
            break
        for one in unseen:
            for _ in range(counts[one]):
                miner.add(one)
    used = {mined[index] for index in found.values() if index is not None}
    return templates, used, time.process_time() - began


# --- the table ------------------------------------------------------------------------------------


def load(data: Path) -> dict[str, tuple[list[bytes], list[str]]]:
    """The lines and labels of each log."""
    logs = {}
    for name in LOGS:
        path = data / "loghub" / f"{name}_2k.log"
        lines = [line.raw for line in iter_logs([path], Preprocess().reading)]
        logs[name] = (lines, path.with_suffix(".ids").read_text().split())
    return logs


def main() -> int:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    default = Path(os.environ.get("LOGEXPORT_TEST_DATA", BESIDE))
    parser.add_argument("--data", type=Path, default=default)
    parser.add_argument("--pieces", action="store_true")
    parser.add_argument("--leave-one-out", action="store_true")
    parser.add_argument("--repeat", type=int, metavar="N")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    if not options.data.is_dir():
        click.echo(f"no logs at {options.data} (set LOGEXPORT_TEST_DATA)", err=True)
        return 1
    logs = load(options.data)
    if options.repeat:
        for name, (lines, _) in logs.items():
            templates, found, seconds = repeat(lines, options.repeat)
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            click.echo(
                f"{name}: {len(lines) * options.repeat:,} lines, {len(templates)} templates, "
                f"{len(templates ^ found)} differ, {seconds:.0f} s of CPU, {peak:.0f} MiB"
            )
        return 0
    scores = [score_log(name, *log) for name, log in logs.items()]
    click.echo("\n".join(write_table(scores, find_drain(logs))))
    if options.pieces:
        for name, (lines, labels) in logs.items():
            for piece, chosen in cut_pieces(len(lines)):
                score = score_log(name, [lines[n] for n in chosen], [labels[n] for n in chosen])
                click.echo(f"{name}, {piece}: accuracy {score.accuracy:.3f}, F1 {score.f1:.3f}")
    if options.leave_one_out:
        left_out = leave_one_out(logs)
        for name, (accuracy, chosen) in left_out.items():
            click.echo(f"{name}: {accuracy:.3f} by {chosen}")
        click.echo(f"left out, mean: {statistics.mean(one for one, _ in left_out.values()):.3f}")
    if options.json is not None:
        options.json.write_text(json.dumps([asdict(score) for score in scores], indent=1))
    return 0


def find_drain(logs: dict[str, tuple[list[bytes], list[str]]]) -> dict[str, tuple[float, float]]:
    """Drain3's scores, none if it is not installed."""
    try:
        return {name: score_drain(name, *log) for name, log in logs.items()}
    except ImportError:
        return {}


def write_table(scores: Sequence[Score], drain: dict[str, tuple[float, float]]) -> Iterator[str]:
    """The table in Markdown: a log a line, then the means and the sums."""
    beside = ["Drain3: accuracy", "F1"] if drain else []
    titles = ["log", "accuracy", "F1", "templates (events)", "new unseen", "known unseen"]
    titles += ["seconds", "µs a line", *beside]
    yield "| " + " | ".join(titles) + " |"
    yield "|" + " --- |" * len(titles)
    for one in scores:
        yield write_row(
            one.log,
            [one.accuracy, one.f1],
            [f"{one.templates} ({one.events})"],
            [(one.new_unseen, one.new), (one.known_unseen, one.known)],
            [f"{one.seconds:.1f}", f"{one.us:.0f}"],
            drain.get(one.log, ()),
        )
    yield write_row(
        "mean, sum",
        [
            statistics.mean(one.accuracy for one in scores),
            statistics.mean(one.f1 for one in scores),
        ],
        [f"{sum(one.templates for one in scores)} ({sum(one.events for one in scores)})"],
        [
            (sum(one.new_unseen for one in scores), sum(one.new for one in scores)),
            (sum(one.known_unseen for one in scores), sum(one.known for one in scores)),
        ],
        [
            f"{sum(one.seconds for one in scores):.1f}",
            f"{statistics.mean(o.us for o in scores):.0f}",
        ],
        [statistics.mean(column) for column in zip(*drain.values(), strict=True)],
    )


def write_row(
    name: str,
    shares: Sequence[float],
    counts: Sequence[str],
    parts: Sequence[tuple[int, int]],
    times: Sequence[str],
    others: Sequence[float],
) -> str:
    """A line of the table."""
    cells = [name, *(f"{share:.3f}" for share in shares), *counts]
    cells += [f"{some:,} of {all_:,}" for some, all_ in parts]
    cells += [*times, *(f"{share:.3f}" for share in others)]
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    raise SystemExit(main())
