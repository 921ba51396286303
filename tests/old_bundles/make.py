"""Make the bundles of a schema version, a hostile log for each, and the records that it gives.

    python make.py DIRECTORY

runs the ``logexport`` of the Python that runs this file, by its command line alone, and writes one
directory a bundle: ``bundle/``, ``hostile.log`` and ``records.jsonl`` (with ``--session-summary``
where the model judges sessions). DIRECTORY's name is the version whose bundles are made.

What is there is never made again: it says what bundles of its version mean. ``version1`` was made
at commit 8255f61, and only a release of that time can make it; ``version2`` when its rules were
frozen. Both with constraints.txt, on Python 3.11. A later schema version gets a directory of its
own.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
GENERATOR = ROOT / "examples" / "sample" / "generate_log.py"
MAX_LINE_BYTES = 600
"""Lines longer than this are oversize in these bundles, so that the log stays small."""
MOST_BYTES = 64 << 10
"""Of a hostile log."""


def logexport(*words: object) -> bytes:
    """What a command prints on standard output."""
    command = [sys.executable, "-m", "logexport", *map(str, words)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout


def sample_log(work: Path, lines: int, seed: int) -> Path:
    """A log of this project's generator, with faults."""
    log = work / "sample.log"
    options = ["--lines", str(lines), "--seed", str(seed), "--faults-every", "90"]
    subprocess.run([sys.executable, GENERATOR, *options, "-o", log], check=True)
    return log


def change(path: Path, **values: Any) -> None:
    """Replace entries of a JSON file."""
    document = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(document | values), encoding="utf-8")


# --- the bundles ----------------------------------------------------------------------------------


def deeplog(work: Path, bundle: Path) -> Path:
    """parse, build and train: sessions by a pattern, few of them held at once; two graphs."""
    log = sample_log(work, 4000, 11)
    logexport("parse", log, "-o", work)
    change(work / "preprocess.json", max_sessions=6, max_line_bytes=MAX_LINE_BYTES)
    by = r"(?:request |\[)(\w+)"
    parsed = ("--parsed", work / "parsed.parquet", "-o", work)
    logexport("deeplog", "build", *parsed, "--session-by", by)
    model = work / "deeplog.pth"
    sizes = ("--seq-len", 4, "--embed-dim", 8, "--hidden-dim", 12, "--epochs", 12, "--top-k", 3)
    train = ("--sequences", work / "sequences.parquet", "--vocab", work / "vocab.json")
    logexport("deeplog", "train", *train, "-o", model, *sizes)
    run = ("--model", "deeplog", "--checkpoint", model, "--portable", "--native", "require")
    logexport("run", *run, "-o", bundle)
    return log


def mscred(work: Path, bundle: Path) -> Path:
    """parse, build and train: counts of templates over windows of lines."""
    return count_windows(work, bundle, sample_log(work, 4000, 12))


