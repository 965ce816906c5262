"""Processes, sockets and small networks of this machine, for labs, `run` and the services: what is no target's datapath.

Like kernel/, it may open sockets and start processes. Not here: conditions, and anything that acts on a target (kernel.datapath).
"""
