"""The API's client without a server; with one: tests/e2e/kubernetes/test_api.py."""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from netweather.errors import NetweatherError
from netweather.kubernetes.server.api import Api


def test_who_has_not_installed_the_extra_is_told_which(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kr8s", None)
    with pytest.raises(NetweatherError) as caught:
        asyncio.run(Api.connect())
    assert (caught.value.code, caught.value.remedy) == ("no-kubernetes-extra", "install netweather[kubernetes]")
    assert "kr8s" in caught.value.why


class Version(BaseHTTPRequestHandler):
    """As much of an API server as connecting needs."""

    def do_GET(self) -> None:
        content = b'{"gitVersion": "v1.20.2", "major": "1", "minor": "20"}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


def test_close_lets_the_connections_go(tmp_path: Path) -> None:
    """kr8s keeps its HTTP session in an attribute that it does not promise."""

    async def closed(server: str) -> list[bool]:
        config = {
            "current-context": "it",
            "clusters": [{"name": "it", "cluster": {"server": server}}],
            "users": [{"name": "it", "user": {"token": "x"}}],
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
        }
        (tmp_path / "config").write_text(json.dumps(config))
        api = await Api.connect(str(tmp_path / "config"))
        assert await api.version() == "v1.20.2"
        sessions = [each for each in gc.get_objects() if isinstance(each, httpx.AsyncClient) and not each.is_closed]
        await api.close()
        return [each.is_closed for each in sessions]

    with ThreadingHTTPServer(("127.0.0.1", 0), Version) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        found = asyncio.run(closed(f"http://127.0.0.1:{server.server_port}"))
        server.shutdown()
    assert found
    assert all(found)
