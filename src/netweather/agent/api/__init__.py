"""The agent over HTTP: paths, who asks, answers, limits. Not here: what requests do (agent.agent)."""
