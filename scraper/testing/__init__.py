"""Test tools for plug-in authors: an event loop with virtual time, fakes, a local server, conformance suites."""
