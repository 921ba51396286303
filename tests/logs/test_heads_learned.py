"""Heads are learned from lines: the known stays known at another time, and the new is new."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from logexport.logs.kept import KeptField
from logexport.logs.preprocess import LineParser, Preprocess
from logexport.training.heads import learn_heads
from logexport.training.keeping import KEPT, find_fields

from tests.logs.head_forms import (
    HEADS,
    LATER,
    NEW,
    TIMES,
    TRAINING,
    Head,
    compose_head,
    write_log,
)

DOC = Path(__file__).resolve().parents[2] / "docs" / "heads.md"
SEEDS = range(300)
"""Of heads whose fields, separators and brackets are drawn."""
ANY_TIME = "2024-11-14 08:12:07,412"
_NUMBER = re.compile("#")


def learn(head: Head, form: str) -> LineParser:
    lines = [line for line, _ in write_log(head, form, TRAINING, 150, 1, new=False)]
    headers = learn_heads(lines)
    kept = tuple(one for one in KEPT if one.field in find_fields(headers, ()))
    return LineParser(Preprocess(headers=headers, keep=kept))


def judge(head: Head, form: str) -> Iterator[tuple[str, str]]:
    """What is wrong at each of the later moments; the empty text if nothing is."""
    parser = learn(head, form)

    def event(line: str) -> str:
        return parser.mask_record(parser.parse(line.encode())).text

    known = {event(line) for line, _ in write_log(head, form, TRAINING, 150, 1, new=False)}
    for name, moment in LATER.items():
        lines = write_log(head, form, moment, 40, 2, new=True)
        unseen = [event(line) not in known for line, _ in lines]
        took = [
            line for line, text in lines if len(parser.parse(line.encode()).message) < len(text)
        ]
        wrong = []
        if any(unseen[: -len(NEW)]):
            wrong.append(f"{sum(unseen[: -len(NEW)])} known lines are unseen")
        if not all(unseen[-len(NEW) :]):
            wrong.append("a new line is known")
        if took:
            wrong.append(f"the head of {took[0]!r} takes a piece of the message")
        yield name, "; ".join(wrong)


def form_of(seed: int) -> str:
    return TIMES[seed * 7 % len(TIMES)]


def between(name: str) -> str:
    found = re.search(
        rf"<!-- {name} -->\n(.*)<!-- /{name} -->", DOC.read_text(encoding="utf-8"), re.S
    )
    assert found is not None
    return found[1]


@pytest.mark.parametrize("form", TIMES)
def test_a_known_line_stays_known_at_any_time(form: str) -> None:
    names = list(HEADS)
    name = names[TIMES.index(form) % len(names)]
    wrong = [f"{moment}: {what}" for moment, what in judge(HEADS[name], form) if what]
    assert not wrong or f"`{form}` behind *{name}*" in between("failures")


@pytest.mark.parametrize("seed", SEEDS[::8])
def test_a_head_of_any_fields_is_found(seed: int) -> None:
    wrong = [what for _, what in judge(compose_head(seed), form_of(seed)) if what]
    assert not wrong or f" {seed} " in between("failures")


def test_the_table_has_every_form_and_head() -> None:
    table = between("times")
    for form in TIMES:
        assert f"| `{form}` |" in table
    assert all(f"*{name}*" in DOC.read_text(encoding="utf-8") for name in HEADS)


# --- where the head ends --------------------------------------------------------------------------


def write(heads: Sequence[str], messages: Sequence[str], count: int = 200) -> list[str]:
    """Lines a second apart: each ``#`` is a number, ``@`` the time."""
    numbers = random.Random(3)
    lines = []
    for second in range(count):
        text = heads[second % len(heads)] + messages[numbers.randrange(len(messages))]
        text = text.replace("@", f"2024-11-14 08:{second // 60:02}:{second % 60:02},412")
        lines.append(_NUMBER.sub(lambda _: str(numbers.randrange(1, 9999)), text))
    return lines


def messages_of(lines: Sequence[str]) -> set[str]:
    """What is left of the lines, numbers as ``#``."""
    parser = LineParser(Preprocess(headers=learn_heads(lines)))
    return {re.sub(r"\d+", "#", parser.parse(line.encode()).message) for line in lines}


VARIED = ("opened port #", "worker # stopped", "cache flushed", "retry # of upstream: refused")


@pytest.mark.parametrize(
    ("heads", "messages"),
    [
        (["@ INFO "], ["job # started", "job # failed", "job # was put off until tomorrow"]),
        (["@ INFO "], ["heartbeat of node #"]),
        (["@ INFO "], ["heartbeat: alive"]),
        (["@ INFO "], ["heartbeat: peer # alive [ok]"]),
        (["@ INFO ", "@ WARN "], ["Warning: memory is low"] * 19 + ["Started: all is well"]),
        (["@ "], ["user=mara action=login from=10.0.0.#", "user=li action=logout after=#"]),
        (["@ - "], ['"quoted # text" was sent', '"quoted # text" was lost', '"other" was sent']),
        (["#: "], ["one thing happened", "another happened", "nothing at all"]),
    ],
)
def test_a_head_takes_no_word_of_the_message(heads: list[str], messages: list[str]) -> None:
    expected = {re.sub(r"\d+", "#", message) for message in messages}
    for left in messages_of(write(heads, messages)):
        assert any(left.endswith(message) for message in expected)


