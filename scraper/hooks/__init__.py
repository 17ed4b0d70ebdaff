"""User code that may change what a crawl does."""
