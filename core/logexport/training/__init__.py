"""What comes before an export: logs parsed, templates mined, tables kept, models trained."""
