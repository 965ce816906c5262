"""Labs: hosts joined by links, with processes and conditions, for tests and demos. Need root."""
