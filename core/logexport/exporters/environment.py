"""What is installed, as far as it decides how a graph can be exported here.

Nothing here imports torch or onnx when the module is imported.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib import metadata

from packaging.version import InvalidVersion, Version

from logexport.errors import StrategyUnavailableError

POSITIONAL = frozenset({"model", "args", "f"})
"""Parameters that every torch.onnx.export has had; strategies pass them by position."""


@dataclass(frozen=True)
class TorchEnvironment:
    """What decides how torch.onnx.export may be called here.

    Made by :meth:`installed`, or by hand to ask what would happen under another torch.

    Args:
        torch: version of torch.
        keywords: names of the parameters of ``torch.onnx.export``, from its own signature.
        required: those of them that have no default, ``model``, ``args`` and ``f`` left out.
        dynamo_default: default of the keyword ``dynamo``; None where there is no such keyword.
        torchscript: whether torch still contains the TorchScript exporter.
        arrays: whether torch can give its numbers to the installed numpy.
        onnx, onnxscript: versions of the packages; None where not installed.
    """

    torch: Version
    keywords: frozenset[str]
    required: frozenset[str] = frozenset()
    dynamo_default: bool | None = None
    torchscript: bool = True
    arrays: bool = True
    onnx: Version | None = None
    onnxscript: Version | None = None

    @classmethod
    def installed(cls) -> TorchEnvironment:
        """Look at the installed torch (imports it, about two seconds; remembered afterwards).

        Raises:
            StrategyUnavailableError: torch is not installed, cannot be imported, or its version or
                ``torch.onnx.export`` cannot be made out.
        """
        return _installed()

    @property
    def release(self) -> tuple[int, int]:
        """Major and minor number of torch: what the table is keyed by."""
        return self.torch.major, self.torch.minor


@lru_cache(maxsize=1)
def _installed() -> TorchEnvironment:
    import inspect

    try:
        import torch
        import torch.onnx
    except (ImportError, OSError) as error:  # OSError: a shared library that cannot be loaded
        raise StrategyUnavailableError(
            f"torch cannot be imported: {error}", "Install torch 1.13 or later."
        ) from error
    try:
        parameters = inspect.signature(torch.onnx.export).parameters
    except (AttributeError, TypeError, ValueError) as error:
        raise StrategyUnavailableError(
            f"torch.onnx.export of torch {torch.__version__} is not what it was: {error}",
            "Install a release of torch that logexport knows; docs/compatibility.md names them.",
        ) from error
    named = {
        name: parameter
        for name, parameter in parameters.items()
        if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    }
    dynamo = named.get("dynamo")
    try:
        version = Version(str(torch.__version__))
    except InvalidVersion as error:
        raise StrategyUnavailableError(
            f"the installed torch calls itself {str(torch.__version__)!r}, which is no version",
            "Install a release of torch, or a build whose version follows PEP 440.",
        ) from error
    return TorchEnvironment(
        torch=version,
        keywords=frozenset(named),
        required=frozenset(n for n, p in named.items() if p.default is p.empty) - POSITIONAL,
        dynamo_default=None if dynamo is None else bool(dynamo.default),
        torchscript=_has_torchscript(),
        arrays=_gives_arrays(),
        onnx=_version("onnx"),
        onnxscript=_version("onnxscript"),
    )


def _has_torchscript() -> bool:
    """Whether torch contains the TorchScript exporter.

    It has no public name of its own. Every release up to 2.15 reaches its module as
    ``torch.onnx.utils``, where the function ``export`` is its entry point.
    """
    import torch.onnx

    return callable(getattr(getattr(torch.onnx, "utils", None), "export", None))


def _gives_arrays() -> bool:
    """Whether ``Tensor.numpy()`` works: torch before 2.3 was built for numpy 1 and cannot use 2."""
    import torch

    try:
        torch.zeros(1).numpy()
    except RuntimeError:
        return False
    return True


def _version(package: str) -> Version | None:
    try:
        return Version(metadata.version(package))
    except (metadata.PackageNotFoundError, InvalidVersion):
        return None
