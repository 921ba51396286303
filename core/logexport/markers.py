"""The two pluggy markers: ``hookspec`` for the host's contract, ``hookimpl`` for plugins."""

from __future__ import annotations

import pluggy

PROJECT = "logexport"
"""pluggy project name and entry-point group."""

API_VERSION = 1
"""Version of the hook contract; a plugin states it as its attribute ``logexport_api``."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)
