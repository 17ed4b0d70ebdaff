"""The bundled site, and sequential against concurrent."""
