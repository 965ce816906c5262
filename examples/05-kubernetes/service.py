"""The shop in the cluster: one program, started once for each part. Nothing in it knows of Netweather.

python3 service.py shop|catalog|stock|customer
A page of the shop asks the catalog once; the catalog asks the stock three times, one after the other, on a connection that it keeps.
Four customers open page after page, and print a line of JSON for each.
"""

import http.client
import json
import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PORT = 8080
CUSTOMERS = 4
ITEMS = ("lamp", "chair", "table")
PATIENCE_S = {"stock": 0.6, "catalog": 4.0, "shop": 5.0}
"""How long each waits for an answer of the one behind it."""


class Link:
    """A connection to a Service that is kept, and made anew after a failure."""

    def __init__(self, service: str) -> None:
        # Kubernetes tells every container where the Services of its namespace are.
        host = os.environ[f"{service.upper()}_SERVICE_HOST"]
        self.connection = http.client.HTTPConnection(host, 80, timeout=PATIENCE_S[service])

    def ask(self, path: str) -> dict:
        try:
            self.connection.request("GET", path)
            return json.loads(self.connection.getresponse().read())
        except (OSError, http.client.HTTPException):
            self.connection.close()
            raise


def page(role: str, links: list[Link]) -> dict:
    """What a part answers."""
    if role == "stock":
        return {"left": 7}
    link = links.pop() if links else Link("catalog" if role == "shop" else "stock")
    try:
        if role == "shop":
            return {"pod": os.uname().nodename, **link.ask("/")}
        try:
            return {"items": {item: link.ask(f"/{item}")["left"] for item in ITEMS}}
        except OSError:
            return {"items": dict.fromkeys(ITEMS, "ask us")}  # better a page without numbers than none
    finally:
        links.append(link)


def serve(role: str) -> None:
    links: list[Link] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # an answer is one packet: of two the second would wait for the other side's acknowledgement

        def do_GET(self) -> None:
            body = json.dumps(page(role, links)).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    ThreadingHTTPServer(("", PORT), Handler).serve_forever()


def buy() -> None:
    """A page every 100 ms, each on a connection of its own, so that the Service chooses a pod anew."""
    while True:
        begin = time.time()
        try:
            found = Link("shop").ask("/")
        except OSError as error:
            found = {"error": str(error)}
        line = {"at": round(begin, 3), "s": round(time.time() - begin, 4), "pod": found.get("pod", "")}
        line["whole"] = all(isinstance(left, int) for left in found.get("items", {"": ""}).values())
        print(json.dumps(line), flush=True)
        time.sleep(max(0.0, begin + 0.1 - time.time()))


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))  # process 1 of a container is deaf otherwise
    if sys.argv[1] == "customer":
        for _ in range(CUSTOMERS - 1):
            threading.Thread(target=buy).start()
            time.sleep(0.025)
        buy()
    serve(sys.argv[1])
