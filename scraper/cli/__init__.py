"""The command line `scrape`: one file for each command, and what several of them share."""
