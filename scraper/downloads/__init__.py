"""Bulk downloads: a list of URLs run through the engine, with files as its outputs."""
