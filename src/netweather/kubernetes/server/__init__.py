"""The API server: list, watch, write; and an informer of each kind."""
