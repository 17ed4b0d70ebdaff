"""How single values are written in a config, checked and converted."""
