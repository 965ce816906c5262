"""A name server for tests: it answers what it is told to, with a TTL of one second unless told otherwise."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import dns.flags
import dns.message
import dns.rcode
import dns.rrset

from tests.support.netns import Namespace


class NameServer:
    """records: addresses by name, of both families. silent: it hears, and says nothing. asked: how many questions came."""

    def __init__(self, socket: socket.socket) -> None:
        self.records: dict[str, list[str]] = {}
        self.ttl = 1
        self.silent = False
        self.asked = 0
        self._socket = socket

    def serve(self) -> None:
        """Until the socket is shut down."""
        with suppress(OSError):
            while True:
                data, where = self._socket.recvfrom(4096)
                if not data:
                    return
                self.asked += 1
                if not self.silent:
                    self._socket.sendto(self._answer(dns.message.from_wire(data)).to_wire(), where)

    def _answer(self, question: dns.message.Message) -> dns.message.Message:
        answer = dns.message.make_response(question)
        name = question.question[0].name
        known = self.records.get(name.to_text(omit_final_dot=True))
        if known is None:
            answer.set_rcode(dns.rcode.NXDOMAIN)
            return answer
        kind = {1: "A", 28: "AAAA"}[question.question[0].rdtype]
        fitting = [text for text in known if (":" in text) == (kind == "AAAA")]
        if fitting:
            answer.answer.append(dns.rrset.from_text(name, self.ttl, "IN", kind, *fitting))
        return answer


@contextmanager
def serving(where: Namespace) -> Iterator[NameServer]:
    """A server at port 53 of a namespace's IPv4 address, until the end of the block."""

    def bound() -> socket.socket:
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.bind((str(where.v4), 53))
        return made

    with where.call(bound) as made:
        server = NameServer(made)
        thread = threading.Thread(target=server.serve)
        thread.start()
        try:
            yield server
        finally:
            with suppress(OSError):
                made.shutdown(socket.SHUT_RDWR)
            thread.join()
