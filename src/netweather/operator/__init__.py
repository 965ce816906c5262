"""The operator: NetworkConditions of a cluster become one NodeConditions object for each node, and its answers their status.

Not here: what is resolved how (kubernetes/), and anything of a node's network (agent/cluster/node_agent.py).
"""
