"""The reference page and the JSON Schema, both generated from the schema."""
