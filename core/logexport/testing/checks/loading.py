"""What a model plugin loads: its module and vocabulary, and the example of its input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from logexport.testing.contract import Contract, ContractError
from logexport.types import CountMatrix, EventWindow, SessionCounts


def check_loading(contract: Contract) -> str:
    """``load_model`` and ``build_vocab`` return what ``model_info`` promises."""
    info, loaded, vocab = contract.plugin.model, contract.loaded, contract.vocab
    assert info is not None  # noqa: S101 - checks of models only
    kinds = (loaded.task.input.kind, loaded.task.decision.kind)
    if kinds != (info.input, info.decision):
        raise ContractError(
            f"load_model gives the task {' and '.join(kinds)}, model_info declares"
            f" {info.input} and {info.decision}",
            "Give the same kinds in both.",
        )
    if len(vocab) != loaded.vocab_size:
        raise ContractError(
            f"build_vocab gives {len(vocab)} entries, load_model says {loaded.vocab_size}",
            "Pass model.vocab_size to logexport.vocab.load_vocab, which refuses what does not fit.",
        )
    return (
        f"{type(loaded.module).__name__},"
        f" {sum(p.numel() for p in loaded.module.parameters()):,} parameters,"
        f" {len(vocab)} templates"
    )


def check_example_input(contract: Contract) -> str:
    """``dummy_input`` fits the task."""
    dummy, task_input = contract.dummy, contract.loaded.task.input
    first = dummy.tensors[0]
    dtype, dims = str(first.dtype).removeprefix("torch."), first.dim()
    axes = dict(dummy.dynamic_axes.get(dummy.input_names[0], {}))
    wanted = {
        EventWindow: ("int64", 2),
        CountMatrix: ("float32", 4),
        SessionCounts: ("float32", 2),
    }.get(type(task_input))
    if wanted is None:
        return f"{task_input.kind}: an input of the plugin's own, {dtype} with {dims} axes"
    if (dtype, dims) != wanted or len(dummy.tensors) != 1:
        raise ContractError(
            f"dummy_input gives {len(dummy.tensors)} inputs, the first {dtype} {list(first.shape)};"
            f" {task_input.kind} is one input, {wanted[0]} with {wanted[1]} axes",
            "int64 [batch_size, sequence_length] for event_window,"
            " float32 [batch_size, 1, steps, features] for count_matrix,"
            " float32 [batch_size, features] for session_counts.",
        )
    if 0 not in axes:
        raise ContractError(
            "the first axis of the input is not dynamic, but detection scores batches of any size",
            "Name axis 0 in dynamic_axes of the input and of every output, such as 'batch_size'.",
        )
    sizes: dict[int, int] = {}
    features = contract.loaded.task.count_features(contract.loaded.vocab_size)
    if isinstance(task_input, CountMatrix):
        sizes = {1: 1, 2: task_input.steps, 3: features}
    elif isinstance(task_input, SessionCounts):
        sizes = {1: features}
    for axis, size in sizes.items():
        if axis not in axes and int(first.shape[axis]) != size:
            raise ContractError(
                f"axis {axis} of the example input is {int(first.shape[axis])}, and fixed;"
                f" detection gives {size}",
                "Make the example of the task's sizes: [batch_size, 1, steps, features] for"
                " count_matrix, [batch_size, features] for session_counts.",
            )
    if (
        isinstance(task_input, EventWindow)
        and 1 not in axes
        and int(first.shape[1]) != task_input.length
    ):
        raise ContractError(
            f"the example's windows have {int(first.shape[1])} events, and that axis is fixed;"
            f" detection gives {task_input.length}",
            "Make axis 1 dynamic, or the example of the task's length.",
        )
    lengths = {probe[axes[1]] for probe in dummy.grid} if 1 in axes else set()
    if isinstance(task_input, EventWindow) and lengths and task_input.length not in lengths:
        raise ContractError(
            f"the grid never probes the task's own length {task_input.length}"
            f" (it has {sorted(lengths)})",
            "Put the task's length into the grid: it is what detection runs.",
        )
    batches = {probe[axes[0]] for probe in dummy.grid}
    if not {1} < batches:
        raise ContractError(
            f"the grid probes only the batch sizes {sorted(batches)}",
            "Probe a batch of 1 and larger ones: (1, 2, 7, 32).",
        )
    return f"{dtype} {_name_axes(first.shape, axes)}, {len(dummy.grid)} shapes to probe"


def _name_axes(shape: Sequence[int], axes: Mapping[int, str]) -> list[str | int]:
    return [axes.get(i, int(size)) for i, size in enumerate(shape)]
