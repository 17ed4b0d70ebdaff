"""Pure rules about when a host may get a request: no I/O, no clock, randomness is an argument."""
