"""The Weave Scope plugin: shows each container's conditions in Scope's picture, and sets them from there.

Everything is done through `engine.Service`, by the agent when there is one. Not here: conditions themselves, and what Scope draws.
"""
