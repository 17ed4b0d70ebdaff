"""demo_site."""
