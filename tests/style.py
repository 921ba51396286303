"""What docs/STYLE.md asks for, as far as a program can see it.

    python -m tests.style            shows what is new, and fails if anything is
    python -m tests.style --all      shows everything, old text included
    python -m tests.style --record   takes what was mended out of tests/style.json

Old text is counted by file and rule in tests/style.json. A file that has more findings than its
count fails; a file that is not listed has none.
"""

from __future__ import annotations

import argparse
import ast
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
RECORD = ROOT / "tests" / "style.json"
SUFFIXES = {".py", ".md", ".c", ".h", ".tmpl"}
MOST_WORDS = 40

PHRASES = {
    "is-no": (
        r"(?<![Tt]here\x20)\b(?:is|are|was|were) no (?!longer\b|more\b|less\b)",
        "write 'is not a'",
    ),
    "where-for-if": (r"\b(?:None|NULL|nothing|empty|\"\") where\b", "write 'if'"),
    "filler": (r"\b(?:[Ss]imply|[Jj]ust|[Oo]bviously|[Oo]f course|[Pp]lease)\b", "leave it out"),
}
"""Rule to the phrase that breaks it, and what to write instead."""

NAMES = frozenset({"said", "whole", "below", "hindrance", "perform", "declared"})
"""Names that explain nothing: of functions, classes, parameters and variables."""


class Finding(NamedTuple):
    """One place that breaks a rule."""

    path: str
    line: int
    rule: str
    text: str


GAP = r"(?:[ \t]+|\s*\n[ \t]*(?:[#*>]+|//)?[ \t]*)"
"""Between two words of a phrase: a line may end there, and the next one begin as a comment's."""


def phrases(path: str, text: str) -> Iterator[Finding]:
    """Phrases, wherever they stand: prose, comments, messages."""
    for rule, (pattern, remedy) in PHRASES.items():
        for found in re.finditer(pattern.replace(" ", GAP), text):
            line = text.count("\n", 0, found.start()) + 1
            yield Finding(path, line, rule, f"{' '.join(found[0].split())!r}: {remedy}")


def long_sentences(path: str, text: str) -> Iterator[Finding]:
    """Sentences of a Markdown document that hold more than one idea; tables and code are none."""
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    blocks = re.split(r"\n\s*\n|\n(?=\s*(?:[-*]|\d+\.|#+|\|)\s)", prose)
    for block in blocks:
        if block.lstrip().startswith(("|", "#")):
            continue
        for sentence in re.split(r"(?<=[.:;!?])\s+", " ".join(block.split())):
            count = len(sentence.split())
            if count > MOST_WORDS:
                words = sentence.split()[:6]
                start = re.search(GAP.join(map(re.escape, words)), text)
                line = 0 if start is None else text.count("\n", 0, start.start()) + 1
                yield Finding(path, line, "long", f"{count} words: {' '.join(words)} …")


def names(path: str, text: str) -> Iterator[Finding]:
    """Names of a Python file that explain nothing."""
    for node in ast.walk(ast.parse(text)):
        name = ""
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            name = node.name
        elif isinstance(node, ast.arg):
            name = node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            name = node.id
        if name.lstrip("_") in NAMES:
            yield Finding(path, getattr(node, "lineno", 0), "name", f"{name!r} explains nothing")


def findings(path: str, text: str) -> list[Finding]:
    """Everything in one file that breaks a rule."""
    found = list(phrases(path, text))
    if path.endswith(".md"):
        found += long_sentences(path, text)
    if path.endswith(".py"):
        found += names(path, text)
    return found


def files() -> list[str]:
    """What is written by hand and kept by git; not this rule book, which quotes what it forbids."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    own = {"docs/STYLE.md", "tests/style.py", "tests/test_style.py"}
    return sorted(
        name
        for name in listed.stdout.split("\0")
        if Path(name).suffix in SUFFIXES and name not in own and (ROOT / name).is_file()
    )


def everything() -> list[Finding]:
    """The findings in all files."""
    return [
        one for name in files() for one in findings(name, (ROOT / name).read_text(encoding="utf-8"))
    ]


def counts(found: list[Finding]) -> dict[str, dict[str, int]]:
    """File to rule to number."""
    out: dict[str, dict[str, int]] = {}
    for (path, rule), count in sorted(Counter((one.path, one.rule) for one in found).items()):
        out.setdefault(path, {})[rule] = count
    return out


def new(found: list[Finding], recorded: dict[str, dict[str, int]]) -> list[Finding]:
    """The findings of every file and rule that has more of them than the record says."""
    more = {
        (path, rule)
        for path, rules in counts(found).items()
        for rule, count in rules.items()
        if count > recorded.get(path, {}).get(rule, 0)
    }
    return [one for one in found if (one.path, one.rule) in more]


def mended(found: list[Finding], recorded: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
    """The record with no count above what is there now, and none raised."""
    now = counts(found)
    out: dict[str, dict[str, int]] = {}
    for path, rules in recorded.items():
        for rule, count in rules.items():
            left = min(count, now.get(path, {}).get(rule, 0))
            if left:
                out.setdefault(path, {})[rule] = left
    return out


def main() -> int:
    """Show findings; 1 if any is new."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--all", action="store_true", help="old text too")
    parser.add_argument("--record", action="store_true", help="lower the counts of old text")
    wanted = parser.parse_args()
    recorded = json.loads(RECORD.read_text(encoding="utf-8"))
    found = everything()
    if wanted.record:
        text = json.dumps(mended(found, recorded), indent=1, sort_keys=True) + "\n"
        RECORD.write_text(text, encoding="utf-8")
    shown = found if wanted.all else new(found, recorded)
    for one in shown:
        sys.stdout.write(f"{one.path}:{one.line}: {one.rule}: {one.text}\n")
    return 1 if new(found, recorded) else 0


if __name__ == "__main__":
    sys.exit(main())
