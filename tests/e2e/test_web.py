"""`netweather web` as a user runs it, on a site of this machine."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.support.machine import SLOW
from tests.support.netns import Lab, Namespace
from tests.support.packages import need
from tests.support.repository import ROOT

pytestmark = [pytest.mark.timeout(600), pytest.mark.xdist_group("examples")]


class Site(BaseHTTPRequestHandler):
    """/ has a picture that belongs to it; /never does not answer."""

    def do_GET(self) -> None:
        if self.path == "/never":
            time.sleep(30)
        body = (
            b"<link rel=icon href=data:,><h1>Hello</h1><script src=/more></script>"
            if self.path == "/"
            else b"document.title = 'whole'"
        )
        self.send_response(200)
        self.send_header("Content-Type", "text/html" if self.path == "/" else "text/javascript")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def site() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def web(folder: Path, *words: str, inside: Namespace | None = None) -> subprocess.CompletedProcess[str]:
    if reason := need("chromium", "chromium-driver", "fonts-dejavu-core"):
        pytest.skip(reason)
    environment = {**os.environ, "NETWEATHER_STATE": str(folder / "state")}
    command = [str(Path(sys.executable).with_name("netweather")), "web", *words]
    if inside is not None:
        command = ["nsenter", f"--net={inside.path}", *command]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=200 * SLOW, check=False)


def test_the_networks_make_the_difference_and_the_page_shows_it(site: str, tmp_path: Path) -> None:
    """The docs' line, with this site's port and two networks."""
    (line,) = re.findall(r"^sudo netweather web (.*)$", (ROOT / "docs" / "browser.md").read_text(), re.MULTILINE)
    words = line.replace("http://127.0.0.1:8080", site).replace("perfect,3g,satellite", "perfect,satellite").split()
    done = web(tmp_path, *words, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    perfect, satellite = json.loads(done.stdout)
    assert satellite["firstByte"] - perfect["firstByte"] > 0.8, "two round trips of 0.6 s: connect, request"
    assert satellite["loaded"] - satellite["firstByte"] > 0.4, "one more for what belongs to it"
    assert satellite["firstSeen"] > perfect["firstSeen"]
    page = (tmp_path / "web.html").read_text()
    assert page.count('<div class="row">') == 2
    assert page.count("data:image/png;base64,") >= 6
    assert list((tmp_path / "state").glob("targets/*")) == []


class OfSeveral(BaseHTTPRequestHandler):
    """On 192.0.2.2: a page with a script of its own and one of another host, which names the page when it was loaded."""

    def do_GET(self) -> None:
        page = (
            b"<link rel=icon href=data:,><h1>Hello</h1><script src=http://192.0.2.1/theirs></script><script src=/ours></script>"
        )
        asked = f"{self.headers['Host']}{self.path}".encode()
        self.server.asked.append(asked.decode())  # type: ignore[attr-defined]  # ours
        self.send_response(200)
        self.send_header("Content-Type", "text/html" if self.path == "/" else "text/javascript")
        self.end_headers()
        self.wfile.write(page if self.path == "/" else b"1")

    log_message = Site.log_message


def test_what_a_page_loads_from_another_host(lab: Lab, tmp_path: Path) -> None:
    asked: list[str] = []
    with ExitStack() as stack:
        for place in ((lab.server, ("192.0.2.2", 8080)), (lab.client, ("192.0.2.1", 80))):
            server = stack.enter_context(place[0].call(ThreadingHTTPServer, place[1], OfSeveral))
            server.asked, server.daemon_threads = asked, True
            threading.Thread(target=server.serve_forever, daemon=True).start()
            stack.callback(server.shutdown)
        done = web(tmp_path, "http://192.0.2.2:8080/", "--profiles", "perfect,satellite", "--json", inside=lab.client)
    assert done.returncode == 0, done.stdout + done.stderr
    assert sorted(asked) == sorted(["192.0.2.2:8080/", "192.0.2.2:8080/ours", "192.0.2.1/theirs"] * 2)
    perfect, satellite = json.loads(done.stdout)
    assert satellite["loaded"] - perfect["loaded"] > 1.5, (
        "connect and request twice, for the page and for the other host's script"
    )


def test_a_page_that_does_not_load(site: str, tmp_path: Path) -> None:
    done = web(tmp_path, f"{site}/never", "--profiles", "perfect", "--patience", "2")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "perfect: loaded after never" in done.stdout
    assert "never" in (tmp_path / "web.html").read_text()


def test_wrong_usage(tmp_path: Path) -> None:
    assert web(tmp_path, "ftp://site/").returncode == 2
    assert web(tmp_path, "http://site/", "--profiles", "3h").returncode == 2
