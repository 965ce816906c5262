"""What this kernel and host can do, and the probes that try it."""
