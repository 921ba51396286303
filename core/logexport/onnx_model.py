"""What an ONNX model holds, wherever the format lets it be held.

A tensor is not only an initializer of the main graph: it may be one half of a sparse one, an
attribute of a node, the default of a function's attribute, and may stand in a branch, in a
function's body or in what a model says of its training. The walks here follow the format's own
description, so there is no list of places that could lack one, and a place that a later release of
onnx adds is walked as soon as that release is installed. ``native/src/onnx_model.c`` looks for the
same in the bytes of a file.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import onnx

__all__ = [
    "clear",
    "find",
    "graphs",
    "nodes",
    "outside",
    "tensors",
]

Message = TypeVar("Message")


def find(message: Any, kind: type[Message], nested: bool = True) -> Iterator[Message]:
    """Every message of one kind in ``message``, itself included; the outer before the inner.

    Args:
        message: a model, or any part of one.
        kind: the class of what is wanted, such as ``onnx.TensorProto``.
        nested: whether what stands inside another one that was found is given too.
    """
    described: Any = kind
    return _walk(message, frozenset([described.DESCRIPTOR.full_name]), nested)


def tensors(message: Any) -> Iterator[onnx.TensorProto]:
    """Every tensor of a model, or of a part of one; of a sparse one the values and the indices."""
    import onnx

    return find(message, onnx.TensorProto)


def graphs(message: Any) -> Iterator[onnx.GraphProto]:
    """Every graph of a model, or of a part of one, those inside nodes (If, Loop, Scan) included."""
    import onnx

    return find(message, onnx.GraphProto)


def nodes(message: Any) -> Iterator[onnx.NodeProto]:
    """Every node of a model, or of a part of one, those of functions and inner graphs included."""
    import onnx

    return find(message, onnx.NodeProto)


def outside(model: onnx.ModelProto) -> list[onnx.TensorProto]:
    """The tensors whose numbers lie in other files, or that name a place in one.

    Who runs a model with such a tensor reads whatever file it names.
    """
    import onnx

    return [
        tensor
        for tensor in tensors(model)
        if tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data
    ]


def clear(message: Any, *fields: str) -> None:
    """Empty the fields of these names in ``message`` and in everything that it holds.

    A name that a message does not have, as in an older onnx, is passed over.
    """
    having = frozenset(
        one.full_name
        for one in _types(message.DESCRIPTOR)
        if any(field in one.fields_by_name for field in fields)
    )
    for part in list(_walk(message, having, nested=True)):
        for field in fields:
            if field in part.DESCRIPTOR.fields_by_name:
                part.ClearField(field)


def _walk(message: Any, kinds: frozenset[str], nested: bool) -> Iterator[Any]:
    """Messages of these types in ``message``; of the rest, only what can hold one is entered."""
    if message.DESCRIPTOR.full_name in kinds:
        yield message
        if not nested:
            return
    ways = _ways(message.DESCRIPTOR, kinds)
    if not ways:
        return  # above all a tensor, whose content would be copied by a look at its fields
    for field, content in message.ListFields():
        if field.name in ways:
            for inner in (content,) if hasattr(content, "DESCRIPTOR") else content:
                yield from _walk(inner, kinds, nested)


@lru_cache(maxsize=256)
def _ways(descriptor: Any, kinds: frozenset[str]) -> frozenset[str]:
    """The fields of a type through which a message of these types can be reached."""
    return frozenset(
        field.name
        for field in descriptor.fields
        if field.message_type is not None
        and any(one.full_name in kinds for one in _types(field.message_type))
    )


@lru_cache(maxsize=256)
def _types(descriptor: Any) -> tuple[Any, ...]:
    """A type and all that its messages can hold, directly or not."""
    found = {descriptor.full_name: descriptor}
    waiting = [descriptor]
    while waiting:
        for field in waiting.pop().fields:
            inner = field.message_type
            if inner is not None and inner.full_name not in found:
                found[inner.full_name] = inner
                waiting.append(inner)
    return tuple(found.values())
