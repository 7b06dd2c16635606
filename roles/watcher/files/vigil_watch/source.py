# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Watches that lie elsewhere: at a URL (asked with If-None-Match, RFC 9110 13.1.2), or below a prefix of Consul's KV store.

The last good copy lies on the disk, for root alone, and is what is used; so it is no matter when the source is away, or what it holds cannot be used.
Where a key is given they are signed (see signing.py).
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
import ssl
import time
import typing as t
import urllib.error
import urllib.parse
import urllib.request

from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.event import new_event
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import notify
from vigil_watch.config import load
from vigil_watch.desk import Desk
from vigil_watch.model import KNOWN, Source
from vigil_watch.reading import ConfigError, open_document
from vigil_watch.room import Room
from vigil_watch.schedule import Job
from vigil_watch.signing import Refused, verified

_MOST = 4 << 20
_TIMEOUT = 20.0


class Away(Exception):
    """The source does not answer as it should; one sentence."""


class Found(t.NamedTuple):
    """What a source holds: texts by names, and how it can be asked whether it changed."""

    texts: t.Dict[str, bytes]
    etag: str


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Where to ask is said in the configuration and nowhere else."""

    def redirect_request(self, *unused: t.Any) -> None:
        return None


def fetch(source: Source, etag: str) -> t.Optional[Found]:
    """What the source holds; None where nothing changed.

    :raises Away: one sentence
    """
    url, headers = source.url, {"User-Agent": "vigil"}
    if source.consul:
        url = f"{source.url.rstrip('/')}/v1/kv/{urllib.parse.quote(source.prefix.strip('/'))}/?recurse=true"
        if source.token:
            headers["X-Consul-Token"] = source.token
    else:
        if source.token:
            headers["Authorization"] = f"Bearer {source.token}"
        if etag:
            headers["If-None-Match"] = etag
    context = ssl.create_default_context(cafile=source.ca or None) if url.startswith("https:") else None
    opener = urllib.request.build_opener(_NoRedirect(), *([urllib.request.HTTPSHandler(context=context)] if context else []))
    try:
        with opener.open(urllib.request.Request(url, headers=headers), timeout=_TIMEOUT) as answer:
            data = answer.read(_MOST + 1)
            tag = answer.headers.get("ETag", "")
    except urllib.error.HTTPError as exc:
        if exc.code == 304 and etag:
            return None
        raise Away(f"{source.shown} answered {exc.code}") from None
    except (OSError, ValueError) as exc:
        reason = getattr(exc, "reason", exc)
        raise Away(f"{source.shown} does not answer: {getattr(reason, 'strerror', None) or reason}") from None
    if len(data) > _MOST:
        raise Away(f"{source.shown} sends more than {_MOST >> 20} MiB")
    return Found(_values(source, data), tag) if source.consul else Found({"": data}, tag)


def _values(source: Source, data: bytes) -> t.Dict[str, bytes]:
    """Source: https://developer.hashicorp.com/consul/api-docs/kv#read-key (with ``recurse``: a list of Key and Value, base64)."""
    start = source.prefix.strip("/") + "/"
    try:
        entries = [(str(one["Key"]), one["Value"]) for one in json.loads(data)]
        return {
            key[len(start) :]: base64.b64decode(value or "") for key, value in entries if key.startswith(start) and not key.endswith("/")
        }
    except (ValueError, TypeError, KeyError):
        raise Away(f"{source.shown} does not answer as Consul does") from None


def _file_of(name: str) -> str:
    """The name of the file in which a text is kept."""
    plain = re.sub(r"[^A-Za-z0-9_-]+", "-", re.sub(r"\.ya?ml$", "", name)).strip("-") or "watches"
    return f"{plain}-{hashlib.sha256(name.encode()).hexdigest()[:8]}.yml" if name else "watches.yml"


