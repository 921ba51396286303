"""A detection is fed line by line, and says what it saw also if the log ends in an error."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from logexport.bundle import BundledModel
from logexport.detect import Detection, detect, open_model
from logexport.errors import BundleError, InputError, UsageError
from logexport.logs.lines import LogLine
from logexport.logs.preprocess import Preprocess
from logexport.types import Vocabulary
from logexport.verdicts.options import DetectOptions

from tests.detect.bundles import write_bundle
from tests.detect.fakes import event_topk

LINES = [LogLine(number + 1, raw) for number, raw in enumerate([b"a", b"b", b"", b"c", b"a", b"?"])]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> BundledModel:
    path = tmp_path_factory.mktemp("bundles") / "tiny"
    vocabulary = Vocabulary(("a", "b", "c"))
    return open_model(write_bundle(path, event_topk(2, 1), vocabulary, Preprocess()))


def test_line_by_line_gives_what_the_log_at_once_gives(model: BundledModel) -> None:
    expected = [record.to_line() for record in detect(LINES, model)]
    assert len(expected) == 5
    detection = Detection(model)
    lines_out = []
    for line in LINES:
        lines_out += [record.to_line() for record in detection.feed(line)]
        lines_out += [record.to_line() for record in detection.flush()]
        assert len(lines_out) == detection.stats.events, "after a flush nothing is held back"
    assert lines_out + [record.to_line() for record in detection.finish()] == expected
    assert (detection.stats.lines, detection.stats.blank, detection.stats.unseen) == (6, 1, 1)


def test_a_log_that_breaks_off_leaves_its_statistics_and_the_records_so_far(
    model: BundledModel,
) -> None:
    def broken() -> Iterator[LogLine]:
        yield from LINES[:4]
        raise InputError("the log ends here")

    detection = Detection(model)
    lines_out = []
    with pytest.raises(InputError, match="ends here"):
        lines_out.extend(record.to_line() for record in detection.read(broken()))
    lines_out += [record.to_line() for record in detection.flush()]
    assert lines_out == [record.to_line() for record in detect(LINES[:4], model)]
    assert (detection.stats.lines, detection.stats.events) == (4, 3)


def test_an_option_that_does_not_fit_is_refused_before_a_line_is_read(model: BundledModel) -> None:
    with pytest.raises(UsageError, match="--threshold does not apply"):
        detect(LINES, model, DetectOptions(threshold=1.0))
    with pytest.raises(BundleError, match="no variant 'portable'"):
        detect(LINES, model, DetectOptions(variant="portable"))


def test_a_proof_that_is_not_full_is_refused_if_it_is_required(tmp_path: Path) -> None:
    vocabulary = Vocabulary(("a", "b", "c"))
    weak = write_bundle(
        tmp_path / "weak", event_topk(2, 1), vocabulary, Preprocess(), proof="no_native"
    )
    assert open_model(weak).proof == "no_native"
    with pytest.raises(BundleError, match="tiny is not fully proven: proof no_native"):
        open_model(weak, DetectOptions(require_proof=True))
