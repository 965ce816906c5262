"""The wire schema: each document of the API and of --json is declared once. Not here: HTTP (agent.api, client), YAML (conditions)."""
