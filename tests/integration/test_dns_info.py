# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module dns_info and the lookup dns, run by ansible-playbook against nsd and unbound."""

from __future__ import annotations

import json
import types

import pytest

pytest.importorskip("dns", reason="packets are read by dnspython")

ZONE = "www A 192.0.2.2\nwww A 192.0.2.1\nwww AAAA 2001:db8::1\nmail MX 10 Mx\nalias CNAME www\nxn--bcher-kva A 192.0.2.3\nodd TYPE65280 \\# 2 ABCD\n"
REVERSE = "1 PTR www.example.test.\n"


@pytest.fixture(name="play")
def fixture_play(run_playbook, ansible_env):
    """play(options, *args) runs the module and returns its result; ``raw`` is all that was said."""

    def run(options, *args, tasks=None, env=None):
        place = ansible_env.home / "result.json"
        place.unlink(missing_ok=True)
        own = [{"vigil.ops.dns_info": options, "register": "found", "ignore_errors": True}]
        keep = {"ansible.builtin.copy": {"content": "{{ found | to_json }}", "dest": str(place)}, "check_mode": False}
        done = run_playbook([{"hosts": "localhost", "gather_facts": False, "tasks": (tasks or own) + [keep]}], *args, env=env)
        found = json.loads(place.read_text()) if place.exists() else {}
        return types.SimpleNamespace(
            raw=done.output, rc=done.rc, **{key: found.get(key) for key in ("answers", "stats", "failed", "msg", "changed", "out")}
        )

    return run


@pytest.fixture(name="zone")
def fixture_zone(nsd):
    return nsd({"example.test": ZONE, "2.0.192.in-addr.arpa": REVERSE})


def test_answers_in_the_order_of_the_input(play, zone):
    names = [
        "WWW.example.test.",
        "mail.example.test",
        "alias.example.test",
        "b\u00fccher.example.test",
        "none.example.test",
        "www.example.test",
    ]
    found = play({"names": names, "types": ["A", "mx"], "nameservers": [zone.address]})
    assert (found.changed, found.failed) == (False, False)
    pairs = [(one["name"], one["type"], one["status"]) for one in found.answers]
    assert pairs[:6] == [
        ("www.example.test", "A", "noerror"),
        ("www.example.test", "MX", "nodata"),
        ("mail.example.test", "A", "nodata"),
        ("mail.example.test", "MX", "noerror"),
        ("alias.example.test", "A", "noerror"),
        ("alias.example.test", "MX", "nodata"),
    ]
    assert [pair[0] for pair in pairs[6::2]] == ["xn--bcher-kva.example.test", "none.example.test", "www.example.test"]
    first, alias = found.answers[0], found.answers[4]
    assert (first["rdata"], first["ttl"], first["nameserver"]) == (["192.0.2.1", "192.0.2.2"], 300, zone.address)
    assert (first["secure"], first["message"], first["latency_ms"] > 0) == (None, "", True)
    assert (alias["rdata"], alias["chain"]) == (["192.0.2.1", "192.0.2.2"], ["www.example.test."])
    assert found.stats["names"] == 6
    assert (found.stats["answered"], found.stats["failed"]) == (12, 0)
    assert found.stats["statuses"] == {"noerror": 5, "nodata": 5, "nxdomain": 2}


def test_a_file_of_names_and_check_mode(play, zone, tmp_path):
    place = tmp_path / "names.txt"
    place.write_text("# ours\nwww.example.test\n\nmail.example.test  # no address\n")
    found = play({"names_file": str(place), "nameservers": [zone.address]}, "--check", "--diff")
    assert [one["status"] for one in found.answers] == ["noerror", "nodata"]
    assert found.changed is False


def test_reverse_names_and_unknown_types(play, zone):
    found = play({"names": ["192.0.2.1"], "types": ["PTR"], "nameservers": [zone.address]})
    assert [(one["name"], one["rdata"]) for one in found.answers] == [("1.2.0.192.in-addr.arpa", ["www.example.test."])]
    found = play({"names": ["odd.example.test"], "types": ["TYPE65280"], "nameservers": [f"tcp://{zone.address}"]})
    assert found.answers[0]["rdata"] == ["\\# 2 abcd"]


def test_failures_do_not_fail_the_task(play, fake_dns):
    silent = fake_dns(lambda query, transport: None)
    names = [f"n{number}.example.test" for number in range(50)]
    found = play({"names": names, "nameservers": [silent.address], "timeout": "300ms", "retries": 0, "deadline": "2s"})
    assert not found.failed
    assert [one["status"] for one in found.answers] == ["timeout"] * 50
    assert (found.stats["answered"], found.stats["failed"]) == (0, 50)
    assert silent.address in found.answers[0]["message"]


