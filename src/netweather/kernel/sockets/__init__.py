"""The sockets of a namespace: listed, ended, who owns them, how they fare. Not here: programs that count (tracing)."""
