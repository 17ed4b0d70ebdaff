"""Reading pages: links, sitemaps, fields."""
