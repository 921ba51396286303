"""What ``logexport run`` asks of DeepLog: the checkpoint read, its settings settled, its inputs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from logexport.errors import CheckpointError, UsageError, VocabularyError
from logexport.types import (
    DummyInput,
    EventWindow,
    JSONValue,
    LoadedModel,
    ModelRequest,
    NextEventTopK,
    Sizes,
    Task,
    Vocabulary,
)

from logexport_deeplog.checkpoints import PUBLISHED, DeepLog, read_deeplog

if TYPE_CHECKING:
    import numpy as np

BATCH_SIZES = (1, 2, 7, 32)
INPUT, OUTPUT = "input_sequence", "predictions"


def load(request: ModelRequest) -> LoadedModel:
    """Read the checkpoint and settle window length and k.

    Raises:
        CheckpointError: see :func:`read_deeplog`, or it was never trained on the end of a session
            and would judge it.
        UsageError: k is not smaller than the vocabulary.
    """
    model = read_deeplog(request.checkpoint)
    warnings = list(model.warnings)
    _check_ends(model, request.checkpoint, warnings)
    seq_len, source = _settle_length(model, request.options.get("seq_len"), warnings)
    top_k = _settle_k(model, request.options.get("top_k"), request.checkpoint, warnings)
    meta: dict[str, JSONValue] = {
        "seq_len": seq_len,
        "seq_len_source": source,
        "hidden_dim": model.hidden_dim,
        "num_layers": model.num_layers,
        "checkpoint_kind": model.kind,
        "notes": _notes(model, top_k),
    }
    if model.embed_dim is not None:
        meta["embed_dim"] = model.embed_dim
    if model.classes != model.vocab_size:
        meta["classes"] = model.classes
    return LoadedModel(
        module=model.module,
        task=Task(EventWindow(seq_len, model.start, model.end), NextEventTopK(OUTPUT, top_k)),
        vocab_size=model.vocab_size,
        meta=meta,
        trained_vocab_sha256=model.vocab_sha256,
        warnings=tuple(warnings),
    )


def _check_ends(model: DeepLog, path: Path, warnings: list[str]) -> None:
    if model.end is None:
        return
    if model.ends_trained == 0:
        raise CheckpointError(
            f"{path} judges the end of a session and was never trained on one: every session would"
            " end in an anomaly",
            "Train it on a log in which sessions end, or build with --no-boundaries.",
        )
    if model.ends_trained is None:
        warnings.append(
            f"{path} does not say on how many ends of sessions it was trained: if on none, every"
            " session ends in an anomaly."
        )


def _settle_length(model: DeepLog, option: int | None, warnings: list[str]) -> tuple[int, str]:
    trained = model.seq_len
    if option is None:
        if trained is not None:
            return trained, "checkpoint"
        return PUBLISHED[model.kind].seq_len, "default"
    if trained == option:
        return option, "checkpoint"
    if trained is not None:
        warnings.append(
            f"The checkpoint was trained with windows of {trained} events; --seq-len {option} "
            "is taken, and verdicts may be worse than those it was tested with."
        )
    return option, "option"


def _settle_k(model: DeepLog, option: int | None, path: Path, warnings: list[str]) -> int:
    top_k = option or model.top_k
    published = PUBLISHED[model.kind].top_k
    if top_k is None and published >= model.classes > 1:
        warnings.append(
            f"{path} says no k, and the published {published} is not below its {model.classes}"
            f" classes: {model.classes - 1} is taken, by which few lines are anomalies; --top-k"
            " names another one."
        )
        return model.classes - 1
    top_k = top_k or published
    if top_k >= model.classes:
        raise UsageError(
            f"k = {top_k} is not smaller than the vocabulary of {path} ({model.classes} "
            "entries), so no event could ever be an anomaly",
            "Name a smaller one with --top-k.",
        )
    return top_k


def _notes(model: DeepLog, top_k: int) -> list[JSONValue]:
    notes: list[JSONValue] = ["The outputs are the logits of the event after the last step."]
    if model.kind == "one-hot":
        notes.append("Event ids enter the LSTM as one-hot vectors, which the graph makes.")
    elif model.embed_dim is None:
        notes.append("Event ids enter the LSTM as numbers; the graph casts them.")
    if model.classes != model.vocab_size:
        notes.append(
            f"The model predicts {model.classes} of its {model.vocab_size} entries; the logits of"
            " the others are the lowest float."
        )
    if top_k in model.flagged_sessions:
        notes.append(
            f"At k = {top_k}, {100 * model.flagged_sessions[top_k]:.3g} % of the held-out sessions"
            " of training were flagged."
        )
    if top_k in model.flagged_share:
        notes.append(
            f"At k = {top_k}, {100 * model.flagged_share[top_k]:.3g} % of the held-out events of "
            "training were flagged."
        )
    return notes


def vocabulary(request: ModelRequest, model: LoadedModel) -> Vocabulary:
    """The vocabulary file: of as many entries as the checkpoint has event ids, and those reserved
    that the model does not predict.

    Raises:
        VocabularyError: see :func:`logexport.vocab.load_vocab`, a template has no class, or one is
            what sessions begin or end with.
    """
    vocab = _fitting_vocabulary(request, model)
    window = model.task.input
    assert isinstance(window, EventWindow)  # noqa: S101 - load made it
    for name, index in (("start", window.start), ("end", window.end)):
        if index is not None and index not in vocab.reserved.values():
            raise VocabularyError(
                f"{request.checkpoint} has the {name} of a session at index {index}, where"
                f" {request.vocab} has a template",
                "Name the vocabulary that this checkpoint was trained with (--vocab).",
            )
    return vocab


def _fitting_vocabulary(request: ModelRequest, model: LoadedModel) -> Vocabulary:
    from logexport.vocab import fix_command, load_vocab

    before, after = getattr(model.module, "without_class", (0, 0))
    entries = model.vocab_size
    vocab = load_vocab(request.vocab, None if before or after else entries)
    without = {*range(before), *range(entries - after, entries)}
    if len(vocab) == entries and without <= set(vocab.reserved.values()):
        return vocab
    if len(vocab) == entries - before - after:
        what = "--reserve padding=0" if before else f"--entries {entries}"
        remedy = f"Reserve them by `{fix_command(request.vocab, what)}`."
    else:
        load_vocab(request.vocab, entries)
        remedy = "Name the vocabulary that this checkpoint was trained with (--vocab)."
    places = ", ".join(map(str, sorted(without)))
    raise VocabularyError(
        f"{request.checkpoint} has {entries} event ids and predicts {entries - before - after} of"
        f" them: {request.vocab} must reserve the others (index {places}), and has {len(vocab)}"
        f" entries, {len(vocab.reserved)} of them reserved",
        f"{remedy} An entry named `unknown` is what lines of no template are in a window.",
    )


def dummy(model: LoadedModel) -> DummyInput:
    """Example windows, and the grid of sizes to probe: 1, half, the trained length, its double.

    Example sizes are at least 2 and unlike each other and every size of the model, so that an
    exporter neither freezes an axis nor takes it for another.
    """
    import torch

    assert isinstance(model.task.input, EventWindow)  # noqa: S101  (load made it)
    length, vocab_size = model.task.input.length, model.vocab_size
    taken = {value for value in model.meta.values() if isinstance(value, int)} - {length}
    example = _free(max(length, 2), taken)
    batch = _free(2, taken | {example})
    window = torch.arange(batch * example, dtype=torch.int64).reshape(batch, example) % vocab_size
    lengths = sorted({1, max(1, length // 2), length, 2 * length})
    grid: list[Mapping[str, int]] = [
        {"batch_size": size, "sequence_length": steps} for size in BATCH_SIZES for steps in lengths
    ]

    def draw(sizes: Sizes, generator: np.random.Generator) -> tuple[np.ndarray, ...]:
        shape = (sizes["batch_size"], sizes["sequence_length"])
        return (generator.integers(0, vocab_size, size=shape, dtype="int64"),)

    return DummyInput(
        tensors=(window,),
        input_names=(INPUT,),
        output_names=(OUTPUT,),
        dynamic_axes={
            INPUT: {0: "batch_size", 1: "sequence_length"},
            OUTPUT: {0: "batch_size"},
        },
        grid=tuple(grid),
        draw=draw,
    )


def _free(size: int, taken: set[int]) -> int:
    while size in taken:
        size += 1
    return size
