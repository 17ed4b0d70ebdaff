"""Scenarios of `scrape bench --scenario NAME`: each demonstrates one feature of the engine."""
