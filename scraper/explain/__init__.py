"""Explain one page or one run, for `scrape try`, `why`, `status`, `--dry-run` and `init`."""
