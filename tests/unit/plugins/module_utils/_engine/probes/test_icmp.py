# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Echo requests to loopback, in network namespaces of their own where privileges matter."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.options import read_options
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes import _ping, icmp

# A process without privileges in a network of its own, whose ping_group_range is as the test wants it.
_CHILD = """
import ctypes, fcntl, json, os, socket, struct, sys
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.options import read_options
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import CannotSee, Context, ProbeFailure
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes import icmp
groups, privileged, hosts, up, silent = json.loads(sys.argv[1])
if ctypes.CDLL(None, use_errno=True).unshare(0x40000000 if os.geteuid() == 0 else 0x50000000):
    sys.exit("no namespace: " + os.strerror(ctypes.get_errno()))
if up:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
        fcntl.ioctl(channel, 0x8914, struct.pack("16sH14x", b"lo", 0x41))
with open("/proc/sys/net/ipv4/ping_group_range", "w") as target:
    target.write(groups)
with open("/proc/sys/net/ipv4/icmp_echo_ignore_all", "w") as target:
    target.write(str(int(silent)))
if not privileged:
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
for host in hosts:
    try:
        seen = icmp.observe(read_options(icmp.SPEC, {"host": host, "count": 3, "timeout": 2}), Context())
        print(json.dumps(["ok", seen]))
    except (ProbeFailure, CannotSee) as exc:
        print(json.dumps([type(exc).__name__, exc.reason, exc.sentence, getattr(exc, "observed", None)]))
"""


def in_namespace(groups, hosts, privileged=False, up=True, silent=False):
    arguments = json.dumps([groups, privileged, hosts, up, silent])
    done = subprocess.run([sys.executable, "-c", _CHILD, arguments], capture_output=True, text=True, timeout=60, check=False)
    if done.returncode and "no namespace" in done.stderr:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_without_privileges():
    for kind, seen in in_namespace("0 65535", ["127.0.0.1", "::1", "localhost"]):
        assert (kind, seen["reachable"], seen["loss_percent"]) == ("ok", True, 0.0)
        assert 0 < seen["rtt_min_ms"] <= seen["rtt_ms"] <= seen["rtt_max_ms"]
        assert set(seen) == set(icmp.SPEC.observes)


def test_by_a_raw_socket():
    if os.geteuid() != 0:
        pytest.skip("a raw socket needs root")
    for kind, seen in in_namespace("1 0", ["127.0.0.1", "::1"], privileged=True):
        assert (kind, seen["reachable"], seen["loss_percent"]) == ("ok", True, 0.0)


def test_a_user_who_may_not_is_told_what_to_grant():
    if os.geteuid() != 0:
        pytest.skip("in a namespace of its own a user has every privilege")
    ((kind, reason, sentence, _seen),) = in_namespace("1 0", ["127.0.0.1"])
    assert (kind, reason) == ("CannotSee", "permission")
    assert "net.ipv4.ping_group_range" in sentence
    assert "CAP_NET_RAW" in sentence


def test_no_way_and_no_name():
    away, nameless = in_namespace("0 65535", ["192.0.2.1", "no-such-name.invalid"])
    assert away[:2] == ["ProbeFailure", "unreachable"]
    assert away[3]["reachable"] is False
    assert nameless[:2] == ["ProbeFailure", "dns"]


def test_a_network_that_is_switched_off():
    ((kind, reason, _sentence, seen),) = in_namespace("0 65535", ["127.0.0.1"], up=False)
    assert (kind, reason, seen["loss_percent"]) == ("ProbeFailure", "unreachable", 100.0)


def test_silence():
    ((kind, reason, sentence, seen),) = in_namespace("0 65535", ["127.0.0.1"], silent=True)
    assert (kind, reason, seen["reachable"], seen["loss_percent"]) == ("ProbeFailure", "timeout", False, 100.0)
    assert sentence == "127.0.0.1 did not answer within 2 s"


class Channel:
    """What a packet is read for: kind of socket and its address."""

    def __init__(self, kind, family):
        self.type, self.family = kind, family

    def getsockname(self):
        return ("127.0.0.1", 77)


def packet(kind=0, identity=77, number=1, nonce=b"n" * 16):
    return struct.pack("!BBHHH", kind, 0, 0, identity, number) + nonce + bytes(24)


def test_only_the_answer_to_our_request_counts():
    import socket

    plain = Channel(socket.SOCK_DGRAM, socket.AF_INET)
    assert _ping.answered(plain, packet(), b"n" * 16) == 1
    for other in (packet(kind=8), packet(kind=3), packet(identity=78), packet(nonce=b"m" * 16), b"", packet()[:23], bytes(8)):
        assert _ping.answered(plain, other, b"n" * 16) is None
    raw = Channel(socket.SOCK_RAW, socket.AF_INET)
    identity = os.getpid() & 0xFFFF
    assert _ping.answered(raw, b"\x46" + bytes(23) + packet(identity=identity, number=9), b"n" * 16) == 9
    assert _ping.answered(raw, b"\x4f", b"n" * 16) is None


def test_the_checksum_is_right():
    import socket

    data = _ping.request(Channel(socket.SOCK_DGRAM, socket.AF_INET), 3, os.urandom(16))
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    assert total == 0xFFFF
    assert len(data) == 48


@pytest.mark.parametrize("options", [{}, {"host": "x", "count": 0}, {"host": "x", "count": 101}, {"host": "x", "timeout": 0}])
def test_options_that_cannot_be(options):
    with pytest.raises(ValueError, match="icmp"):
        read_options(icmp.SPEC, options)