def count_windows(work: Path, bundle: Path, log: Path) -> Path:
    """MSCRED on a log, from its lines to the bundle."""
    parsed = parse_short(work, log)
    logexport("mscred", "build", *parsed, "--lines", 12, "--stride", 5)
    model = work / "mscred.pth"
    sizes = ("--window-size", 8, "--channels", "3,4,6", "--epochs", 10)
    logexport(
        "mscred", "train", "--window-counts", work / "window_counts.parquet", "-o", model, *sizes
    )
    run = ("run", "--model", "mscred", "--checkpoint", model, "--native", "require", "-o", bundle)
    logexport(*run)
    # A threshold that divides the log's samples, so that anomalies and their shares are kept too.
    said = logexport("detect", bundle, log, "--engine", "python")
    scores = sorted(json.loads(line)["score"] for line in said.splitlines())
    logexport(*run, "--threshold", scores[len(scores) // 2] * 1.01)
    return log


def alog_detect(work: Path, bundle: Path) -> Path:
    """alog-detect's rules, a vocabulary as it makes them, and a checkpoint with its keys.

    Its vocabularies hold the templates of every moment of the mining, so that several match a line.
    """
    log = sample_log(work, 4000, 13)
    logexport("parse", log, "-o", work, "--format", "alog-detect", "--prefer", "general")
    templates = templates_of_every_moment(work / "parsed.parquet")
    vocab = work / "vocab.json"
    vocab.write_text(json.dumps({template: i for i, template in enumerate(templates)}))
    for name in ("parsed.parquet", "sequences.parquet"):
        (work / name).unlink(missing_ok=True)
    change(work / "preprocess.json", max_line_bytes=MAX_LINE_BYTES)
    model = work / "alog.pth"
    checkpoint(model, len(templates), {"seq_len": 6}, seed=3)
    run = ("--model", "deeplog", "--checkpoint", model, "--vocab", vocab, "--replay", log)
    logexport("run", *run, "--top-k", 15, "--native", "require", "-o", bundle)
    return log


def reserved(work: Path, bundle: Path) -> Path:
    """Reserved entries: unseen lines enter windows as ``unknown``; an id that no line has."""
    log = sample_log(work, 3000, 14)
    logexport("parse", log, "-o", work)
    change(
        work / "preprocess.json",
        max_line_bytes=MAX_LINE_BYTES,
        max_sessions=2,
        session={"by": "host", "pattern": None},
    )
    logexport("deeplog", "build", "--parsed", work / "parsed.parquet", "-o", work)
    templates = list(json.loads((work / "vocab.json").read_text(encoding="utf-8")))
    # Two templates are taken away, so that the log itself has unseen lines.
    entries = ["\nunknown", *templates[2:], "\nmissing:77"]
    vocab = work / "other" / "vocab.json"
    vocab.parent.mkdir()
    vocab.write_text(json.dumps({entry: i for i, entry in enumerate(entries)}))
    model = work / "other" / "model.pth"
    checkpoint(model, len(entries), {"seq_len": 5}, seed=4)
    rules = ("--preprocess", work / "preprocess.json", "--top-k", 12)
    run = ("--model", "deeplog", "--checkpoint", model, "--vocab", vocab, "--replay", log)
    logexport("run", *run, *rules, "--native", "require", "-o", bundle)
    return log


# --- those of version 2 ---------------------------------------------------------------------------

REQUEST = r"(?:request |for |to )([0-9a-f]{12})"
"""What the lines of one request have in common in the sample log."""
PROCESS = r" (\w+)\[\d+\]:"
ENDS = ("--idle-lines", 60, "--idle-seconds", 2)


def boundaries(work: Path, bundle: Path) -> Path:
    """DeepLog on sessions that begin and end: by lines, by time, by a line, with the log."""
    log = sample_log(work, 4000, 21)
    parsed = parse_short(work, log)
    by = ("--session-by", REQUEST, "--close-pattern", "finished with")
    logexport("deeplog", "build", *parsed, *by, *ENDS)
    model = work / "deeplog.safetensors"
    sizes = ("--seq-len", 4, "--embed-dim", 8, "--hidden-dim", 12, "--epochs", 12, "--top-k", 3)
    train = ("--sequences", work / "sequences.parquet", "--vocab", work / "vocab.json")
    logexport("deeplog", "train", *train, "-o", model, *sizes)
    run = ("--model", "deeplog", "--checkpoint", model, "--portable", "--native", "require")
    logexport("run", *run, "-o", bundle)
    return log


def session_counts(work: Path, bundle: Path) -> Path:
    """Event counts of finished sessions; nothing but lines, time and the log's end ends one."""
    log = sample_log(work, 4000, 22)
    parsed = parse_short(work, log)
    logexport("ecvc", "build", *parsed, "--session-by", PROCESS, *ENDS)
    model = work / "ecvc.safetensors"
    counts = ("--counts", work / "session_counts.parquet", "--vocab", work / "vocab.json")
    logexport("ecvc", "train", *counts, "-o", model)
    logexport("run", "--model", "ecvc", "--checkpoint", model, "--native", "require", "-o", bundle)
    return log


def counts_of_json(work: Path, bundle: Path) -> Path:
    """MSCRED on structured records with a level that stays in the event."""
    log = sample_log(work, 4000, 23)
    write_json_lines(log)
    return count_windows(work, bundle, log)


def inner(work: Path, bundle: Path) -> Path:
    """A vocabulary with wildcards inside tokens, by rules that ``run`` makes for it."""
    log = sample_log(work, 4000, 24)
    templates = (
        "request <*> started path /<*>",
        "request <*> finished with <*> bytes",
        "query for request <*> returned <*> rows in <*> ms",
        "answer to <*> kept in the cache",
        "Connection from <*> port <*> on <*> port 22",
        "Invalid user <*> from <*> port <*>",
        "pam_unix(<*>:session): session closed for user <*>",
    )
    vocab = work / "vocab.json"
    vocab.write_text(json.dumps({template: i for i, template in enumerate(templates)}))
    model = work / "model.pth"
    checkpoint(model, len(templates), {"seq_len": 4}, seed=5)
    run = ("--model", "deeplog", "--checkpoint", model, "--vocab", vocab, "--replay", log)
    logexport("run", *run, "--top-k", 4, "--native", "require", "-o", bundle)
    return log


def parse_short(work: Path, log: Path) -> tuple[object, ...]:
    """Parse a log by rules whose longest line is short; what a build is given."""
    logexport("parse", log, "-o", work)
    change(work / "preprocess.json", max_line_bytes=MAX_LINE_BYTES)
    return ("--parsed", work / "parsed.parquet", "-o", work)


def write_json_lines(log: Path) -> None:
    """Turn the lines of a syslog file into JSON objects with a time, a level and a message."""
    out = []
    for number, line in enumerate(log.read_text(encoding="utf-8").splitlines()):
        words = line.split(None, 5)
        level = "warning" if "nvalid" in line or "ailed" in line else "info"
        clock = f"2026-03-01T{words[2]}.{number % 1000:03}Z"
        fields = {"time": clock, "level": level, "host": words[3], "message": words[5]}
        out.append(json.dumps(fields, ensure_ascii=number % 2 == 0))
    log.write_text("\n".join(out) + "\n", encoding="utf-8")


BUNDLES: dict[str, dict[str, Callable[[Path, Path], Path]]] = {
    "version1": {
        "deeplog": deeplog,
        "mscred": mscred,
        "alog-detect": alog_detect,
        "reserved": reserved,
    },
    "version2": {
        "boundaries": boundaries,
        "session-counts": session_counts,
        "counts-of-json": counts_of_json,
        "inner": inner,
    },
}


def templates_of_every_moment(parsed: Path) -> list[str]:
    """The template of each line at the moment when Drain saw it, in the order of appearance."""
    import pyarrow.parquet as pq
    from drain3 import TemplateMiner
    from drain3.template_miner_config import TemplateMinerConfig

    miner = TemplateMiner(config=TemplateMinerConfig())
    found: dict[str, None] = {}
    for masked in pq.read_table(parsed, columns=["masked"]).column("masked").to_pylist():
        found[miner.add_log_message(masked)["template_mined"]] = None
    return list(found)


def checkpoint(path: Path, vocab_size: int, facts: dict[str, int], seed: int) -> None:
    """alog-detect's DeepLog with weights that spread its logits, so that ranks are never ties."""
    import torch
    from torch import nn

    torch.manual_seed(seed)
    embed, hidden = 6, 10
    parts = {
        "embed": nn.Embedding(vocab_size, embed, padding_idx=0),
        "lstm": nn.LSTM(embed, hidden, batch_first=True),
        "fc": nn.Linear(hidden, vocab_size),
    }
    weights = {
        f"{name}.{key}": 2.5 * value
        for name, part in parts.items()
        for key, value in part.state_dict().items()
    }
    sizes = {"vocab_size": vocab_size, "embed_dim": embed, "hidden_dim": hidden}
    torch.save({"state_dict": weights, **sizes, **facts}, path)


# --- the hostile log ------------------------------------------------------------------------------

VALUES = (
    b"0 -1 1. .5 1e9 007 1,000 12:34:56 2026-03-01T06:00:00.123+02:00 0x0 0xZZ 0xdeadBEEF"
    b" 1234567890123 10.0.0.1 256.1.1.1 1.2.3.4.5 1.2.3 10.0.0.1:80 ::1 fe80::1%eth0"
    b" 1:2:3:4:5:6:7:8 00:1a:2b:3c:4d:5e 00-1a-2b-3c-4d-5e 123e4567-e89b-12d3-a456-426614174000"
    b" 123E4567-E89B-92D3-0456-426614174000 /var/log/a.log ~/x /// C:\\x\\y http://h/p?q=1#f"
    b" https://[::1]:8/ user@example.org a=1 a= =1 pid=12 uid=0x1 blk_-17 blk_17 eth0 x86_64"
    b" v1.2.3 10% 5kB -0x1 <*> <NUM> <IP <ID> {} [] () '' \"\" a-a-a-a-a-a-a-a-a-a-a-a-"
    b" 1-1-1-1-1-1-1-1-1-1 ................ :::::::: 1.1.1.1.1.1.1.1.1.1.1.1"
).split()
ODD = (
    b"\xef\xbb\xbf|\x00|\x00\x00\x00|\x01\x7f|\r|\r\r|\x0b|\x0c|\t|\x1b[31m|\x1b[0m|\xc2\x85|\xc2\xa0"
    b"|\xe2\x80\xa8|\xe3\x80\x80|\xff|\xc0\xaf|\xe0\x80\x80|\xed\xa0\x80|\xf4\x90\x80\x80|\xf0\x9f\x98"
    b"|\xf0\x9f\x98\x80|\xce\xa9|\xd9\xa3|\xef\xbc\x91|\xc5\xbf|\xe2\x84\xaa|e\xcc\x81|\xe2\x80\x8b|\\n"
    b"|\\x00|<*>| |  "
).split(b"|")


def hostile(log: Path, seed: int) -> bytes:
    """Lines of a log as they are, in stretches, and between them lines changed in every way."""
    choice = random.Random(seed)
    lines = log.read_bytes().splitlines()
    out = bytearray(b"\xef\xbb\xbf")  # a byte order mark at the very start
    while len(out) < MOST_BYTES - 6_000:
        at = choice.randrange(len(lines) - 60)
        for line in lines[at : at + choice.randint(5, 60)]:
            out += line + choice.choice((b"\n", b"\n", b"\n", b"\r\n"))
        for change_line in choice.sample(CHANGES, 3):
            for line in change_line(choice, choice.choice(lines)):
                out += line + choice.choice((b"\n", b"\n", b"\r\n", b"\r\r\n"))
    out += b"\n \t\x0b\x0c\r\n\n" + lines[0] + b"\r"  # blank lines; a last line without LF
    return bytes(out)


def _insert(choice: random.Random, line: bytes) -> Iterator[bytes]:
    for _ in range(4):
        at = choice.randint(0, len(line))
        yield line[:at] + choice.choice(ODD) + line[at:]


def _replace(choice: random.Random, line: bytes) -> Iterator[bytes]:
    for _ in range(4):
        words = line.split(b" ")
        words[choice.randrange(len(words))] = choice.choice(VALUES)
        yield b" ".join(words)


def _glue(choice: random.Random, line: bytes) -> Iterator[bytes]:
    for _ in range(3):
        words = line.split(b" ")
        at = choice.randrange(len(words))
        words[at] = (
            words[at] + choice.choice((b"", b":", b"=", b"-", b",", b"/")) + choice.choice(VALUES)
        )
        yield b" ".join(words)


def _cut(choice: random.Random, line: bytes) -> Iterator[bytes]:
    yield line[: choice.randint(0, len(line))]
    yield line[choice.randint(0, len(line)) :]


def _grow(choice: random.Random, line: bytes) -> Iterator[bytes]:
    for length in (MAX_LINE_BYTES - 1, MAX_LINE_BYTES, MAX_LINE_BYTES + 1):
        yield (line + b" " + choice.choice(VALUES) * length)[:length]
    yield line + b" 1" * 200 + b"\r" * choice.randint(0, 3)


def _blank(choice: random.Random, line: bytes) -> Iterator[bytes]:
    yield from (b"", b" ", b"\t\x0b\x0c", b"\x00", b"\xc2\xa0")


def _head(choice: random.Random, line: bytes) -> Iterator[bytes]:
    yield b"<13>" + line
    yield b" " + line
    yield line.replace(b" ", b"  ", 3)
    yield line.replace(
        b"vega", choice.choice((b"altair", b"10.0.0.9", b"a\xffb", b"vega.example.org", b""))
    )
    yield line.replace(b"Mar  1", choice.choice((b"Mar 01", b"mar  1", b"Feb 30", b"2026-03-01")))
    yield b"[    1.000000] " + line
    yield b"\tat com.example.Main.run(Main.java:%d)" % choice.randint(1, 99)


def _only(choice: random.Random, line: bytes) -> Iterator[bytes]:
    yield b" ".join(choice.choices(VALUES, k=choice.randint(1, 9)))
    yield b"".join(choice.choices(ODD, k=choice.randint(1, 9)))
    yield bytes(choice.choices([byte for byte in range(256) if byte != 10], k=40))


CHANGES = (_insert, _replace, _glue, _cut, _grow, _blank, _head, _only)


# --- what is written ------------------------------------------------------------------------------


def make(directory: Path) -> None:
    """Write every bundle with its log and its records; both engines say the same of them."""
    for number, (name, build) in enumerate(BUNDLES[directory.name].items()):
        place = directory / name
        place.mkdir(parents=True)
        with tempfile.TemporaryDirectory() as work:
            log = build(Path(work), place / "bundle")
            (place / "hostile.log").write_bytes(hostile(log, number))
        options = () if name in ("mscred", "counts-of-json") else ("--session-summary",)
        detect = ("detect", place / "bundle", place / "hostile.log", *options)
        said = logexport(*detect, "--engine", "python")
        if said != logexport(*detect, "--engine", "native"):
            raise SystemExit(f"{name}: the engines differ, so nothing can be kept")
        (place / "records.jsonl").write_bytes(said)


if __name__ == "__main__":
    make(Path(sys.argv[1]))
