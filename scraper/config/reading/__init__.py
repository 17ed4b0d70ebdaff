"""From a YAML file and --set options to a checked config, or to all of its problems at once."""
