"""Writes to every etcd node twelve times a second, from the host `client`, and prints what became of each write.

python3 writer.py a=192.0.2.1 b=192.0.2.2 c=192.0.2.3
A line of JSON each: when it was sent (Unix time), to which node, which key, how long it took, whether it was acknowledged.
"""

import base64
import http.client
import itertools
import json
import sys
import threading
import time

EVERY_S, PATIENCE_S = 0.08, 1.0
printing = threading.Lock()


def put(address: str, key: str) -> bool:
    """One write. Whether it was acknowledged: if not, it may or may not have been done."""
    connection = http.client.HTTPConnection(address, 2379, timeout=PATIENCE_S)
    try:
        body = {"key": base64.b64encode(key.encode()).decode(), "value": ""}
        connection.request("POST", "/v3/kv/put", json.dumps(body))
        return connection.getresponse().status == 200
    except OSError:
        return False
    except http.client.HTTPException:
        return False
    finally:
        connection.close()


def write(node: str, address: str) -> None:
    for number in itertools.count():
        begin, key = time.time(), f"{node}/{number:05}"
        acknowledged = put(address, key)
        took = time.time() - begin
        with printing:
            print(json.dumps({"at": begin, "node": node, "key": key, "s": took, "ok": acknowledged}), flush=True)
        time.sleep(max(0.0, EVERY_S - took))


for word in sys.argv[1:]:
    threading.Thread(target=write, args=word.split("="), daemon=False).start()
