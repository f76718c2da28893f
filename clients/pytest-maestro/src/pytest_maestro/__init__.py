"""A pytest plugin that records what every test does, and runs only those that a change can alter."""
