"""Guess a config from a page: repeated blocks, structured data, pagination, feeds."""
