"""Listeners: statistics, progress, log."""
