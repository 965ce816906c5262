"""`python -m tests.cluster up|down|install`: a real node to try things on, and to test with."""

from __future__ import annotations

import argparse
import sys

from tests.cluster import install, node
from tests.cluster.binaries import NoCluster


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.cluster", description=__doc__)
    parser.add_argument("verb", choices=["up", "install", "down"])
    parser.add_argument("--name", default="1", help="of several clusters (1 unless given)")
    options = parser.parse_args()
    try:
        if options.verb == "down":
            node.down(node.place(options.name))
        elif options.verb == "up":
            print(f"export KUBECONFIG={node.up(options.name).kubeconfig}")
        else:
            install.install(node.up(options.name))
    except NoCluster as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
