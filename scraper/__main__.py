"""`python -m scraper` is `scrape`."""

if __name__ == "__main__":
    # In here, since the process that reads large pages imports this module too, and needs no command line.
    from scraper.cli.app import main

    main()
