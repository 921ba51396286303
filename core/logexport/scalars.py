"""numpy's scalars in a checkpoint's pickle, read as Python's numbers by torch's safe reader.

Who saves ``numpy.mean(losses)`` beside the weights saves a numpy scalar. The reader of
``torch.load(weights_only=True)`` refuses the two functions that make one, ``numpy.dtype`` and
``numpy.core.multiarray.scalar``. It is given stand-ins for both, which make nothing but numbers; no
function of numpy is called by the pickle.
"""

from __future__ import annotations

import re
from _codecs import encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

__all__ = ["numpy_scalars"]

_CODE = re.compile(r"[fiub][1248]")


def _make_dtype(code: object, *_: object) -> torch.Tensor:
    """The stand-in of ``numpy.dtype``: ``f8``, with its byte order to come.

    A pickle sets the state of a dtype after it made it, and the reader lets it do so with a tensor
    only, by ``set_``: hence a tensor, which holds none of the numbers.
    """
    import pickle

    import torch

    if not isinstance(code, str) or _CODE.fullmatch(code) is None:
        raise pickle.UnpicklingError("Unsupported class numpy.dtype of " + repr(code)[:20])
    made: Any = torch.empty(0)
    made.code, made.order = code, "="

    def set_state(*state: object) -> None:
        made.order = state[1] if len(state) > 1 and state[1] in ("<", ">", "|", "=") else "="

    made.set_ = set_state
    return made  # type: ignore[no-any-return]


def _make_number(dtype: Any, data: object = None) -> int | float | bool:
    """The stand-in of ``numpy.core.multiarray.scalar``."""
    import pickle

    import numpy as np

    kind = np.dtype(dtype.order + dtype.code)
    if not isinstance(data, bytes) or len(data) != kind.itemsize:
        raise pickle.UnpicklingError("Unsupported class numpy scalar without its bytes")
    number: int | float | bool = np.frombuffer(data, kind)[0].item()
    return number


def _stand_ins() -> dict[str, Callable[..., Any]]:
    """By the names that pickles have: numpy 1 and numpy 2 differ."""
    made: dict[str, Callable[..., Any]] = {"_codecs.encode": encode}  # how a pickle holds bytes
    for module, name, function in (
        ("numpy", "dtype", _make_dtype),
        ("numpy.core.multiarray", "scalar", _make_number),
        ("numpy._core.multiarray", "scalar", _make_number),
    ):
        made[f"{module}.{name}"] = _named(module, name, function)
    return made


def _named(module: str, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of its own under a name: torch lists what it allows by their names."""

    def stand_in(*arguments: Any) -> Any:
        return function(*arguments)

    stand_in.__module__ = module
    stand_in.__name__ = stand_in.__qualname__ = name
    return stand_in


@contextmanager
def numpy_scalars() -> Iterator[None]:
    """While the block runs, ``torch.load(weights_only=True)`` reads numpy's scalars as numbers."""
    from torch import serialization

    stand_ins = _stand_ins()
    if hasattr(serialization, "safe_globals"):  # torch 2.5 and later
        with serialization.safe_globals(list(stand_ins.values())):
            yield
    elif hasattr(serialization, "add_safe_globals"):  # torch 2.4
        before = serialization.get_safe_globals()
        serialization.add_safe_globals(list(stand_ins.values()))
        try:
            yield
        finally:
            serialization.clear_safe_globals()
            serialization.add_safe_globals(before)
    else:  # which has the list, but no function that adds to it
        from torch import _weights_only_unpickler as unpickler

        allowed = unpickler._get_allowed_globals()
        added = {name: one for name, one in stand_ins.items() if name not in allowed}
        allowed.update(added)
        try:
            yield
        finally:
            for name in added:
                del allowed[name]
