"""Backups of the four databases at one moment, and their restore: `python -m backup`, docs/operations.md."""
