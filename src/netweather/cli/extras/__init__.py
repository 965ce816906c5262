"""The commands of the periphery: demo, web pages, recorded links, socket statistics, Weave Scope."""
