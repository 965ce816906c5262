"""Route netlink: requests, and the devices, routes and queueing disciplines that they read and change."""
