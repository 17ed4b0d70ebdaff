"""Links of HTML pages and sitemaps, and what a page says about itself (base, robots directives, canonical URL)."""
