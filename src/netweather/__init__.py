"""Makes a container's network bad on purpose, proves that it is, and gives it back untouched."""
