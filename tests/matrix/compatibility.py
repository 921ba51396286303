"""Write docs/compatibility.md from what the runs of the matrix recorded.

python tests/matrix/compatibility.py
"""

from __future__ import annotations

import sys
from pathlib import Path

# Started by its path, Python finds the directory of this file, not the one that holds `tests`.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.matrix.recording import KEPT, ROOT, Record, disagreements, read, rows

DOCUMENT = ROOT / "docs" / "compatibility.md"

HEAD = """\
# PyTorch releases

Written by `python tests/matrix/compatibility.py` from the records in `tests/matrix/records`, which
the runs of the matrix leave there. Do not edit it by hand.

`python tests/matrix/run.py` runs the matrix: for each release an environment of tox (`tox list`).
In it every kind of checkpoint of both built-in models is exported by every strategy that logexport
calls usable there, twice in one process and once in a fresh one. Every other strategy is tried on
an LSTM behind an embedding, an LSTM on event ids and a convolutional autoencoder: it is called
unusable where one of them is not right. Every graph is compared with PyTorch over the whole grid of
shapes.
"""

COLUMNS = (
    "| environment | torch | Python | tests | `auto` takes | opset | nodes | seconds |"
    " largest difference | commit |\n"
    "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n"
)

LEGEND = """\

- *tests*: of the whole suite where `tox list` says so, elsewhere of those that touch PyTorch.
- *nodes*: of the graphs of an alog-detect DeepLog and of this project's MSCRED, by the strategy
  taken; *seconds*: the longest export by it, of each checkpoint's first and of that in a fresh
  process.
- *largest difference*: of an output to PyTorch's, of all checkpoints, all sizes of the grid and all
  usable strategies. The check of an export allows 1e-5 + 1e-4 · |value|.
- *commit*: what was run.
"""


def document(records: dict[str, Record]) -> str:
    """The page for these records; a row of the matrix without one was not run, or has failed."""
    table, dynamo = [], []
    for name, row in rows().items():
        record = records.get(name)
        if record is None:
            known = f"| {name} | {row.torch} | {row.python} | not run, or failed |"
            table.append(known + " |" * 6)
            continue
        table.append(_row(name, record))
        dynamo.append(f"| {name} | {_dynamo(record)} |")
    run = sum(name in records for name in rows())
    parts = [
        HEAD,
        f"\n{run} of {len(rows())} environments have passed.\n\n",
        COLUMNS,
        "\n".join(table) + "\n",
        LEGEND,
        _agreement(records),
        "\n## The dynamo exporter\n\n",
        "What was seen of `torch.onnx.export(..., dynamo=True)`, in a process of its own unless\n"
        "said otherwise:\n\n",
        "| environment | seen |\n| --- | --- |\n" + "\n".join(dynamo) + "\n",
        _refused(records),
    ]
    return "".join(parts)


def _row(name: str, record: Record) -> str:
    taken, opset = record["auto"]["order"][0]
    exports = record["exports"]
    own = [facts for facts in exports.values() if facts["strategy"] == taken]
    nodes = [
        str(exports[f"{kind} {taken}"]["node_count"])
        for kind in ("deeplog-alog-detect", "mscred-logexport")
    ]
    seconds = max(max(facts["seconds"], facts["fresh"]) for facts in own)
    difference = max(facts["largest_difference"] for facts in exports.values())
    cells = (
        name,
        record["versions"]["torch"],
        record["python"],
        record.get("tests", "of the matrix alone"),
        taken,
        str(opset),
        ", ".join(nodes),
        f"{seconds:.1f}",
        f"{difference:.1e}",
        record["commit"],
    )
    return f"| {' | '.join(cells)} |"


def _dynamo(record: Record) -> str:
    if "dynamo" not in record["unusable"]:
        exports = [facts for facts in record["exports"].values() if facts["strategy"] == "dynamo"]
        seconds = max(max(facts["seconds"], facts["fresh"]) for facts in exports)
        later = record.get("in_a_row", {}).get("dynamo", ["right"])[1:]
        text = f"right for all {len(exports)} checkpoints, opset {exports[0]['opset']}, at most"
        text += f" {seconds:.0f} s each"
        if set(later) == {"right"}:
            return f"{text}; later exports of one process are right too"
        return f"{text}; a second export of one process is not: {_cell(later[0])}"
    seen = record["unusable"]["dynamo"]["seen"]
    if len(set(seen.values())) == 1:
        return _cell(next(iter(seen.values())))
    return "; ".join(f"{kind}: {_cell(what)}" for kind, what in seen.items())


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")[:240]


def _agreement(records: dict[str, Record]) -> str:
    if not records:
        return ""
    kinds = {key.split()[0] for record in records.values() for key in record["exports"]}
    exports = sum(len(record["exports"]) for record in records.values())
    compared = f"{exports} exports of {len(kinds)} checkpoints"
    differing = disagreements(records)
    if differing:
        return f"\n**Of {compared}, not all mean the same:**\n\n" + "".join(
            f"- {_cell(one)}\n" for one in differing
        )
    return (
        f"\nAll {compared}, by whatever release and strategy, gave for each checkpoint\n"
        "the same verdicts on a log of 1,200 lines, the same graph names, dynamic axes and\n"
        "metadata keys.\n"
    )


def _refused(records: dict[str, Record]) -> str:
    lines = [
        f"- {name}, {kind}: “{sentence}”\n"
        for name, record in records.items()
        for kind, sentence in sorted(record["refused"].items())
    ]
    return "\n## Refused checkpoints\n\n" + "".join(lines) if lines else ""


def write(directory: Path = KEPT) -> None:
    """Write the page from the records in ``directory``."""
    DOCUMENT.write_text(document(read(directory)), encoding="utf-8")


if __name__ == "__main__":
    write()
