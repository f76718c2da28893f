"""One reader a file; a reader turns sources into facts and never sees the store."""