@pytest.mark.parametrize("way", ["", "tcp://"])
def test_what_was_not_reached_in_time_is_told(play, nsd, tmp_path, way):
    server = nsd({"example.test": "* A 192.0.2.1\n"})
    place = tmp_path / "names.txt"
    place.write_text("".join(f"n{number}.example.test\n" for number in range(5000)))
    found = play({"names_file": str(place), "nameservers": [way + server.address], "rate": 200, "deadline": "1500ms"})
    assert [one["name"] for one in found.answers] == [f"n{number}.example.test" for number in range(5000)]
    counts = found.stats["statuses"]
    assert set(counts) == {"noerror", "timeout"} and sum(counts.values()) == 5000
    told = [one["message"] for one in found.answers if one["status"] == "timeout"]
    assert told.count("not asked before the total time limit") > 2000
    assert all("before the total time limit" in message for message in told)
    assert (found.stats["answered"], found.stats["failed"]) == (counts["noerror"], counts["timeout"])
    assert counts["noerror"] <= found.stats["queries"] < 2500  # what was not asked is not counted as asked


def test_every_authoritative_server(play, nsd, unbound):
    text = "@ NS other\n@ NS ns\nother A 127.0.0.2\nwww A 192.0.2.1\n"
    one = nsd({"example.test": text})
    two = nsd({"example.test": text.replace("192.0.2.1", "192.0.2.9")}, address="127.0.0.2", port=one.port)
    resolves = unbound({"example.test": one})
    found = play({"names": ["www.example.test"], "nameservers": [f"authoritative:{one.port}", resolves.address]})
    said = {answer["nameserver"]: answer["rdata"] for answer in found.answers}
    assert said == {f"127.0.0.1:{one.port}#ns.example.test": ["192.0.2.1"], f"127.0.0.2:{two.port}#other.example.test": ["192.0.2.9"]}
    two.kill()
    found = play(
        {"names": ["www.example.test"], "nameservers": [f"authoritative:{one.port}", resolves.address], "timeout": "500ms", "retries": 1}
    )
    assert sorted(answer["status"] for answer in found.answers) in (["network", "noerror"], ["noerror", "timeout"])


def test_ds_records_are_asked_of_the_servers_above_and_by_tcp(play, nsd, unbound):
    below = nsd({"sub.example.test": "@ NS ns\nns A 127.0.0.2\n"}, address="127.0.0.2")
    digest = "A" * 64
    text = f"sub NS ns.sub\nns.sub A 127.0.0.2\nsub DS 12345 13 2 {digest}\n"
    above = nsd({"example.test": text}, port=below.port)
    resolves = unbound({"example.test": above, "sub.example.test": below}, extra="  qname-minimisation: no\n")
    options = {"nameservers": [f"authoritative:{above.port}", resolves.address], "transport": "tcp"}
    found = play({"names": ["sub.example.test"], "types": ["DS", "NS"], **options})
    said = {(one["type"], one["nameserver"]): (one["status"], one["rdata"]) for one in found.answers}
    assert said == {
        ("DS", f"tcp://127.0.0.1:{above.port}#ns.example.test"): ("noerror", [f"12345 13 2 {digest.lower()}"]),
        ("NS", f"tcp://127.0.0.2:{above.port}#ns.sub.example.test"): ("noerror", ["ns.sub.example.test."]),
        ("NS", f"tcp://127.0.0.1:{above.port}#ns.sub.example.test"): (
            "lame",
            [],
        ),  # the fixture names this address too; it only knows who knows
    }


def test_a_server_named_for_a_zone_that_is_no_authority_is_lame(play, nsd, unbound):
    one = nsd({"example.test": "@ NS other\n@ NS ns\nother A 127.0.0.2\nwww A 192.0.2.1\n"})
    resolves = unbound({"example.test": one})
    fake = unbound({"example.test": one}, extra=f"  interface: 127.0.0.2@{one.port}\n")
    found = play({"names": ["www.example.test"], "nameservers": [f"authoritative:{one.port}", resolves.address]})
    said = {answer["nameserver"]: (answer["status"], answer["rdata"]) for answer in found.answers}
    assert said.pop(f"127.0.0.1:{one.port}#ns.example.test") == ("noerror", ["192.0.2.1"])
    ((status, rdata),) = said.values()
    assert (status, rdata) in (("lame", []), ("refused", [])), fake.log()


def test_validation(play, signed_tree, nsd, unbound):
    server = nsd(signed_tree.zones)
    resolves = unbound(dict.fromkeys(signed_tree.zones, server), anchor=signed_tree.anchor, extra="  qname-minimisation: no\n")
    names = ["www.secure.test", "www.bogus.secure.test", "www.insecure.secure.test"]
    options = {"names": names, "nameservers": [resolves.address], "dnssec": True, "trust_anchors": [signed_tree.anchor]}
    found = play(options)
    assert [(one["status"], one["secure"]) for one in found.answers] == [("noerror", "secure"), ("bogus", "bogus"), ("noerror", "insecure")]
    plain = play({"names": names, "nameservers": [resolves.address]})
    assert [one["status"] for one in plain.answers] == ["noerror", "servfail", "noerror"]
    assert "DNSSEC" in plain.answers[1]["message"] or "RRSIG" in plain.answers[1]["message"]


