# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A hub hears the heartbeats of other watchers, and tells when one is missing and when it is back.

A heartbeat is a POST of JSON ``{"name", "every", "healthy"}`` to /heartbeat with ``Authorization: Bearer TOKEN``; anything that can send that is heard.
"""

from __future__ import annotations

import hmac
import http.server
import json
import socket
import threading
import time
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.event import new_event
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import notify
from ansible_collections.vigil.ops.plugins.module_utils._engine.state import marks
from vigil_watch.desk import Desk
from vigil_watch.model import HEARTBEAT_EVERY
from vigil_watch.room import Room
from vigil_watch.schedule import Job

_LOOK = 1.0
_SPACE = "heartbeats"
_LONGEST_BODY = 4096
_MOST_NODES = 10000
_GRACE = 3.0  # seconds besides two intervals
_SHORTEST, _LONGEST = 1.0, 86400.0
Node = t.Dict[str, t.Any]


class HubRoom(Room):
    """Hears in threads; looks, keeps and tells in its own."""

    name = "hub"

    def prepare(self) -> None:
        self._desk = Desk(self.config)
        self._lock = threading.Lock()
        self._began = time.monotonic()
        with self._desk.store.view() as unit:
            known = marks.get(unit, _SPACE, "nodes", {})
        # a node that was there before the hub slept gets its whole time again
        self._nodes: t.Dict[str, Node] = {
            str(name): {**node, "seen": self._began} for name, node in known.items() if isinstance(node, dict)
        }
        self._dirty = False
        host, _colon, port = self.config.hub_listen.rpartition(":")
        server = _server(host.strip("[]"), int(port), self)
        threading.Thread(target=server.serve_forever, daemon=True, name="vigil-hub").start()

    def jobs(self) -> t.List[Job]:
        return [Job("heartbeats", _LOOK, None, "P0")]

    def hear(self, name: str, every: float, healthy: bool) -> bool:
        """One heartbeat; False where there are too many nodes."""
        with self._lock:
            node = self._nodes.get(name)
            if node is None and len(self._nodes) >= _MOST_NODES:
                return False
            if node is None or node["every"] != every:
                self._dirty = True
            self._nodes[name] = {
                **(node or {"missing": False}),
                "every": every,
                "seen": time.monotonic(),
                "at": time.time(),
                "healthy": healthy,
            }
        return True

    def work(self, jobs: t.List[Job]) -> None:
        now, events = time.monotonic(), []
        with self._lock:
            for name, node in list(self._nodes.items()):
                silent = now - node["seen"]
                if silent > self.config.hub_forget:
                    del self._nodes[name]
                    self._dirty = True
                    events.append(self._event(name, "resolved", "nothing was heard of it for so long that it is forgotten"))
                elif not node["missing"] and silent > 2 * node["every"] + _GRACE:
                    node["missing"] = self._dirty = True
                    events.append(
                        self._event(name, "firing", f"no heartbeat for {silent:.0f} s; one is expected every {node['every']:g} s")
                    )
                elif node["missing"] and silent <= 2 * node["every"]:
                    node["missing"], self._dirty = False, True
                    events.append(self._event(name, "resolved", "its heartbeats are there again"))
            kept = {name: {key: node.get(key) for key in ("every", "at", "missing", "healthy")} for name, node in self._nodes.items()}
            dirty, self._dirty = self._dirty, False
        if dirty:
            with self._desk.store.unit() as unit:
                marks.put(unit, _SPACE, "nodes", kept)
        if events:
            told = self._desk.tell(notify.Batch(events=events, source=f"hub:{self.config.name}"))
            self.log.warning("; ".join(f"{one['instance']}: {one['message']}" for one in events[:5]))
            self.say(told=told)

    def _event(self, name: str, status: str, message: str) -> t.Any:
        return new_event(self.config.service, name, "heartbeat", time.time(), status=status, severity="critical", message=message)


def _server(host: str, port: int, room: HubRoom) -> http.server.ThreadingHTTPServer:
    class Handler(http.server.BaseHTTPRequestHandler):
        timeout = 5
        server_version, sys_version = "vigil", ""

        def do_POST(self) -> None:
            given = self.headers.get("Authorization", "")
            if self.path != "/heartbeat":
                self._answer(404)
            elif not hmac.compare_digest(given.encode("utf-8", "replace"), f"Bearer {room.config.hub_token}".encode()):
                self._answer(401)
            else:
                self._answer(self._heard())

        def _heard(self) -> int:
            try:
                size = int(self.headers.get("Content-Length", "0"))
                if not 0 < size <= _LONGEST_BODY:
                    return 413
                body = json.loads(self.rfile.read(size))
                name, every = body["name"], float(body.get("every") or HEARTBEAT_EVERY)
                if (
                    not isinstance(name, str)
                    or not name.strip()
                    or len(name) > 200
                    or not name.isprintable()
                    or not _SHORTEST <= every <= _LONGEST
                ):
                    return 400
            except (ValueError, TypeError, KeyError, AttributeError, OSError):
                return 400
            return 204 if room.hear(name, every, bool(body.get("healthy", True))) else 507

        def _answer(self, code: int) -> None:
            self.send_response(code)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def address_string(self) -> str:
            return str(self.client_address[0])

        def log_message(self, format: str, *args: t.Any) -> None:
            room.log.debug(format % args)

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

    return Server((host, port), Handler)
