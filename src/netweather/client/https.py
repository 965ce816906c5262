"""Requests to an agent elsewhere, over HTTPS, by httpx. Not here: this machine's agent (host.unix_http), what is asked (calls)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import httpx

from netweather.errors import UsageError

if TYPE_CHECKING:
    from netweather.client.client import Where

CONNECT_S: Final = 5.0


class Https:
    """An agent's HTTPS address. Connections stay open for further requests; several threads may use it."""

    def __init__(self, where: Where) -> None:
        """Raises UsageError(code="bad-ca")."""
        self._http = httpx.Client(verify=tls(where), **options(where))

    def connect(self) -> None:
        """Nothing: httpx connects when something is asked."""

    def request(self, method: str, target: str, body: bytes | None, patience_s: float) -> tuple[int, bytes]:
        """As `host.unix_http.UnixHttp.request`."""
        try:
            response = self._http.request(method, target, **contents(body), timeout=httpx.Timeout(patience_s, connect=CONNECT_S))
        except httpx.HTTPError as error:
            raise ConnectionError(str(error) or type(error).__name__) from error
        return response.status_code, response.content

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()


def options(where: Where) -> dict[str, Any]:
    """For a client of httpx."""
    headers = {"Authorization": f"Bearer {where.token}"} if where.token else {}
    return {"base_url": "http://agent" if where.path else where.address, "headers": headers, "follow_redirects": False}


def contents(body: bytes | None) -> dict[str, Any]:
    """Of a request by httpx. body: JSON, or None."""
    return {} if body is None else {"content": body, "headers": {"Content-Type": "application/json"}}


def tls(where: Where) -> Any:
    """What the agent's certificate is checked with. Raises UsageError(code="bad-ca")."""
    if where.path or not where.ca:
        return True
    import ssl

    try:
        return ssl.create_default_context(cafile=where.ca)
    except OSError as error:
        why = str(error)
        raise UsageError("bad-ca", f"{where.ca} can't be read as certificates", why, "name a PEM file: NETWEATHER_CA") from error
