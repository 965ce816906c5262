"""The profiles that come with Netweather, as data: figures that somebody published, and who.

`down` is towards the target, `up` away from it, in the short forms; rtt is split, half in each direction.
A figure without a publication is ours, and `notes` says so. Not here: anything that reads this (profiles).
"""

from __future__ import annotations

from typing import Any, Final

_WPT: Final = "WebPageTest, www/settings/connectivity.ini.sample, "
_CHROME: Final = "Chrome DevTools, front_end/core/sdk/NetworkManager.ts, "
_FIREFOX: Final = "Firefox DevTools, throttling profiles, "
_COMCAST: Final = "Comcast (tylertreat/comcast), README, table of network conditions, "
_WONDER: Final = "WonderProxy, Miles per Millisecond, 2011, pings between cities, "


def _link(down: str, up: str, rtt: str, **both: Any) -> dict[str, Any]:
    return {"down": {"rate": down}, "up": {"rate": up}, "both": {"rtt": rtt, **both}}


PROFILES: Final[dict[str, dict[str, Any]]] = {
    "perfect": {"title": "nothing wrong", "source": "by definition", "both": {}},
    "dial-up": {"title": "56k modem", **_link("49kbit", "30kbit", "120ms"), "source": _WPT + "Dial"},
    "gprs": {"title": "mobile GPRS", **_link("51.2kbit", "20.48kbit", "500ms"), "source": _FIREFOX + "GPRS"},
    "2g": {"title": "mobile 2G", **_link("280kbit", "256kbit", "800ms"), "source": _WPT + "2G"},
    "edge": {
        "title": "mobile EDGE",
        "down": {"rate": "240kbit", "delay": "400ms"},
        "up": {"rate": "200kbit", "delay": "440ms"},
        "source": _WPT + "Edge (840 ms RTT); Augmented Traffic Control, utils/profiles, Edge - Average, for its halves",
    },
    "edge-lossy": {
        "title": "mobile EDGE that loses packets",
        "down": {"rate": "240kbit", "delay": "400ms", "loss": "1%"},
        "up": {"rate": "200kbit", "delay": "440ms", "loss": "1%"},
        "source": "Augmented Traffic Control, utils/profiles, Edge - Lossy",
    },
    "3g-slow": {
        "title": "mobile 3G, slow",
        **_link("400kbit", "400kbit", "400ms"),
        "source": _WPT + "3G_EM (emerging markets)",
        "aliases": ["slow-3g"],
    },
    "3g": {"title": "mobile 3G", **_link("1.6mbit", "768kbit", "300ms"), "source": _WPT + "3G"},
    "3g-fast": {
        "title": "mobile 3G, fast",
        **_link("1.6mbit", "768kbit", "150ms"),
        "source": _WPT + "3GFast",
        "aliases": ["fast-3g"],
    },
    "3g-lossy": {
        "title": "mobile 3G that loses packets",
        **_link("780kbit", "330kbit", "200ms", loss="1.5%"),
        "source": _WPT + "3GSlow; the loss: " + _COMCAST + "3G/HSDPA",
    },
    "4g-slow": {
        "title": "mobile 4G, slow",
        **_link("1638.4kbit", "750kbit", "150ms"),
        "source": "Lighthouse, core/config/constants.js, mobileSlow4G",
        "aliases": ["slow-4g"],
    },
    "4g": {"title": "mobile 4G", **_link("9mbit", "1.5mbit", "60ms"), "source": _CHROME + "Fast4GConditions"},
    "lte": {"title": "mobile LTE", **_link("12mbit", "12mbit", "70ms"), "source": _WPT + "LTE"},
    "5g": {
        "title": "mobile 5G",
        **_link("166.13mbit", "21.08mbit", "32ms"),
        "source": "Ookla, The State of 5G Worldwide in 2021, global medians of Q3 2021; latency: Ookla, United States, Q1 2021",
    },
    "dsl": {"title": "DSL at home", **_link("1.5mbit", "384kbit", "50ms"), "source": _WPT + "DSL"},
    "cable": {"title": "cable modem at home", **_link("5mbit", "1mbit", "28ms"), "source": _WPT + "Cable"},
    "fiber": {
        "title": "fibre to the home",
        **_link("20mbit", "5mbit", "4ms"),
        "source": _WPT + "FIOS",
        "aliases": ["fios"],
    },
    "home-wifi": {
        "title": "good Wi-Fi at home",
        **_link("31.45728mbit", "15.72864mbit", "2ms"),
        "source": _FIREFOX + "Wi-Fi",
        "aliases": ["wifi"],
    },
    "lossy-wifi": {
        "title": "bad Wi-Fi: slow moments, and losses in bursts",
        "down": {"rate": "31.45728mbit"},
        "up": {"rate": "15.72864mbit"},
        "both": {
            "delay": {"time": "2.6ms", "jitter": "9.4ms", "distribution": "pareto", "keepOrder": True},
            "loss": "burst:mean=5,share=2%",
        },
        "source": "Sui et al., Characterizing and Improving WiFi Latency, MobiSys 2016: median 3 ms, 90 % below 20 ms; "
        + _FIREFOX
        + "Wi-Fi, for the rates",
        "notes": "time and jitter are fitted to the two figures; the paper's 99th percentile of 250 ms is beyond what a table "
        "can hold, and the bursts of loss are ours",
    },
    "airplane": {
        "title": "Wi-Fi on board, by satellite",
        **_link("1.89mbit", "1.89mbit", "760ms", loss="3%"),
        "source": "Wolsing et al., A Performance Perspective on Web Optimized Protocol Stacks, ANRW 2019, network MSS",
        "notes": "the published loss of 6 % is split, half in each direction",
        "aliases": ["in-flight"],
    },
    "geo-satellite": {
        "title": "geostationary satellite",
        **_link("100mbit", "10mbit", "600ms"),
        "source": "APNIC blog, Testing LEO and GEO satellite services in Australia, 2022: RTT around 600 ms; rates: APNIC "
        "blog, Fact checking Starlink's performance figures, 2022, the SatCom subscription",
        "aliases": ["satellite", "geo"],
    },
    "leo-satellite": {
        "title": "satellite in a low orbit",
        "down": {"rate": "178mbit", "loss": "0.4%"},
        "up": {"rate": "17mbit", "loss": "0.45%"},
        "both": {"rtt": {"time": "50ms", "jitter": "10.5ms", "distribution": "normal", "keepOrder": True}},
        "source": "Michel et al., A First Look at Starlink Performance, IMC 2022: median RTT 50 ms, quartiles 40 and 60 ms",
        "notes": "the jitter is computed from the quartiles: 20 ms / 1.35, spread over two directions",
        "aliases": ["leo", "starlink"],
    },
    "transatlantic": {
        "title": "across the Atlantic",
        "both": {"rtt": "78ms"},
        "source": _WONDER + "New York and Paris",
    },
    "intercontinental": {
        "title": "to the other side of the world",
        "both": {"rtt": "246ms"},
        "source": _WONDER + "New York and Brisbane",
    },
    "congested": {
        "title": "cable modem with a full buffer",
        **_link("5mbit", "1mbit", "28ms", limit=100, queue="droptail"),
        "source": _WPT + "Cable; the buffer: duckware.com, Cable Modem Upload Bursting, 2020; 128 to 150 kB of upstream buffer "
        "(CableLabs CM-GL-Buffer-V01 describes the effect)",
        "notes": "100 packets of 1500 bytes in both directions; the downstream buffer is ours. Bad under load only",
        "aliases": ["bufferbloat"],
    },
    "voice-limit": {
        "title": "just good enough for conversation",
        "both": {
            "delay": {"time": "100ms", "jitter": "25ms", "distribution": "uniform", "keepOrder": True},
            "loss": "0.1%",
        },
        "source": "ITU-T Y.1541 (12/2011), table 1, QoS class 0: 100 ms one way, 50 ms variation, loss of 1 in 1000",
    },
    "very-bad": {
        "title": "nearly useless",
        **_link("1mbit", "1mbit", "1s", loss="10%"),
        "source": "Apple, Network Link Conditioner, preset Very Bad Network: 500 ms and 10 % in each direction",
    },
    "flapping": {
        "title": "a link that comes and goes",
        "both": {"loss": "gemodel:p=0.1%,r=1%"},
        "source": "by definition",
        "notes": "outages of 100 packets on average, one in 1000 packets begins one; the figures are ours",
    },
    "blackhole": {
        "title": "no packet arrives, silently",
        "both": {"block": "drop"},
        "source": "by definition",
        "aliases": ["offline"],
    },
    "refused": {
        "title": "no packet arrives, and the sender gets an error",
        "both": {"block": "reject"},
        "source": "by definition",
    },
}
