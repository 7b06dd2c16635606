# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The configuration as it lies on a node: one main file, and a directory with a file for each who put something there.

Read here and nowhere else. Whatever is wrong is one sentence with file and line, and what would be right.
"""

from __future__ import annotations

import os
import socket
import stat
import typing as t
import urllib.parse

from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.policy import read_policy
from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.rules import Policy, PolicyError, check_channels
from ansible_collections.vigil.ops.plugins.module_utils._engine.channels import callees
from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.channel import Channel
from ansible_collections.vigil.ops.plugins.module_utils._engine.channels.url import parse_all
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.options import type_name
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.spec import SpecError
from ansible_collections.vigil.ops.plugins.module_utils._engine.dns.answer import LibraryMissing
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import backup as backup_flow
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import dns_diff as dns_flow
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import guard as guard_flow
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import log_scan as log_flow
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows.inspect import read_checks
from vigil_watch.model import DEFAULT, DNS_EVERY, GUARD_EVERY, HEARTBEAT_EVERY, LOGS_EVERY, Config, FileWatch, Guarded, Source, Watch
from vigil_watch.reading import (
    ConfigError,
    Reader,
    absolute,
    address,
    check_keys,
    duration,
    http_url,
    mapping,
    number,
    open_document,
    text,
    texts,
    token,
)
from vigil_watch.yaml_lines import Document, Place, YamlError, read_yaml

_MAIN = (
    "name",
    "service",
    "labels",
    "state_url",
    "channels",
    "channels_file",
    "alerts",
    "watch_dir",
    "gate",
    "metrics",
    "heartbeat",
    "hub",
    "source",
    "limits",
)
_WATCH = ("checks", "guards", "dns", "files", "logs")
_FETCHED = (*_WATCH, "serial")
_SOURCE = ("url", "consul", "prefix", "token", "key", "ca", "every", "keep")
# of a watch itself; the other keys are options of the modules
_OWN = ("name", "every")
_OWN_FILES = (*_OWN, "quiet", "max_delay")
DNS = ("names", "names_file", "types", "nameservers", "transport", "timeout", "retries", "concurrency", "deadline", "rate", "dnssec",
       "trust_anchors", "ca", "rotation", "tolerance", "confirm", "max_change_percent", "max_results")  # fmt: skip
LOGS = ("sources", "rules", "start", "multiline", "levels", "max_matches", "context", "mask", "strategy")
FILES = ("paths", "exclude", "include", "repository", "retention", "remote", "ignore_lines", "mask", "max_size", "one_file_system",
         "compression", "paranoid", "verify", "wait", "before", "after", "stdin_from")  # fmt: skip
_GATE = ("load_per_core", "cpu_pressure", "stretch")
_METRICS = ("listen", "textfile")
_HEARTBEAT = ("every", "url", "token")
_HUB = ("listen", "token", "forget_after")
_LIMITS = ("health", "guards", "dns", "files", "logs")


def load(path: str = DEFAULT, candidates: t.Optional[t.Mapping[str, str]] = None, source_copy: str = "") -> Config:
    """Read the main file, all files of its directory, and the copy of what lies elsewhere.

    :arg candidates: names in the directory -> files that are read in their place
    :arg source_copy: a directory that is read in the place of that copy
    :raises ConfigError: one sentence for the first thing that is wrong
    """
    main = open_document(path)
    config = Config(path=path)
    check_keys(main, (), main.data, _MAIN)
    _read_main(config, main)
    folder = str(main.data.get("watch_dir") or os.path.join(os.path.dirname(path), "watch.d"))
    instead = dict(candidates or {})
    documents = [open_document(instead.get(name) or os.path.join(folder, name)) for name in sorted({*_listed(folder), *instead})]
    for document in documents:
        check_keys(document, (), document.data, _WATCH)
    if config.source:
        copy = source_copy or config.source.folder()
        config.source_digest = config.source.digest(copy)
        fetched = [open_document(os.path.join(copy, name)) for name in _listed(copy)]
        for document in fetched:
            check_keys(document, (), document.data, _FETCHED)
        documents += fetched
    _read_checks(config, documents)
    _read_guards(config, documents)
    for document in documents:
        _read_watches(config, document)
        _read_files(config, document)
    return config


def _listed(folder: str) -> t.List[str]:
    try:
        return sorted(name for name in os.listdir(folder) if name.endswith((".yml", ".yaml")) and not name.startswith("."))
    except FileNotFoundError:
        return []
    except OSError as exc:
        raise ConfigError(f"{folder} cannot be read: {(exc.strerror or str(exc)).lower()}") from exc


def _read_main(config: Config, main: Document) -> None:
    read = Reader(main, (), main.data)
    config.name = read.get("name", "", text) or socket.gethostname()
    config.service = read.get("service", config.service, text)
    config.labels = read.get("labels", {}, texts)
    config.state_url = read.get("state_url", config.state_url, text)
    config.channels = _channels(main)
    config.alerts, config.policy = main.data.get("alerts"), _policy(main, config.channels)
    gate = Reader(main, ("gate",), mapping(main, ("gate",), main.data.get("gate") or {}, _GATE))
    config.load_per_core = gate.get("load_per_core", config.load_per_core, number)
    config.cpu_pressure = gate.get("cpu_pressure", config.cpu_pressure, number)
    config.stretch = gate.get("stretch", config.stretch, number)
    metrics = Reader(main, ("metrics",), mapping(main, ("metrics",), main.data.get("metrics") or {}, _METRICS))
    config.listen = metrics.get("listen", "", address)
    config.textfile = metrics.get("textfile", "", absolute)
    heartbeat = Reader(main, ("heartbeat",), mapping(main, ("heartbeat",), main.data.get("heartbeat") or {}, _HEARTBEAT))
    config.heartbeat_every = heartbeat.get("every", HEARTBEAT_EVERY, duration)
    config.heartbeat_url = heartbeat.get("url", "", http_url)
    config.heartbeat_token = heartbeat.get("token", "", text)
    hub = Reader(main, ("hub",), mapping(main, ("hub",), main.data.get("hub") or {}, _HUB))
    config.hub_listen = hub.get("listen", "", address)
    config.hub_token = hub.get("token", "", token)
    config.hub_forget = hub.get("forget_after", config.hub_forget, duration)
    if config.hub_listen and not config.hub_token:
        raise ConfigError(f"{main.where((), 'hub')}: a hub needs a token of 16 characters or more, which its nodes send")
    if main.data.get("source"):
        config.source = _source(main)
    limits = Reader(main, ("limits",), mapping(main, ("limits",), main.data.get("limits") or {}, _LIMITS))
    config.limits = {key: limits.get(key, usual, duration) for key, usual in config.limits.items()}


def _source(main: Document) -> Source:
    """What could be changed on its way is signed."""
    given = mapping(main, ("source",), main.data["source"], _SOURCE)
    read, where = Reader(main, ("source",), given), main.where((), "source")
    if bool(given.get("url")) == bool(given.get("consul")):
        raise ConfigError(f"{where}: source: give url, or consul (the URL of its agent) with prefix")
    source = Source(read.get("url", "", http_url) or read.get("consul", "", http_url), bool(given.get("consul")))
    source.prefix = read.get("prefix", "", text)
    source.token, source.key = read.get("token", "", text), read.get("key", "", token)
    source.ca, source.keep = read.get("ca", "", absolute), read.get("keep", source.keep, absolute)
    source.every = read.get("every", source.every, duration)
    if source.consul and not source.prefix.strip("/"):
        raise ConfigError(f"{where}: source: consul needs a prefix, such as vigil/web1")
    host = urllib.parse.urlsplit(source.url).hostname or ""
    if source.url.startswith("http:") and not source.key and host not in ("127.0.0.1", "::1", "localhost"):
        raise ConfigError(f"{where}: source: anybody on the way could change it; use https, or give a key with which it is signed")
    return source


def _channels(main: Document) -> t.List[Channel]:
    """Those of the main file, and of ``channels_file``, one a line or as a YAML list."""
    given = main.data.get("channels") or []
    if not isinstance(given, list):
        raise ConfigError(f"{main.where((), 'channels')}: channels: a list is needed here, not {type_name(given)}")
    path = main.data.get("channels_file")
    if path:
        given = [*given, *_channels_of(str(path))]
    channels, errors = parse_all(given)
    if errors:
        raise ConfigError(f"{path or main.where((), 'channels')}: {errors[0]}")
    return channels


def _policy(main: Document, channels: t.Sequence[Channel]) -> t.Optional[Policy]:
    """``vigil_alerts`` of playbooks, here ``alerts``."""
    given = main.data.get("alerts")
    if not given:
        return None
    try:
        policy = read_policy(given)
        check_channels(policy, {channel.name for channel in channels if channel.name})
        callees.check(policy, channels)
    except PolicyError as exc:
        raise ConfigError(f"{main.where((), 'alerts')}: alerts: {exc}") from exc
    return policy


def _channels_of(path: str) -> t.List[t.Any]:
    try:
        with open(path, "rb") as source:
            mode = os.fstat(source.fileno()).st_mode
            given = source.read(1 << 20).decode("utf-8-sig")
    except (OSError, UnicodeError) as exc:
        raise ConfigError(f"{path} cannot be read: {(getattr(exc, 'strerror', None) or 'it is not UTF-8 text').lower()}") from exc
    if stat.S_IMODE(mode) & 0o044:
        raise ConfigError(f"{path} holds secrets and may be read by others; run chmod 600 {path}")
    lines = [line.strip() for line in given.splitlines() if line.strip() and not line.strip().startswith("#")]
    if not lines or not lines[0].startswith(("- ", "-\n", "[")):
        return list(lines)
    try:
        found = read_yaml(path).data
    except YamlError:
        raise ConfigError(f"{path} is no valid YAML; give one channel a line") from None
    return found if isinstance(found, list) else [found]


def _read_checks(config: Config, documents: t.Sequence[Document]) -> None:
    """All files together make one list, so that checks of one may depend on those of another."""
    items: t.List[t.Any] = []
    for document in documents:
        for index, item in enumerate(_list_of(document, "checks")):
            try:
                alone = dict(item, depends_on=None) if isinstance(item, dict) else item
                read_checks([alone])
            except SpecError as exc:
                raise ConfigError(f"{document.where(('checks', index))}: {exc}") from exc
            items.append(item)
            config.sources.setdefault(f"check:{item['name']}", document.path)
    try:
        config.checks = read_checks(items)
    except SpecError as exc:
        name = next((name for name in config.sources if f'"{name[6:]}"' in str(exc)), "")
        raise ConfigError(f"{config.sources.get(name, documents[0].path if documents else config.path)}: {exc}") from exc


def _list_of(document: Document, key: str) -> t.List[t.Any]:
    value = document.data.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise ConfigError(f"{document.where((), key)}: {key}: a list is needed here, not {type_name(value)}")
    return value


def _read_guards(config: Config, documents: t.Sequence[Document]) -> None:
    items, every = [], {}
    for document in documents:
        for index, item in enumerate(_list_of(document, "guards")):
            place = ("guards", index)
            if not isinstance(item, dict) or not isinstance(item.get("service"), str):
                raise ConfigError(f"{document.where(place)}: a guard is a mapping with a service, such as {{service: nginx}}")
            seconds = Reader(document, place, item).get("interval", GUARD_EVERY, duration)
            given = dict(item, interval=None)
            try:
                found = guard_flow.read({"guards": [dict(given, depends_on=[])]})
            except guard_flow.Refusal as exc:
                raise ConfigError(f"{document.where(place)}: {exc}") from exc
            every[found[0].unit] = seconds
            items.append({key: value for key, value in given.items() if value is not None})
    if items:
        try:
            guards = guard_flow.read({"guards": items})
        except guard_flow.Refusal as exc:
            raise ConfigError(f"{documents[0].path}: {exc}") from exc
        config.guards = [Guarded(guard, every[guard.unit]) for guard in guards]


def _named(config: Config, document: Document, key: str, keys: t.Sequence[str]) -> t.Iterator[t.Tuple[Place, t.Mapping[str, t.Any]]]:
    """The watches of one kind, with where they stand; each name is there once."""
    for index, item in enumerate(_list_of(document, key)):
        place = (key, index)
        where = document.where(place)
        if not isinstance(item, dict) or not isinstance(item.get("name"), str) or not item["name"].strip():
            raise ConfigError(f"{where}: a watch of {key} is a mapping with a name")
        check_keys(document, place, item, keys)
        other = config.sources.setdefault(f"{key}:{_plain_name(item['name'])}", where)
        if other != where:
            raise ConfigError(f'{where}: the name "{item["name"]}" is taken by {other}; give one of them another name')
        yield place, item


def _read_watches(config: Config, document: Document) -> None:
    """DNS and logs."""
    for key, names, usual, found in (("dns", DNS, DNS_EVERY, config.dns), ("logs", LOGS, LOGS_EVERY, config.logs)):
        for place, given in _named(config, document, key, (*_OWN, *names)):
            every = Reader(document, place, given).get("every", usual, duration)
            options = {name: value for name, value in given.items() if name not in _OWN}
            options["view"] = str(given["name"])
            try:
                if key == "dns":
                    options["against"] = "previous"
                    dns_flow.read(options)
                else:
                    log_flow.read(options)
            except (dns_flow.Refusal, log_flow.Refusal, LibraryMissing) as exc:
                raise ConfigError(f"{document.where(place)}: {exc}") from exc
            found.append(Watch(str(given["name"]), every, options))


def _read_files(config: Config, document: Document) -> None:
    for place, given in _named(config, document, "files", (*_OWN_FILES, *FILES)):
        options = {name: value for name, value in given.items() if name not in _OWN_FILES}
        options["name"] = _plain_name(given["name"])
        if not given.get("repository"):
            raise ConfigError(f"{document.where(place)}: repository is missing; write for example repository: /var/backups/vigil")
        try:
            backup_flow.read_job(options, config.name)
        except (ValueError, TypeError) as exc:
            raise ConfigError(f"{document.where(place)}: {exc}") from exc
        read = Reader(document, place, given)
        watch = FileWatch(str(given["name"]), options)
        watch.quiet = read.get("quiet", watch.quiet, duration)
        watch.max_delay = max(read.get("max_delay", watch.max_delay, duration), watch.quiet)
        watch.every = read.get("every", watch.every, duration)
        config.files.append(watch)


def _plain_name(name: str) -> str:
    """The name of a watch as that of a job in a repository."""
    return "".join(char if (char.isalnum() and char.isascii()) or char in "._-" else "-" for char in name).lstrip("._-")[:100] or "watch"
