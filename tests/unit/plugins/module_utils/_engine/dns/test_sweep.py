# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sweep against real servers on loopback: good ones, and all the kinds of bad ones."""

from __future__ import annotations

import random
import socket
import struct
import threading
import time
import typing as t
import zlib

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.dns import pace, servers, sweep, wire
from ansible_collections.vigil.ops.plugins.module_utils._engine.dns.pace import Pace

OPT = b"\0\0\x29\x04\xd0\0\0\0\0\0\0"
Reply = t.Callable[["Server", bytes, bytes], t.Iterable[bytes]]


def question_of(query: bytes) -> bytes:
    end = 12
    while query[end]:
        end += query[end] + 1
    return query[12 : end + 5]


def packet_of(
    query: bytes, rcode: int = 0, answer: t.Optional[bytes] = None, flags: int = 0x80, question: t.Optional[bytes] = None
) -> bytes:
    """A reply with one A record whose address comes from the question."""
    asked = question_of(query)
    if answer is None:
        answer = b"\xc0\x0c\0\1\0\1\0\0\1\0\0\4" + struct.pack("!L", zlib.crc32(asked)) if rcode == 0 else b""
    count = 1 if answer else 0
    head = query[:2] + struct.pack("!BBHHHH", flags | 4 | query[2] & 1, 0x80 | rcode, 1, count, 0, 1)
    return head + (question or asked) + answer + OPT


def good(_server: Server, query: bytes, asked: bytes) -> t.Iterable[bytes]:
    return [packet_of(query)]


def silent(_server: Server, query: bytes, asked: bytes) -> t.Iterable[bytes]:
    return []


def says(rcode: int) -> Reply:
    return lambda _server, query, _asked: [packet_of(query, rcode)]


class Server(threading.Thread):
    """A name server that does with each query what it is told; ``asked`` counts the questions."""

    def __init__(self, reply: Reply = good) -> None:
        super().__init__(daemon=True)
        self.reply = reply
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(0.1)
        self.asked: t.Dict[bytes, int] = {}
        self.queries: t.List[bytes] = []
        self.ports: t.Set[int] = set()
        self.chance = random.Random(4)
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.is_set():
            try:
                query, peer = self.socket.recvfrom(4096)
            except OSError:
                continue
            asked = question_of(query)
            self.asked[asked] = self.asked.get(asked, 0) + 1
            self.queries.append(query)
            self.ports.add(peer[1])
            self.peer = peer
            for packet in self.reply(self, query, asked):
                self.socket.sendto(packet, peer)

    @property
    def place(self) -> servers.Server:
        return servers.parse("127.0.0.1:%d" % self.socket.getsockname()[1])


@pytest.fixture
def serve():
    running: t.List[Server] = []

    def start(reply: Reply = good) -> Server:
        running.append(Server(reply))
        running[-1].start()
        return running[-1]

    yield start
    for server in running:
        server.over.set()
    for server in running:
        server.join()
        server.socket.close()


@pytest.fixture
def closed():
    """A place where nobody listens."""
    holder = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    holder.bind(("127.0.0.1", 0))
    port = holder.getsockname()[1]
    holder.close()
    return servers.parse(f"127.0.0.1:{port}")


@pytest.fixture
def patient(monkeypatch):
    """For tests that count queries: a pause of this machine must not look like a lost packet."""
    monkeypatch.setattr(pace, "FIRST_RTO", 20.0)
    monkeypatch.setattr(pace, "FLOOR_RTO", 20.0)


def questions(count: int) -> t.List[wire.Question]:
    return [wire.question(f"host{number}.example.test", 1) for number in range(count)]


def limits(**more: t.Any) -> sweep.Limits:
    return sweep.Limits(**{"timeout": 1.0, "retries": 2, "until": time.monotonic() + 60, **more})


def known_of(asked: t.Sequence[wire.Question]) -> t.List[bytes]:
    return [wire.fingerprint(packet_of(bytes(12) + question.tail), 12 + len(question.tail)) for question in asked]


def check(swept: sweep.Swept, count: int) -> None:
    """Every question once."""
    indexes = [odd.index for odd in swept.odd]
    assert len(set(indexes)) == len(indexes)
    assert swept.same + len(indexes) == count


def statuses(swept: sweep.Swept) -> t.Set[str]:
    return {odd.status for odd in swept.odd}


