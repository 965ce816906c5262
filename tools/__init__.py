"""What the repository needs to build, lock and package itself; none of it is installed."""
