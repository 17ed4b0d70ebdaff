"""What plug-in authors test with: a virtual clock, fakes, conformance suites."""
