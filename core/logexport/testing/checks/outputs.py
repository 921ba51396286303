"""What a model's module computes: the axes of its outputs and their values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from logexport.testing.contract import Contract, ContractError
from logexport.types import DummyInput, Sizes

if TYPE_CHECKING:
    import numpy as np


def check_output_axes(contract: Contract) -> str:
    """The module's outputs have the axes that ``dynamic_axes`` names, in the grid and outside."""
    from logexport.exporters.drawing import draw
    from logexport.verdicts.scorers import TorchScorer

    dummy = contract.dummy
    scorer = TorchScorer(contract.loaded.module, dummy.output_names)
    shapes: dict[str, list[tuple[int, ...]]] = {name: [] for name in dummy.output_names}
    probes = [*choose_sizes_outside_grid(dummy), dummy.grid[0]]
    for sizes in probes:
        inputs = draw(dummy, sizes, str(contract.plugin))
        for name, value in _run_scorer(scorer, inputs, sizes).items():
            shapes[name].append(value.shape)
    for name, found in shapes.items():
        axes = dict(dummy.dynamic_axes.get(name, {}))
        for axis in range(len(found[0])):
            sizes_found = [shape[axis] for shape in found]
            expected = [probe[axes[axis]] for probe in probes] if axis in axes else None
            if expected is not None and sizes_found != expected:
                raise ContractError(
                    f"axis {axis} of the output {name!r} is declared as {axes[axis]!r}, but has"
                    f" the sizes {sizes_found} where that axis has {expected}",
                    "Declare in dynamic_axes what the module does.",
                )
            if expected is None and len(set(sizes_found)) > 1:
                raise ContractError(
                    f"axis {axis} of the output {name!r} is not declared as dynamic, but has the"
                    f" sizes {sizes_found}",
                    f"Name axis {axis} of {name!r} in dynamic_axes.",
                )
    return f"outputs as declared at {len(probes)} sizes, two of them outside the grid"


def check_output_values(contract: Contract) -> str:
    """The module's outputs are finite, and the same twice."""
    import numpy as np

    from logexport.exporters.drawing import draw
    from logexport.verdicts.scorers import TorchScorer

    dummy, decision = contract.dummy, contract.loaded.task.decision
    scorer = TorchScorer(contract.loaded.module, dummy.output_names)
    for sizes in dummy.grid:
        inputs = draw(dummy, sizes, str(contract.plugin))
        first, second = _run_scorer(scorer, inputs, sizes), _run_scorer(scorer, inputs, sizes)
        for name, value in first.items():
            if not np.isfinite(value).all():
                raise ContractError(
                    f"{name!r} is not finite at {dict(sizes)}",
                    "Guard logarithms and divisions (add a small constant), or train again.",
                )
            if not np.array_equal(value, second[name]):
                raise ContractError(
                    f"{name!r} differs between two runs on the same input",
                    "A model in eval mode must not draw random numbers or keep state.",
                )
        attribution = getattr(decision, "attribution", None)
        if attribution is not None and (first[attribution] < 0).any():
            raise ContractError(
                f"the attribution {attribution!r} has negative values",
                "Give each template's part of the score, at least 0.",
            )
    return f"{', '.join(dummy.output_names)}: finite and the same twice"


def choose_sizes_outside_grid(dummy: DummyInput) -> list[Sizes]:
    """Sizes that the plugin's grid does not hold, so that no module was made to fit them."""
    most = {axis: max(probe[axis] for probe in dummy.grid) for axis in dummy.grid[0]}
    return [
        {axis: size + 1 + number for number, (axis, size) in enumerate(most.items())},
        {axis: max(2, size // 2 + 1) for axis, size in most.items()},
    ]


def _run_scorer(
    scorer: Any, inputs: Sequence[np.ndarray], sizes: Sizes
) -> Mapping[str, np.ndarray]:
    try:
        outputs: Mapping[str, np.ndarray] = scorer(*inputs)
    except Exception as error:
        raise ContractError(
            f"the model fails at {dict(sizes)}: {type(error).__name__}: {error}",
            "forward must take any size of a dynamic axis; take sizes from the input's shape.",
        ) from error
    return outputs
