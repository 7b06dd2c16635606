# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An authoritative nsd and a recursive unbound for tests: real programs on loopback, high ports, no root."""

from __future__ import annotations

import contextlib
import os
import socket
import typing as t
from pathlib import Path

import dns.exception
import dns.message
from dns_process import Daemon, free_port, program, run
from dns_zones import serial_of, zone_text

Certificates = t.Tuple[str, str, str]  # CA, certificate, key: paths of PEM files

_IN_A_ROW = 50

_NSD = """\
server:
  server-count: 1
  ip-address: {host}@{port}
  username: ""
  chroot: ""
  database: ""
  zonesdir: "{dir}"
  pidfile: "{dir}/pid"
  xfrdfile: ""
  zonelistfile: "{dir}/zone.list"
  xfrdir: "{dir}"
  rrl-ratelimit: 0
  rrl-whitelist-ratelimit: 0
  tcp-count: 200
  round-robin: {round_robin}
remote-control:
  control-enable: yes
  control-interface: "{dir}/ctl"
"""


class Nsd(Daemon):
    """An nsd. `zones` maps names to texts (see zone_text); foreign names are REFUSED. Rewriting a zone makes its serial rise.

    `keys`: {name: secret in base64} for TSIG (hmac-sha256). `transfer`: None, "NOKEY", or the name of a key that AXFR must carry.
    """

    def __init__(
        self,
        zones: t.Mapping[str, str],
        round_robin: bool = False,
        keys: t.Optional[t.Mapping[str, str]] = None,
        transfer: t.Optional[str] = None,
        address: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        super().__init__(address, port)
        self.round_robin, self.keys, self.transfer = round_robin, dict(keys or {}), transfer
        self.serials: t.Dict[str, int] = {}
        self._written = 0
        for name, text in zones.items():
            self._write(name.rstrip("."), text)
        self._configure()

    def set_zone(self, name: str, text: str) -> int:
        """Serve this text for the zone, which may be new; returns its serial when it is served."""
        name = name.rstrip(".")
        new = name not in self.serials
        self._write(name, text)
        if new:
            self._configure()
        if self.process is not None:
            self._control("reconfig" if new else f"reload {name}")
            # the process of before answers a little longer, beside the new one: many times in a row is what counts
            self._wait(lambda: all(self._served(name) == self.serials[name] for _time in range(_IN_A_ROW)))
        return self.serials[name]

    def remove_zone(self, name: str) -> None:
        """Be no server of the zone any more; returns when it is REFUSED."""
        del self.serials[name.rstrip(".")]
        self._configure()
        if self.process is not None:
            self._control("reconfig")
            self._wait(lambda: all(self._served(name) is None for _time in range(_IN_A_ROW)))

    def command(self) -> t.List[str]:
        return [program("nsd"), "-d", "-c", str(self.dir / "nsd.conf")]

    def answers(self) -> bool:
        if not all(self._served(name) == serial for name, serial in self.serials.items()):
            return False
        return bool(self.serials) or bool(_ask(self.host, self.port, ".", "SOA"))

    def _write(self, name: str, text: str) -> None:
        """Into the zone's file, with a serial above the one before and a time that nsd takes for new."""
        before = self.serials.get(name, 0)
        text = zone_text(name, text, before + 1)
        place = self._file(name)
        place.write_text(text, encoding="utf-8")
        self._written += 1
        when = place.stat().st_mtime + self._written
        os.utime(place, (when, when))
        self.serials[name] = serial_of(text)

    def _file(self, name: str) -> Path:
        return self.dir / f"{name or 'root'}.zone"

    def _configure(self) -> None:
        parts = [_NSD.format(host=self.host, port=self.port, dir=self.dir, round_robin="yes" if self.round_robin else "no")]
        parts += [f'key:\n  name: "{name}"\n  algorithm: hmac-sha256\n  secret: "{secret}"\n' for name, secret in self.keys.items()]
        for name in self.serials:
            parts.append(f'zone:\n  name: "{name or "."}"\n  zonefile: "{self._file(name)}"\n')
            if self.transfer:
                parts.append(f"  provide-xfr: 127.0.0.0/8 {self.transfer}\n")
        (self.dir / "nsd.conf").write_text("".join(parts))

    def _control(self, words: str) -> None:
        run("nsd-control", "-c", self.dir / "nsd.conf", *words.split())

    def _served(self, name: str) -> t.Optional[int]:
        """The serial that is served, None when it is no zone of this server."""
        answer = _ask(self.host, self.port, name, "SOA")
        return answer.answer[0][0].serial if answer is not None and answer.answer else None

    def _wait(self, done: t.Callable[[], bool]) -> None:
        self.wait_for(done, "nsd does not serve what it was told")


_UNBOUND = """\
server:
  directory: "{dir}"
  chroot: ""
  username: ""
  pidfile: "{dir}/pid"
  use-syslog: no
  do-daemonize: no
  num-threads: 1
  interface: {host}@{port}
  access-control: 127.0.0.0/8 allow
  do-not-query-localhost: no
  do-ip6: no
  root-hints: "/dev/null"
  module-config: "{modules}"
  val-log-level: 2
  ede: yes
  aggressive-nsec: no
  infra-keep-probing: yes
  outbound-msg-retry: 1
  outgoing-range: 4096
  num-queries-per-thread: 2048
  so-rcvbuf: 0
  local-zone: "." refuse
"""
_UNBOUND_TLS = """\
  interface: {host}@{tls_port}
  interface: {host}@{https_port}
  tls-port: {tls_port}
  https-port: {https_port}
  http-endpoint: "/dns-query"
  tls-service-pem: "{certificate}"
  tls-service-key: "{key}"
"""


class Unbound(Daemon):
    """A recursive resolver. `stubs` maps zones to their servers (Nsd, or anything with host and port); all other names are REFUSED.

    `forward`: treat them as resolvers to forward to. `anchor`: a DS or DNSKEY record; with it, answers are validated. `cache`: False
    asks the servers every time. With `certificates` it serves DoT (`tls`) and DoH over HTTP/2 (`https`) too.
    """

    def __init__(
        self,
        stubs: t.Mapping[str, t.Any],
        anchor: t.Optional[str] = None,
        forward: bool = False,
        cache: bool = True,
        certificates: t.Optional[Certificates] = None,
        extra: str = "",
        address: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        super().__init__(address, port)
        self.tls_port = self.https_port = 0
        parts = [_UNBOUND.format(host=self.host, port=self.port, dir=self.dir, modules="validator iterator" if anchor else "iterator")]
        if certificates:
            self.tls_port, self.https_port = free_port(address), free_port(address)
            ports = {"host": self.host, "tls_port": self.tls_port, "https_port": self.https_port}
            parts.append(_UNBOUND_TLS.format(**ports, certificate=certificates[1], key=certificates[2]))
        if anchor:
            parts.append(f'  trust-anchor: "{anchor}"\n')
        parts += [f'  local-zone: "{name}" transparent\n' for name in stubs]
        parts.append(extra)
        kind = "forward" if forward else "stub"
        for name, server in stubs.items():
            parts.append(f'{kind}-zone:\n  name: "{name}"\n  {kind}-addr: {server.host}@{server.port}\n')
            parts.append("" if cache else f"  {kind}-no-cache: yes\n")
        (self.dir / "unbound.conf").write_text("".join(parts))

    @property
    def tls(self) -> str:
        """DoT, as a playbook would write it; the certificate is for localhost and 127.0.0.1."""
        return f"tls://{self.host}:{self.tls_port}#localhost"

    @property
    def https(self) -> str:
        """DoH, HTTP/2 only."""
        return f"https://{self.host}:{self.https_port}/dns-query"

    def flush(self) -> None:
        """Forget every answer and every opinion of a server."""
        self.restart()

    def command(self) -> t.List[str]:
        return [program("unbound"), "-d", "-c", str(self.dir / "unbound.conf")]

    def answers(self) -> bool:
        return _ask(self.host, self.port, "not-here.invalid", "A") is not None


def _ask(host: str, port: int, name: str, kind: str) -> t.Optional[dns.message.Message]:
    """One query over UDP; None when nobody listens (told at once, as the socket is connected) or there is no answer within a second."""
    query = dns.message.make_query(f"{name.rstrip('.')}.", kind)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with contextlib.suppress(OSError, dns.exception.DNSException), socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.settimeout(1)
        sock.connect((host, port))
        sock.send(query.to_wire())
        return dns.message.from_wire(sock.recv(65535))
    return None
