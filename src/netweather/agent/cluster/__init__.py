"""The agent as a node of a cluster: what Kubernetes asks of it, and whether that holds."""
