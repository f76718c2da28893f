"""Python: a kept type engine resolves, our own reader adds what no call graph tells."""
