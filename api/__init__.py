"""The composition root: settings, the command line, GraphQL and the service. Nothing imports from here."""

__version__ = "0.1.0"
