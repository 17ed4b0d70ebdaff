"""Progress and summaries in a terminal, or as plain lines."""
