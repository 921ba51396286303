"""How a public name goes: it works for two minor versions more, and says where it went.

A module whose names moved or were renamed ends with::

    __getattr__ = renamed(__name__, {"old_name": "logexport.module:new_name"}, since="0.3")

Hooks and their arguments go the same way by pluggy's own means (``warn_on_impl`` and
``warn_on_impl_args`` of the specification); docs/api.md shows both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any


def renamed(module: str, names: Mapping[str, str], since: str) -> Callable[[str], Any]:
    """A module's ``__getattr__`` for names that are elsewhere now.

    Args:
        module: its ``__name__``.
        names: the old name to ``module:name`` of what it is now.
        since: the version of logexport that renamed it.

    Returns:
        a function that gives what the name is now, with a :class:`DeprecationWarning` that says so.
    """

    def __getattr__(name: str) -> Any:  # noqa: N807 - the module's
        if name not in names:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        import warnings
        from importlib import import_module

        place, _, now = names[name].partition(":")
        warnings.warn(
            f"{module}.{name} is {place}.{now} since logexport {since}, and will be removed",
            DeprecationWarning,
            stacklevel=2,
        )
        return getattr(import_module(place), now)

    return __getattr__
