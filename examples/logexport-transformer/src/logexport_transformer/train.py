"""From a sequence of events to a checkpoint. The same seed gives the same weights."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from logexport.errors import InputError, UsageError
from logexport.logs.windows import LastEvents
from logexport.training.line_tables import SequencesFile, read_sequences
from logexport.training.loop import Epoch
from logexport.types import Vocabulary
from logexport.vocab import load_vocab
from torch import Tensor, nn

from logexport_transformer.load import save
from logexport_transformer.model import CausalTransformer, Sizes
from logexport_transformer.settings import Settings

LARGEST_K = 9
TOLERATED = 0.002
"""Share of the held-out events that the recommended k may flag."""


@dataclass(frozen=True)
class Trained:
    """The checkpoint; windows trained on and held out; the recommended k and what it flags."""

    checkpoint: Path
    windows: int
    held_out: int
    top_k: int
    flagged_share: float
    parameters: int


def windows_of(file: SequencesFile, vocab: Vocabulary, length: int) -> Tensor:
    """Every window with the event after it, int64 [windows, length + 1], as detection sees them."""
    about = file.about or {}
    if about.get("vocab_sha256") not in (None, vocab.sha256()):
        raise InputError(
            f"{file.path} was made with another vocabulary",
            "Name the vocab.json that was written together with it.",
        )
    sessions: defaultdict[str | int | None, LastEvents] = defaultdict(lambda: LastEvents(length))
    rows: list[tuple[int, ...]] = []
    for row in file:
        window = sessions[row.session if row.session_number is None else row.session_number]
        full = window.full()
        if full is not None and row.template_index is not None:
            rows.append((*full, row.template_index))
        entering = row.template_index if row.template_index is not None else vocab.unknown
        if entering is not None:
            window.append(entering)
    if len(rows) < 20:
        raise InputError(
            f"{file.path} has {len(rows)} windows of {length} events: too few to train on",
            "Choose a smaller --seq-len, or a longer log.",
        )
    table = torch.from_numpy(np.asarray(rows, dtype=np.int64))
    if int(table.max()) >= len(vocab):
        raise InputError(f"{file.path} has events that the vocabulary has not", "Build it again.")
    return table


def train(
    sequences: Path,
    vocab: Path,
    output: Path,
    settings: Settings,
    on_windows: Callable[[int], None] = lambda _: None,
    on_batch: Callable[[int], None] = lambda _: None,
    on_epoch: Callable[[Epoch], None] = lambda _: None,
) -> Trained:
    """Train on a log's events and write the checkpoint.

    Args:
        sequences, vocab: what `build` wrote.
        output: .pth, .pt or .safetensors.
        settings: sizes and schedule.
        on_windows: called before the first epoch with the number of windows to train on.
        on_batch: called with the number of windows just trained on.
        on_epoch: called after each pass; its mean loss is in nats.

    Raises:
        InputError: the files do not belong together, or hold too few windows.
        UsageError: sizes that cannot be.
        OutputError: the checkpoint cannot be written.
    """
    if settings.width % (2 * settings.heads):
        raise UsageError(
            f"--width {settings.width} is no multiple of twice --heads {settings.heads}"
        )
    templates = load_vocab(vocab)
    table = windows_of(read_sequences(sequences), templates, settings.seq_len)
    cut = len(table) - len(table) // 10
    # Windows that overlap both parts are in neither.
    chosen, held_out = table[: cut - settings.seq_len], table[cut:]
    on_windows(len(chosen))
    sizes = Sizes(len(templates), settings.width, settings.heads, settings.layers)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        module = CausalTransformer(sizes)
        optimizer = torch.optim.Adam(module.parameters(), lr=0.003)
        module.train()
        for epoch in range(1, settings.epochs + 1):
            total = 0.0
            for part in chosen[torch.randperm(len(chosen))].split(settings.batch_size):
                loss = nn.functional.cross_entropy(module(part[:, :-1]), part[:, -1])
                optimizer.zero_grad(set_to_none=True)
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                total += float(loss.detach()) * len(part)
                on_batch(len(part))
            on_epoch(Epoch(epoch, total / len(chosen), None))
    ranks = _ranks(module.eval(), held_out)
    shares = {k: float((ranks >= k).double().mean()) for k in range(1, LARGEST_K + 1)}
    largest = min(LARGEST_K, len(templates) - 1)
    top_k = next((k for k, share in shares.items() if share <= TOLERATED), largest)
    top_k = min(top_k, largest)
    save(output, module, sizes, templates, settings.seq_len, top_k, asdict(settings))
    return Trained(
        checkpoint=output,
        windows=len(chosen),
        held_out=len(held_out),
        top_k=top_k,
        flagged_share=shares[top_k],
        parameters=sum(tensor.numel() for tensor in module.parameters()),
    )


def _ranks(module: CausalTransformer, table: Tensor) -> Tensor:
    """How many logits are greater than the actual event's, int64 [windows]."""
    ranks = []
    with torch.no_grad():
        for part in table.split(1024):
            logits = module(part[:, :-1])
            ranks.append((logits > logits.gather(1, part[:, -1:])).sum(dim=1))
    return torch.cat(ranks)
