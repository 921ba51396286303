"""The detection study: its logs are what they say, and the table in the docs is its results."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
STUDY = ROOT / "examples" / "detection_study"


@pytest.fixture(scope="module")
def study() -> Iterator[ModuleType]:
    sys.path.insert(0, str(STUDY))
    import study as module

    yield module
    sys.path.remove(str(STUDY))


@pytest.mark.parametrize("name", ["burst", "mixture", "drift", "swapped", "silent"])
def test_trouble_is_where_the_truth_says_and_writes_no_new_message(
    study: ModuleType, tmp_path: Path, name: str
) -> None:
    from logexport.logs.masks import DEFAULT_MASKS, Masker

    (trouble,) = (one for one in study.TROUBLES if one.name == name)
    spans = study.write_log(trouble, tmp_path / "trouble.log", 5, 0)
    study.write_log(None, tmp_path / "clean.log", 5, 30_000)
    lines = (tmp_path / "trouble.log").read_text().splitlines()
    clean = (tmp_path / "clean.log").read_text().splitlines()
    assert lines[: study.CALM] == clean[: study.CALM] or name == "burst"
    assert len(spans) == study.EPISODES
    assert {span.last - span.first + 1 for span in spans} == {trouble.lines}
    assert len(lines) == spans[-1].last + study.CALM
    masker = Masker(DEFAULT_MASKS)

    def kinds(some: list[str]) -> set[str]:
        return {masker(line.split("]: ")[-1]).split()[0] for line in some}

    assert kinds(lines) <= kinds(clean)
    inside = [line for span in spans for line in lines[span.first - 1 : span.last]]

    def share(some: list[str], word: str) -> float:
        return sum(word in line for line in some) / len(some)

    services = {"burst": "UFW BLOCK", "mixture": "postfix", "drift": "postfix", "silent": "postfix"}
    if name == "swapped":
        order = Counter(
            "finished" in line for line in lines if "webapp" in line
        )  # what is counted stays the same
        assert share(inside, "webapp") == pytest.approx(share(clean, "webapp"), abs=0.05)
        assert order[True] > 0
    elif name == "silent":
        assert share(inside, services[name]) < 0.2 * share(clean, services[name])
    else:
        assert share(inside, services[name]) > 1.4 * share(clean, services[name])


def test_measures_of_known_verdicts(study: ModuleType) -> None:
    from measures import Verdict, measure, usual
    from troubles import Span

    clean = [Verdict(n, n, n % 100 == 0) for n in range(1, 1001)]
    assert usual(clean, 50) == 1
    assert usual(clean, 100) == 1
    flagged = {120, 121, 122, 300}
    verdicts = [Verdict(n, n, n in flagged) for n in range(1, 501)]
    spans = [Span(101, 150), Span(301, 350)]
    found = measure(verdicts, spans, clean)
    assert (found.flagged, found.flagged_in_trouble, found.in_trouble) == (4, 3, 100)
    assert (found.found, found.episodes) == (1, 2)
    assert (found.precision, found.recall) == (0.75, 0.03)
    windows = [Verdict(n * 10 + 1, n * 10 + 50, n == 6) for n in range(40)]
    about = measure(windows, [Span(111, 120)], windows)
    assert about.in_trouble == 5  # windows 7 to 11
    assert about.flagged_in_trouble == 0


def test_the_table_in_the_docs_is_the_results(study: ModuleType) -> None:
    text = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    results = json.loads((STUDY / "results.json").read_text(encoding="utf-8"))
    between = text.partition(study.BEGIN)[2].partition(study.END)[0]
    assert between.strip() == study.render(results)