def test_first_everything_is_odd_then_everything_is_the_same(serve):
    server, asked = serve(), questions(500)
    swept = sweep.sweep(asked, [server.place], limits())
    check(swept, 500)
    assert swept.same == 0 and statuses(swept) == {""}
    known: t.List[t.Optional[bytes]] = [None] * 500
    for odd in swept.odd:
        known[odd.index] = wire.fingerprint(odd.packet, 12 + len(asked[odd.index].tail))
    assert known == known_of(asked)
    again = sweep.sweep(asked, [server.place], limits(), known)
    assert (again.same, again.odd) == (500, [])
    assert all(odd.seconds >= 0 and odd.server == 0 and odd.message == "" for odd in swept.odd)


def test_what_changed_is_odd_and_others_count_as_the_same(serve):
    server, asked = serve(), questions(20)
    known = known_of(asked)
    right = known[3]
    known[3] = known[4]
    known[7] = known[4]
    swept = sweep.sweep(asked, [server.place], limits(), known, others={3: (b"x", right)})
    assert swept.same == 19
    assert [odd.index for odd in swept.odd] == [7]


def test_queries_are_as_asked_for(serve, patient):
    server = serve()
    sweep.sweep(questions(1), [server.place], limits(timeout=30), dnssec=True, recursion=False, edns_size=4000)
    sweep.sweep(questions(1), [server.place], limits(timeout=30), edns_size=0)
    one, two = server.queries
    # with DO comes CD: bogus data must come back to be judged
    assert one[2:12] == b"\0\x10\0\1\0\0\0\0\0\1" and one.endswith(b"\0\0\x29\x0f\xa0\0\0\x80\0\0\0")
    assert two[2:12] == b"\1\0\0\1\0\0\0\0\0\0" and two[12:] == questions(1)[0].tail


def test_ids_and_ports_are_many(serve):
    server = serve()
    sweep.sweep(questions(400), [server.place], limits(concurrency=20))
    assert len({query[:2] for query in server.queries}) > 350
    assert len(server.ports) == 4


def test_loss_costs_no_name(serve):
    server, asked = serve(lambda server, query, _asked: good(server, query, b"") if server.chance.random() > 0.2 else []), questions(2000)
    swept = sweep.sweep(asked, [server.place], limits(retries=6), known_of(asked))
    assert (swept.same, swept.odd) == (2000, [])
    assert swept.stats["resent"] >= 200


def spoofed(_server: Server, query: bytes, asked: bytes) -> t.Iterable[bytes]:
    """Lies of every kind before the truth."""
    lie = b"\xc0\x0c\0\1\0\1\0\0\1\0\0\4\6\6\6\6"
    other = bytes((query[0] ^ 1,)) + query[1:]
    yield packet_of(other, answer=lie)
    yield packet_of(query, answer=lie, question=asked.replace(b"host", b"HOST"))
    yield packet_of(query, answer=lie, question=asked[:-3] + b"\x1c" + asked[-2:])
    yield packet_of(query, answer=lie, question=asked[:-1] + b"\3")
    yield packet_of(query, answer=lie, flags=0)
    yield packet_of(query, answer=lie, flags=0x80 | 5 << 3)
    yield packet_of(query, answer=lie)[:4] + b"\0\2" + packet_of(query, answer=lie)[6:]
    yield query
    yield query[:2]
    yield b""
    yield query[:2] + b"\x80\0" + bytes(8)
    yield packet_of(query)
    yield packet_of(query, answer=lie)
    yield packet_of(query)


def test_lies_are_not_listened_to(serve, patient):
    server, asked = serve(spoofed), questions(100)
    swept = sweep.sweep(asked, [server.place], limits(timeout=30, concurrency=20), known_of(asked))
    assert (swept.same, swept.odd) == (100, [])
    assert swept.stats["rejected"] >= 900
    assert swept.stats["resent"] == 0


def test_another_source_is_not_listened_to(serve):
    other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    other.bind(("127.0.0.1", 0))

    def answer(server: Server, query: bytes, asked: bytes) -> t.Iterable[bytes]:
        lie = packet_of(query, answer=b"\xc0\x0c\0\1\0\1\0\0\1\0\0\4\6\6\6\6")
        other.sendto(lie, server.peer)
        other.sendto(lie, server.peer)
        return [packet_of(query)]

    asked = questions(50)
    swept = sweep.sweep(asked, [serve(answer).place], limits(), known_of(asked))
    other.close()
    assert (swept.same, swept.odd, swept.stats["rejected"]) == (50, [], 0)


def test_duplicates_change_nothing(serve):
    server, asked = serve(lambda _server, query, _asked: [packet_of(query)] * 3), questions(300)
    swept = sweep.sweep(asked, [server.place], limits(concurrency=10), known_of(asked))
    assert (swept.same, swept.odd) == (300, [])
    assert swept.stats["late"] > 0


