"""The machine: dispatcher, fetchers, recorder, shutdown."""
