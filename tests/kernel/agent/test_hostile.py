"""Clients that send too much, too slowly, nothing, or nonsense are answered or refused, and the agent lives."""

from __future__ import annotations

import json
import socket
from contextlib import ExitStack
from pathlib import Path

import pytest
import trustme

from netweather.client import Client
from netweather.errors import NetweatherError
from tests.kernel.agent.conftest import RealAgent, condition, real_agent
from tests.support.machine import SLOW
from tests.support.netns import Lab
from tests.support.rig import until

HEAD = b"PUT /v1/conditions/slow HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"


def connect(agent: RealAgent) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(30 * SLOW)
    sock.connect(str(agent.settings.socket))
    return sock


def lives(agent: RealAgent) -> None:
    with agent.client() as client:
        assert client.look("health")["status"] == "ok"


def test_a_thousand_idle_connections(agent: RealAgent) -> None:
    with ExitStack() as stack:
        for _ in range(1000):
            stack.enter_context(connect(agent))
        lives(agent)


def test_ten_megabytes(agent: RealAgent) -> None:
    with connect(agent) as sock:
        sock.sendall(HEAD + b"Content-Length: 10000000\r\n\r\n")
        answer = sock.recv(65536)
    assert answer.startswith(b"HTTP/1.1 413")
    with connect(agent) as sock:
        sock.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            sock.sendall(b"".join(b"100000\r\n" + b" " * 0x100000 + b"\r\n" for _ in range(10)))
    lives(agent)


@pytest.mark.parametrize("sent", [HEAD, HEAD + b"Content-Length: 100\r\n\r\n{"])
def test_slow_clients(agent: RealAgent, sent: bytes) -> None:
    """Ten seconds, and they are let go; others are answered meanwhile."""
    with connect(agent) as sock:
        sock.sendall(sent)
        lives(agent)
        answer = sock.recv(65536)
    assert not answer or answer.startswith(b"HTTP/1.1 408")
    lives(agent)


@pytest.mark.parametrize("sent", [b"\0" * 1000, b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00", b"GET " + b"a" * 100_000])
def test_nonsense(agent: RealAgent, sent: bytes) -> None:
    with connect(agent) as sock:
        sock.sendall(sent + b"\r\n\r\n")
        head, _, body = b"".join(iter(lambda: sock.recv(65536), b"")).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400")
    assert json.loads(body)["code"] == "bad-request"
    lives(agent)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
        return port


def test_tls_and_tokens(tmp_path: Path, net: Lab) -> None:
    authority, port = trustme.CA(), free_port()
    certificate = authority.issue_cert("localhost")
    ca, pem, key, tokens = (str(tmp_path / name) for name in ("ca.pem", "cert.pem", "key.pem", "tokens.toml"))
    authority.cert_pem.write_to_path(ca)
    certificate.private_key_pem.write_to_path(key)
    for number, part in enumerate(certificate.cert_chain_pems):
        part.write_to_path(pem, append=number > 0)
    # the SHA-256 of "secret"
    digest = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"
    target = f"netns:{net.client.name}"
    Path(tokens).write_text(f'[[token]]\nname = "ci"\nsha256 = "{digest}"\nscopes = ["read", "set:{target}"]\n')
    Path(tokens).chmod(0o600)
    words = ("--listen", f"127.0.0.1:{port}", "--tls-cert", pem, "--tls-key", key, "--tokens", tokens)
    with real_agent(tmp_path / "state", *words) as agent:
        address = f"https://localhost:{port}"
        with Client(address, token="secret", ca=ca) as client:
            client.set([condition(target)])
            assert client.show()[0].condition.owner == "ci"
            with pytest.raises(NetweatherError, match="may not"):
                client.set([condition(f"netns:{net.server.name}")])
            client.clear([target])
        for token, code in (("", "no-token"), ("wrong", "no-token")):
            with Client(address, token=token, ca=ca) as client, pytest.raises(NetweatherError) as refused:
                client.show()
            assert refused.value.code == code
        with Client(address, token="secret") as client, pytest.raises(NetweatherError) as untrusted:
            client.show()
        assert untrusted.value.code == "agent-unreachable"
        with socket.create_connection(("127.0.0.1", port)) as plain:
            plain.sendall(b"GET /v1/health HTTP/1.1\r\nHost: a\r\n\r\n")
            assert b"200" not in plain.recv(100)
        until(lambda: agent.folders() == [], 20, "all is taken away")