@pytest.mark.parametrize(
    "head",
    [
        "@ INFO ",
        "@ [worker-#] INFO com.acme.shop.Cart - ",
        "@ web-1 shopd[#]: ",
        "INFO | @ | shop | ",
        "<30>@ [#] {io} ",
        "time=@ level=info pid=# ",
        "[#:@] cart.c:#: ",
        "@ E/Cart(#): ",
    ],
)
def test_nothing_of_the_head_stays(head: str) -> None:
    assert messages_of(write([head], VARIED)) == set(VARIED)


def test_each_of_several_heads_is_found_also_on_one_line_in_twenty() -> None:
    heads = ["@ INFO [w-#] "] * 12 + ["<30>@ web-1 shopd[#]: "] * 7 + ["W @ cart.c:# "]
    assert messages_of(write(heads, VARIED, 400)) == set(VARIED)


def test_what_fits_no_head_stays_as_it_is() -> None:
    lines = [*write(["@ INFO "], VARIED), "=== end of report ===", "see 10:15 for more"]
    left = messages_of(lines)
    assert {*VARIED, "=== end of report ===", "see #:# for more"} == left


def test_lines_that_lack_a_part_of_the_head_lose_what_they_have() -> None:
    lines = write(["@ web-1 shopd[#]: "], VARIED) + write(["@ web-1 "], ["syslogd restarts."], 3)
    assert messages_of(lines) == {*VARIED, "syslogd restarts."}


@pytest.mark.parametrize(
    "lines",
    [
        ["It was a dark night.", "The rain fell in torrents,", "except at occasional intervals"],
        [f"{n} bottles of beer on the wall" for n in range(30)],
        [f"value {n}" for n in range(30)],
        ["-" * n for n in range(30)],
        [""] * 30,
        [],
    ],
)
def test_text_without_a_head_gives_none(lines: list[str]) -> None:
    assert learn_heads(lines) == ()


def test_a_level_is_no_host() -> None:
    lines = write(["@ info shopd[#]: ", "@ warning shopd[#]: "], VARIED)
    parser = LineParser(Preprocess(headers=learn_heads(lines)))
    fields = [parser.find_fields(line) for line in lines]
    assert {one["level"] for one in fields} == {"info", "warning"}
    assert {one["process"] for one in fields} == {"shopd"}
    assert not any("host" in one for one in fields)


def test_a_message_may_stand_on_the_next_line() -> None:
    texts, followed = [], []
    for line in write(["@ [#] "], ["@"]):
        texts += [line[: line.index("]") + 1], "cache flushed"]
        followed += [True, False]
    headers = learn_heads(texts, followed)
    assert [header.next_line for header in headers] == [True]
    assert learn_heads(texts[::2], followed[1::2]) == ()


def test_an_object_of_json_is_no_head() -> None:
    lines = write(["@ INFO "], ['{"a": #, "message": "flushed"}', '{"a": #, "message": "opened"}'])
    assert messages_of(lines) == {
        '{"a": #, "message": "flushed"}',
        '{"a": #, "message": "opened"}',
    }


def test_of_a_request_the_method_and_the_status_are_kept() -> None:
    numbers = random.Random(1)
    lines = [
        f'10.0.0.{n % 200} - - [14/Nov/2024:08:12:{n % 60:02} +0100] "{method} /a/{n} HTTP/1.1" '
        f'{status} {numbers.randrange(9999)} "-" "curl/8.{n % 9}"'
        for n, (method, status) in enumerate([("GET", 200), ("POST", 302), ("GET", 404)] * 30)
    ]
    parser = LineParser(
        Preprocess(
            headers=learn_heads(lines),
            keep=(KeptField("method"), KeptField("status", "class")),
        )
    )
    events = {parser.mask_record(parser.parse(line.encode())).text for line in lines}
    assert events == {"GET 2xx", "POST 3xx", "GET 4xx"}


def write_tables() -> None:
    """Write the tables of docs/heads.md anew."""
    rows, failures, total = [], [], 0
    for form in TIMES:
        right = []
        for name, head in HEADS.items():
            wrong = [f"{moment}: {what}" for moment, what in judge(head, form) if what]
            right.append(not wrong)
            if wrong:
                failures.append(f"- `{form}` behind *{name}*: {wrong[0]}.")
        total += sum(right)
        example = TRAINING.write(form)
        rows.append(f"| `{form}` | `{example}` | {sum(right)} of {len(right)} |")
    composed = {
        seed: what
        for seed in SEEDS
        if (what := next((w for _, w in judge(compose_head(seed), form_of(seed)) if w), ""))
    }
    sample = {
        seed: write_log(compose_head(seed), form_of(seed), TRAINING, 1, 1, new=False)[0][0]
        for seed in composed
    }
    failures += [f"- Drawn head {seed} : {composed[seed]}; `{sample[seed]}`." for seed in composed]
    pairs = len(TIMES) * len(HEADS)
    texts = {
        "times": "| form | example | heads right |\n| --- | --- | --- |\n" + "\n".join(rows),
        "totals": f"{total:,} of {pairs:,} pairs of a form and a head are right, and "
        f"{len(SEEDS) - len(composed)} of {len(SEEDS)} heads that are drawn.",
        "failures": "\n".join(failures),
    }
    text = DOC.read_text(encoding="utf-8")
    for name, table in texts.items():
        text = re.sub(
            rf"(<!-- {name} -->\n).*(<!-- /{name} -->)",
            lambda match, table=table: f"{match[1]}{table}\n{match[2]}",
            text,
            flags=re.S,
        )
    DOC.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write_tables()
