"""From a page to its links and items."""
