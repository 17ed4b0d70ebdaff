"""Lists of files to download: their formats, the names of the files, and files of checksums."""
