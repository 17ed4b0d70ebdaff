"""From a config or a list to a run that is ready: the one room that knows concrete names."""
