"""The machine: dispatcher, fetchers, recorder, monitor, shutdown. It knows ports and rules, no concrete rooms."""
