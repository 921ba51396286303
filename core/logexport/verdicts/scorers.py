"""Who runs the model for the reference: ONNX Runtime in ``detect``, PyTorch in ``run``."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from logexport import onnx_model
from logexport.errors import BundleError
from logexport.runtime import import_onnxruntime
from logexport.threads import use_threads

if TYPE_CHECKING:
    import numpy as np
    import torch

__all__ = [
    "OnnxRuntimeScorer",
    "Scorer",
    "TorchScorer",
]


class Scorer(Protocol):
    """Anything that runs a model: arrays in the graph's input order, outputs by name."""

    def __call__(self, *inputs: np.ndarray) -> Mapping[str, np.ndarray]:
        """Run the model on a batch.

        Args:
            inputs: arrays as the graph declares them, the first axis the batch.
        """
        ...


class OnnxRuntimeScorer:
    """Runs a graph in ONNX Runtime, on the CPU, with its default optimisations.

    Its results do not depend on ``threads``, and of most graphs not on how windows are batched, as
    long as a batch has two or more (measured: sums over a middle axis differ in the last bit for a
    batch of one; sums over the last axes may, if a row is not a multiple of four numbers).

    Args:
        path: the .onnx file.
        threads: threads inside an operator, at least 1.

    Raises:
        BundleError: ONNX Runtime cannot load or run the graph, or its weights lie in other files.
    """

    def __init__(self, path: Path, threads: int = 1) -> None:
        ort = import_onnxruntime()
        refuse_outside_weights(path)
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._path = path
        try:
            # The bytes, not the path: ONNX Runtime takes no path that is not UTF-8.
            self._session = ort.InferenceSession(
                path.read_bytes(), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime's exceptions share no base but Exception
            raise BundleError(
                f"{path}: ONNX Runtime {ort.__version__} cannot load the graph: "
                f"{_first_line(error)}",
                "Check the bundle with `logexport verify`, or export it again.",
            ) from error
        self._inputs = [value.name for value in self._session.get_inputs()]
        self.output_names = tuple(value.name for value in self._session.get_outputs())

    def __call__(self, *inputs: np.ndarray) -> Mapping[str, np.ndarray]:
        if len(inputs) != len(self._inputs):
            raise BundleError(
                f"{self._path}: the graph has {len(self._inputs)} inputs, not {len(inputs)}",
                "Export the model again.",
            )
        try:
            outputs = self._session.run(None, dict(zip(self._inputs, inputs, strict=True)))
        except Exception as error:
            raise BundleError(
                f"{self._path}: ONNX Runtime cannot run the graph: {_first_line(error)}",
                "Check the bundle with `logexport verify`, or export it again.",
            ) from error
        return dict(zip(self.output_names, outputs, strict=True))


def refuse_outside_weights(path: Path) -> None:
    """Refuse a graph that names other files: whoever runs it would read whatever they are.

    Raises:
        BundleError: a tensor lies outside the file, or the file is not an ONNX model.
    """
    import onnx

    try:
        model = onnx.load(str(path), load_external_data=False)
    except Exception as error:  # protobuf's errors share no base with those of the file system
        raise BundleError(
            f"{path} cannot be read as an ONNX model: {_first_line(error)}",
            "Check the bundle with `logexport verify`, or export it again.",
        ) from error
    outside = onnx_model.outside(model)
    if outside:
        raise BundleError(
            f"{path}: the weights {outside[0].name!r} lie in another file",
            "Export the model again: logexport keeps weights inside the graph's file.",
        )


class TorchScorer:
    """Runs a PyTorch module, in eval mode and without gradients.

    Args:
        module: takes the inputs as tensors, gives a tensor or a tuple of tensors.
        output_names: names of what it gives, in order.
    """

    def __init__(self, module: torch.nn.Module, output_names: Sequence[str]) -> None:
        self._module = module.eval()
        self.output_names = tuple(output_names)

    def __call__(self, *inputs: np.ndarray) -> Mapping[str, np.ndarray]:
        import numpy as np
        import torch

        # The batches are small: more threads gain little on an idle machine, and on a busy one they
        # spin while they wait for each other (measured: 0.05 s against 4 s for an export's probes).
        with torch.no_grad(), use_threads(1):
            # ascontiguousarray: torch < 2.0 takes no array with negative strides.
            given = self._module(*(torch.from_numpy(np.ascontiguousarray(a)) for a in inputs))
        outputs: Sequence[Any] = given if isinstance(given, (tuple, list)) else (given,)
        if len(outputs) != len(self.output_names):
            raise BundleError(
                f"the module gives {len(outputs)} outputs where {len(self.output_names)} are "
                f"declared ({', '.join(self.output_names)})",
                "Correct output_names in the plugin's dummy_input.",
            )
        named = zip(self.output_names, outputs, strict=True)
        return {name: output.detach().cpu().numpy() for name, output in named}


class Memo:
    """Outputs of windows that were scored before, bounded; the least recently used goes first.

    Allowed because a model's results do not depend on the batch that a window is in.

    Args:
        max_bytes: keys and outputs together, without Python's own overhead.
    """

    def __init__(self, max_bytes: int = 64 << 20) -> None:
        self._max = max_bytes
        self._bytes = 0
        self._rows: OrderedDict[bytes, dict[str, np.ndarray]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._rows)

    def get(self, key: bytes) -> dict[str, np.ndarray] | None:
        """The outputs of the window whose input has these bytes, or None."""
        row = self._rows.get(key)
        if row is not None:
            self._rows.move_to_end(key)
        return row

    def put(self, key: bytes, row: dict[str, np.ndarray]) -> None:
        """Remember outputs; arrays must own their memory, not be views of a batch's."""
        if key in self._rows:
            return
        self._rows[key] = row
        self._bytes += self._size(key, row)
        while self._bytes > self._max and self._rows:
            old_key, old = self._rows.popitem(last=False)
            self._bytes -= self._size(old_key, old)

    @staticmethod
    def _size(key: bytes, row: dict[str, np.ndarray]) -> int:
        return len(key) + sum(value.nbytes for value in row.values())


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__
