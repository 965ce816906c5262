"""What is to be done, of what is there: pure functions, the same result for the same state."""
