"""A change's cone, tests, owners and reviewers as files: Markdown, SARIF and HTML."""
