"""A cluster's objects as they are written and read. Pure: nothing is asked of the API server."""
