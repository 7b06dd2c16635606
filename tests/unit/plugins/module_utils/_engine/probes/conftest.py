# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Servers on loopback that behave as badly as a test wants, certificates good and bad, and a look with a time limit of its own."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import threading
import typing as t

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.options import read_options
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import Context
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes import registry

_PATIENCE = 20.0


class Server:
    """Accepts connections on 127.0.0.1 and hands each to ``talk(connection, server)`` in a thread."""

    def __init__(self, talk: t.Callable[[socket.socket, Server], None], tls: ssl.SSLContext | None = None) -> None:
        self.stop = threading.Event()
        self.connections = 0
        self.heard: list[bytes] = []
        self._talk = talk
        self._tls = tls
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(50)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _peer = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(_PATIENCE)
        try:
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
            self._talk(connection, self)
        except OSError:
            pass
        finally:
            connection.close()

    def request(self, connection: socket.socket) -> bytes:
        """Read a request up to the end of its headers and keep it in ``heard``."""
        data = b""
        while b"\r\n\r\n" not in data:
            piece = connection.recv(65536)
            if not piece:
                break
            data += piece
        self.heard.append(data)
        return data

    def hang(self) -> None:
        """Do nothing until the test is over."""
        self.stop.wait(_PATIENCE)

    def close(self) -> None:
        self.stop.set()
        self._listener.close()


@pytest.fixture
def serve() -> t.Iterator[t.Callable[..., Server]]:
    """``serve(talk, tls=None) -> Server``; bytes instead of a function are sent as the answer to a request."""
    servers: list[Server] = []

    def make(talk: t.Any, tls: ssl.SSLContext | None = None) -> Server:
        def answer(connection: socket.socket, server: Server) -> None:
            server.request(connection)
            connection.sendall(talk)

        servers.append(Server(answer if isinstance(talk, bytes) else talk, tls))
        return servers[-1]

    yield make
    for server in servers:
        server.close()


@pytest.fixture
def look() -> t.Callable[..., dict[str, t.Any]]:
    """``look("http", url=...)`` observes once; a probe that does not come back fails the test."""

    def run(probe: str, ctx: Context | None = None, **options: t.Any) -> dict[str, t.Any]:
        module = registry.load(probe)
        complete = read_options(module.SPEC, options)
        context = ctx or Context()
        if ctx is None and hasattr(module, "gather"):
            module.gather([complete], context)
        outcome: list[t.Any] = []

        def work() -> None:
            try:
                outcome.append(module.observe(complete, context))
            except Exception as exc:  # noqa: BLE001 - handed on to the test
                outcome.append(exc)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        thread.join(_PATIENCE)
        if not outcome:
            raise AssertionError(f"the {probe} probe did not come back")
        if isinstance(outcome[0], Exception):
            raise outcome[0]
        return t.cast("dict[str, t.Any]", outcome[0])

    return run


class Certificates:
    """Certificates that openssl makes; ``file(name)`` is a PEM file with key and certificate."""

    def __init__(self, folder: t.Any) -> None:
        self._folder = folder
        for name in ("ca", "other_ca"):
            files = ("-keyout", f"{name}.key", "-out", f"{name}.crt")
            self._run("req", "-x509", *_NEW_KEY, *files, "-subj", f"/CN=Test {name}", "-days", "30")
        good = "DNS:localhost,IP:127.0.0.1,DNS:*.wild.example.test"
        self._issue("good", good)
        self._issue("expired", good, end="20210101000000Z")
        self._issue("wrong_name", "DNS:elsewhere.example.test")
        self._issue("expired_wrong_name", "DNS:elsewhere.example.test", end="20210101000000Z")
        self._issue("early", good, begin="20900101000000Z")
        self._issue("unknown_ca", good, issuer="other_ca")
        extension = ["-addext", f"subjectAltName={good}"]
        self._run(
            "req", "-x509", *_NEW_KEY, "-keyout", "self.key", "-out", "self.crt", "-subj", "/O=Test/CN=localhost", "-days", "30", *extension
        )
        self._join("self")

    @property
    def ca(self) -> str:
        return str(self._folder / "ca.crt")

    def file(self, name: str) -> str:
        return str(self._folder / f"{name}.pem")

    def server(self, name: str, newest: ssl.TLSVersion | None = None, ask_client: bool = False) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.file(name))
        if newest is not None:
            context.maximum_version = newest
        if ask_client:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self.ca)
        return context

    def _issue(self, name: str, san: str, end: str = "21000101000000Z", issuer: str = "ca", begin: str = "20200101000000Z") -> None:
        (self._folder / "ca.conf").write_text(_CA_CONFIG.format(issuer=issuer, san=san))
        (self._folder / "index").write_text("")
        self._run("req", *_NEW_KEY, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", "/O=Test/CN=localhost")
        dates = ("-startdate", begin, "-enddate", end)
        self._run("ca", "-batch", "-notext", "-config", "ca.conf", "-rand_serial", *dates, "-in", f"{name}.csr", "-out", f"{name}.crt")
        self._join(name)

    def _join(self, name: str) -> None:
        (self._folder / f"{name}.pem").write_text((self._folder / f"{name}.crt").read_text() + (self._folder / f"{name}.key").read_text())

    def _run(self, *arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=self._folder, check=True, capture_output=True, timeout=60)


_CA_CONFIG = """[ca]
default_ca = it
[it]
database = index
serial = serial
new_certs_dir = .
certificate = {issuer}.crt
private_key = {issuer}.key
default_md = sha256
policy = any
x509_extensions = extensions
unique_subject = no
[any]
organizationName = optional
commonName = optional
[extensions]
subjectAltName = {san}
"""
_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    return Certificates(tmp_path_factory.mktemp("certificates"))
