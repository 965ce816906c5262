"""gRPC over a unix socket with messages described here by tables: no generated code, no code of others.

The tables name the few fields that are used, by the numbers of the published interfaces (Kubernetes' CRI and containerd's API, both
Apache-2.0); unknown fields are skipped, as protobuf does. grpcio and protobuf are an extra, imported at first use.
A field is NAME:NUMBER, a string unless :TYPE follows (an integer type of protobuf's, bytes, or a message), repeated with a * behind.
An enum is an int32 and a map<string, string> is Pair*: the same on the wire.
One that fails: {"A": "items:1:Nobody*"} is a TypeError of protobuf's when the table is compiled.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Final

from netweather.errors import NetweatherError

Messages = Mapping[str, Any]
PAIR: Final = {"Pair": "key:1 value:2"}
_TIMEOUT: Final = 10.0


def compiled(package: str, table: Mapping[str, str]) -> Messages:
    """The message classes of a table, by name. Raises NetweatherError no-grpc."""
    _grpc()
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    kinds = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name=f"{package}.proto", package=package, syntax="proto3")
    for name, fields in table.items():
        message = file.message_type.add(name=name)
        for text in fields.split():
            word, number, kind = [*text.split(":"), "string"][:3]
            label = kinds.LABEL_REPEATED if kind.endswith("*") else kinds.LABEL_OPTIONAL
            field = message.field.add(name=word, number=int(number), label=label)
            plain = kind.rstrip("*")
            if plain in table:
                field.type, field.type_name = kinds.TYPE_MESSAGE, f".{package}.{plain}"
            else:
                field.type = kinds.Type.Value(f"TYPE_{plain.upper()}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.{name}")) for name in table}


class GrpcService:
    """One service behind a unix socket. Every call connects anew, so that nothing needs closing.

    path: the socket; name: the service's full name; messages: as `compiled`; headers: sent with every call; product: for errors.
    """

    def __init__(
        self, path: str, name: str, messages: Messages, headers: Mapping[str, str] | None = None, timeout: float = _TIMEOUT
    ) -> None:
        self.path, self.name, self.messages = path, name, messages
        self._headers = tuple((headers or {}).items())
        self._timeout = timeout

    def call(self, method: str, request: Any, answer: str, *, missing_ok: bool = False) -> Any:
        """The answer, a message of that name; None when missing_ok and the server knows no such thing.

        Raises NetweatherError: cri-unreachable, cri-unsupported (the server has no such service), cri-failed.
        """
        grpc = _grpc()
        with self._channel() as channel:
            call = channel.unary_unary(self._method(method), _written, self.messages[answer].FromString)
            try:
                return call(request, timeout=self._timeout, metadata=self._headers)
            except grpc.RpcError as error:
                if missing_ok and error.code() == grpc.StatusCode.NOT_FOUND:
                    return None
                raise self._failure(error) from error

    def stream(self, method: str, request: Any, answer: str) -> GrpcStream:
        """The answers of a method that streams them. Nothing fails before the first is asked for."""
        return GrpcStream(self, method, request, answer)

    @contextmanager
    def _channel(self) -> Iterator[Any]:
        if not os.path.exists(self.path):
            raise self._unreachable("the socket does not exist") from FileNotFoundError(self.path)
        # Go's servers refuse the escaped path that would otherwise be the authority.
        options = (("grpc.default_authority", "localhost"), ("grpc.max_receive_message_length", 64 << 20))
        with _grpc().insecure_channel(f"unix:{self.path}", options=options) as channel:
            yield channel

    def _method(self, method: str) -> str:
        return f"/{self.name}/{method}"

    def _failure(self, error: Any) -> NetweatherError:
        codes = _grpc().StatusCode
        code, details = error.code(), str(error.details() or "")
        if code == codes.UNIMPLEMENTED:
            return NetweatherError(
                "cri-unsupported", f"{self.path} has no {self.name}", details, "name the socket of a runtime with this API"
            )
        if code in (codes.UNAVAILABLE, codes.DEADLINE_EXCEEDED, codes.CANCELLED):
            return self._unreachable(details)
        what = f"the container runtime at {self.path} answered {code.name}"
        return NetweatherError("cri-failed", what, details, "see the runtime's log")

    def _unreachable(self, why: str) -> NetweatherError:
        return NetweatherError(
            "cri-unreachable",
            f"the container runtime could not be reached at {self.path}",
            why,
            "start it, run netweather as root, or name its socket in CONTAINER_RUNTIME_ENDPOINT",
        )


class GrpcStream:
    """Answers as they come: an iterator that ends when it is closed, by any thread. Raises as `GrpcService.call`."""

    def __init__(self, service: GrpcService, method: str, request: Any, answer: str) -> None:
        self._service, self._method, self._request, self._answer = service, method, request, answer
        self._closed = threading.Event()
        self._call: Any = None

    def __iter__(self) -> Iterator[Any]:
        service = self._service
        with service._channel() as channel:
            call = channel.unary_stream(service._method(self._method), _written, service.messages[self._answer].FromString)
            self._call = call(self._request, metadata=service._headers)
            if self._closed.is_set():
                return
            try:
                yield from self._call
            except _grpc().RpcError as error:
                if not self._closed.is_set():
                    raise service._failure(error) from error

    def close(self) -> None:
        self._closed.set()
        if self._call is not None:
            with suppress(RuntimeError):
                self._call.cancel()


def _written(message: Any) -> bytes:
    data: bytes = message.SerializeToString()
    return data


def _grpc() -> Any:
    try:
        import google.protobuf  # noqa: F401  (asked for together with grpcio, so that one message tells of both)
        import grpc
    except ImportError as error:
        raise NetweatherError(
            "no-grpc", "containerd, CRI and pod targets need grpcio", "it is not installed", "pip install 'netweather[cri]'"
        ) from error
    return grpc
