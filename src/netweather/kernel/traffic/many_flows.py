"""Many flows of one target to one port of a peer, each worth a packet at a time: for rules that mean a share of the connections.

Their ports are held meanwhile, so that nobody else's connections are meant. Not here: which of them meet a rule (measure.probe_flow).
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterable

from netweather.kernel.namespaces import Namespace
from netweather.kernel.traffic.probe_packets import TCP, Flow, prepare, turned, wrapper


class Fan:
    """`count` flows of UDP, or of TCP with packets that nobody answers. Close it, or use it as a context manager.

    flow: whose local port is 0; its remote port may be. Raises OSError, such as EADDRINUSE or EMFILE.
    """

    def __init__(self, target: Namespace, peer: Namespace, flow: Flow, count: int) -> None:
        self._stack = contextlib.ExitStack()
        self._tcp = flow.protocol == TCP
        kind = socket.SOCK_STREAM if self._tcp else socket.SOCK_DGRAM

        def held(address: str, port: int, many: int) -> Callable[[], list[socket.socket]]:
            def inside() -> list[socket.socket]:
                made = []
                for _ in range(many):
                    made.append(self._stack.enter_context(socket.socket(flow.family, kind)))
                    made[-1].bind((address, port))
                return made

            return inside

        try:
            (far,) = peer.run(held(flow.remote, flow.remote_port, 1))
            near = target.run(held(flow.local, 0, count))
            self._sockets = {one.getsockname()[1]: one for one in near}
            self._far = far
            self.flow = Flow(flow.protocol, flow.local, flow.remote, 0, far.getsockname()[1], flow.tcp_flags)
            self._raw = {"egress": self._raw_end(target, self.flow), "ingress": self._raw_end(peer, turned(self.flow))}
        except BaseException:
            self._stack.close()
            raise

    def _raw_end(self, namespace: Namespace, flow: Flow) -> socket.socket | None:
        if not self._tcp:
            return None

        def inside() -> socket.socket:
            made = self._stack.enter_context(socket.socket(flow.family, socket.SOCK_RAW, TCP))
            prepare(made)
            made.bind((flow.local, 0))
            made.connect((flow.remote, 0))
            return made

        return namespace.run(inside)

    @property
    def ports(self) -> tuple[int, ...]:
        """The target's port of each flow."""
        return tuple(self._sockets)

    def send(self, ports: Iterable[int], way: str) -> None:
        """One packet of each of these flows, from the target (egress) or from the peer (ingress)."""
        raw, there = self._raw[way], self.flow.remote_port
        for port in ports:
            if raw is not None and way == "egress":
                raw.send(wrapper(self.flow, port, there)(b""))
            elif raw is not None:
                raw.send(wrapper(turned(self.flow), there, port)(b""))
            elif way == "egress":
                self._sockets[port].sendto(b"", (self.flow.remote, there))
            else:
                self._far.sendto(b"", (self.flow.local, port))

    def close(self) -> None:
        self._stack.close()

    def __enter__(self) -> Fan:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
