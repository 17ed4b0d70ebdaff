"""Character encodings and compression: from the bytes of a page to its text."""
