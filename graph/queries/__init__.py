"""One topic a file: typed questions answered from the arrays or the store."""
