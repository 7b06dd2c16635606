# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import socket
import struct
import threading
import tracemalloc

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import ProbeFailure
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes import _http
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._net import ascii_host

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def url(server, path="/", host="127.0.0.1"):
    return f"http://{host}:{server.port}{path}"


def failure_of(look, **options):
    with pytest.raises(ProbeFailure) as caught:
        look("http", **options)
    return caught.value


def reset(connection):
    """Close with RST."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def test_sees_status_headers_body_and_phases(serve, look):
    server = serve(b"HTTP/1.1 201 Made\r\nContent-Type: text/plain\r\nX-A: 1\r\nX-A: 2\r\nContent-Length: 5\r\n\r\nhello")
    seen = look("http", url=url(server, "/a b?q=ü".replace(" ", "%20")))
    assert (seen["status"], seen["body"], seen["body_bytes"], seen["json"]) == (201, "hello", 5, None)
    assert seen["headers"] == {"content-type": "text/plain", "x-a": "1, 2", "content-length": "5"}
    assert set(seen["phases"]) == {"dns", "connect", "tls", "first_byte"}
    assert seen["phases"]["tls"] is None
    assert seen["tls"] is None
    assert seen["latency_ms"] > 0
    assert server.heard[0].startswith(b"GET /a%20b?q=%C3%BC HTTP/1.1\r\nHost: 127.0.0.1:")
    assert b"Accept-Encoding: identity\r\n" in server.heard[0]


def test_names_are_resolved(serve, look):
    assert look("http", url=url(serve(OK), host="localhost"))["status"] == 200


JSON = {
    b'{"status": "up", "n": [1, 2]}': {"status": "up", "n": [1, 2]},
    b"\xef\xbb\xbf [1]": [1],
    b"7": 7,
    b"null": None,
    b"{broken": None,
    b"[NaN]": None,
    b"9" * 99999: None,
}


@pytest.mark.parametrize("body", list(JSON), ids=[body[:9].decode() for body in JSON])
def test_reads_json_whatever_the_content_type_says(serve, look, body):
    server = serve(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n" + body)
    assert look("http", url=url(server))["json"] == JSON[body]


def test_deep_json_is_no_fault(serve, look):
    assert look("http", url=url(serve(b"HTTP/1.1 200 OK\r\n\r\n" + b"[" * 500000)))["json"] is None


def test_the_character_set_of_the_server_is_used(serve, look):
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset="
    assert look("http", url=url(serve(head + b"GBK\r\n\r\n" + "\u5065\u5eb7".encode("gbk"))))["body"] == "\u5065\u5eb7"
    assert look("http", url=url(serve(head + b"unicode_escape\r\n\r\n\\x41")))["body"] == "\\x41"


def test_chunks_with_extensions_and_trailers(serve, look):
    server = serve(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nX-T: 1\r\n\r\n")
    seen = look("http", url=url(server))
    assert (seen["body"], seen["body_bytes"], seen["body_truncated"]) == ("abcde", 5, False)


def test_posts_a_mapping_as_json(serve, look):
    server = serve(OK)
    look("http", url=url(server), method="POST", body={"a": 1}, headers={"X-Key": "k"})
    assert b"Content-Type: application/json\r\n" in server.heard[0]
    assert b"Content-Length: 8\r\n" in server.heard[0]
    assert b"X-Key: k\r\n" in server.heard[0]


def test_head_and_204_have_no_body(serve, look):
    server = serve(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    assert look("http", url=url(server), method="HEAD")["body_bytes"] == 1000
    assert look("http", url=url(serve(b"HTTP/1.1 204 No Content\r\nConnection: keep-alive\r\n\r\n")))["status"] == 204


def test_interim_answers_are_passed_over(serve, look):
    server = serve(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + OK)
    assert look("http", url=url(server))["status"] == 200


def test_a_bad_status_is_an_observation(serve, look):
    assert look("http", url=url(serve(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")))["status"] == 503


def test_password_in_the_url_becomes_basic_and_is_not_shown(serve, look):
    server = serve(OK)
    seen = look("http", url=f"http://us%40er:p%3Aw@127.0.0.1:{server.port}/")
    wanted = base64.b64encode(b"us@er:p:w")
    assert b"Authorization: Basic " + wanted + b"\r\n" in server.heard[0]
    assert "p%3Aw" not in str(seen)
    server.close()
    failure = failure_of(look, url="http://user:sesame@127.0.0.1:1/")
    assert failure.reason == "refused"
    assert "sesame" not in failure.sentence


def test_hosts_on_the_wire():
    assert _http.read_url("http://[fe80::1%25eth0]:8080/x").netloc == "[fe80::1]:8080"
    assert _http.read_url("http://[fe80::1%25eth0]:8080/x").host == "fe80::1%eth0"
    assert ascii_host("b\u00fccher.example") == "xn--bcher-kva.example"


# --- redirects ---


def redirect_to(place, status=302):
    return f"HTTP/1.1 {status} Found\r\nLocation: {place}\r\nContent-Length: 100000000\r\n\r\n".encode()


def test_follows_redirects_without_reading_their_bodies(serve, look):
    target = serve(OK)
    seen = look("http", url=url(serve(redirect_to(url(target, "/there")))))
    assert (seen["status"], seen["redirects"], seen["url"]) == (200, 1, url(target, "/there"))
    assert target.heard[0].startswith(b"GET /there ")


def test_relative_redirect_and_follow_false(serve, look):
    def talk(connection, server):
        first = server.request(connection).startswith(b"GET /a/b ")
        connection.sendall(b"HTTP/1.1 301 M\r\nLocation: ../c?d\r\nContent-Length: 0\r\n\r\n" if first else OK)

    server = serve(talk)
    assert look("http", url=url(server, "/a/b"))["url"] == url(server, "/c?d")
    assert look("http", url=url(server, "/a/b"), follow=False)["status"] == 301


def test_redirect_to_a_place_in_raw_utf8(serve, look):
    def talk(connection, server):
        first = server.request(connection).startswith(b"GET /1 ")
        connection.sendall(redirect_to("/\u00fc") if first else OK)

    assert look("http", url=url(server := serve(talk), "/1"))["redirects"] == 1
    assert server.heard[1].startswith(b"GET /%C3%BC ")


def test_credentials_stay_with_their_host(serve, look):
    other = serve(OK)
    first = serve(redirect_to(f"http://127.0.0.1:{other.port}/"))
    headers = {"Authorization": "Bearer abcdef", "X-Api-Key": "ghijkl", "Cookie": "m=n", "Accept": "text/x"}
    look("http", url=f"http://user:sesame@127.0.0.1:{first.port}/", headers=headers)
    assert b"abcdef" in first.heard[0]
    for secret in (b"abcdef", b"ghijkl", b"m=n", b"Authorization", base64.b64encode(b"user:sesame")):
        assert secret not in other.heard[0]
    assert b"Accept: text/x\r\n" in other.heard[0]
    assert f"Host: 127.0.0.1:{other.port}\r\n".encode() in other.heard[0]


def test_credentials_stay_within_the_same_origin(serve, look):
    def talk(connection, server):
        first = server.request(connection).startswith(b"GET /1 ")
        connection.sendall(redirect_to("/2") if first else OK)

    server = serve(talk)
    look("http", url=url(server, "/1"), headers={"Authorization": "Bearer abcdef"})
    assert b"Bearer abcdef" in server.heard[1]


def test_a_body_is_not_sent_to_another_place(serve, look):
    other = serve(OK)
    failure = failure_of(look, url=url(serve(redirect_to(url(other), 307))), method="POST", body="password=sesame")
    assert failure.reason == "redirect"
    assert not other.heard


def test_post_becomes_get_after_302(serve, look):
    other = serve(OK)
    look("http", url=url(serve(redirect_to(url(other)))), method="POST", body="a=b")
    assert other.heard[0].startswith(b"GET / ")


def test_redirect_loop_ends(serve, look):
    def talk(connection, server):
        server.request(connection)
        connection.sendall(redirect_to("/again"))

    server = serve(talk)
    assert failure_of(look, url=url(server)).reason == "redirect"
    assert server.connections == 6


NOWHERE = ["file:///etc/passwd", "gopher://x/", "http://", "http://a b/", "http://[::1", "http://x:99999/", "ht\x01tp:"]


@pytest.mark.parametrize("place", NOWHERE)
def test_redirect_to_another_scheme_or_nonsense_is_refused(serve, look, place):
    failure = failure_of(look, url=url(serve(redirect_to(place))))
    assert failure.reason in ("redirect", "dns")
    assert failure.observed == {}


# --- hostile servers ---


def test_refused_and_unresolved(look):
    failure = failure_of(look, url="http://127.0.0.1:1/")
    assert (failure.reason, failure.observed) == ("refused", {})
    assert "127.0.0.1:1" in failure.sentence
    assert failure_of(look, url="http://no-such-name.invalid/").reason in ("dns", "timeout")


def test_silence_times_out_and_says_in_which_phase(serve, look):
    failure = failure_of(look, url=url(serve(lambda connection, server: server.hang())), timeout=0.4)
    assert failure.reason == "timeout"
    assert "no answer came within 0.4 s" in failure.sentence


def drip(data, then=b"x"):
    def talk(connection, server):
        server.request(connection)
        connection.sendall(data)
        while not server.stop.wait(0.05):
            connection.sendall(then)

    return talk


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"HTT", "no answer came"),
        (b"HTTP/1.1 200 OK\r\nX: ", "the headers"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n", "the body"),
        (b"HTTP/1.1 200 OK\r\n\r\n", "the body"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfff\r\n", "the body"),
    ],
)
def test_a_dripping_server_does_not_outlast_the_deadline(serve, look, data, words):
    failure = failure_of(look, url=url(serve(drip(data))), timeout=0.6)
    assert failure.reason == "timeout"
    assert words in failure.sentence


def endless(data, piece):
    def talk(connection, server):
        server.request(connection)
        connection.sendall(data)
        while not server.stop.is_set():
            connection.sendall(piece)

    return talk


@pytest.mark.parametrize(
    ("data", "piece"),
    [
        (b"", b"x" * 65536),
        (b"HTTP/1.1 200 OK\r\n", b"X-Header: yes\r\n" * 1000),
        (b"HTTP/1.1 200 OK\r\nX-Long: ", b"x" * 65536),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000),
        (b"", b"HTTP/1.1 102 Processing\r\nA: b\r\n\r\n" * 1000),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"zz\r\n"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1" * 65536),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"X-Trailer: yes\r\n" * 1000),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcXX", b"\r\n"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", b"\r\n"),
    ],
)
def test_endless_or_broken_answers_are_told_apart_as_protocol(serve, look, data, piece):
    assert failure_of(look, url=url(serve(endless(data, piece)))).reason == "protocol"


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1e9\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon here\r\n\r\n",
        b"\x00\x01\x02\xff\xfe\r\n",
    ],
)
def test_nonsense_is_protocol(serve, look, answer):
    failure = failure_of(look, url=url(serve(answer)))
    assert failure.reason == "protocol"
    assert failure.sentence.isprintable()


@pytest.mark.parametrize("length", [b"Content-Length: 1073741824\r\n", b"", b"Transfer-Encoding: chunked\r\n"])
def test_a_body_of_a_gigabyte_takes_bounded_memory_and_time(serve, look, length):
    head = b"HTTP/1.1 200 OK\r\n" + length + b"\r\n" + (b"40000000\r\n" if b"chunked" in length else b"")
    server = serve(endless(head, b"x" * (1 << 20)))
    tracemalloc.start()
    try:
        seen = look("http", url=url(server))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert seen["status"] == 200
    assert seen["body_truncated"] is True
    assert len(seen["body"]) == 1 << 20
    assert seen["body_bytes"] == (1 << 30 if b"Length" in length else 1 << 20)
    assert peak < 16 << 20


def test_max_body_zero_reads_nothing(serve, look):
    seen = look("http", url=url(serve(endless(b"HTTP/1.1 200 OK\r\n\r\n", b"x"))), max_body=0)
    assert (seen["body"], seen["body_truncated"]) == ("", True)


@pytest.mark.parametrize(
    "before", [None, b"", b"HTTP/1.1 2", b"HTTP/1.1 200 OK\r\nX: y", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"]
)
@pytest.mark.parametrize("how", ["reset", "close"])
def test_a_connection_that_breaks_off_is_reset_in_every_phase(serve, look, before, how):
    def talk(connection, server):
        if before is not None:
            server.request(connection)
            connection.sendall(before)
            server.stop.wait(0.1)
        if how == "reset":
            reset(connection)

    assert failure_of(look, url=url(serve(talk))).reason == "reset"


def test_black_hole_address_times_out_in_connect(serve, look):
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    port = listener.getsockname()[1]
    fillers = []
    try:
        for _number in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
            fillers.append(filler)
        failure = failure_of(look, url=f"http://127.0.0.1:{port}/", timeout=0.5)
        assert failure.reason == "timeout"
        assert "connection" in failure.sentence
    finally:
        for filler in [*fillers, listener]:
            filler.close()


# --- https ---


def test_https_with_a_known_ca(serve, look, certificates):
    server = serve(OK, tls=certificates.server("good"))
    seen = look("http", url=f"https://localhost:{server.port}/", ca=certificates.ca)
    assert seen["status"] == 200
    assert seen["tls"]["days_left"] > 1000
    assert seen["phases"]["tls"] > 0


@pytest.mark.parametrize(("name", "word"), [("expired", "expired:"), ("wrong_name", "name:"), ("self", "chain:"), ("unknown_ca", "chain:")])
def test_https_says_what_is_wrong_with_the_certificate(serve, look, certificates, name, word):
    server = serve(OK, tls=certificates.server(name))
    failure = failure_of(look, url=f"https://localhost:{server.port}/", ca=certificates.ca)
    assert (failure.reason, failure.observed) == ("tls", {})
    assert word in failure.sentence
    assert look("http", url=f"https://localhost:{server.port}/", verify=False)["status"] == 200


def test_https_against_plain_http_and_a_handshake_that_never_ends(serve, look):
    plain = serve(
        lambda connection, server: (connection.recv(4096), connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"), server.hang())
    )
    failure = failure_of(look, url=f"https://127.0.0.1:{plain.port}/")
    assert (failure.reason, failure.sentence) == ("tls", f"127.0.0.1:{plain.port}: protocol: the server does not speak TLS here")
    failure = failure_of(look, url=f"https://127.0.0.1:{serve(lambda connection, server: server.hang()).port}/", timeout=0.4)
    assert failure.reason == "timeout"
    assert "TLS handshake" in failure.sentence


def test_client_certificate(serve, look, certificates):
    server = serve(OK, tls=certificates.server("good", ask_client=True))
    where = f"https://localhost:{server.port}/"
    assert look("http", url=where, ca=certificates.ca, client_cert=certificates.file("good"))["status"] == 200
    failure = failure_of(look, url=where, ca=certificates.ca)
    assert failure.reason in ("tls", "reset")


def test_unusable_files_are_named(look, serve, certificates, tmp_path):
    (tmp_path / "no.pem").write_text("no")
    server = serve(OK, tls=certificates.server("good"))
    for options in ({"ca": str(tmp_path / "no.pem")}, {"ca": "/no/such.pem"}, {"client_cert": str(tmp_path / "no.pem")}):
        failure = failure_of(look, url=f"https://localhost:{server.port}/", **options)
        assert failure.reason == "tls"
        assert next(iter(options.values())) in failure.sentence


# --- refused before any work ---


@pytest.mark.parametrize(
    "options",
    [
        {"url": "file:///etc/passwd"},
        {"url": "http://"},
        {"url": "http://x/", "headers": {"A": "b\r\nC: d"}},
        {"url": "http://x/", "headers": {"A\r\nB": "c"}},
        {"url": "http://x/", "headers": {"A": "\u4e2d"}},
        {"url": "http://x/", "headers": {"Content-Length": "5"}},
        {"url": "http://x/", "method": "GE T"},
        {"url": "http://x/\r\nHost: y"},
        {"url": "http://x/", "client_key": "/x"},
    ],
)
def test_bad_options_are_refused(look, options):
    with pytest.raises(ValueError, match=r".{20}"):
        look("http", **options)


def proxy(target=None, status=b"200 Yes"):
    """Passes everything on to a port of this host, whatever it is asked for; what was asked is in `heard`."""

    def talk(connection, server):
        head = server.request(connection)
        if not head.startswith(b"CONNECT "):
            connection.sendall(OK)
            return
        connection.sendall(b"HTTP/1.1 " + status + b"\r\nContent-Length: 999\r\n\r\n")
        if not status.startswith(b"200"):
            return
        with socket.create_connection(("127.0.0.1", target), timeout=10) as other:
            back = threading.Thread(target=pump, args=(other, connection), daemon=True)
            back.start()
            pump(connection, other)
            back.join(10)

    return talk


def pump(one, other):
    try:
        while piece := one.recv(65536):
            other.sendall(piece)
        other.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def test_a_proxy_gets_the_whole_url_and_its_own_user_alone(serve, look):
    server = serve(proxy())
    seen = look("http", url="http://nowhere.example.test/a?b=1", proxy=f"http://me:secret@127.0.0.1:{server.port}")
    assert (seen["status"], seen["body"], seen["url"]) == (200, "ok", "http://nowhere.example.test/a?b=1")
    head = server.heard[0].decode()
    assert head.startswith("GET http://nowhere.example.test/a?b=1 HTTP/1.1\r\nHost: nowhere.example.test\r\n")
    assert "Proxy-Authorization: Basic " + base64.b64encode(b"me:secret").decode() in head


def test_a_proxy_tunnels_tls(serve, look, certificates):
    def answer(connection, server):
        server.request(connection)
        connection.sendall(OK)

    server = serve(answer, tls=certificates.server("good"))
    between = serve(proxy(server.port))
    seen = look(
        "http",
        url="https://localhost:4443/",
        proxy=f"http://me:secret@127.0.0.1:{between.port}",
        ca=certificates.ca,
        headers={"X-Mine": "1"},
    )
    assert (seen["status"], seen["body"]) == (200, "ok") and seen["tls"]["days_left"] > 0
    asked, sent = between.heard[0].decode(), server.heard[0].decode()
    assert asked.startswith("CONNECT localhost:4443 HTTP/1.1\r\nHost: localhost:4443\r\n") and "X-Mine" not in asked
    assert sent.startswith("GET / HTTP/1.1\r\nHost: localhost:4443\r\n") and "Proxy-Authorization" not in sent


def test_a_proxy_that_will_not_or_is_not_there(serve, look, receivers):
    server = serve(proxy(status=b"403 No"))
    failure = failure_of(look, url="https://shop.example.test/", proxy=f"http://me:secret@127.0.0.1:{server.port}")
    assert failure.reason == "proxy" and "answered 403" in failure.sentence and "secret" not in failure.sentence
    failure = failure_of(look, url="http://shop.example.test/", proxy=f"http://127.0.0.1:{receivers.dead_port()}")
    assert failure.reason == "refused" and "shop.example.test:80 through the proxy 127.0.0.1" in failure.sentence


@pytest.mark.parametrize("value", ["https://proxy:1", "http://proxy:1/path", "socks5://proxy:1", "http://"])
def test_what_is_no_proxy_is_refused(look, value):
    with pytest.raises(ValueError, match=r"http\.proxy"):
        look("http", url="http://a.example/", proxy=value)
