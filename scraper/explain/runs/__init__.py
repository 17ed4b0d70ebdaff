"""One run: its status, its plan (`--dry-run`), and why a URL was or was not fetched."""
