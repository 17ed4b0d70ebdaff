"""Measurements of a benchmark: the target server, the ways to fetch, what they cost, and the statistics."""
