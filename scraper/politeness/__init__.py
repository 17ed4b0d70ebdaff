"""Pure rules about when a host may be asked: no I/O, no clock, no dice."""
