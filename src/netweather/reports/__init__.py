"""Reports on tests and commands: the matrix of networks, evidence, pages, JUnit. Only reads and writes text."""
