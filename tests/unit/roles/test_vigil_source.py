# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Watches that lie elsewhere: a real HTTP server, and one that speaks as Consul's KV store does."""

from __future__ import annotations

import base64
import hashlib
import http.server
import json
import os
import stat
import subprocess
import sys
import threading
import time

import pytest
from vigil_watch.config import ConfigError, load
from vigil_watch.model import Source
from vigil_watch.signing import Refused, signature, verified
from vigil_watch.source import Away, Copy, fetch
from watching import Watcher, command, environment, write

KEY = "a key of sixteen or more"
CHECKS = "checks:\n- {name: from afar, file: {path: /}, every: 1s}\n"


class Elsewhere:
    """A server; ``texts`` are what it holds, by path, ``asked`` what it was asked: (path, headers, status)."""

    def __init__(self):
        self.texts, self.asked, self.away = {}, [], False
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                status, body, headers = outer.answer(self.path, self.headers)
                outer.asked.append((self.path, dict(self.headers), status))
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *unused):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, path, headers):
        if self.away:
            return 503, b"", {}
        if path.startswith("/v1/kv/"):  # https://developer.hashicorp.com/consul/api-docs/kv#read-key
            prefix = path[len("/v1/kv/") :].split("?")[0]
            found = [
                {
                    "LockIndex": 0,
                    "Key": key,
                    "Flags": 0,
                    "Value": base64.b64encode(text).decode() if text else None,
                    "CreateIndex": 7,
                    "ModifyIndex": 9,
                }
                for key, text in sorted(self.texts.items())
                if key.startswith(prefix)
            ]
            return (200, json.dumps(found).encode(), {"X-Consul-Index": "9"}) if found and "?recurse" in path else (404, b"", {})
        if path not in self.texts:
            return 302, b"", {"Location": "/watches.yml"}
        tag = '"' + hashlib.sha256(self.texts[path]).hexdigest()[:16] + '"'
        return (304, b"", {"ETag": tag}) if headers.get("If-None-Match") == tag else (200, self.texts[path], {"ETag": tag})


@pytest.fixture
def elsewhere():
    made = Elsewhere()
    yield made
    made.server.shutdown()
    made.server.server_close()


def signed(text, name="", key=KEY):
    return text.encode() + signature(key, name, text.encode()).encode()


def until(found, seconds=60):
    end = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_a_watcher_uses_what_lies_at_a_url_and_goes_on_with_the_last_good_copy(tmp_path, elsewhere):
    """It is taken at once, asked for with its ETag, refused with the line when it is bad, and still there when the server is away and after a kill."""
    elsewhere.texts["/watches.yml"] = CHECKS.encode()
    main = f"channels: ['file://{tmp_path}/told']\nsource: {{url: '{elsewhere.url}/watches.yml', every: 500ms, keep: {tmp_path}/kept}}\n"
    write(tmp_path, main, a="checks: [{name: own, file: {path: /}, every: 1s}]\n")
    watcher = Watcher(tmp_path)
    try:
        watcher.said("has changed and is used from now on")

        def names():
            return {one["check"] for one in json.loads(command(tmp_path, "status", "--json").stdout)["results"]}

        until(lambda: names() == {"own", "from afar"})
        until(lambda: elsewhere.asked[-1][2] == 304)
        modes = [stat.S_IMODE(os.stat(path).st_mode) for path in (tmp_path / "kept", *(tmp_path / "kept").iterdir())]
        assert modes == [0o700, 0o600, 0o600]
        elsewhere.texts["/watches.yml"] = b"checks:\n- {name: fine, file: {path: /}}\n- {name: bad, flie: {path: /}}\n"
        said = watcher.said("the new configuration is not used")["message"]
        assert f"{elsewhere.url}/watches.yml:3: " in said and 'did you mean "file"?' in said
        until((tmp_path / "told").exists)
        event = json.loads((tmp_path / "told").read_text().splitlines()[0])
        assert (event["check"], event["status"]) == ("configuration", "firing")
        elsewhere.away = True
        watcher.said("answered 503; the last good copy stays in use")
        watcher.end()
        (tmp_path / "notify").unlink()
        watcher = Watcher(tmp_path)
        watcher.hear("READY=1")
        watcher.said("watching: 2 checks")
        elsewhere.away = False
        elsewhere.texts["/watches.yml"] = CHECKS.replace("afar", "near").encode()
        watcher.said("watching: 2 checks", 1)
        until(lambda: names() == {"own", "from near"})
    finally:
        watcher.end()


def copy_of(tmp_path, source):
    path = write(tmp_path)
    with open(path, "a", encoding="utf-8") as out:
        out.write(f"source: {json.dumps(source)}\n")
    return Copy(load(path).source, path)


