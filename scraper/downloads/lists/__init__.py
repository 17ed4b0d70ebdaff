"""What is to be downloaded: lists of URLs, the names of their files, and what their bytes must be."""
