"""What an export strategy is, and what it says of itself.

Nothing here imports torch or onnx when the module is imported.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from logexport.errors import ExporterError, refuse
from logexport.exporters import table
from logexport.exporters.environment import TorchEnvironment

if TYPE_CHECKING:
    import torch

    from logexport.types import DummyInput


@dataclass(frozen=True)
class Availability:
    """Whether a strategy can be used, and why or why not, as one clause without a full stop.

    ``tested`` is False where nobody has tried the strategy on this torch.
    """

    usable: bool
    reason: str
    tested: bool = True


def why_unusable(env: TorchEnvironment, keywords: frozenset[str]) -> str | None:
    """What keeps a strategy of logexport's own from working in ``env`` whatever it does, as one
    clause; None where nothing does.

    Args:
        env: where.
        keywords: those that the strategy gives to ``torch.onnx.export`` where it has them.
    """
    if env.release < table.OLDEST:
        return table.untested(env)
    strange = env.required - keywords
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


def tested_or_not(env: TorchEnvironment, usable: bool, reason: str) -> Availability:
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


AUTO = "auto"
"""The name under which no strategy stands: the host chooses."""


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


def check_strategies(given: Sequence[tuple[str, object]]) -> list[ExportStrategy]:
    """Export strategies, each with who gives it, in their order.

    Raises:
        PluginError: one is not an ExportStrategy, is named ``auto``, or has another's name.
    """
    owners = {AUTO: "the host"}
    strategies: list[ExportStrategy] = []
    for owner, one in given:
        if not isinstance(one, ExportStrategy):
            refuse(
                owner,
                f"hook 'register_exporters' returned {type(one).__name__}, not a list of"
                " ExportStrategy",
                "Return objects with name, availability, opsets, default_opset and export.",
            )
        if one.name in owners:
            refuse(
                owner,
                f"the export strategy {one.name!r} is already {owners[one.name]}'s",
                "Give it another name.",
            )
        owners[one.name] = owner
        strategies.append(one)
    return strategies
