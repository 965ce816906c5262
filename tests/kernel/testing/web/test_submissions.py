"""What a server was asked for, beside the server's own ledger, on a network that loses and repeats packets."""

from __future__ import annotations

import json
import ssl
from collections import Counter
from collections.abc import Iterator

import pytest

from netweather.errors import NetweatherError
from netweather.testing import Lab
from netweather.testing.web.submissions import Submission

SERVER = """
import http.server, json, sys
class Shop(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with open("ledger", "a") as ledger:
            ledger.write(json.dumps([self.path, body.decode()]) + "\\n")
        self.send_response(204)
        self.end_headers()
    do_PUT = do_POST
http.server.ThreadingHTTPServer(("", 80), Shop).serve_forever()
"""
CLIENT = """
import http.client, random
chance = random.Random(3)
for connection in range(4):
    shop = http.client.HTTPConnection("server", timeout=60)
    for number in range(12):
        body = f"boots={chance.randrange(8)}" + "&more" * chance.choice((0, 5000))
        shop.request(chance.choice(("POST", "PUT")), chance.choice(("/buy", "/pay?now=1")), body)
        assert shop.getresponse().read() == b""
    shop.close()
"""


@pytest.fixture(scope="module")
def pair() -> Iterator[Lab]:
    with Lab("client", "server") as made:
        made["server"].start("python3", "-c", SERVER, ready=80, folder=made.folder)
        yield made


@pytest.mark.parametrize("where", ["client", "server"])
def test_it_tells_what_the_servers_own_ledger_has(pair: Lab, where: str) -> None:
    ledger = pair.folder / "ledger"
    ledger.unlink(missing_ok=True)
    other = {"client": "server", "server": "client"}[where]
    words = {"delay": "3ms", "jitter": "2ms", "loss": "5%", "duplicate": "20%", "seed": 5}
    with pair.degrade(where, to=other, **words), pair["server"].submissions() as seen:
        pair["client"].run("python3", "-c", CLIENT)
    sold = [tuple(json.loads(line)) for line in ledger.read_text().splitlines()]
    assert [(each.target, each.body.decode()) for each in seen.requests] == sold
    assert seen.count("POST") + seen.count("PUT") == len(sold) == 48
    assert seen.count("POST", "/buy") < seen.count("POST") < 48
    posts = Counter(each for each in seen.requests if each.method == "POST")
    assert seen.duplicates() == {each: times for each, times in posts.items() if times > 1} != {}


def test_who_is_told_twice(pair: Lab) -> None:
    """What never became a connection was never asked for; what is asked for twice is told with how often."""
    ask = ("curl", "-s", "-m", "1", "--noproxy", "*", "-d", "boots=1", "http://server/buy")
    with pair["server"].submissions() as seen:
        with pair.degrade("server", to="client", block="drop", direction="egress", port=["80"]):
            pair["client"].run(*ask, check=False)
        assert seen.requests == []  # not even its handshake came back
        for _ in range(2):
            pair["client"].run(*ask)
    assert seen.duplicates() == {Submission("POST", "/buy", b"boots=1"): 2}


def test_what_can_not_be_read_is_no_zero(pair: Lab) -> None:
    hello = ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), hello, server_hostname="server")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    code = "import socket, sys; s = socket.create_connection(('server', 80)); s.send(sys.stdin.buffer.read()); s.recv(1000)"
    said = hello.read().decode("latin-1")
    with pytest.raises(NetweatherError) as wrong, pair["server"].submissions():
        pair["client"].run("python3", "-c", code.replace("sys.stdin.buffer.read()", repr(said.encode("latin-1"))))
    assert wrong.value.code == "submissions-unseen"
    with pytest.raises(ZeroDivisionError), pair["server"].submissions():
        raise ZeroDivisionError  # the test's own error comes first
