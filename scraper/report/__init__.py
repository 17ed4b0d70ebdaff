"""Listeners to a crawl's events: statistics, displays, log file, JSON lines; and the reports made from them."""