def test_truncated_goes_on_to_the_stream(serve, patient):
    asked = questions(3)
    swept = sweep.sweep(
        asked, [serve(lambda _server, query, _asked: [packet_of(query, answer=b"", flags=0x82)]).place], limits(timeout=30), known_of(asked)
    )
    check(swept, 3)
    assert statuses(swept) == {"truncated"} and swept.stats["resent"] == 0
    assert all(odd.packet for odd in swept.odd)


@pytest.mark.parametrize(("rcode", "times"), [(2, 2), (5, 1), (1, 2), (4, 2), (9, 1)])
def test_a_bad_code_from_the_only_server_is_what_is_told(serve, patient, rcode, times):
    server, asked = serve(says(rcode)), questions(3)
    swept = sweep.sweep(asked, [server.place], limits(timeout=30), known_of(asked))
    check(swept, 3)
    assert [odd.packet[3] & 15 for odd in swept.odd] == [rcode] * 3
    assert statuses(swept) == {""}
    assert set(server.asked.values()) == {times}


@pytest.mark.parametrize("rcode", [1, 2, 4, 5])
def test_a_bad_code_is_asked_of_another_server(serve, patient, rcode):
    bad, right, asked = serve(says(rcode)), serve(), questions(40)
    swept = sweep.sweep(asked, [bad.place, right.place], limits(timeout=30), known_of(asked))
    assert (swept.same, swept.odd) == (40, [])
    assert bad.asked and set(bad.asked) <= set(right.asked) and len(right.asked) == 40


def test_a_name_that_is_not_there_is_an_answer(serve, patient):
    one, two, asked = serve(says(3)), serve(says(3)), questions(10)
    swept = sweep.sweep(asked, [one.place, two.place], limits(timeout=30), known_of(asked))
    check(swept, 10)
    assert swept.stats["queries"] == 10
    assert {odd.packet[3] & 15 for odd in swept.odd} == {3}


def test_a_server_that_knows_no_edns_is_asked_without(serve):
    def old(_server: Server, query: bytes, asked: bytes) -> t.Iterable[bytes]:
        if query[11]:
            return [query[:2] + b"\x81\x81" + bytes(8)]  # FORMERR, with nothing but the header
        packet = packet_of(query)[: -len(OPT)]
        return [packet[:11] + b"\0" + packet[12:]]

    asked = questions(5)
    swept = sweep.sweep(asked, [serve(old).place], limits(timeout=30), known_of(asked))
    assert (swept.same, swept.odd) == (5, [])


def test_broken_replies_go_to_another_server_and_else_are_told(serve):
    broken, asked = serve(lambda _server, query, _asked: [packet_of(query)[:-3]]), questions(6)
    swept = sweep.sweep(asked, [broken.place], limits(timeout=30), known_of(asked))
    check(swept, 6)
    assert statuses(swept) == {"malformed"} and broken.place.label in swept.odd[0].message and swept.odd[0].packet
    swept = sweep.sweep(asked, [broken.place, serve().place], limits(timeout=30), known_of(asked))
    assert (swept.same, swept.odd) == (6, [])


def test_nobody_listens(closed):
    asked = questions(200)
    swept = sweep.sweep(asked, [closed], limits(timeout=50))
    check(swept, 200)
    assert statuses(swept) == {"network"}
    assert swept.odd[0].message == f"{closed.label} cannot be reached: connection refused"


def test_nobody_listens_at_one_of_two(serve, closed):
    asked = questions(200)
    swept = sweep.sweep(asked, [closed, serve().place], limits(timeout=50), known_of(asked))
    assert (swept.same, swept.odd) == (200, [])


def test_a_silent_server_is_waited_for_and_told(serve):
    server, asked = serve(silent), questions(3)
    begin = time.monotonic()
    swept = sweep.sweep(asked, [server.place], limits(timeout=0.6, retries=0))
    assert time.monotonic() - begin >= 0.6
    check(swept, 3)
    assert statuses(swept) == {"timeout"} and set(server.asked.values()) == {1}
    assert swept.odd[0].message.startswith(f"no answer from {server.place.label} within 0.6")
    assert all(odd.packet is None and odd.seconds >= 0.6 for odd in swept.odd)


