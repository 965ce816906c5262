"""Network conditions as Kubernetes objects: how they are written, which pods and peers they mean, what each node is to do. Pure.

The operator and the node agent share it. Not here: the API server (operator/, agent/cluster/node_agent.py), and any datapath.
"""
