# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is probed and who else probes it: an nginx with very many ports, blackbox_exporter, and servers that are as good as dead."""

from __future__ import annotations

import os
import random
import socket
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

from dns_process import Daemon, DnsLabError, program

CERTIFICATE_DAYS = 90
_MODULES = """modules:
  http_2xx: {prober: http, timeout: 5s, http: {preferred_ip_protocol: ip4}}
  tcp_connect: {prober: tcp, timeout: 5s, tcp: {preferred_ip_protocol: ip4}}
"""


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
        return True
    except OSError:
        return False


def free_range(count: int) -> int:
    """The first of so many free ports in a row, below those that the kernel hands out."""
    for _attempt in range(200):
        first = random.randrange(10000, 32000 - count)
        held: list[socket.socket] = []
        try:
            for port in range(first, first + count):
                held.append(socket.create_server(("127.0.0.1", port)))
            return first
        except OSError:
            continue
        finally:
            for one in held:
                one.close()
    raise DnsLabError(f"no {count} free ports in a row")


class Nginx(Daemon):
    """Answers 15 bytes of JSON on ``count`` ports from ``port`` on, by TLS on ``secure`` more behind them."""

    def __init__(self, count: int, secure: int) -> None:
        super().__init__("127.0.0.1", free_range(count + secure))
        self.count, self.secure = count, self.port + count
        name = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", str(CERTIFICATE_DAYS)]
        key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", str(self.dir / "key")]
        made = subprocess.run(
            [program("openssl"), "req", "-x509", *key, *name, "-out", str(self.certificate)], capture_output=True, text=True, check=False
        )
        if made.returncode:
            raise DnsLabError(f"openssl made no certificate: {made.stderr[-800:]}")
        (self.dir / "nginx.conf").write_text(self._configuration(secure))

    @property
    def certificate(self) -> Path:
        return self.dir / "certificate"

    def _configuration(self, secure: int) -> str:
        plain = " ".join(f"listen 127.0.0.1:{self.port + number};" for number in range(self.count))
        tls = " ".join(f"listen 127.0.0.1:{self.secure + number} ssl;" for number in range(secure))
        places = " ".join(f"{kind}_temp_path {self.dir}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        answer = """location / { default_type application/json; return 200 '{"status":"up"}'; }"""
        secured = f"server {{ {tls} ssl_certificate {self.certificate}; ssl_certificate_key {self.dir}/key; {answer} }}" if secure else ""
        return f"""daemon off; worker_processes 1; worker_rlimit_nofile 16384; pid {self.dir}/pid; error_log {self.dir}/log;
events {{ worker_connections 12000; multi_accept on; }}
http {{ access_log off; {places} server {{ {plain} {answer} }} {secured} }}
"""

    def command(self) -> list[str]:
        return [program("nginx"), "-p", str(self.dir), "-c", str(self.dir / "nginx.conf"), "-e", str(self.dir / "log")]

    def answers(self) -> bool:
        return _listens(self.port)


class Blackbox(Daemon):
    """blackbox_exporter with one module for HTTP and one for TCP."""

    def __init__(self) -> None:
        super().__init__("127.0.0.1", 0)
        (self.dir / "blackbox.yml").write_text(_MODULES)

    def command(self) -> list[str]:
        listen = f"--web.listen-address={self.address}"
        return [program("prometheus-blackbox-exporter"), f"--config.file={self.dir}/blackbox.yml", listen, "--log.level=error"]

    def answers(self) -> bool:
        return _listens(self.port)

    def cpu(self) -> float:
        """Seconds of CPU that it has used."""
        if self.process is None:
            return 0.0
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def sees(self, module: str, target: str) -> bool:
        """Whether it can do what it is measured at."""
        try:
            with urllib.request.urlopen(f"http://{self.address}/probe?module={module}&target={target}", timeout=10) as answer:
                return b"\nprobe_success 1" in answer.read()
        except (OSError, urllib.error.URLError):
            return False


class Dead:
    """``hole``: a port that never answers a connection, as its queue is full; ``silent``: one that takes connections and says nothing."""

    def __init__(self) -> None:
        self._all = [socket.create_server(("127.0.0.1", 0), backlog=size) for size in (0, 4096)]
        self.hole, self.silent = (one.getsockname()[1] for one in self._all)
        for _number in range(4):
            client = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", self.hole))
            self._all.append(client)

    def close(self) -> None:
        for one in self._all:
            one.close()
