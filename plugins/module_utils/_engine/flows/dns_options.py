# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options that dns_info and dns_diff have in common: names, name servers, and how hard these are asked."""

from __future__ import annotations

import dataclasses
import math
import os
import time
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.units import parse_duration
from ansible_collections.vigil.ops.plugins.module_utils._engine.dns import servers
from ansible_collections.vigil.ops.plugins.module_utils._engine.dns.pace import Limits
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._faults import Deadline, NetError
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._net import resolve

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.vigil.ops.plugins.module_utils._engine.dns.servers import Server

_LONGEST_LOOKUP = 30.0  # of the addresses of all name servers
_LARGEST_FILE = 256 * 1024 * 1024
Params = t.Mapping[str, t.Any]


class Refusal(Exception):
    """The options cannot be used; the text is one sentence."""


Written = t.Iterator[t.Tuple[str, int, str]]


def written_names(params: Params) -> Written:
    """(where it stands, in two parts, and name) of the options names and names_file."""
    for number, name in enumerate(params.get("names") or (), 1):
        if name is None or isinstance(name, bool):
            raise Refusal(
                f"names, item {number}: it is {'empty' if name is None else str(name).lower()}; put quotes around a name that is a word of YAML"
            )
        yield "names, item", number, str(name)
    path = params.get("names_file")
    if not path:
        return
    where = f"names_file: {path} line"
    try:
        if os.path.exists(path) and not os.path.isfile(path):
            raise Refusal(f"names_file: {path} is not a regular file")  # to read a pipe could wait for ever
        if os.path.getsize(path) > _LARGEST_FILE:
            raise Refusal(f"names_file: {path} is larger than {_LARGEST_FILE // 1024**2} MiB")
        with open(path, encoding="utf-8-sig") as file:
            for number, line in enumerate(file, 1):
                text = line.partition("#")[0].strip() if "#" in line else line.strip()
                if text:
                    yield where, number, text
    except OSError as exc:
        raise Refusal(f"names_file: {path} cannot be read ({(exc.strerror or str(exc)).lower()})") from exc
    except UnicodeDecodeError as exc:
        raise Refusal(f"names_file: {path} is not UTF-8 text") from exc


def servers_of(params: Params, option: str) -> t.List[Server]:
    """The name servers of an option, those of the system where it is left out.

    :raises Refusal: one cannot be used
    """
    transport = str(params.get("transport") or "udp")
    try:
        if not params.get(option):
            return servers.system(transport=transport) if option == "nameservers" else []
        lookup = _lookup(min(_duration(params, "deadline", _LONGEST_LOOKUP), _LONGEST_LOOKUP))
        return list(dict.fromkeys(servers.parse(str(text), transport, lookup) for text in params[option]))
    except ValueError as exc:
        raise Refusal(f"{option}: {exc}") from exc


def _lookup(seconds: float) -> t.Callable[[str], str]:
    """Finds the address of a name server that is written as a name. The system's resolver can hang for long, and cannot be interrupted."""
    deadline = Deadline(seconds)

    def lookup(host: str) -> str:
        try:
            return str(resolve(host, 0, deadline)[0][1][0])
        except NetError as exc:
            raise ValueError(f'name server "{host}": its address cannot be looked up: {exc.sentence}') from exc

    return lookup


def limits_of(params: Params) -> Limits:
    """timeout, retries, concurrency and deadline."""
    usual = Limits()
    timeout = _duration(params, "timeout", usual.timeout)
    deadline = _duration(params, "deadline", 0.0)
    for name, least in (("retries", 0), ("concurrency", 1)):
        if params.get(name) is not None and params[name] < least:
            raise Refusal(f"{name} is {params[name]}; it must be {least} or more")
    for name, seconds in (("timeout", timeout), ("deadline", deadline)):
        if seconds <= 0 and params.get(name) is not None:
            raise Refusal(f"{name} is {params[name]}; it must be more than 0")
    limits = Limits(timeout=timeout, retries=usual.retries if params.get("retries") is None else params["retries"])
    limits.concurrency = params.get("concurrency") or usual.concurrency
    limits.until = time.monotonic() + deadline if deadline else None
    return limits


def rates_of(limits: Limits, rate: t.Any, listed: t.Sequence[Server], open_end: bool = False) -> None:
    """``rate`` is questions a second for every server, or a mapping of name servers; 0 is no limit.

    :arg open_end: servers that are not listed are asked too
    """
    if rate is None:
        return
    if not isinstance(rate, t.Mapping):
        limits.rate = _number(rate, "rate")
        limits.rates = {server.label: limits.rate for server in listed}
        return
    limits.rates = {str(key): _number(value, f"rate of {key}") for key, value in rate.items()}
    for key in limits.rates:
        if not open_end and not any(dataclasses.replace(limits, rates={key: -1.0}).rate_of(server) == -1.0 for server in listed):
            raise Refusal(f'rate: "{key}" is none of the nameservers, which are {", ".join(server.label for server in listed)}')


def _number(value: t.Any, what: str) -> float:
    try:
        number = float(value) if not isinstance(value, bool) else math.nan
    except (TypeError, ValueError):
        number = math.nan
    if not 0 <= number < math.inf:
        raise Refusal(f"{what} is {value!r}; it must be a number of questions a second, 0 for no limit")
    return number


def anchors_of(given: t.Optional[t.Sequence[t.Any]], dnssec: bool) -> t.List[str]:
    """The trust anchors to validate with.

    :raises Refusal: one cannot be used, or nothing is validated with them
    :raises LibraryMissing: a library to validate with is not there
    """
    anchors = [str(line) for line in given or ()]
    if not dnssec:
        if anchors:
            raise Refusal("trust_anchors are given, and dnssec is false; set dnssec to true to validate")
        return anchors
    # neither is read where nothing is validated
    from ansible_collections.vigil.ops.plugins.module_utils._engine.dns import dnssec as validation
    from ansible_collections.vigil.ops.plugins.module_utils._engine.dns import signatures

    signatures.require()
    try:
        signatures.read_anchors(anchors)
    except ValueError as exc:
        raise Refusal(f"trust_anchors: {exc}") from exc
    return anchors or list(validation.ROOT)


def _duration(params: Params, name: str, default: float) -> float:
    try:
        return default if params.get(name) is None else parse_duration(params[name])
    except ValueError as exc:
        raise Refusal(f"{name}: {exc}") from exc
