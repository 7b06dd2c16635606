# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The resources of goss, one by one, as probes with what must hold.

Source: https://github.com/goss-org/goss/blob/master/docs/gossfile.md#available-tests
"""

from __future__ import annotations

import base64
import ipaddress
import re
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.goss_matchers import Expectation, lines_of, value_of
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.goss_regex import NoEquivalent

_TYPES = {
    "file": "file", "directory": "directory", "socket": "socket", "pipe": "fifo", "character-device": "character device",
    "block-device": "block device",
}  # fmt: skip
_RECORDS = ("A", "AAAA", "CAA", "CNAME", "MX", "NS", "PTR", "SRV", "SSHFP", "TXT")
_HEADER = re.compile(r"(!?)([A-Za-z0-9-]+):\s*(.+)")

Attributes = t.Dict[str, t.Any]


class Made:
    """One resource on its way: the probe with its options, what must hold, and what was left out."""

    def __init__(self, probe: str, **options: t.Any) -> None:
        self.probe = probe
        self.options = {name: value for name, value in options.items() if value not in (None, "")}
        self.expect: list[Expectation] = []
        self.left: list[str] = []
        self.more: list[Made] = []

    def want(self, attributes: Attributes, name: str, path: str, lines: bool = False) -> None:
        """Turn an attribute into what must hold for a path; one that is not there, or an empty list, says nothing."""
        wanted = attributes.get(name)
        if wanted is None or wanted == []:
            return
        try:
            self.expect += lines_of(path, wanted) if lines else value_of(path, wanted)
        except (NoEquivalent, TypeError, ValueError, AttributeError) as exc:
            self.left.append(f"{name}: {exc}")


def _time(attributes: Attributes) -> str | None:
    """goss counts in milliseconds."""
    wanted = attributes.get("timeout")
    return f"{wanted}ms" if isinstance(wanted, int) and wanted > 0 else None


def _exists(attributes: Attributes, made: Made, *wanted: tuple[str, str], key: str = "exists", path: str = "exists") -> Made:
    """Attributes of something that may not be there; then nothing else of it counts."""
    made.want(attributes, key, path)
    if attributes.get(key) is not False:
        for name, observed in wanted:
            made.want(attributes, name, observed)
    return made


def _addr(key: str, given: Attributes) -> Made:
    address = str(given.get("address") or key)
    match = re.fullmatch(r"tcp[46]?://(.+):([0-9]+)", address)
    if not match:
        raise NoEquivalent(f"{address} is no tcp://host:port")
    made = Made("tcp", host=match.group(1).strip("[]"), port=int(match.group(2)), timeout=_time(given))
    made.want(given, "reachable", "connected")
    return made


def _command(key: str, given: Attributes) -> Made:
    line = given.get("exec", key)
    made = Made("command", argv=["sh", "-c", str(line).lower() if isinstance(line, bool) else str(line)], timeout=_time(given))
    made.want(given, "exit-status", "rc")
    made.want(given, "stdout", "stdout", lines=True)
    made.want(given, "stderr", "stderr", lines=True)
    return made


def _dns(key: str, given: Attributes) -> Made:
    name = str(given.get("resolve") or key)
    kind, colon, rest = name.partition(":")
    record = kind.upper() if colon and kind.upper() in _RECORDS else None
    name = rest if record else name
    if record == "PTR" and re.fullmatch(r"[0-9.]+|[0-9a-fA-F:]*:[0-9a-fA-F:]*", name):
        name = ipaddress.ip_address(name).reverse_pointer
    servers = [str(given["server"])] if given.get("server") else None
    if given.get("resolvable", given.get("resolveable")) is False:
        made = Made("dns", name=name, type=record, nameservers=servers, timeout=_time(given))
        made.expect.append(("status", "!= noerror"))
        return made
    if given.get("resolvable", given.get("resolveable", True)) is not True:
        raise NoEquivalent("resolvable must be true or false")
    kinds = {record: given.get("addrs")} if record else _families(given.get("addrs"))
    made_all = []
    for one, wanted in kinds.items():
        if wanted or wanted is None or len(kinds) == 1:
            made = Made("dns", name=name, type=one, nameservers=servers, timeout=_time(given))
            made.expect.append(("status", "noerror"))
            made.want({"addrs": _written(one, wanted)}, "addrs", "rdata")
            made_all.append(made)
    first = made_all[0] if made_all else Made("dns", name=name, nameservers=servers, timeout=_time(given))
    first.more = made_all[1:]
    return first


def _families(wanted: t.Any) -> dict[str, t.Any]:
    """Addresses of both families, which are asked for one by one."""
    if isinstance(wanted, dict) and len(wanted) == 1 and "and" not in wanted:
        ((matcher, inner),) = wanted.items()
        if isinstance(inner, list) and matcher in ("consist-of", "contain-elements"):
            return {kind: {matcher: items} for kind, items in _families(inner).items() if items or kind == "A"}
    if not isinstance(wanted, list):
        if ":" in str(wanted) and isinstance(wanted, str):
            return {"AAAA": wanted}
        if isinstance(wanted, dict) and re.search(r"[0-9a-f]*:[0-9a-f]*:", str(wanted)):
            raise NoEquivalent("addrs: addresses of both families in one matcher")
        return {"A": wanted}
    later = [one for one in wanted if isinstance(one, str) and ":" in one]
    return {"A": [one for one in wanted if one not in later], "AAAA": later}


def _written(record: str, wanted: t.Any) -> t.Any:
    """Answers as the probe writes them: texts in quotes."""
    if record == "TXT" and isinstance(wanted, list):
        return [f'"{one}"' if isinstance(one, str) else one for one in wanted]
    if record == "CAA" and isinstance(wanted, list):
        return [re.sub(r"^(\S+ \S+) (.+)$", r'\1 "\2"', one) if isinstance(one, str) else one for one in wanted]
    return wanted


def _file(key: str, given: Attributes) -> Made:
    path = str(given.get("path") or key)
    if not path.startswith("/"):
        raise NoEquivalent(f"{path} is no absolute path")
    wanted = dict(given)
    kind = wanted.get("filetype")
    made = Made("file", path=path)
    if kind == "symlink" or wanted.get("linked-to"):
        own = [name for name in ("mode", "size", "owner", "uid", "group", "gid") if wanted.pop(name, None) is not None]
        made.left += [f"{name}: of the link itself, and links are followed here" for name in own if given.get("exists") is not False]
    _exists(wanted, made, *((name, name) for name in ("mode", "size", "owner", "uid", "group", "gid", "sha256")))
    if given.get("exists") is False:
        return made
    if kind == "symlink":
        made.expect += [] if wanted.get("linked-to") else [("link", "exists")]
    elif isinstance(kind, str):
        made.want({"filetype": _TYPES.get(kind, kind)}, "filetype", "type")
        made.expect.append(("link", "absent"))
    else:
        made.want(wanted, "filetype", "type")
    made.want(wanted, "linked-to", "link")
    for name in ("contents", "contains"):
        made.want(wanted, name, "content", lines=True)
    return made


def _http(key: str, given: Attributes) -> Made:
    made = Made("http", url=str(given.get("url") or key), timeout=_time(given), method=given.get("method"))
    made.options.update({"verify": False} if given.get("allow-insecure") is True else {})
    made.options.update({"follow": False} if given.get("no-follow-redirects") is True else {})
    for name, option in (
        ("request-body", "body"),
        ("ca-file", "ca"),
        ("cert-file", "client_cert"),
        ("key-file", "client_key"),
        ("proxy", "proxy"),
    ):
        made.options.update({option: given[name]} if given.get(name) else {})
    headers = {}
    for line in _lines(given.get("request-headers")):
        name, colon, value = line.partition(":")
        headers.update({name.strip(): value.strip()} if colon and name.strip() else {})
        made.left += [] if colon and name.strip() else [f"request-headers: {line!r} is not of the form Name: value"]
    if given.get("username"):
        pair = f"{given['username']}:{given.get('password') or ''}".encode()
        headers["Authorization"] = "Basic " + base64.b64encode(pair).decode()
    made.options.update({"headers": headers} if headers else {})
    made.want(given, "status", "status")
    made.want(given, "body", "body", lines=True)
    for name in ("headers", "header"):
        if isinstance(given.get(name), dict):
            made.left.append(f"{name}: " + ", ".join(map(str, given[name])))
        for line in _lines(given.get(name)):
            match = _HEADER.fullmatch(line)
            if match:
                made.want({name: [match.group(1) + match.group(3)]}, name, f"headers.{match.group(2).lower()}", lines=True)
            else:
                made.left.append(f"{name}: {line!r} is not of the form Name: value")
    return made


def _lines(wanted: t.Any) -> list[str]:
    """A list of texts, which may be one text."""
    return [str(one) for one in wanted] if isinstance(wanted, list) else [] if not wanted or isinstance(wanted, dict) else [str(wanted)]


def _mount(key: str, given: Attributes) -> Made:
    path = str(given.get("mountpoint") or key)
    made = _exists(given, Made("mount", path=path), ("source", "source"), ("filesystem", "fstype"), path="mounted")
    if given.get("exists") is not False:
        made.want(given, "opts", "options")
        made.want(given, "vfs-opts", "options")
        if given.get("usage") is not None:
            used = Made("disk", path=path, timeout=_time(given))
            used.want(given, "usage", "used_percent")
            made.more = [used] if used.expect else []
            made.left += [] if used.expect else used.left
    return made


def _port(key: str, given: Attributes) -> Made:
    match = re.fullmatch(r"(?:(tcp|udp)(6?):)?([0-9]{1,5})", str(given.get("port") or key))
    if not match:
        raise NoEquivalent(f"{given.get('port') or key} is not of the form tcp:22")
    made = Made("port", port=int(match.group(3)), protocol=match.group(1) or "tcp")
    _exists(given, made, ("ip", "addresses"), key="listening", path="listening")
    if match.group(2) and not given.get("ip"):
        made.left.append("IPv4 and IPv6 are not told apart")
    return made


def _process(key: str, given: Attributes) -> Made:
    made = Made("process", name=str(given.get("comm") or key))
    if not isinstance(given.get("running", True), bool):
        raise NoEquivalent("running must be true or false")
    made.expect.append(("count", ">= 1" if given.get("running", True) else 0))
    return made


def _service(key: str, given: Attributes) -> Made:
    made = Made("service", name=str(given.get("name") or key))
    for name, path in (("running", "active"), ("enabled", "enabled")):
        if given.get(name) is False:  # also where there is no such unit
            made.expect.append((path, "!= true"))
        else:
            made.want(given, name, path)
    return made


def _simple(probe: str, rename: str, *wanted: tuple[str, str], key: str = "exists") -> t.Callable[[str, Attributes], Made]:
    def make(name: str, given: Attributes) -> Made:
        return _exists(given, Made(probe, name=str(given.get(rename) or name)), *wanted, key=key, path=key)

    return make


def _kernel(key: str, given: Attributes) -> Made:
    made = Made("kernel", name=str(given.get("name") or key))
    value = given.get("value")
    made.want({"value": " ".join(value.split()) if isinstance(value, str) else value}, "value", "value")  # tabs, between several numbers
    return made


MAKERS: dict[str, tuple[t.Callable[[str, Attributes], Made], tuple[str, ...]]] = {
    "addr": (_addr, ("address", "reachable", "timeout")),
    "command": (_command, ("exec", "exit-status", "stdout", "stderr", "timeout")),
    "dns": (_dns, ("resolve", "resolvable", "resolveable", "addrs", "server", "timeout")),
    "file": (_file, ("path", "exists", "mode", "size", "owner", "uid", "group", "gid", "filetype", "contents", "contains", "sha256", "linked-to")),
    "group": (_simple("group", "groupname", ("gid", "gid")), ("groupname", "exists", "gid")),
    "http": (_http, (
        "url", "status", "allow-insecure", "no-follow-redirects", "timeout", "request-headers", "headers", "header", "request-body", "body",
        "username", "password", "ca-file", "cert-file", "key-file", "proxy", "method",
    )),
    "interface": (_simple("interface", "name", ("addrs", "addresses"), ("mtu", "mtu")), ("name", "exists", "addrs", "mtu")),
    "kernel-param": (_kernel, ("name", "value")),
    "mount": (_mount, ("mountpoint", "exists", "opts", "vfs-opts", "source", "filesystem", "usage", "timeout")),
    "package": (_simple("package", "name", ("versions", "versions"), key="installed"), ("name", "installed", "versions")),
    "port": (_port, ("port", "listening", "ip")),
    "process": (_process, ("comm", "running")),
    "service": (_service, ("name", "enabled", "running")),
    "user": (
        _simple("user", "username", ("uid", "uid"), ("gid", "gid"), ("groups", "groups"), ("home", "home"), ("shell", "shell")),
        ("username", "exists", "uid", "gid", "groups", "home", "shell"),
    ),
}  # fmt: skip
