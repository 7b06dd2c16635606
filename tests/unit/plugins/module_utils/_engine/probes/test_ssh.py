# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import ProbeFailure
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes import ssh


def failure_of(look, **options):
    with pytest.raises(ProbeFailure) as caught:
        look("ssh", **options)
    return caught.value


def says(serve, text):
    return serve(lambda c, s: (c.sendall(text), s.heard.append(c.recv(99)), s.hang())).port


@pytest.mark.parametrize(
    ("text", "protocol", "software", "comment"),
    [
        (b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n", "2.0", "OpenSSH_9.2p1", "Debian-2+deb12u3"),
        (b"Welcome\r\nto the machine\r\nSSH-2.0-dropbear_2022.83\r\n", "2.0", "dropbear_2022.83", None),
        (b"SSH-1.99-Cisco-1.25\n", "1.99", "Cisco-1.25", None),
    ],
)
def test_versions(serve, look, text, protocol, software, comment):
    seen = look("ssh", port=says(serve, text))
    assert (seen["connected"], seen["protocol"], seen["software"], seen["comment"]) == (True, protocol, software, comment)
    assert set(seen) == set(ssh.SPEC.observes)


def test_it_introduces_itself_so_that_nothing_odd_is_logged(serve, look):
    server = serve(lambda c, s: (c.sendall(b"SSH-2.0-x\r\n"), s.heard.append(c.recv(99)), s.stop.set()))
    look("ssh", port=server.port)
    assert server.stop.wait(20)
    assert server.heard == [b"SSH-2.0-vigil\r\n"]


@pytest.mark.parametrize(
    ("text", "reason"), [(b"220 mail ESMTP\r\n" * 60, "protocol"), (b"SSH-2.0\r\n", "protocol"), (b"x" * 5000, "protocol"), (b"", "reset")]
)
def test_what_is_no_ssh_server(serve, look, text, reason):
    failure = failure_of(look, port=serve(lambda c, s: c.sendall(text)).port)
    assert (failure.reason, failure.observed["connected"]) == (reason, True)


def test_control_characters_do_not_get_through(serve, look):
    assert look("ssh", port=says(serve, b"SSH-2.0-a\x1b[31m\x00\r\n"))["software"] == "a?[31m?"


def test_silence_and_nobody(serve, look):
    failure = failure_of(look, port=serve(lambda c, s: s.hang()).port, timeout=0.5)
    assert (failure.reason, failure.observed) == ("timeout", {"connected": True})
    assert failure_of(look, port=1).observed == {"connected": False}
