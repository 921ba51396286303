"""Which checks' warnings count, beside the proof of a bundle."""

from __future__ import annotations

COUNTED = frozenset({"events", "known_lines", "templates", "training_events"})
"""The host's checks that hold a model to a log. The other checks compare what was exported with
what was to be exported, and pass for a model that knows nothing of the log; these say so."""
