"""The bundled web site for demos, benchmarks and tests: a synthetic shop and its supplier, with typical faults."""
