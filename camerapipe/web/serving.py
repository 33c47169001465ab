"""What a server is told when it starts: address, token, limits."""

from __future__ import annotations

import ipaddress
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from camerapipe.ingest import DEFAULT_MAX_PIXELS

LOOPBACK = "127.0.0.1"
DEFAULT_PORT = 8737
MEGABYTE = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """Address, secrets and limits of a server.

    Parameters
    ----------
    host : str
        Address to listen on, or a name of it.
    port : int
        Port; 0 until a free one is found.
    token : str
        Secret that the address of the first page carries.
    certificate, key : Path or None
        Files for https, PEM.
    max_upload_bytes : int
        Largest file that a page may send.
    max_message_bytes : int
        Largest message of a web socket.
    max_pixels : int
        Larger pictures are refused before they are decoded.
    max_pictures, max_bytes : int
        Photographs that stay open, and the memory of all of them together.
    """

    host: str = LOOPBACK
    port: int = DEFAULT_PORT
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    certificate: Path | None = None
    key: Path | None = None
    max_upload_bytes: int = 512 * MEGABYTE
    max_message_bytes: int = 4 * MEGABYTE
    max_pixels: int = DEFAULT_MAX_PIXELS
    max_pictures: int = 4
    max_bytes: int = 3 << 30

    @property
    def scheme(self) -> str:
        """`http` or `https`."""
        return "https" if self.certificate else "http"

    @property
    def address(self) -> str:
        """Address of the site without the token."""
        host = LOOPBACK if self.host in ("0.0.0.0", "::") else self.host
        return f"{self.scheme}://{f'[{host}]' if ':' in host else host}:{self.port}/"

    def link(self, path: str = "") -> str:
        """Address of a page with the token."""
        return f"{self.address}{path}?token={self.token}"

    @property
    def is_local(self) -> bool:
        """Whether only this machine can connect."""
        return is_loopback(self.host)

    def knows_host(self, name: str) -> bool:
        """Whether the host of a request is one under which this server is meant to be reached.

        A page of a foreign site that has its name resolve to this machine (DNS rebinding) sends
        this name. An address as number cannot be rebound.
        """
        if is_loopback(name) or name == self.host.lower():
            return True
        return not self.is_local and _is_number(name)


def is_loopback(host: str) -> bool:
    """Whether a host is this machine as seen from itself."""
    return host == "localhost" or (_is_number(host) and ipaddress.ip_address(host).is_loopback)


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
