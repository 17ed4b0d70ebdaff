"""One page: fetch it as a crawl would, evaluate expressions on it, explain near misses."""
