"""The commands that run a program on bad networks: a module each, and what they share."""
