"""Mining by shape: the same templates in any order and at any length, and none that swallows."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from logexport.logs.lines import tokens
from logexport.logs.matching import TemplateMatcher
from logexport.logs.tokens import Masked
from logexport.training.mining import LineSample, TemplateMiner

MARK = re.compile(r"<[A-Z]+>")


def masked(text: str) -> Masked:
    """A masked line, in which every ``<NAME>`` was put there by a mask."""
    kinds = bytes(
        2 if MARK.fullmatch(token.strip("[]().,;")) else 1 if MARK.search(token) else 0
        for token in tokens(text)
    )
    return Masked(" ".join(tokens(text)), kinds)


def mine(lines: Iterable[str], kept: int = 0, **limits: Any) -> list[str]:
    """The templates of one round."""
    miner = TemplateMiner(kept, **limits)
    for line in lines:
        miner.add(masked(line))
    return miner.mine()


def mine_in_rounds(lines: Sequence[Masked], **limits: Any) -> tuple[list[str], int]:
    """The templates that match every line, and how many rounds it took."""
    miner = TemplateMiner(0, **limits)
    left: Sequence[Masked] = lines
    rounds = 0
    while True:
        for line in left:
            miner.add(line)
        templates = miner.mine()
        rounds += 1
        matcher = TemplateMatcher(templates)
        left = [line for line in lines if matcher.match(line) is None]
        if not left:
            return templates, rounds


def words(seed: int, count: int) -> list[str]:
    """Different words of letters only."""
    rng = random.Random(seed)
    letters = "bcdfghklmnprstvz"
    made = {"".join(rng.choices(letters, k=7)) for _ in range(2 * count)}
    return sorted(made)[:count]


# --- places that vary -----------------------------------------------------------------------------


@pytest.mark.parametrize("repeated", [1, 40])
@pytest.mark.parametrize(
    "states",
    [
        ["Started", "Paused"],
        ["Started", "Paused", "Resumed", "Stopped"],
        ["GET", "POST", "PUT", "HEAD", "DELETE", "OPTIONS", "PATCH", "TRACE"],
    ],
)
def test_few_words_that_are_often_each_are_events_each(states: list[str], repeated: int) -> None:
    lines = [f"the VM {state} by <ID> now" for state in states for _ in range(20 * repeated)]
    assert mine(lines) == sorted({f"the VM {state} by <ID> now" for state in states})


def test_words_that_are_rare_each_are_one_event() -> None:
    lines = ["a line that many others are like"] * 3000
    lines += [f"the user {word} logged in" for word in words(1, 5)]
    assert mine(lines) == ["a line that many others are like", "the user <*> logged in"]


def test_four_rare_words_are_events_each() -> None:
    lines = ["a line that many others are like"] * 3000
    lines += [f"the user {word} logged in" for word in words(1, 4)]
    assert len(mine(lines)) == 5


def test_very_many_words_are_one_event_however_often_each_one_is() -> None:
    names = words(2, 13)
    assert mine(f"the user {name} logged in" for name in names * 50) == ["the user <*> logged in"]


def test_one_rare_state_beside_others_stays_an_event_of_its_own() -> None:
    lines = [f"link is {state} on port <NUM>" for state in ["up", "down"] for _ in range(500)]
    found = mine([*lines, "link is flapping on port <NUM>"])
    assert found == [f"link is {state} on port <NUM>" for state in ("down", "flapping", "up")]


def test_a_name_with_a_path_varies_even_if_it_is_often() -> None:
    lines = [f"class org.example.{word.title()} was loaded" for word in words(3, 4)] * 100
    assert mine(lines) == ["class <*> was loaded"]


def test_a_first_word_and_one_that_leaves_a_single_word_need_more() -> None:
    for count, length in ((10, 10), (60, 1)):
        assert len(mine(f"{word} begins the line" for word in words(4, count))) == length
        assert len(mine(f"stopping {word}" for word in words(5, count))) == length


@pytest.mark.parametrize("line", ["{}", "<NUM> {}", "{} <NUM> <HOST>", "({}):"])
def test_a_word_that_leaves_no_word_never_varies(line: str) -> None:
    found = mine(line.format(word) for word in words(6, 300))
    assert len(found) == 300
    assert not any("*" in template for template in found)


def test_two_places_of_fresh_words_vary_together() -> None:
    pairs = zip(words(7, 200), words(8, 200), strict=True)
    lines = [f"copied {one} to {other} without errors" for one, other in pairs]
    assert mine(lines) == ["copied <*> to <*> without errors"]


def test_words_that_change_places_are_no_place_that_varies() -> None:
    lines = [f"from {a} to {b} in time" for a in ("up", "down") for b in ("left", "right")]
    lines += [f"from {b} to {a} in time" for a in ("up", "down") for b in ("left", "right")]
    assert len(mine(lines)) == 8


def test_a_template_joins_the_one_that_covers_it() -> None:
    lines = [f"the user {word} logged in from <HOST>" for word in words(9, 30)]
    assert mine([*lines, "the user admin logged in from <PATH>"]) == [
        "the user <*> logged in from <*:mark>"
    ]


# --- marks ----------------------------------------------------------------------------------------


def test_one_mark_is_that_mark_and_several_are_any_mark() -> None:
    same = [f"sent <NUM> bytes to {mark} today" for mark in ("<HOST>", "<PATH>")]
    assert mine(same) == ["sent <NUM> bytes to <*:mark> today"]
    assert mine(same[:1] * 2) == ["sent <NUM> bytes to <HOST> today"]


def test_a_word_and_a_mark_are_two_events() -> None:
    assert mine(["the size is <NUM>", "the size is unknown"] * 30) == [
        "the size is <NUM>",
        "the size is unknown",
    ]


def test_marks_inside_different_words_are_one_event_if_there_are_many_or_a_value() -> None:
    often = [f"device {name}<ID> is ready" for name in ("eth", "wlan") for _ in range(99)]
    assert mine(often) == ["device eth<ID> is ready", "device wlan<ID> is ready"]
    assert mine([*often, "device <NUM> is ready"]) == ["device <*:mark> is ready"]
    rare = [f"device {word}<ID> is ready" for word in words(1, 4)]
    assert mine(rare + ["something else that is often"] * 5000)[0] == "device <*:mark> is ready"


def test_wildcards_that_stand_in_the_log_are_matched() -> None:
    lines = [Masked("a <*> b", bytes(3)), Masked("a <*:mark> c", bytes(3))]
    lines.append(Masked("a <*:mark> d", bytes((0, 2, 0))))
    assert mine_in_rounds(lines) == (["a <*:mark> d", "a <*> b", "a <*> c"], 1)


def test_rules_of_version_1_have_no_typed_wildcards() -> None:
    miner = TemplateMiner(0, typed=False)
    for line in ("sent to <IP> now", "sent to <NUM> now", "sent to eth<ID> now", "sent to x now"):
        miner.add(Masked(line, b""))
    found = miner.mine()
    assert not any("mark" in template for template in found)
    matcher = TemplateMatcher(found, typed=False)
    assert matcher.match(Masked("sent to <IP> now", b"")) is not None


# --- kept fields ----------------------------------------------------------------------------------


def test_kept_fields_never_vary() -> None:
    kept = [f"{word} -\n the same words <NUM>" for word in words(3, 100)]
    assert mine(kept, kept=2) == kept


def test_what_varies_is_judged_for_each_kept_value_alone() -> None:
    rare = ["info a line that is often"] * 4000
    lines = rare + [f"info the user {word} came" for word in words(3, 9)] + ["warn the user x came"]
    found = mine(lines, kept=1)
    assert found[1:] == ["info the user <*> came", "warn the user x came"]


# --- order, length, rounds ------------------------------------------------------------------------

TOKEN = st.sampled_from(["a", "b", "up", "eth0", "eth1", "x.y", "<NUM>", "<HOST>", "v<ID>", "<*>"])
LINES = st.lists(st.lists(TOKEN, max_size=5).map(" ".join), min_size=1, max_size=60)
LIMITS = st.sampled_from([{}, {"sample_lines": 3}, {"sample_characters": 20}])


@given(LINES, LIMITS, st.randoms())
def test_the_order_of_lines_decides_nothing(
    lines: list[str], limits: dict[str, int], rng: random.Random
) -> None:
    shuffled = list(lines)
    rng.shuffle(shuffled)
    first, second = ([masked(line) for line in order] for order in (lines, shuffled))
    assert mine_in_rounds(first, **limits) == mine_in_rounds(second, **limits)


@given(LINES, LIMITS)
def test_every_line_has_a_template_in_the_end(lines: list[str], limits: dict[str, int]) -> None:
    templates, rounds = mine_in_rounds([masked(line) for line in lines], **limits)
    assert len(templates) <= len(set(lines))
    assert rounds == 1 or limits


def test_rounds_grow_with_the_logarithm_of_the_lines() -> None:
    lines = [masked(" ".join(words(seed, 6))) for seed in range(640)]
    templates, rounds = mine_in_rounds(lines, sample_lines=10)
    assert len(templates) == 640
    assert rounds <= 8


@pytest.mark.parametrize("seed", range(3))
def test_a_longer_log_of_the_same_kind_has_the_same_templates(seed: int) -> None:
    def build_log(length: int) -> list[Masked]:
        rng = random.Random(seed)
        fresh = iter(words(seed, length))
        kinds = [
            lambda: f"user {next(fresh)} logged in from <HOST>",
            lambda: f"VM {rng.choice(['Started', 'Paused', 'Stopped', 'Lost', 'Moved'])} on <HOST>",
            lambda: f"{rng.choice(['GET', 'POST'])} <PATH> in <NUM>",
            lambda: f"copied {next(fresh)} to {next(fresh)} and back",
        ]
        return [masked(rng.choice(kinds)()) for _ in range(length)]

    short, _ = mine_in_rounds(build_log(400))
    long, rounds = mine_in_rounds(build_log(6000), sample_lines=1000)
    assert short == long
    assert rounds <= 2
    assert len(short) == 9


EVENTS = (
    "session opened for user {word} by <ID>",
    "session closed for user {word}",
    "Starting task {name} in stage <NUM>",
    "Finished task {name} in stage <NUM> after <NUM>",
    "Deleting block {name} file <PATH>",
    "Received block {name} of size <NUM> from {marked}",
    "class {path} was loaded from {path}",
    "VM Started by {word} now",
    "VM Paused by {word} now",
    "VM Stopped by {word} now",
    "GET <PATH> status= <NUM>",
    "POST <PATH> status= <NUM>",
    "query {name} of {word} took <NUM>",
    "disk is full",
    "cannot connect to {path} at {marked} : refused",
)
"""A token in braces is another one in each line."""


def write_fresh_log(count: int) -> list[Masked]:
    """The events in turn, with values that no other line has."""
    letters = str.maketrans("0123456789abcdef", "bcdfghklmnprstvz")

    def fill(number: int) -> str:
        own = f"{number:05x}".translate(letters)
        return EVENTS[number % len(EVENTS)].format(
            word=f"u{own}", name=f"{own}-1a", path=f"org.{own}.Main", marked=f"{own}<ID>"
        )

    kinds = [masked(fill(number)).kinds for number in range(len(EVENTS))]
    return [Masked(fill(number), kinds[number % len(EVENTS)]) for number in range(count)]


def test_a_long_log_of_fresh_values_has_the_templates_of_the_short_one() -> None:
    short, _ = mine_in_rounds(write_fresh_log(2_000))
    assert len(short) == len(EVENTS)
    assert mine_in_rounds(write_fresh_log(60_000))[0] == short


@given(st.lists(st.sampled_from("abcdefghij"), min_size=1), st.integers(1, 12), st.randoms())
def test_a_sample_has_the_smallest_hashes_and_exact_counts(
    lines: list[str], most: int, rng: random.Random
) -> None:
    sample = LineSample(most, 10_000)
    for line in lines:
        sample.add(masked(line))
    large = LineSample(100, 10_000)
    shuffled = list(lines)
    rng.shuffle(shuffled)
    for line in shuffled:
        large.add(masked(line))
    assert dict(sample.items()).items() <= dict(large.items()).items()
    assert dict(large.items()) == {masked(one): n for one, n in Counter(lines).items()}
    assert len(sample) == min(most, len(set(lines)))
    assert sample.total == len(lines)
    assert (sample.share == 1.0) == (len(set(lines)) <= most)


@settings(max_examples=30)
@given(st.lists(st.integers(1, 300), min_size=1, max_size=30, unique=True), st.randoms())
def test_a_sample_is_bounded_by_characters_in_any_order(
    lengths: list[int], rng: random.Random
) -> None:
    samples = []
    for _ in range(2):
        sample = LineSample(1000, 400)
        for length in lengths:
            sample.add(Masked("x" * length, b"\0"))
        samples.append(dict(sample.items()))
        rng.shuffle(lengths)
    assert samples[0] == samples[1]
    assert len(samples[0]) == 1 or sum(len(line.text) for line in samples[0]) <= 400


def test_mining_very_long_lines_takes_linear_time_and_memory() -> None:
    long = " ".join(f"w{number % 977}x" for number in range(40_000))
    lines = [f"{word} {long}" for word in words(1, 8)]
    assert len(mine(lines)) == 8
