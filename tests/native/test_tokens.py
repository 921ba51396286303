"""Masks, tokens and wildcards of every kind: the engine says what the reference says.

Templates are made from the tokens of drawn lines, so most lines have several that match them.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from logexport.logs.events import EventReader
from logexport.logs.lines import LogLine, tokens
from logexport.logs.masks import ALOG_DETECT_MASKS, DEFAULT_MASKS, Mask
from logexport.logs.matching import MARK_WILDCARD, WILDCARD, Prefer
from logexport.logs.preprocess import LineParser, Preprocess
from logexport.logs.tokens import MARKED, VALUE, WORD, TokenRule
from logexport.types import Vocabulary

from tests.native.bundles import make_task, write_bundle
from tests.native.engine import Engine, reference

MASKS = (
    Mask("num", r"\d+", "<NUM>"),
    Mask("name", r"([a-y]+)z", r"\1:<I>\1"),
    Mask("swap", r"(=)?:(a)?", r"\2:\1"),
    Mask("gone", r"q", ""),
    Mask("tail", r"M>", "<T>é"),
    Mask("wide", r"é", "日=é"),
    Mask("first", r"^\S+", "<FIRST>"),
    Mask("space", r"u", " <U>\t"),
    Mask("empty", r"x*", "<X>"),
)
WORDS = (
    *("a", "bz", "7", "12", "(7)", "7,8", "k=7", "a::b", "=:", "[a:=7]", "<NUM>", "<*>", "qé", "u"),
    *("<*:mark>", "日7", "10.0.0.1:80", "/a/b", "eth0", "\x00", "\x1c7", "xx", "'7'", "<:N:>"),
    "a\u00a0",
)
messages = st.lists(
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=2).map("".join), max_size=5
).map(" ".join)
mask_sets = st.one_of(
    st.sampled_from((DEFAULT_MASKS, ALOG_DETECT_MASKS)),
    st.lists(st.sampled_from(MASKS), max_size=4, unique=True).map(tuple),
)
token_rules = st.builds(TokenRule, st.sampled_from(("=:", "=:", "", ",([<'")), st.booleans())


@st.composite
def rules(draw: st.DrawFn) -> Preprocess:
    prefer: Prefer = draw(st.sampled_from(("specific", "general")))
    masks = draw(mask_sets)
    if not draw(st.integers(0, 5)):
        return Preprocess(masks=masks, prefer=prefer, encoding=None)
    return Preprocess(
        masks=masks, prefer=prefer, tokens=draw(token_rules), inner=draw(st.booleans())
    )


def make_templates(rules: Preprocess, lines: list[str], random: Random) -> tuple[str, ...]:
    """Templates that match some of the lines: their tokens, some of them as wildcards."""
    parser = LineParser(rules)
    made: set[str] = set()
    for line in lines * 3:
        masked = parser.mask(line)
        words = tokens(masked.text)
        for place, word in enumerate(words):
            begin = random.randrange(len(word))
            end = random.randint(begin + 1, len(word))
            hole = random.choice((WILDCARD, "<:N:>"))
            words[place] = random.choices(
                (word, WILDCARD, MARK_WILDCARD, word[:begin] + hole + word[end:]), (5, 2, 2, 2)
            )[0]
        made.add(random.choice((" ", "  ")).join(words))
    return tuple(sorted({*made, "", "never", "never again"}))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rules(), st.lists(messages, min_size=1, max_size=12), st.integers(0, 1 << 30))
def test_engine_and_reference_find_the_same_templates(
    rules: Preprocess, lines: list[str], seed: int
) -> None:
    random = Random(seed)
    vocabulary = Vocabulary(make_templates(rules, lines, random))
    log = "\n".join(random.choices([*lines, *vocabulary.templates], k=60)).encode()
    with tempfile.TemporaryDirectory(prefix="logexport-") as directory:
        bundle = write_bundle(
            Path(directory, "bundle"), make_task("events topk", length=1), vocabulary, rules
        )
        with Engine(bundle) as one:
            one.push(log)
            one.finish()
            assert bytes(one.said) == reference(bundle, log)


def test_the_drawn_lines_have_tokens_and_templates_of_every_kind() -> None:
    random = Random(1)
    kinds: set[int] = set()
    seen = {"mark": 0, "inner": 0, "lines": 0}
    for inner in (False, True):
        rules = Preprocess(inner=inner)
        for _ in range(40):
            lines = [" ".join(random.choices(WORDS, k=3)) for _ in range(8)]
            vocabulary = Vocabulary(make_templates(rules, lines, random))
            reader = EventReader(rules, vocabulary)
            for line in lines:
                kinds.update(reader.parser.mask(line).kinds)
                event = reader.event(LogLine(1, line.encode()))
                assert event is not None
                if event.template is not None:
                    template = vocabulary.templates[event.template]
                    seen["lines"] += 1
                    seen["mark"] += MARK_WILDCARD in tokens(template)
                    seen["inner"] += "<:N:>" in template
    assert kinds == {WORD, MARKED, VALUE}
    assert min(seen.values()) > 50, seen
