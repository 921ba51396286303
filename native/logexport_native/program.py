"""Which program the C engine is: the installed one, or the one that the user names."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from logexport.errors import UsageError

PROGRAM = "logexport-engine"
VARIABLE = "LOGEXPORT_ENGINE"
"""Environment variable that names another engine than the installed one."""


def find_engine() -> list[str] | None:
    """The words that start the engine: ``LOGEXPORT_ENGINE``'s, else the packaged one's, or None.

    Raises:
        UsageError: ``LOGEXPORT_ENGINE`` names something that is not a program.
    """
    named = os.environ.get(VARIABLE)
    if named:
        found = shutil.which(named)
        if found is None:
            raise UsageError(
                f"{VARIABLE} names {named!r}, which is no program",
                "Name an executable file, or unset the variable to use the installed engine.",
            )
        return [str(Path(found).resolve())]
    # Beside this module in an installed wheel; in native/bin after `make -C native`.
    here = Path(__file__).resolve().parent
    for place in (here / "bin" / PROGRAM, here.parent / "bin" / PROGRAM):
        if os.access(place, os.X_OK) and place.is_file():
            return [str(place)]
    return None