def test_tls_and_https(play, zone, doh_server, fake_dns, dns_certificates):
    from dns_proxies import ask_tcp

    doh = doh_server(zone)
    dot = fake_dns(lambda query, transport: ask_tcp((zone.host, zone.port), query), certificates=dns_certificates)
    for place in (doh.https, dot.tls):
        found = play({"names": ["www.example.test", "none.example.test"], "nameservers": [place], "ca": dns_certificates[0]})
        assert [one["status"] for one in found.answers] == ["noerror", "nxdomain"]
        assert found.answers[0]["nameserver"] == place
    assert play({"names": ["www.example.test"], "nameservers": [dot.tls]}).answers[0]["status"] == "tls"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"names": ["ok.test", "a..b"]}, ["names, item 2", "a..b"]),
        ({"names_file": "{{ playbook_dir }}/none.txt"}, ["names_file", "none.txt"]),
        ({"names": []}, ["give names"]),
        ({"names": ["a.test"], "types": ["AA"]}, ["types", "AA", "did you mean"]),
        ({"names": ["a.test"], "types": ["AXFR"]}, ["types", "AXFR"]),
        ({"names": ["192.0.2.1"]}, ["names, item 1", "PTR"]),
        ({"names": ["a.test"], "nameservers": ["127.0.0.1:99999"]}, ["nameservers", "99999"]),
        ({"names": ["a.test"], "nameservers": ["ftp://127.0.0.1"]}, ["nameservers", "ftp"]),
        ({"names": ["a.test"], "nameservers": ["authoritative:0"]}, ["authoritative:0"]),
        ({"names": ["a.test"], "nameservers": ["127.0.0.1"], "timeout": "soon"}, ["timeout", "soon"]),
        ({"names": ["a.test"], "nameservers": ["127.0.0.1"], "timeout": "0"}, ["timeout"]),
        ({"names": ["a.test"], "nameservers": ["127.0.0.1"], "deadline": "0"}, ["deadline is 0", "more than 0"]),
        ({"names": ["a.test"], "nameservers": ["127.0.0.1#a.test"]}, ["127.0.0.1#a.test", "tls://"]),
        ({"names": ["a.test"], "nameservers": ["authoritative"], "transport": "tls"}, ["transport is tls", "authoritative", "udp or tcp"]),
        ({"names_file": "/dev/zero"}, ["names_file", "/dev/zero", "not a regular file"]),
        ({"names": ["a.test"], "nameservers": ["127.0.0.1"], "retries": -1}, ["retries"]),
        ({"names": ["a.test"], "nameservers": ["127.0.0.1"], "rate": "fast"}, ["rate", "fast"]),
        ({"names": ["a.test"], "nameservers": ["127.0.0.1"], "rate": {"192.0.2.9": 5}}, ["rate", "192.0.2.9", "127.0.0.1:53"]),
        ({"names": ["a.test"], "nameservers": ["127.0.0.1"], "ca": "/not/here"}, ["ca", "/not/here"]),
        ({"names": ["a.test"], "nameservers": ["127.0.0.1"], "dnssec": True, "trust_anchors": ["x"]}, ["trust_anchors", "x"]),
        ({"names": ["a.test"], "nameservers": ["127.0.0.1"], "trust_anchors": [". DS 1 8 2 AB"]}, ["trust_anchors", "dnssec"]),
    ],
)
def test_bad_input_is_refused(play, options, words):
    found = play(options)
    assert found.failed
    assert [word for word in words if word not in found.msg] == []
    assert "Traceback" not in found.raw


def test_a_bad_line_of_a_file_is_named(play, tmp_path):
    place = tmp_path / "names.txt"
    place.write_text("www.example.test\n\nbad name.test\n")
    found = play({"names_file": str(place), "nameservers": ["127.0.0.1"]})
    assert found.failed and f"{place} line 3" in found.msg


def test_without_dnspython_it_says_so(play, tmp_path):
    (tmp_path / "dns").mkdir()
    (tmp_path / "dns" / "__init__.py").write_text("raise ImportError('hidden by the test')\n")
    found = play({"names": ["a.test"], "nameservers": ["127.0.0.1"]}, env={"PYTHONPATH": str(tmp_path)})
    assert found.failed
    assert "dnspython" in found.msg and "python" in found.msg.lower()


