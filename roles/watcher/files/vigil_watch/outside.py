# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What others see of the watcher: /metrics and /healthz, a textfile for node_exporter, and a heartbeat."""

from __future__ import annotations

import http.server
import json
import os
import socket
import socketserver
import threading
import time
import typing as t
import urllib.parse

from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.channel import Channel, Request
from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.transport import Transport
from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.url import parse
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._faults import NetError
from ansible_collections.vigil.ops.plugins.module_utils._engine.state import outbox
from vigil_watch.desk import Desk
from vigil_watch.room import Room
from vigil_watch.schedule import Job
from vigil_watch.status import healthy, read_status

_TEXTFILE_EVERY = 15.0


class OutsideRoom(Room):
    """Answers on loopback or a unix socket, writes the textfile, sends the heartbeat."""

    name = "outside"

    def prepare(self) -> None:
        self._desk = Desk(self.config)
        if self.config.listen:
            server = _server(self.config.listen, self)
            threading.Thread(target=server.serve_forever, daemon=True, name="vigil-metrics").start()

    def jobs(self) -> t.List[Job]:
        jobs = []
        if self.config.textfile:
            jobs.append(Job("textfile", _TEXTFILE_EVERY, self._write))
        if self.config.heartbeat_url:
            jobs.append(Job("heartbeat", self.config.heartbeat_every, self._beat, "P0"))
        return jobs

    def work(self, jobs: t.List[Job]) -> None:
        for job in jobs:
            job.work()

    def metrics(self) -> str:
        """Prometheus' text format (https://prometheus.io/docs/instrumenting/exposition_formats/)."""
        status = read_status() or {}
        rooms = status.get("rooms", {})
        lines = [*_gauge("vigil_up", "Whether all parts of the watcher work.", [({}, float(healthy(status) == ""))])]
        lines += _gauge("vigil_room_restarts_total", "How often a part was begun anew.",
                        [({"room": name}, float(one["restarts"])) for name, one in rooms.items()], "counter")  # fmt: skip
        lines += _gauge("vigil_told_total", "Events that were kept to be told.", [({}, float(status.get("told", 0)))], "counter")
        counts = rooms.get("health", {}).get("summary") or {}
        lines += _gauge(
            "vigil_checks",
            "Checks by status, each as it was seen last.",
            [({"status": key}, float(value)) for key, value in counts.items()],
        )
        with self._desk.store.view() as unit:
            pending = outbox.pending(unit)
        lines += _gauge("vigil_outbox_queued", "Messages that wait.", [({"channel": key}, float(value)) for key, value in pending.items()])
        return "\n".join(lines) + "\n"

    def _write(self) -> None:
        path = self.config.textfile
        with open(path + ".new", "w", encoding="utf-8") as out:
            out.write(self.metrics())
        os.chmod(path + ".new", 0o644)
        os.replace(path + ".new", path)

    def _beat(self) -> None:
        channel: Channel = parse(self.config.heartbeat_url)
        transport = Transport(channel)
        body = {"name": self.config.name, "service": self.config.service, "time": time.time(), "every": self.config.heartbeat_every,
                "healthy": healthy(read_status() or {}) == ""}  # fmt: skip
        headers = {"content-type": "application/json"}
        if self.config.heartbeat_token:
            headers["authorization"] = f"Bearer {self.config.heartbeat_token}"
        try:
            reply = transport.send(Request(json.dumps(body).encode(), headers), 10.0)
            if reply.status >= 300:
                self.log.warning(f"the heartbeat was answered with {reply.status}")
        except NetError as exc:
            self.log.warning(f"the heartbeat could not be sent: {channel.hide(exc.sentence)}")
        finally:
            transport.close()


def _gauge(name: str, about: str, values: t.Sequence[t.Tuple[t.Dict[str, str], float]], kind: str = "gauge") -> t.List[str]:
    def line(labels: t.Dict[str, str], value: float) -> str:
        inner = ",".join(
            '{}="{}"'.format(key, text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")) for key, text in labels.items()
        )
        return f"{name}{{{inner}}} {value:g}" if inner else f"{name} {value:g}"

    return [f"# HELP {name} {about}", f"# TYPE {name} {kind}", *(line(labels, value) for labels, value in values)] if values else []


def _server(listen: str, room: OutsideRoom) -> socketserver.BaseServer:
    class Handler(http.server.BaseHTTPRequestHandler):
        timeout = 5
        server_version, sys_version = "vigil", ""

        def do_GET(self) -> None:
            path = urllib.parse.urlsplit(self.path).path
            if path == "/metrics":
                self._answer(200, room.metrics(), "text/plain; version=0.0.4; charset=utf-8")
            elif path == "/healthz":
                why = healthy(read_status() or {})
                self._answer(503 if why else 200, (why or "ok") + "\n")
            else:
                self._answer(404, "There is /metrics and /healthz.\n")

        def _answer(self, code: int, text: str, kind: str = "text/plain; charset=utf-8") -> None:
            data = text.encode("utf-8")
            self.send_response(code)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def address_string(self) -> str:
            return "local"

        def log_message(self, format: str, *args: t.Any) -> None:
            room.log.debug(format % args)

    if listen.startswith("unix:"):
        path = listen[5:]
        try:
            os.unlink(path)
        except FileNotFoundError:
            pass

        class Unix(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
            daemon_threads = True

        return Unix(path, Handler)
    host, _colon, port = listen.rpartition(":")
    host = host.strip("[]")

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

    return Server((host, int(port)), Handler)
