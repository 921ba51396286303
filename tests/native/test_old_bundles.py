"""A bundle of an earlier release: the C engine says what the Python reference says, to the byte.

What the reference says is held to the kept records by tests/detect/test_old_bundles.py.
"""

from __future__ import annotations

import pytest

from tests.native.engine import engine, reference, said
from tests.native.test_real_logs import pieces
from tests.old_bundles import OLD_BUNDLES, OldBundle


@pytest.mark.parametrize("old", OLD_BUNDLES, ids=lambda old: old.name)
def test_both_engines_write_the_same_bytes(old: OldBundle) -> None:
    data = old.log.read_bytes()
    expected = reference(old.bundle, data, session_summary=old.summaries)
    options = ["--session-summary"] if old.summaries else []
    for threads in (1, 3):
        done = engine("detect", old.bundle, old.log, "--threads", threads, *options)
        assert (done.returncode, done.stdout) == (0, expected)
        cut = pieces(data, seed=threads)
        summary = int(old.summaries)
        assert said(old.bundle, cut, threads=threads, session_summary=summary) == expected


@pytest.mark.parametrize("old", OLD_BUNDLES, ids=lambda old: old.name)
def test_the_engine_passes_the_self_test_of_an_earlier_release(old: OldBundle) -> None:
    done = engine(old.bundle)
    assert done.returncode == 0, done.stderr
