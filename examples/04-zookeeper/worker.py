"""Clients of ZooKeeper (kazoo), each a process on a host: python3 worker.py ROLE NAME HOSTS

Roles: `naive` and `careful` compete for the lock of their kind, an ephemeral node, and print a line of JSON for each piece of work that
they do as its owner; `counter` writes one number after the other, and prints what became of each.
"""

import json
import logging
import sys
import threading
import time

from kazoo.client import KazooClient, KazooState
from kazoo.exceptions import KazooException, NodeExistsError, NoNodeError
from kazoo.handlers.threading import KazooTimeoutError

SESSION_S = {"naive": 4.0, "careful": 4.0, "counter": 9.0}
EVERY_S = 0.05
role, name, hosts = sys.argv[1:]
printing = threading.Lock()
logging.disable()
client = KazooClient(hosts, timeout=SESSION_S[role], randomize_hosts=False)


def tell(**words: object) -> None:
    with printing:  # kazoo tells of states in a thread of its own
        print(json.dumps({"at": time.time(), "name": name, **words}), flush=True)


client.add_listener(lambda state: tell(state=state))
client.start(60)


def owns(path: str) -> bool:
    """Takes the lock when it is free. Whether it is ours."""
    session = client.client_id[0]
    try:
        client.create_async(path, name.encode(), ephemeral=True).get(timeout=2)
    except NodeExistsError:
        try:
            return client.get_async(path).get(timeout=2)[1].ephemeralOwner == session
        except NoNodeError:
            return False
    return True


def compete(path: str) -> None:
    """The naive one works until it is told that its session is lost; the careful one stops when it hears nothing any more."""
    mine = False
    while True:
        connected = client.state == KazooState.CONNECTED
        if connected:
            try:
                mine = owns(path)
            except (KazooException, KazooTimeoutError):
                continue
        elif role == "careful" or client.state == KazooState.LOST:
            mine = False
        if mine:
            tell(works=True)
        time.sleep(EVERY_S)


def count(path: str) -> None:
    client.ensure_path(path)
    number = 0
    while True:
        number += 1
        begin = time.time()
        try:
            client.set_async(path, str(number).encode()).get(timeout=2)
            tell(wrote=number, s=time.time() - begin, session=client.client_id[0])
        except (KazooException, KazooTimeoutError):
            tell(failed=number)
        time.sleep(EVERY_S)


if role == "counter":
    count("/counter")
else:
    compete(f"/{role}")
