"""The composition root: settings, command line, HTTP application and GraphQL."""
