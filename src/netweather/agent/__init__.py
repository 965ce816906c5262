"""The agent: one small service a host, that keeps conditions for the command line, tests and programs, over HTTP.

A front end like the command line: it turns requests into calls of the engine. Not here: what a condition means (conditions),
how it is put in force (engine), and the other end of the wire (client).
"""

__all__: list[str] = []
