"""A real browser on a lab's host, driven by Selenium, and what its user sees. Needs the extra `browser`, Chromium and its driver.

WebDriver's traffic and the pictures go through relays (netweather.host.tcp_relay), never over the lab's links: conditions don't meet them.
"""

from __future__ import annotations

import base64
import contextlib
import json
import shutil
import threading
import time
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from netweather.errors import NetweatherError
from netweather.kernel.waiting import until
from netweather.testing.labs.lab_hosts import Host
from netweather.testing.web.film import Film, Frame

if TYPE_CHECKING:
    from selenium.webdriver.remote.webdriver import WebDriver

PROGRAMS = ("chromium", "chromedriver")
PORT = 9515
PATIENCE_S = 10.0
WINDOW = (360, 480)
"""As Chromium counts it: some of the height is its own."""
TIMING = """
const [page] = performance.getEntriesByType('navigation');
const paint = performance.getEntriesByType('paint').find(one => one.name == 'first-contentful-paint');
return {firstByte: page.responseStart, firstPaint: paint ? paint.startTime : null, interactive: page.domInteractive,
        loaded: page.loadEventEnd || null, bytes: page.transferSize, protocol: page.nextHopProtocol};
"""


class Browser:
    """A context manager: Chromium without a window, in the host's network. driver: Selenium's; use it as ever.

    Raises NetweatherError: no-browser, lab-process-failed.
    """

    driver: WebDriver

    def __init__(self, host: Host, arguments: Sequence[str] = (), window: tuple[int, int] = WINDOW) -> None:
        """arguments: more of Chromium's; window: its width and height in pixels."""
        self.host, self._arguments, self._window = host, tuple(arguments), window
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        for program in PROGRAMS:
            if not shutil.which(program):
                remedy = "install Chromium and its driver (Debian: chromium chromium-driver)"
                raise NetweatherError("no-browser", f"{program} is not installed", "the page needs a real browser", remedy)
        with contextlib.ExitStack() as stack:
            name = f"chromedriver-{self._window[0]}"
            rests = self.host.folder / f"{self.host.name}-{name}"  # a Chromium that is killed leaves some: they go with the lab
            rests.mkdir(exist_ok=True)
            child = self.host.start("chromedriver", f"--port={PORT}", name=name, ready=PORT, environment={"TMPDIR": str(rests)})
            stack.callback(child.kill)
            address, port = stack.enter_context(self.host.forward(PORT)).address
            self.driver = _connect(f"http://{address}:{port}", self._options())
            stack.callback(self._quit)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stack.close()

    def timing(self) -> dict[str, Any]:
        """Of the page that is loaded, in ms since its navigation began: firstByte, firstPaint, interactive, loaded; bytes, protocol."""
        found: dict[str, Any] = self.driver.execute_script(TIMING)
        return found

    @contextlib.contextmanager
    def filming(self) -> Iterator[Film]:
        """Takes a picture each time the page looks otherwise. The film is complete when the block is left."""
        debugger = self.driver.capabilities["goog:chromeOptions"]["debuggerAddress"]
        with self.host.forward(int(debugger.rpartition(":")[2])) as relay:
            page = f"ws://{relay.address[0]}:{relay.address[1]}/devtools/page/{self.driver.current_window_handle}"
            with _Camera(page, self._window) as camera:
                yield camera.film

    def _options(self) -> Any:
        from selenium.webdriver import ChromeOptions

        options = ChromeOptions()
        width, height = self._window
        options.binary_location = shutil.which("chromium") or ""
        options.page_load_strategy = "none"  # whoever waits for a page on a bad network sees nothing meanwhile
        for word in (
            "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", f"--window-size={width},{height}",
            "--hide-scrollbars", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run",
            "--no-proxy-server", "--dns-prefetch-disable", *self._arguments,
        ):  # fmt: skip
            options.add_argument(word)
        return options

    def _quit(self) -> None:
        with contextlib.suppress(Exception):  # it is killed anyway
            self.driver.quit()


def _connect(url: str, options: Any) -> WebDriver:
    try:
        from selenium import webdriver
    except ImportError as error:
        what = "Selenium is not installed"
        raise NetweatherError("no-browser", what, str(error), "pip install 'netweather[browser]'") from error
    return webdriver.Remote(url, options=options)


class _Camera:
    """Chromium's own screencast: it sends a picture when something has changed."""

    def __init__(self, page: str, window: tuple[int, int]) -> None:
        import websocket

        self.film = Film()
        self._socket = websocket.create_connection(page, timeout=30, suppress_origin=True)
        self._numbers = iter(range(1, 1 << 30))
        self._window = window
        self._over = False
        self._thread = threading.Thread(target=self._watch, name="camera", daemon=True)

    def __enter__(self) -> Self:
        self._send("Page.enable")
        width, height = self._window
        self._send("Page.startScreencast", format="png", maxWidth=width, maxHeight=height, everyNthFrame=1)
        self._thread.start()
        until(lambda: bool(self.film.frames), PATIENCE_S)  # what it looks like now: later ones are changes
        return self

    def __exit__(self, *_: object) -> None:
        self._over = True
        with contextlib.suppress(Exception):  # the browser may be gone
            self._send("Page.stopScreencast")
        self._thread.join(5)
        self._socket.close()
        self.film.frames.sort(key=lambda frame: frame.at)

    def _send(self, method: str, **parameters: Any) -> None:
        self._socket.send(json.dumps({"id": next(self._numbers), "method": method, "params": parameters}))

    def _watch(self) -> None:
        self._socket.settimeout(0.2)
        while not self._over:
            try:
                message = json.loads(self._socket.recv())
            except TimeoutError:
                continue
            except Exception as error:
                if type(error).__name__ == "WebSocketTimeoutException":
                    continue
                return
            if message.get("method") == "Page.screencastFrame":
                told = message["params"]
                at = told["metadata"].get("timestamp") or time.time()
                self.film.frames.append(Frame(at, base64.b64decode(told["data"])))
                self._send("Page.screencastFrameAck", sessionId=told["sessionId"])
