"""The suite stays on this machine: Python's sockets reach the loopback and Unix sockets, and nothing else."""

from __future__ import annotations

import socket
import urllib.request
from pathlib import Path

import pytest

from tests.conftest import NetworkDenied


@pytest.mark.parametrize("address", [("192.0.2.1", 80), ("2001:db8::1", 80), ("example.com", 80)])
def test_other_machines_are_out_of_reach(address: tuple[str, int]) -> None:
    with pytest.raises(NetworkDenied, match="may not leave this machine"):
        socket.create_connection(address, timeout=1)


def test_a_packet_without_a_connection_is_denied_too() -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as sender, pytest.raises(NetworkDenied):
        sender.sendto(b"hello", ("192.0.2.1", 53))


def test_libraries_are_held_to_it() -> None:
    with pytest.raises(NetworkDenied):
        urllib.request.urlopen("http://example.com")


def test_the_loopback_is_allowed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(("localhost", server.getsockname()[1])).close()


def test_unix_sockets_are_allowed(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(str(tmp_path / "s"))
        server.listen()
        client.connect(str(tmp_path / "s"))
