"""A real Kubernetes node on this machine, for tests: built from Debian's source package, in namespaces of its own.

    python -m tests.cluster up          starts it, and prints `export KUBECONFIG=…`
    python -m tests.cluster install     installs Netweather on it, as a user would
    python -m tests.cluster down        nothing of it is left
With $KUBECONFIG set, tests use that cluster instead. Not here: what is tested (tests/e2e/kubernetes).
"""
