"""The GraphQL service: one file a topic; `schema` puts them together."""
