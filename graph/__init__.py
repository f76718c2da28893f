"""The hypergraph: its schema, its store, its readers and the questions asked of it."""
