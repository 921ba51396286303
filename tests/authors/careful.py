"""A plugin that keeps the contract, in one file, for tests that break it in one place each."""

from __future__ import annotations

from collections.abc import Callable

from logexport.testing import Contract

Contracts = Callable[[str], Contract]
"""Source of a plugin to its contract: the fixture ``contract_of``."""

CAREFUL = '''
"""The next event is the one after the last event."""

import click
from logexport import ModelInfo, hookimpl

logexport_api = 1


@hookimpl
def model_info():
    return ModelInfo("careful", "Successor of the last event.", "event_window", "next_event_topk")


@hookimpl
def run_options():
    return [click.Option(["--tiny-k"], type=click.IntRange(min=1), default=1, help="Likeliest k.")]


def make_module(size):
    import torch

    class Successor(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.logits = torch.nn.Parameter(torch.zeros(size, size))

        def forward(self, window):
            return self.logits[window[:, -1]]

    return Successor()


@hookimpl
def load_model(request):
    from logexport.checkpoints import load_checkpoint
    from logexport.errors import CheckpointError
    from logexport.types import EventWindow, LoadedModel, NextEventTopK, Task

    content = load_checkpoint(request.checkpoint).content
    if "logits" not in content:
        raise CheckpointError(f"{request.checkpoint} has no logits", "Train it again.")
    size = content["logits"].shape[0]
    module = make_module(size)
    module.load_state_dict({"logits": content["logits"]})
    task = Task(EventWindow(2), NextEventTopK("predictions", request.options["tiny_k"]))
    return LoadedModel(module.eval(), task, vocab_size=size)


@hookimpl
def build_vocab(request, model):
    from logexport.vocab import load_vocab

    return load_vocab(request.vocab, model.vocab_size)


@hookimpl
def dummy_input(model):
    import torch
    from logexport.types import DummyInput

    size = model.vocab_size

    def draw(sizes, rng):
        shape = (sizes["batch_size"], sizes["sequence_length"])
        return (rng.integers(0, size, shape, dtype="int64"),)

    return DummyInput(
        tensors=(torch.ones(2, 3, dtype=torch.int64),),
        input_names=("input_sequence",),
        output_names=("predictions",),
        dynamic_axes={
            "input_sequence": {0: "batch_size", 1: "sequence_length"},
            "predictions": {0: "batch_size"},
        },
        grid=tuple({"batch_size": b, "sequence_length": n} for b in (1, 7) for n in (1, 2, 4)),
        draw=draw,
    )


@hookimpl
def write_meta(model):
    return {"seq_len": 2}
'''


def broken(old: str, new: str) -> str:
    """The careful plugin with one piece replaced."""
    if old not in CAREFUL:
        raise ValueError(f"{old!r} is not in the source")
    return CAREFUL.replace(old, new)
