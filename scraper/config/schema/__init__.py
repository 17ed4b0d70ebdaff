"""What a config may contain: one pydantic model a section."""
