"""`python -m scraper` is `scrape`."""

from scraper.cli.app import main

if __name__ == "__main__":
    main()
