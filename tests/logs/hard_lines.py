"""Lines that begin as a head does and go on for long, so that a bad pattern goes back often."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from logexport.logs.headers import ALOG_DETECT_HEADERS, PRESETS
from logexport.logs.presets import NAMES, read_preset
from logexport.training.heads import learn_heads

from tests.logs.head_forms import HEADS, TIMES, TRAINING, Head, compose_head, write_log

RUNS = (
    *(" ", "\t", "0", "a", "A", "[", "]", "(", ")", "{", "<", '"', ":", ",", "=", ".", "-", "|"),
    *("/", "\\", '\\"', "é", "\u202f", "a ", "0 ", " :", "a:", "::a", ":0", ".a", ".a:0", "a="),
    *("[]", "[a] ", "()", "[](a)", '"a" ', "a=0 ", ' a="0"', "[ ", "0.", "0:", "-0", 'aA0 [(":,.'),
)
"""What is repeated."""
LINEAR_HEADS = {
    "dates and words": r"\d{4}-\d{2}-\d{2}\s+(?P<level>[^\s]+)\s+(?P<message>.*)$",
    "fields": r"(?P<timestamp>\S+) (?P<process>\w+): (?P<message>.*)$",
    "words with hyphens": r"(?:\w+-)+x(?P<message>)",
    "a fixed number of runs": r"\S*a{1,5}\S? x(?P<message>)",
    "nothing to go back to": r"(?:\[[^\]]*\]|\([^)]*\))*:(?P<message>)",
}
"""Patterns at the start of a line that take linear time: to PCRE2's steps and to those of
:mod:`logexport.logs.growth` alike."""
GROWING_HEADS = {
    "two runs of the same": r"\s*\s*x(?P<message>)",
    "a run that another one takes over": r'"[A-Z]+[^"]*"(?P<message>)',
    "runs that PCRE2 does not go back into": r"\s*[^x]*x(?P<message>)",
    "a look-ahead in a run": r"(?:(?!a*b)a)*c(?P<message>)",
    "a run of runs": r"(?:a+)+b(?P<message>)",
}
"""Patterns that take more."""
_TOKENS = re.compile(r"\w+|\s+|.")


class Shape(NamedTuple):
    """Lines that differ in their length only.

    Args:
        before: how they begin.
        run: what is repeated then.
        after: how they end.
    """

    before: str
    run: str
    after: str

    def write(self, length: int) -> str:
        """The line whose repeated part has about so many characters."""
        return self.before + self.run * (length // len(self.run)) + self.after


class Known(NamedTuple):
    """A pattern of a head, and a line that has the head.

    Args:
        origin: where the pattern is from.
        pattern: of the head.
        line: of the head.
    """

    origin: str
    pattern: str
    line: str

    def shapes(self) -> Iterator[Shape]:
        """Lines that begin with a part of the head; most of them have not the whole head.

        They are cut after each word and sign. Behind the run the line ends, or the head goes on
        up to its last word or sign.
        """
        found = re.compile(self.pattern, re.ASCII).match(self.line)
        assert found is not None, (self.origin, self.pattern, self.line)
        head = self.line[: found.start("message")]
        cuts = [match.start() for match in _TOKENS.finditer(head)]
        for cut in (*cuts, len(head)):
            for run in RUNS:
                for after in dict.fromkeys(("", "~", head[cut : cuts[-1] if cuts else 0])):
                    yield Shape(head[:cut], run, after)


def _quoted(time: str, level: str, n: random.Random) -> str:
    answer = f'{n.choice((200, 404))} {n.randrange(9000)} "-" "curl/8"'
    return f'10.0.0.{n.randrange(9)} - - [{time}] "GET /cart/{n.randrange(99)} HTTP/1.1" {answer} '


def _squid(time: str, level: str, n: random.Random) -> str:
    status = f"TCP_MISS/{n.choice((200, 404))}"
    return f"{time} {n.randrange(900)} 10.0.0.{n.randrange(9)} {status} {n.randrange(9000)} GET / "


def _plain(time: str, level: str, n: random.Random) -> str:
    return f"{time} 10.0.0.{n.randrange(9)} GET /cart/{n.randrange(99)} {n.choice((200, 404))} "


REQUESTS: dict[str, tuple[Head, str]] = {
    "quoted request": (_quoted, "%d/%b/%Y:%H:%M:%S %z"),
    "squid": (_squid, "%s.%L"),
    "request": (_plain, "%Y-%m-%d %H:%M:%S"),
}
"""Lines that say a request and its answer, and the form of their time."""


def learned(
    seeds: Sequence[int], per_head: int, requests: Sequence[str] = tuple(REQUESTS)
) -> list[Known]:
    """What is learned from logs of every kind of head, and of heads that are drawn.

    Args:
        seeds: of the heads that are drawn.
        per_head: with how many forms of time each of the others is written.
        requests: names of :data:`REQUESTS`.
    """
    draw = random.Random(1)
    logs: list[tuple[str, Head, str]] = [
        (f"{name}, {form}", head, form)
        for name, head in HEADS.items()
        for form in draw.sample(TIMES, per_head)
    ]
    for seed in seeds:
        form = draw.choice(TIMES)
        logs.append((f"drawn {seed}, {form}", compose_head(seed), form))
    logs += [(name, *REQUESTS[name]) for name in requests]
    found: dict[str, Known] = {}
    for origin, head, form in logs:
        texts = [text for text, _ in write_log(head, form, TRAINING, 120, 5, False)]
        for header in learn_heads(texts):
            match: Callable[[str], object] = re.compile(header.pattern, re.ASCII).match
            line = next(text for text in texts if match(text))
            found.setdefault(header.pattern, Known(origin, header.pattern, line))
    return list(found.values())


_ALOG_DETECT = {
    "alog-detect-syslog": "Nov 14 07:12:07 web-1 shop[17]: started",
    "alog-detect-dmesg": "[    0.123456] started",
}


def shipped() -> list[Known]:
    """The patterns of all presets, each with each of its samples, and those of alog-detect."""
    return [
        Known(header.name, header.pattern, sample["lines"][0])
        for name in NAMES
        for header in PRESETS[name]
        for sample in read_preset(name)["samples"]
        if sample["header"] == header.name
    ] + [
        Known(header.name, header.pattern, _ALOG_DETECT[header.name])
        for header in ALOG_DETECT_HEADERS
    ]
