"""Bundles that earlier releases made: where they are, and how their records are compared."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class OldBundle:
    """A bundle, a hostile log, and the records that the release which made it gave of that log."""

    directory: Path

    @property
    def name(self) -> str:
        return f"{self.directory.parent.name} {self.directory.name}"

    @property
    def bundle(self) -> Path:
        return self.directory / "bundle"

    @property
    def log(self) -> Path:
        return self.directory / "hostile.log"

    @property
    def records(self) -> list[str]:
        """One a line, without the LF; a session may hold U+2028, which is written as it is."""
        text = (self.directory / "records.jsonl").read_bytes().decode("utf-8")
        return text.split("\n")[:-1]

    @property
    def summaries(self) -> bool:
        """Whether the records are those of ``--session-summary``: of a model that has sessions."""
        return '"judged": ' in self.records[-1]


OLD_BUNDLES = tuple(
    OldBundle(directory)
    for version in sorted(HERE.glob("version*"))
    for directory in sorted(version.iterdir())
)
