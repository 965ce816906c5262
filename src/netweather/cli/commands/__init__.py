"""The commands that act on targets and services: a module each, with a function `command()`."""