@pytest.mark.parametrize("retries", [0, 1, 4])
def test_a_slow_answer_to_the_first_try_is_an_answer(serve, retries):
    def slow(server: Server, query: bytes, asked: bytes) -> t.Iterable[bytes]:
        if server.asked[asked] == 1:
            threading.Timer(1.2, server.socket.sendto, (packet_of(query), server.peer)).start()
        return []

    server, asked = serve(slow), questions(3)
    swept = sweep.sweep(asked, [server.place], limits(timeout=10, retries=retries), known_of(asked))
    assert (swept.same, swept.odd) == (3, [])
    assert swept.stats["resent"] <= 3 * retries


def test_one_of_three_is_dead(serve):
    dead, asked = serve(silent), questions(3000)
    swept = sweep.sweep(asked, [serve().place, dead.place, serve().place], limits(timeout=20), known_of(asked))
    assert (swept.same, swept.odd) == (3000, [])
    assert len(dead.asked) < 500  # it was remembered


def test_what_is_known_of_servers_is_kept_for_the_next_sweep(serve):
    paces: t.Dict[str, Pace] = {}
    dead, right, asked = serve(silent), serve(), questions(50)
    sweep.sweep(asked, [dead.place, right.place], limits(timeout=20), paces=paces)
    before = dict(dead.asked)
    sweep.sweep(asked, [dead.place, right.place], limits(timeout=20), paces=paces)
    assert before and dead.asked == before


def test_the_total_limit_holds_and_names_are_told(serve):
    server, asked = serve(silent), questions(3000)
    swept = sweep.sweep(asked, [server.place], limits(timeout=5, until=time.monotonic() + 0.5))
    check(swept, 3000)
    assert statuses(swept) == {"timeout"}
    messages = {odd.message for odd in swept.odd}
    assert messages == {"not asked before the total time limit", f"no answer from {server.place.label} before the total time limit"}


def test_names_do_not_each_pay_for_servers_that_are_all_silent(serve):
    servers, asked = [serve(silent), serve(silent)], questions(20000)
    swept = sweep.sweep(asked, [server.place for server in servers], limits(timeout=0.5, retries=1, concurrency=500))
    check(swept, 20000)
    assert statuses(swept) == {"timeout"}
    assert any(odd.message.startswith("not asked, as there was no answer from ") for odd in swept.odd)
    assert sum(len(server.asked) for server in servers) < 10000


def test_no_time_at_all(serve):
    swept = sweep.sweep(questions(5), [serve().place], limits(until=time.monotonic() - 1))
    assert [odd.message for odd in swept.odd] == ["not asked before the total time limit"] * 5


def test_the_rate_holds(serve):
    server = serve()
    begin = time.monotonic()
    swept = sweep.sweep(questions(60), [server.place], limits(rates={"127.0.0.1": 100.0}))
    check(swept, 60)
    assert time.monotonic() - begin >= 0.35  # 20 at once, 40 at 100 a second
    assert statuses(swept) == {""}


def test_polite_by_default():
    far = servers.parse("192.0.2.1")
    assert sweep.Limits().rate_of(far) == 50 and sweep.Limits().rate_of(servers.parse("127.0.0.1")) == 0
    assert [sweep.Limits(rates={key: 7}).rate_of(far) for key in ("192.0.2.1", "192.0.2.1:53", "udp://192.0.2.1:53", "192.0.2.2")] == [
        7,
        7,
        7,
        50,
    ]
    assert sweep.Limits(rates={"[2001:db8::1]": 0}).rate_of(servers.parse("2001:db8::1")) == 0


def test_the_name_picks_the_server_and_first_overrules(serve, patient):
    one, two, asked = serve(), serve(), questions(60)
    sweep.sweep(asked, [one.place, two.place], limits(timeout=30))
    picked = set(one.asked)
    assert 10 < len(picked) < 50 and not picked & set(two.asked)
    one.asked.clear()
    sweep.sweep(asked, [one.place, two.place], limits(timeout=30))
    assert set(one.asked) == picked
    one.asked.clear()
    sweep.sweep(asked, [one.place, two.place], limits(timeout=30), first=dict.fromkeys(range(60), 1))
    assert not one.asked


def test_arguments_that_do_not_fit():
    with pytest.raises(ValueError, match="over UDP"):
        sweep.sweep(questions(1), [servers.parse("tcp://127.0.0.1")], limits())
    with pytest.raises(ValueError, match="over UDP"):
        sweep.sweep(questions(1), [], limits())
    with pytest.raises(ValueError, match="one known"):
        sweep.sweep(questions(2), [servers.parse("127.0.0.1")], limits(), known=[None])
    assert sweep.sweep([], [servers.parse("127.0.0.1")], limits()) == sweep.Swept(
        0, [], {"queries": 0, "resent": 0, "late": 0, "rejected": 0}
    )
