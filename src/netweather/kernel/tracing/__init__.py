"""Programs on tracepoints, which count without touching a packet: socket statistics, and what a line is like."""
