"""Every place of an ONNX model where a tensor can stand, as the installed onnx describes it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import onnx

Place = tuple[str, ...]
"""The names of the fields that lead from a model to a tensor."""


def places() -> list[Place]:
    """Every way from a model to a tensor that enters no field twice."""
    return list(_places(onnx.ModelProto.DESCRIPTOR, (), frozenset()))


def _places(descriptor: Any, way: Place, entered: frozenset[str]) -> Iterator[Place]:
    for field in descriptor.fields:
        inner = field.message_type
        if inner is None or field.full_name in entered:
            continue
        if inner is onnx.TensorProto.DESCRIPTOR:
            yield (*way, field.name)
        else:
            yield from _places(inner, (*way, field.name), entered | {field.full_name})


def plant(model: onnx.ModelProto, place: Place, name: str = "planted") -> onnx.TensorProto:
    """Put a tensor of one number at a place, beside whatever stands there."""
    part: Any = model
    for field in place:
        held = getattr(part, field)
        if hasattr(held, "add"):
            part = held.add()
        else:
            held.SetInParent()
            part = held
    assert isinstance(part, onnx.TensorProto)
    part.CopyFrom(onnx.helper.make_tensor(name, onnx.TensorProto.FLOAT, [1], [1.0]))
    return part


def send_outside(tensor: onnx.TensorProto, way: str = "both") -> None:
    """Let a tensor say that its numbers lie in another file, by one of its two fields or by both.

    Args:
        tensor: keeps the numbers that it has, since whoever runs it goes by these fields first.
        way: ``location`` (where its numbers are), ``entries`` (the place in a file) or ``both``.
    """
    if way != "entries":
        tensor.data_location = onnx.TensorProto.EXTERNAL
    if way != "location":
        tensor.external_data.add(key="location", value="elsewhere.bin")


def everything(message: Any) -> Iterator[Any]:
    """A message and all that it holds, by its own list of what is set."""
    yield message
    for _, content in message.ListFields():
        for inner in (content,) if hasattr(content, "DESCRIPTOR") else _items(content):
            yield from everything(inner)


def _items(content: Any) -> list[Any]:
    """The messages of a repeated field; none where it holds numbers or texts."""
    if isinstance(content, (bytes, str, int, float)) or not hasattr(content, "add"):
        return []
    return list(content)