class Copy:
    """The last good copy on the disk."""

    def __init__(self, source: Source, main: str) -> None:
        self.source, self._main = source, main

    def known(self) -> t.Dict[str, t.Any]:
        """``source``, ``etag``, ``digest`` and ``serials`` of what is there; empty where nothing is."""
        try:
            with open(os.path.join(self.source.folder(), KNOWN), encoding="utf-8") as file:
                found = json.load(file)
            return found if found.get("source") == self.source.shown else {}
        except (OSError, ValueError, AttributeError):
            return {}

    def take(self, found: Found, known: t.Mapping[str, t.Any]) -> bool:
        """Put something new in its place; False where it is what is there already.

        :raises Refused: one sentence; what is there stays
        """
        source = self.source
        digest = hashlib.sha256(repr(sorted(found.texts.items())).encode()).hexdigest()
        if digest == known.get("digest"):
            return False
        texts = {name: verified(source.key, name, data) if source.key else data for name, data in found.texts.items()}
        new, serials = source.keep + ".new", {}
        shutil.rmtree(new, ignore_errors=True)
        os.makedirs(new, 0o700)
        for name, text in texts.items():
            _write(os.path.join(new, _file_of(name)), text)
        try:
            for name in texts:
                serials[name] = self._serial(os.path.join(new, _file_of(name)), dict(known.get("serials") or {}).get(name))
            load(self._main, source_copy=new)
        except ConfigError as exc:
            shutil.rmtree(new, ignore_errors=True)
            raise Refused(self._named(str(exc), new, texts)) from None
        body = {"source": source.shown, "etag": found.etag, "digest": digest, "serials": serials}
        _write(os.path.join(new, KNOWN), json.dumps(body).encode())
        old = source.keep + ".old"
        if os.path.isdir(source.keep):
            shutil.rmtree(old, ignore_errors=True)
            os.rename(source.keep, old)
        os.rename(new, source.keep)
        shutil.rmtree(old, ignore_errors=True)
        return True

    def _serial(self, path: str, before: t.Any) -> t.Any:
        serial = open_document(path).data.get("serial")
        if serial is not None and (not isinstance(serial, int) or isinstance(serial, bool)):
            raise ConfigError(f"{path}: serial: a number that grows is needed here")
        if before is not None and (serial is None or serial < before):
            raise ConfigError(f"{path}: serial: it is older than what is in use ({before}), so somebody may have sent it again")
        return serial

    def _named(self, sentence: str, folder: str, texts: t.Iterable[str]) -> str:
        """The error with the place where the text is from instead of that of the copy."""
        for name in texts:
            place = self.source.shown + (f"/{name}" if name else "")
            sentence = sentence.replace(os.path.join(folder, _file_of(name)), place)
        return sentence


def _write(path: str, data: bytes) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())


class SourceRoom(Room):
    """Asks, judges, keeps, and has the watcher read its configuration again."""

    name = "source"

    def prepare(self) -> None:
        self._desk = Desk(self.config)
        self._source = t.cast(Source, self.config.source)
        self._copy = Copy(self._source, self.config.path)
        self._refused = self._away = self._asked = ""

    def jobs(self) -> t.List[Job]:
        return [Job(f"source {self._source.shown}", self._source.every, None)]

    def work(self, jobs: t.List[Job]) -> None:
        known = self._copy.known()
        try:
            found = fetch(self._source, "" if self._refused else str(known.get("etag") or ""))
            if self._away:
                self.log.info(f"{self._source.shown} answers again")
            self._away = ""
            is_new = found is not None and self._copy.take(found, known)
        except Away as exc:
            if not self._away:
                self.log.warning(f"{exc}; the last good copy stays in use")
            self._away = str(exc)
            return
        except Refused as exc:
            if str(exc) != self._refused:
                self.log.error(f"the new configuration is not used: {exc}")
                self._tell("firing", f"the new configuration is not used: {exc}")
            self._refused = str(exc)
            return
        if self._refused or is_new:
            self._tell("resolved", "what is there is in use")
            self._refused = ""
        now = self._source.digest(self._source.folder())
        if now not in (self.config.source_digest, self._asked):  # taken just now, or by one who was killed before it could say so
            self._asked = now
            self.log.info(f"{self._source.shown} has changed and is used from now on")
            self.say(reload=True)

    def _tell(self, status: str, message: str) -> None:
        event = new_event(
            self.config.service, self.config.name, "configuration", time.time(), status=status, severity="error", message=message
        )
        told = self._desk.tell(notify.Batch(events=[event], source=f"source:{self.config.name}"))
        if told:
            self.say(told=told)
