"""Files that lie elsewhere: at a URL, in memory, or in a file object."""
