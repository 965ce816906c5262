"""Web pages on bad networks: browsers, what their users see, and what a server was asked for."""
