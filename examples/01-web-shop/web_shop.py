"""Two web shops in real browsers on four networks: one sells twice and keeps its customers in the dark, the other doesn't.

    sudo .venv/bin/python examples/01-web-shop/web_shop.py [--film film.html] [--perfect]
Exit 0: every finding was there; 1: one was not (as with --perfect, which leaves the network as it is).
"""

import argparse
import contextlib
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from netweather.testing import Lab
from netweather.testing.web.browser import Browser
from netweather.testing.web.film import Film, Section, Strip, film_page

KINDS = ("naive", "fixed")
PATIENCE_S = 2.0
"""A customer who sees nothing for so long clicks again."""
NETWORKS = {
    "as it is": {},
    "slow: 1.5 s each way": {"delay": "1500ms"},
    "lossy: 40 % each way": {"loss": "40%", "seed": "3"},
    "cut for 5 s": {"block": "drop"},
}
CUT_S = 5.0
MOMENTS = (0, 0.5, 1, 2, 3, 5, 8)


@dataclass
class Purchase:
    """What a customer saw and the shop did. Seconds from the first click; told: when the customer was told that it worked."""

    kind: str
    network: str
    film: Film
    click: float
    clicks: int
    told: float | None
    orders: int = 0

    @property
    def feedback(self) -> float:
        """Until anything changed at all; until the end when nothing did."""
        return self.film.first_feedback(self.click) or self.until

    @property
    def until(self) -> float:
        return self.told or 30.0

    @property
    def dark(self) -> float:
        """The longest time without any change, until it was told."""
        return self.film.longest_still(self.click, self.click + self.until)


def buy(browser: Browser, network: str, kind: str, ready, go) -> Purchase:
    """Opens the page on a good network, waits until everybody is ready, and buys; again when nothing happens."""
    driver = browser.driver
    driver.get(f"http://shop/{kind}/")
    wait(lambda: driver.find_elements("id", "buy"), 20)
    with browser.filming() as film:
        wait(lambda: film.frames, 10)
        ready()
        click, clicks = time.time(), 1
        driver.find_element("id", "buy").click()
        go()
        wait(lambda: film.changes(click), PATIENCE_S)
        if not film.changes(click):
            driver.find_element("id", "buy").click()
            clicks = 2
        thanked = wait(lambda: "Thank you" in driver.find_element("id", "said").text, 40)
        told = time.time() - click if thanked else None
        time.sleep(0.5)
    return Purchase(kind, network, film, click, clicks, told)


def wait(holds, patience_s: float) -> bool:
    end = time.monotonic() + patience_s
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def ledger(lab: Lab) -> dict[str, int]:
    """Orders so far, by shop; asked on the shop's own host."""
    said = (
        lab["shop"]
        .run("python3", "-c", "import urllib.request as u; print(u.urlopen('http://127.0.0.1/ledger').read().decode())")
        .stdout
    )
    return {kind: sum(one["shop"] == kind for one in json.loads(said)) for kind in KINDS}


def on(lab: Lab, browsers: dict[str, Browser], network: str, words: dict[str, str], pool: ThreadPoolExecutor) -> list[Purchase]:
    """Both customers buy at once on one network."""
    import threading

    before = ledger(lab)
    open_pages, in_force, clicked = threading.Barrier(3), threading.Event(), threading.Barrier(3)

    def ready() -> None:
        open_pages.wait(60)
        in_force.wait(60)

    buying = [pool.submit(buy, browsers[kind], network, kind, ready, lambda: clicked.wait(60)) for kind in KINDS]
    open_pages.wait(60)
    with lab.degrade(KINDS, to="shop", allow_unmatched=True, **words) if words else contextlib.nullcontext():
        in_force.set()
        clicked.wait(60)
        if "block" in words:
            time.sleep(CUT_S)
        else:
            wait(lambda: all(one.done() for one in buying), 60)
    purchases = [one.result() for one in buying]
    sent = {one.kind: one.clicks for one in purchases if one.kind == "naive"}
    wait(lambda: all(ledger(lab)[kind] - before[kind] >= clicks for kind, clicks in sent.items()), 10)  # the late ones arrive too
    after = ledger(lab)
    for purchase in purchases:
        purchase.orders = after[purchase.kind] - before[purchase.kind]
        told = f"told after {purchase.told:.1f} s" if purchase.told else "never told"
        print(
            f"{network:24}{purchase.kind:7} first feedback {purchase.feedback:4.1f} s, longest without {purchase.dark:4.1f} s, "
            f"{purchase.clicks} clicks, {purchase.orders} orders, {told}"
        )
    return purchases


def tell(purchases: list[Purchase]) -> list[str]:
    """Prints the findings. Returns those that are missing."""
    naive, fixed = ({one.network.partition(":")[0]: one for one in purchases if one.kind == kind} for kind in KINDS)
    cut = "cut for 5 s"
    findings = {
        "on a good network both sell once": naive["as it is"].orders == fixed["as it is"].orders == 1,
        f"slow: the naive shop shows nothing for {naive['slow'].feedback:.1f} s, its customer clicks again": naive["slow"].clicks
        == 2
        and naive["slow"].feedback > 2,
        f"and is sold {naive['slow'].orders} pairs of boots": naive["slow"].orders == 2,
        f"cut: the naive shop shows nothing for {naive[cut].feedback:.1f} s": naive[cut].feedback >= 4,
        f"and sells {naive[cut].orders} pairs when the network is back": naive[cut].orders == 2,
        "the fixed shop shows something within a second, on every network": all(one.feedback < 1 for one in fixed.values()),
        "never leaves its customer in the dark for more than two": all(one.dark < 2 for one in fixed.values()),
        "and always sells once": all(one.orders == 1 and one.told for one in fixed.values()),
    }
    for what, found in findings.items():
        print(f"    {'found' if found else 'NOT FOUND'}: {what}")
    return [what for what, found in findings.items() if not found]


def page(purchases: list[Purchase]) -> str:
    """The films side by side."""
    networks = dict.fromkeys(one.network for one in purchases)
    sections = [
        Section(f"Network: {name}", [strip(one) for one in purchases if one.network == name], MOMENTS) for name in networks
    ]
    words = "Seconds after the click on Buy. Pale: nothing has changed since the picture before."
    return film_page("A web shop on bad networks", words, sections)


def strip(one: Purchase) -> Strip:
    facts = {
        "first feedback": f"{one.feedback:.1f} s",
        "longest without": f"{one.dark:.1f} s",
        "clicks": str(one.clicks),
        "orders": str(one.orders),
    }
    bad = {"first feedback": one.feedback > 1, "longest without": one.dark > 2, "orders": one.orders != 1}
    return Strip(f"{one.kind} shop", one.film, one.click, facts, frozenset(name for name, is_bad in bad.items() if is_bad))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--film", type=Path, help="the filmstrips side by side: an .html page")
    parser.add_argument("--perfect", action="store_true", help="leave the network as it is: the findings must be missing")
    options = parser.parse_args()
    with Lab(*KINDS, "shop") as lab, contextlib.ExitStack() as stack:
        lab["shop"].start(sys.executable, str(Path(__file__).with_name("shop.py")), ready=80)
        pool = stack.enter_context(ThreadPoolExecutor(2))
        browsers = {kind: stack.enter_context(Browser(lab[kind])) for kind in KINDS}
        purchases = []
        for network, words in NETWORKS.items():
            purchases += on(lab, browsers, network, {} if options.perfect else words, pool)
    missing = tell(purchases)
    if options.film:
        options.film.write_text(page(purchases))
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
