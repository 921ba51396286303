"""What can go wrong, as types.

Every error the user can meet is a :class:`LogexportError`: one sentence that says what is wrong
with which file (``str(error)``) and one that says what to do (``error.remedy``). The command line
prints both and exits with ``exit_status``: 2 where the input or the usage is at fault, 1 where a
check or a plugin failed. Anything else that escapes is a bug of logexport.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from logexport.types import CheckResult

__all__ = [
    "BundleError",
    "CheckFailedError",
    "CheckpointError",
    "ExporterError",
    "InputError",
    "LogexportError",
    "OutputError",
    "PluginError",
    "StrategyUnavailableError",
    "UnknownModelError",
    "UsageError",
    "VocabularyError",
]


class LogexportError(Exception):
    """Base of all errors raised by logexport.

    Args:
        problem: one sentence: what is wrong, with which file or option.
        remedy: one sentence: what to do about it ("" where the problem says it all).
    """

    exit_status = 1

    def __init__(self, problem: str, remedy: str = "") -> None:
        super().__init__(problem)
        self.remedy = remedy


class InputError(LogexportError):
    """A file or value given by the user cannot be used. Nothing was written."""

    exit_status = 2


class UsageError(InputError):
    """Options that do not fit each other or the model."""


class VocabularyError(InputError):
    """A vocabulary file that is malformed or does not fit the checkpoint."""


class CheckpointError(InputError):
    """A checkpoint that cannot be read safely, or whose kind is not known."""


class BundleError(InputError):
    """A bundle that is malformed, incomplete or not what its manifest says."""


class OutputError(InputError):
    """The output cannot be written: not a bundle, locked, not writable, no space."""


class ExporterError(LogexportError):
    """No export strategy could write the graph."""


class StrategyUnavailableError(InputError):
    """What was asked of the exporter (``--exporter``, ``--opset``) no usable strategy offers."""


class PluginError(LogexportError):
    """A plugin is broken, missing, incompatible, clashes with another, or raised in a hook."""


class UnknownModelError(InputError):
    """``--model`` names a model type that no installed plugin declares."""


class CheckFailedError(LogexportError):
    """At least one check failed; nothing was published.

    Attributes:
        checks: every result of the run, the failed ones included.
    """

    def __init__(self, problem: str, checks: Sequence[CheckResult], remedy: str = "") -> None:
        super().__init__(problem, remedy)
        self.checks = tuple(checks)


# --- whose fault ----------------------------------------------------------------------------------


@contextmanager
def faults(
    blame: Callable[[str], LogexportError], meant: tuple[type[Exception], ...] = (LogexportError,)
) -> Iterator[None]:
    """Turn whatever a plugin's code raises into an error that names the plugin.

    Every ``BaseException`` counts: SystemExit does, and the panic of an extension in Rust, which
    PyO3 makes one so that nobody catches it by accident. KeyboardInterrupt is the user's.

    Args:
        blame: makes the error of what was raised, ``Type: text``.
        meant: errors that pass as they are, because the plugin means them for the user.
    """
    try:
        yield
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        if isinstance(error, meant):
            raise
        raised = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        raise blame(raised) from error


def refuse(plugin: str, problem: str, remedy: str = "") -> NoReturn:
    """Blame a plugin.

    Raises:
        PluginError: always; ``plugin`` is named first.
    """
    raise PluginError(f"{plugin}: {problem}", remedy)


def require(
    plugin: str, hook: str, field: str, value: object, kind: type | tuple[type, ...], what: str
) -> None:
    """Refuse a value of another type; a bool is a number only where a bool is asked for.

    Args:
        plugin, hook: who gave the value, and in which hook.
        field: what the value was given as.
        value: what was given.
        kind: the type that belongs there, or several.
        what: that type in words: "a whole number".

    Raises:
        PluginError: naming the plugin, the hook and the field.
    """
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        refuse(
            plugin,
            f"{hook} gave {type(value).__name__} as {field}, not {what}",
            f"Give {what} as {field}.",
        )
