"""Texts for people: events, numbers, estimates, and cleaning of text from servers."""