def test_keys_of_consul_are_files_and_each_is_signed_with_its_name(tmp_path, elsewhere):
    elsewhere.texts = {
        "vigil/web1/": b"",
        "vigil/web1/a.yml": signed(CHECKS, "a.yml"),
        "vigil/web1/b": signed("checks: [{name: b, tcp: {port: 1}, depends_on: [from afar]}]\n", "b"),
        "vigil/web10/c": b"checks: [",
    }
    copy = copy_of(tmp_path, {"consul": elsewhere.url, "prefix": "vigil/web1", "key": KEY, "token": "T0KEN", "keep": f"{tmp_path}/kept"})
    found = fetch(copy.source, "")
    assert set(found.texts) == {"a.yml", "b"} and elsewhere.asked[-1][1]["X-Consul-Token"] == "T0KEN"
    assert copy.take(found, copy.known()) is True
    assert [one.name for one in load(str(tmp_path / "vigil.yml")).checks] == ["from afar", "b"]
    assert copy.take(fetch(copy.source, ""), copy.known()) is False
    elsewhere.texts["vigil/web1/b"] = elsewhere.texts["vigil/web1/a.yml"]  # signed, but for another key
    with pytest.raises(Refused, match="not made with this key"):
        copy.take(fetch(copy.source, ""), copy.known())
    elsewhere.texts.clear()
    with pytest.raises(Away, match="/v1/kv/vigil/web1 answered 404"):
        fetch(copy.source, "")
    assert len(load(str(tmp_path / "vigil.yml")).checks) == 2


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (CHECKS.encode(), "is not signed"),
        (signed(CHECKS, key="another key of sixteen"), "not made with this key"),
        (signed(CHECKS).replace(b"afar", b"here"), "not made with this key"),
        (signed(CHECKS) + b"logs: []\n", "is not signed"),
        (signed("serial: 1\n" + CHECKS), "older than what is in use \\(2\\)"),
        (signed("serial: 2\n" + CHECKS + "files: 1\n"), "watches.yml:4: files: a list is needed"),
        (signed("serial: 2\nchannels: ['http://127.0.0.1/x']\n"), 'there is no key "channels"'),
    ],
)
def test_what_is_not_signed_is_old_or_wrong_is_not_used(tmp_path, elsewhere, data, said):
    copy = copy_of(tmp_path, {"url": f"{elsewhere.url}/watches.yml", "key": KEY, "keep": f"{tmp_path}/kept"})
    elsewhere.texts["/watches.yml"] = signed("serial: 2\n" + CHECKS)
    assert copy.take(fetch(copy.source, ""), copy.known())
    elsewhere.texts["/watches.yml"] = data
    with pytest.raises(Refused, match=said):
        copy.take(fetch(copy.source, copy.known()["etag"]), copy.known())
    assert [one.name for one in load(str(tmp_path / "vigil.yml")).checks] == ["from afar"]
    elsewhere.texts["/watches.yml"] = signed("serial: 3\n" + CHECKS.replace("afar", "near"))
    assert copy.take(fetch(copy.source, copy.known()["etag"]), copy.known())
    assert [one.name for one in load(str(tmp_path / "vigil.yml")).checks] == ["from near"]


def test_a_redirect_is_not_followed_and_secrets_are_not_shown(elsewhere):
    source = Source(elsewhere.url.replace("http://", "http://user:T0KEN@") + "/elsewhere?key=T0KEN")
    assert "T0KEN" not in source.shown
    with pytest.raises(Away, match="answered 302"):
        fetch(Source(elsewhere.url + "/elsewhere"), "")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("{url: 'http://conf.example/x.yml'}", "use https, or give a key"),
        ("{url: 'http://conf.example/x.yml', key: short}", "16 characters"),
        ("{consul: 'http://127.0.0.1:8500'}", "consul needs a prefix"),
        ("{url: 'https://a/x', consul: 'https://a', prefix: p}", "give url, or consul"),
        ("{ulr: 'https://a/x'}", 'did you mean "url"?'),
        ("{url: 'ftp://a/x'}", "is no URL"),
    ],
)
def test_a_source_that_cannot_be_believed_is_refused(tmp_path, given, said):
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path, f"source: {given}\n"))
    assert "vigil.yml:2" in str(caught.value) and said in str(caught.value), caught.value


def test_an_own_ca_is_what_is_believed(tmp_path):
    trustme = pytest.importorskip("trustme")
    import ssl

    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    made = Elsewhere()
    made.texts["/watches.yml"] = CHECKS.encode()
    made.server.socket = context.wrap_socket(made.server.socket, server_side=True)
    try:
        url = made.url.replace("http:", "https:") + "/watches.yml"
        assert fetch(Source(url, ca=str(tmp_path / "ca.pem")), "").texts == {"": CHECKS.encode()}
        with pytest.raises(Away, match="certificate"):
            fetch(Source(url), "")
    finally:
        made.server.shutdown()
        made.server.server_close()


def test_the_command_signs_what_the_watcher_believes(tmp_path):
    (tmp_path / "watches").write_text(CHECKS.rstrip("\n"))
    (tmp_path / "key").write_text(KEY + "\n")
    argv = [sys.executable, "-m", "vigil_watch", "sign", str(tmp_path / "watches"), "--key-file", str(tmp_path / "key"), "--name", "a/b"]
    done = subprocess.run(argv, env=environment(tmp_path), capture_output=True, check=True)
    assert verified(KEY, "a/b", done.stdout) == CHECKS.encode()
    with pytest.raises(Refused):
        verified(KEY, "a/c", done.stdout)


def test_what_was_taken_by_one_who_was_killed_is_used_by_the_next(tmp_path, elsewhere):
    """The copy is in its place, but nobody said so: the next look does, though nothing has changed there."""
    elsewhere.texts["/watches.yml"] = CHECKS.encode()
    write(tmp_path, f"source: {{url: '{elsewhere.url}/watches.yml', every: 1s, keep: {tmp_path}/kept}}\n")
    elsewhere.away = True
    watcher = Watcher(tmp_path)
    try:
        watcher.said("answered 503")
        elsewhere.away = False
        copy = Copy(load(str(tmp_path / "vigil.yml")).source, str(tmp_path / "vigil.yml"))
        copy.take(fetch(copy.source, ""), {})
        watcher.said("watching: 1 check")
    finally:
        watcher.end()
