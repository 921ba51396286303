"""The engine takes and refuses the patterns that the reference takes and refuses."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from logexport.errors import InputError
from logexport.logs.patterns import compile_portable
from logexport.logs.preprocess import Preprocess
from logexport.types import Vocabulary

from tests.native.bundles import make_task, write_bundle
from tests.native.engine import Engine, EngineError, Status

CASES = int(os.environ.get("LOGEXPORT_DIFFERENTIAL_CASES", "300"))

PARTS = r"""
a b \ ( ) [ ] { } | ^ $ . * + ? - , : = ! < > & ~ # 1 9 é 日 x
\d \S \W \b \B \A \Z \t \v \x41 \x4 \1 \0 \- \{ \p \n \h
(?: (?= (?! (?<= (?<! (?P<n> (?P<m> (?P=n) (?i) (?> (?# (*
[a-z] [^a] []a] [a-] [-a] [\d-] [z-a] [[:x:]] [a--b] [&&] [\]-a] [.,] [.a.] [:\:] [=] [^=a=] [.é.]
{2} {2,} {2,3} {,3} {0} {3,2} {1000} {1001} {99999} {100000} *? +? ?? *+
(a) (a)? (a)?? (a|b) (?:a) (?:a*) (?:a|) (?:ab){20} (?<=ab) (?<=a|bc) (?<=a*)
"""
PIECES = (*PARTS.split(), " ")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("portable") / "bundle"
    return write_bundle(path, make_task("events topk"), Vocabulary(("a", "b", "c")), Preprocess())


@settings(
    max_examples=CASES * 2,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(pattern=st.lists(st.sampled_from(PIECES), min_size=1, max_size=7).map("".join))
def test_the_same_patterns_are_portable(bundle: Path, pattern: str) -> None:
    if pattern in ("none", "host"):
        return
    try:
        compile_portable(pattern, "a test")
        portable = True
    except InputError:
        portable = False
    refused = None
    try:
        Engine(bundle, session_by=pattern).close()
    except EngineError as error:
        refused = error
    assert (refused is None) == portable, refused
    if refused is not None:
        assert refused.status == Status.USAGE
        assert "the option session-by: the pattern of the sessions" in str(refused)


@pytest.mark.parametrize(
    "pattern",
    [
        "a" * 4096,
        "a" * 4097,
        "é" * 4096,
        "(?:" * 50 + "a" + ")" * 50,
        "(?:" * 51 + "a" + ")" * 51,
        "(a)" * 50,
        "(a)" * 51,
        "(?P<" + "n" * 32 + ">a)",
        "(?P<" + "n" * 33 + ">a)",
        *(f"(?:ab){{{n}}}" for n in (1000, 1001)),
        *("(?=" * n + "a" + ")" * n for n in (50, 51)),
        "(?:abc){700}",
        "(?:abc){1000}(?:abcdefghijkl){900}",
        "(?:(?:[a-z]{2}){30}){30}",
        "[é-ü]" * 500,
        "[" + "".join(map(chr, range(0x400, 0x800))) + "]",
    ],
)
def test_the_same_limits_hold(bundle: Path, pattern: str) -> None:
    test_the_same_patterns_are_portable.hypothesis.inner_test(bundle, pattern)
