"""From events to verdicts: windows, scores, decisions, records, and how two of them compare."""
