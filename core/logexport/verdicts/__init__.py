"""From events to verdicts: windows, scores, judges, records, and how two of these compare."""
