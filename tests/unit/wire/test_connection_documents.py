"""The connections of a target as a document and back."""

from __future__ import annotations

import json

from netweather.engine import SocketInfo, TargetSockets
from netweather.kernel.datapath.spec import RuleId
from netweather.kernel.sockets.socket_owners import Holder
from netweather.results import Before, TargetRef
from netweather.wire.connection_documents import CONNECTIONS
from tests.support.live import made

TARGET = TargetRef("netns:a", "a", 1, 2, None, None, "netns")


def test_connections_and_back() -> None:
    whole = SocketInfo(made(family=0, key=b""), Holder(7, "shop"), RuleId("slow", 0), None, Before(10_000, 3, 5000, 1000, 2.5))
    bare = SocketInfo(made(family=0, key=b"", protocol=17, state=7, info=None), None, None, None, None)
    found = TargetSockets(TARGET, (whole, bare))
    assert CONNECTIONS.read(json.loads(json.dumps(CONNECTIONS.write(found)))) == found
