"""Answers about one page or one run: why, what would come of it, how it stands, what a config for it would be."""
