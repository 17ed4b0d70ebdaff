"""`scrape bench`: measures sequential against concurrent fetching and explains the result."""
