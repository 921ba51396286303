"""Inputs for a graph: what a plugin's ``dummy_input`` gives, and what its ``draw`` makes.

Whatever is not as declared names the plugin.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from logexport.errors import PluginError, faults, refuse, require

if TYPE_CHECKING:
    import numpy as np

    from logexport.types import DummyInput, Sizes

PROBE_SEED = 20_240_301
"""Seed of the inputs that :func:`draw` makes where it is given no generator."""


def traced_sizes(dummy: DummyInput, plugin: str) -> dict[str, int]:
    """Axis name to its size in the example inputs.

    Raises:
        PluginError: an axis that the tensor lacks, a size below 2, one axis name of two sizes, or
            two axes of one size.
    """
    sizes: dict[str, int] = {}
    for name, tensor in zip(dummy.input_names, dummy.tensors, strict=True):
        for axis, axis_name in dummy.dynamic_axes.get(name, {}).items():
            if not isinstance(axis, int) or not 0 <= axis < tensor.dim():
                refuse(
                    plugin,
                    f"dummy_input gives {name!r} the dynamic axis {axis!r}, but it has"
                    f" {tensor.dim()}",
                )
            size = int(tensor.shape[axis])
            if size < 2 or sizes.setdefault(axis_name, size) != size:
                refuse(
                    plugin,
                    f"dummy_input gives the dynamic axis {axis_name!r} of {name!r} the size"
                    f" {size}; it must be at least 2 and the same everywhere",
                )
    if len(set(sizes.values())) != len(sizes):
        refuse(plugin, f"dummy_input gives two dynamic axes one size: {sizes}")
    return sizes


def draw(
    dummy: DummyInput,
    sizes: Sizes,
    plugin: str,
    generator: np.random.Generator | None = None,
) -> tuple[np.ndarray, ...]:
    """Call ``dummy.draw`` for one set of sizes; what it gives has the shapes of the example.

    Args:
        dummy: what the plugin declared.
        sizes: axis name to size, every dynamic axis.
        plugin: who is named.
        generator: the random numbers; by default those of :data:`PROBE_SEED`.

    Raises:
        PluginError: it raised, or gave something else, or ``sizes`` lacks an axis.
    """
    import numpy as np

    where = "dummy_input's draw"
    axes = [dummy.dynamic_axes.get(name, {}) for name in dummy.input_names]
    missing = sorted({axis for one in axes for axis in one.values()} - set(sizes))
    if missing:
        refuse(
            plugin,
            f"dummy_input's grid names no size for {', '.join(missing)}",
            "Every entry of the grid must name every dynamic axis.",
        )
    with faults(
        lambda raised: PluginError(
            f"{plugin}: {where} failed for {dict(sizes)}: {raised}",
            "It must give inputs of every size in the grid, and of others.",
        )
    ):
        drawn = dummy.draw(sizes, generator or np.random.default_rng(PROBE_SEED))
    require(plugin, where, "its answer", drawn, (tuple, list), "a tuple of numpy arrays")
    if len(drawn) != len(dummy.input_names):
        refuse(plugin, f"{where} gave {len(drawn)} arrays for {len(dummy.input_names)} inputs")
    for name, tensor, array in zip(dummy.input_names, dummy.tensors, drawn, strict=True):
        require(plugin, where, name, array, np.ndarray, "a numpy array")
        own = dummy.dynamic_axes.get(name, {})
        shape = tuple(sizes[own[i]] if i in own else int(n) for i, n in enumerate(tensor.shape))
        dtype = str(tensor.dtype).removeprefix("torch.")
        if array.shape != shape or str(array.dtype) != dtype:
            refuse(
                plugin,
                f"{where} gave {name!r} as {array.dtype} {list(array.shape)} for {dict(sizes)}"
                f" where the example says {dtype} {list(shape)}",
                "Take the sizes from the first argument, and the dtype of the example.",
            )
    return tuple(drawn)
