"""What the engine reads and reports, without changing anything: status, connections, counters, what --json prints."""
