"""Extraction rules: fields, conditions, and which pages to fetch next."""
