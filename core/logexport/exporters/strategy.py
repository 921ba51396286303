"""What an export strategy is, and what it is told of the installed torch.

Nothing here imports torch or onnx when the module is imported.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from packaging.version import InvalidVersion, Version

from logexport.errors import ExporterError, StrategyUnavailableError
from logexport.exporters import table

if TYPE_CHECKING:
    import torch

    from logexport.types import DummyInput

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


@dataclass(frozen=True)
class Availability:
    """Whether a strategy can be used, and why or why not, as one clause without a full stop.

    ``tested`` is False where nobody has tried the strategy on this torch.
    """

    usable: bool
    reason: str
    tested: bool = True


def hindrance(env: TorchEnvironment, given: frozenset[str]) -> str | None:
    """What keeps a strategy of logexport's own from working in ``env`` whatever it does, as one
    clause; None where nothing does.

    Args:
        env: where.
        given: the keywords that the strategy gives to ``torch.onnx.export`` where it has them.
    """
    if env.release < table.OLDEST:
        return table.untested(env)
    strange = env.required - given
    if strange:
        return (
            f"torch.onnx.export of torch {env.torch} requires an argument that this strategy does "
            f"not know: {', '.join(sorted(strange))}"
        )
    if not env.arrays:
        return (
            f"torch {env.torch} cannot use the installed numpy: pip install 'numpy<2' 'pyarrow<26'"
        )
    return None


def judged(env: TorchEnvironment, usable: bool, reason: str) -> Availability:
    """An :class:`Availability` that says so where logexport was not tested with this torch."""
    why = table.untested(env)
    if why is None:
        return Availability(usable, reason)
    if usable:
        return Availability(True, f"untested: {why}, but {reason}", tested=False)
    return Availability(False, reason if reason == why else f"{reason}; {why}", tested=False)


@dataclass(frozen=True)
class ExportLog:
    """What an exporter said while it wrote a graph.

    Args:
        warnings: distinct warnings, each one line, ``Category: text``, in order.
        output: everything printed on standard output and standard error, both descriptors included.
    """

    warnings: tuple[str, ...] = ()
    output: str = ""


@runtime_checkable
class ExportStrategy(Protocol):
    """One way of turning a module into an ONNX file.

    A plugin offers its own by ``register_exporters``. ``--exporter auto`` tries them after the
    built-in ones, in the order of registration; ``--exporter NAME`` takes one alone. Whatever a
    strategy writes is finished and checked by the host like any other graph.
    """

    @property
    def name(self) -> str:
        """As in ``--exporter NAME``; ``[a-z][a-z0-9_-]*``, distinct, not ``auto``."""
        ...

    def availability(self, env: TorchEnvironment) -> Availability:
        """Whether the strategy can be used in ``env``, decided without running anything."""
        ...

    def opsets(self, env: TorchEnvironment) -> Sequence[int]:
        """The opsets that it can write in ``env``, ascending."""
        ...

    def default_opset(self, env: TorchEnvironment) -> int:
        """The opset that it writes when none was asked for; one of :meth:`opsets`."""
        ...

    def export(
        self, module: torch.nn.Module, dummy: DummyInput, opset: int, path: Path
    ) -> ExportLog:
        """Write the graph of ``module`` to ``path``.

        Nothing may reach standard output; what is printed is returned.

        Raises:
            ExportFailedError: the graph could not be written.
        """
        ...


class ExportFailedError(ExporterError):
    """A strategy could not write the graph; the next one may.

    Attributes:
        strategy: its name.
        log: what it said until then.
    """

    def __init__(
        self, strategy: str, problem: str, remedy: str = "", log: ExportLog | None = None
    ) -> None:
        super().__init__(f"the {strategy} exporter failed: {problem}", remedy)
        self.strategy = strategy
        self.log = log or ExportLog()
