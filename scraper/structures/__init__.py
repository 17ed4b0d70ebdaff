"""Small data structures with a bound on their memory."""