def hidden(place, library):
    """An environment in which a library is not there."""
    (place / library).mkdir()
    (place / library / "__init__.py").write_text("raise ImportError('hidden by the test')\n")
    return {"PYTHONPATH": str(place)}


def test_without_cryptography_it_says_so(play, tmp_path):
    options = {"names": ["a.test"], "nameservers": ["127.0.0.1"], "dnssec": True}
    found = play(options, env=hidden(tmp_path, "cryptography"))
    assert found.failed and "cryptography" in found.msg and "python library" in found.msg.lower()
    assert "validate DNSSEC" in found.msg


def test_without_h2_a_server_that_needs_it_is_a_failure_that_says_so(play, zone, unbound, dns_certificates, tmp_path):
    resolves = unbound({"example.test": zone}, certificates=dns_certificates)
    options = {
        "names": ["www.example.test"],
        "nameservers": [resolves.https],
        "ca": str(dns_certificates[0]),
        "timeout": "2s",
        "retries": 0,
    }
    assert play(options).answers[0]["status"] == "noerror"
    (answer,) = play(options, env=hidden(tmp_path, "h2")).answers
    assert (answer["status"], "python3-h2" in answer["message"]) == ("http", True)


def lookup(expression):
    return [{"ansible.builtin.set_fact": {"out": "{{ " + expression + " }}"}, "register": "told", "ignore_errors": True}] + [
        {"ansible.builtin.set_fact": {"found": {"out": "{{ out | default('none') }}", "msg": "{{ told.msg | default('') }}"}}}
    ]


def test_the_lookup(play, zone):
    where = f"nameservers=['{zone.address}']"
    assert play({}, tasks=lookup(f"query('vigil.ops.dns', 'www.example.test', {where})")).out == ["192.0.2.1", "192.0.2.2"]
    both = play({}, tasks=lookup(f"query('vigil.ops.dns', 'www.example.test', 'alias.example.test', types=['A', 'AAAA'], {where})")).out
    assert both == ["192.0.2.1", "192.0.2.2", "2001:db8::1"] * 2
    assert play({}, tasks=lookup(f"lookup('vigil.ops.dns', 'mail.example.test', type='MX', {where})")).out == "10 mx.example.test."
    assert play({}, tasks=lookup(f"query('vigil.ops.dns', 'none.example.test', empty=true, {where})")).out == []
    twice = f"query('vigil.ops.dns', [['www.example.test'], 'alias.example.test'], dnssec='no', {where})"
    assert play({}, tasks=lookup(twice)).out == ["192.0.2.1", "192.0.2.2"] * 2


def test_the_lookup_asks_authoritative_servers(play, nsd, unbound):
    text = "@ NS ns\n@ NS other\nother A 127.0.0.2\nwww A 192.0.2.1\n"
    one = nsd({"example.test": text})
    two = nsd({"example.test": text + "www A 192.0.2.9\n"}, address="127.0.0.2", port=one.port)
    resolves = unbound({"example.test": one})
    where = f"nameservers=['authoritative:{one.port}', '{resolves.address}'], timeout='500ms', retries=1"
    assert play({}, tasks=lookup(f"query('vigil.ops.dns', 'www.example.test', {where})")).out == ["192.0.2.1", "192.0.2.9"]
    two.kill()
    found = play({}, tasks=lookup(f"query('vigil.ops.dns', 'www.example.test', {where})"))
    assert found.out == "none" and "127.0.0.2" in found.raw


def test_errors_of_the_lookup(play, zone):
    where = f"nameservers=['{zone.address}']"
    for expression, words in (
        (f"query('vigil.ops.dns', 'none.example.test', {where})", ["none.example.test A", "nxdomain"]),
        (f"query('vigil.ops.dns', 'mail.example.test', {where})", ["mail.example.test A", "nodata"]),
        (f"query('vigil.ops.dns', 'www.elsewhere.test', empty=true, {where})", ["refused"]),
        (f"query('vigil.ops.dns', 'a..b', {where})", ["a..b"]),
        (f"query('vigil.ops.dns', 'a.test', type='BOGUS', {where})", ["types", "BOGUS"]),
        (f"query('vigil.ops.dns', {where})", ["there is nothing to ask for: give a name"]),
        (f"query('vigil.ops.dns', dict(a=1), {where})", ["a mapping is not a name"]),
        (f"query('vigil.ops.dns', 'www.example.test', typ='MX', {where})", ["no option", "typ", "did you mean", "type"]),
        (f"query('vigil.ops.dns', 'www.example.test', dnssec='maybe', {where})", ["dnssec is", "maybe", "true or false"]),
        (f"query('vigil.ops.dns', 'www.example.test', deadline=0, {where})", ["deadline is 0"]),
    ):
        found = play({}, tasks=lookup(expression))
        assert found.out == "none"
        assert [word for word in words if word not in found.raw] == []
        assert "Traceback" not in found.raw
