"""Where a command starts to fail as its network gets worse."""
