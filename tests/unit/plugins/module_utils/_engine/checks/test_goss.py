# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""goss files as goss' own documents write them, as checks."""

from __future__ import annotations

import random

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.goss import RESOURCES, convert, is_goss
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.goss_resources import MAKERS
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.matchers import parse_matcher
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows.inspect import inspect, read_checks

yaml = pytest.importorskip("yaml", reason="PyYAML comes with ansible-core; engine-only runs have none")

DOCUMENTED = r"""
addr:
  tcp://ip-address-or-domain-name:80:
    reachable: true
    address: "tcp://ip-address-or-domain-name:80"
    timeout: 500
    local-address: 127.0.0.1
command:
  'go version':
    exit-status: 0
    exec: "go version"
    stdout: [go version go1.6 linux/amd64]
    stderr: []
    timeout: 10000
    skip: false
  commandskip: {exec: false, exit-status: 0, skip: true}
dns:
  localhost: {resolvable: true, addrs: [127.0.0.1, "::1"], timeout: 500}
  CNAME:c.dnstest.io: {resolvable: true, server: 208.67.222.222, addrs: [a.dnstest.io.]}
  PTR:8.8.8.8: {resolvable: true, server: "8.8.8.8:53", addrs: [dns.google.]}
  TXT:txt._test.dnstest.io: {resolvable: true, server: 8.8.8.8, addrs: [Hello DNS]}
  nowhere.example: {resolvable: false}
file:
  /etc/passwd:
    exists: true
    mode: "0644"
    size: 2118
    owner: root
    filetype: file
    contents: []
    md5: 7c9bb14b3bf178e82c00c2a4398c93cd
    sha256: 7f78ce27859049f725936f7b52c6e25d774012947d915e7b394402cfceb70c4c
  /etc/alternatives/mta: {exists: true, filetype: symlink, linked-to: /usr/sbin/sendmail.sendmail, skip: false}
  /tmp/gone: {exists: false, mode: "0644"}
  ~root: {exists: true}
group:
  nfsnobody: {exists: true, gid: 65534}
http:
  https://www.google.com:
    status: 200
    no-follow-redirects: true
    timeout: 1000
    request-headers: ["Content-Type: text/html"]
    headers: ["Content-Type: text/html"]
    body: []
    username: me
    password: secret
    ca-file: ""
    method: PUT
interface:
  eth0: {exists: true, addrs: [172.17.0.2/16], mtu: 1500}
kernel-param:
  kernel.ostype: {value: Linux}
mount:
  /home: {exists: true, timeout: 1000, opts: [rw, relatime], vfs-opts: [rw], source: /dev/mapper/fedora-home, filesystem: xfs, usage: {lt: 95}}
matching:
  has_substr: {content: some string, matches: {match-regexp: some str}}
package:
  httpd: {installed: true, versions: [2.2.15]}
port:
  tcp:22: {listening: true, ip: [0.0.0.0]}
  tcp6:80: {listening: true}
process:
  chrome: {running: true}
service:
  sshd: {enabled: true, running: true, runlevels: ["3", "4", "5"]}
  telnet: {enabled: false, running: false}
user:
  nfsnobody: {exists: true, uid: 65534, groups: [nfsnobody], home: /var/lib/nfs}
  nobody: {exists: true, uid: {lt: 500}, groups: {consist-of: [nobody]}}
  sshd:
    title: UID must be between 50-100, GID doesn't matter. home is flexible
    meta: {desc: Ensure sshd is enabled, sev: 5}
    exists: true
    uid: {and: {gt: 50, lt: 100}}
    home: {or: [/var/empty/sshd, /var/run/sshd]}
"""


def converted(text):
    checks, left = convert(yaml.safe_load(text))
    read_checks(checks)
    return {check["name"]: check for check in checks}, left


def expected(text):
    return [check.get("expect") for check in converted(text)[0].values()]


def test_an_empty_text_asserts_and_an_empty_list_does_not():
    """``goss add`` writes ``stderr: ""`` for a command that says nothing there."""
    assert expected('command: {c: {exit-status: 0, stdout: [], stderr: ""}}') == [{"rc": 0, "stderr": '== ""'}]
    assert expected('file: {/f: {exists: true, contents: "a\\nb"}}') == [{"exists": True, "content": '== "a\\nb"'}]


def test_what_goss_add_writes_of_a_link():
    text = "file: {/etc/mtab: {exists: true, mode: '0777', size: 19, owner: root, group: root, linked-to: ../proc/self/mounts, filetype: symlink}}"
    checks, left = converted(text)
    assert checks["file /etc/mtab"]["expect"] == {"exists": True, "link": '== "../proc/self/mounts"'}
    assert [sentence.split(": ")[1] for sentence in left] == ["mode", "size", "owner", "group"]
    assert expected("file: {/etc: {exists: true, filetype: file}}") == [{"exists": True, "type": '== "file"', "link": "absent"}]


def test_several_values_of_a_kernel_parameter():
    assert expected('kernel-param: {net.ipv4.tcp_rmem: {value: "4096\t131072\t6291456"}}') == [{"value": '== "4096 131072 6291456"'}]


def test_attributes_that_are_lists_take_one_value_and_matchers_of_text():
    assert expected("package: {p: {installed: true, versions: 2.2.15}}") == [{"installed": True, "versions": ["2.2.15"]}]
    ((_path, text),) = expected("package: {p: {versions: {have-prefix: '2.2'}}}")[0].items()
    assert parse_matcher(text, "versions").test(["2.2.15"]) and not parse_matcher(text, "versions").test(["12.2"])


def test_addresses_of_both_families():
    checks, left = converted("dns: {h: {resolvable: true, addrs: {consist-of: [127.0.0.1, '::1']}}}")
    assert [(check["dns"]["type"], check["expect"]["rdata"]) for check in checks.values()] == [("A", ["127.0.0.1"]), ("AAAA", ["::1"])]
    assert left == []
    assert converted("dns: {h: {resolvable: {not: true}}}") == ({}, ["dns h: resolvable must be true or false"])


def test_attempts():
    checks, left = converted("command: {c: {exit-status: 0, retry_count: 2, retry_delay: 1s}, d: {exit-status: 0, retry_count: often}}")
    assert checks["command c"]["retries"] == 2 and "retries" not in checks["command d"]
    assert left == ["command c: retry_delay", "command d: retry_count"]


def test_headers_that_must_not_be_there_and_headers_that_are_text():
    text = "http: {http://h/: {status: 200, headers: ['!Server: nginx'], request-headers: 'X-A: b'}, http://i/: {request-headers: [odd]}}"
    checks, left = converted(text)
    assert checks["http http://h/"]["expect"] == {"status": 200, "headers.server": "!~ nginx"}
    assert checks["http http://h/"]["http"]["headers"] == {"X-A": "b"}
    assert left == ["http http://i/: request-headers: 'odd' is not of the form Name: value"]


def test_templates_are_named_and_formats_of_docker_are_not():
    text = r"""
http: {"http://localhost:{{.Vars.port}}/": {status: 200}}
command:
  one: {exec: 'echo {{ getEnv "OS" }}', exit-status: 0}
  two: {exec: 'docker inspect -f "{{range .Mounts}}{{.Source}}{{end}}{{.Config.Env}}" x', exit-status: 0}
  three: {exec: "echo {{if (eq .Env.OS 1)}}", exit-status: 0}
"""
    checks, left = converted(text)
    assert list(checks) == ["command two"]
    assert [sentence.partition(": it has a Go template")[1] != "" for sentence in left] == [True] * 3


def test_what_meta_holds_is_kept_as_text():
    checks, left = converted("user: {u: {exists: true, meta: {seen: 2026-01-31, tags: [a, b], sev: 5, none: ~}}}")
    check = checks["user u"]
    assert check["annotations"] == {"seen": '"2026-01-31"', "tags": '["a", "b"]', "sev": 5} and left == []


def test_a_port_without_a_protocol_is_tcp():
    assert converted("port: {22: {listening: true}}")[0]["port 22"]["port"] == {"port": 22, "protocol": "tcp"}


def test_the_documents_of_goss():
    checks, left = converted(DOCUMENTED)
    assert checks["addr tcp://ip-address-or-domain-name:80"] == {
        "name": "addr tcp://ip-address-or-domain-name:80",
        "tcp": {"host": "ip-address-or-domain-name", "port": 80, "timeout": "500ms"},
        "expect": {"connected": True},
    }
    assert checks["command go version"]["command"]["argv"] == ["sh", "-c", "go version"]
    assert checks["command go version"]["expect"] == {"rc": 0, "stdout": 'contains "go version go1.6 linux/amd64"'}
    assert [checks[name]["dns"]["type"] for name in ("dns localhost", "dns localhost (2)")] == ["A", "AAAA"]
    assert checks["dns PTR:8.8.8.8"]["dns"] == {"name": "8.8.8.8.in-addr.arpa", "type": "PTR", "nameservers": ["8.8.8.8:53"]}
    assert checks["dns TXT:txt._test.dnstest.io"]["expect"]["rdata"] == 'contains "\\"Hello DNS\\""'
    assert checks["dns nowhere.example"]["expect"] == {"status": "!= noerror"}
    assert checks["file /tmp/gone"]["expect"] == {"exists": False}
    assert checks["file /etc/alternatives/mta"]["expect"] == {"exists": True, "link": '== "/usr/sbin/sendmail.sendmail"'}
    web = checks["http https://www.google.com"]
    assert web["http"]["headers"] == {"Content-Type": "text/html", "Authorization": "Basic bWU6c2VjcmV0"}
    assert (web["http"]["follow"], web["http"]["timeout"], web["http"]["method"]) == (False, "1000ms", "PUT")
    assert web["expect"] == {"status": 200, "headers.content-type": 'contains "text/html"'}
    assert [checks[name]["expect"].get("options") for name in ("mount /home", "mount /home (2)")] == [
        'contains "rw"',
        'contains "relatime"',
    ]
    assert checks["mount /home (3)"]["disk"] == {"path": "/home", "timeout": "1000ms"}
    assert checks["mount /home (3)"]["expect"] == {"used_percent": "< 95"}
    assert checks["service telnet"]["expect"] == {"active": "!= true", "enabled": "!= true"}
    assert checks["user nobody"]["expect"] == {"exists": True, "uid": "< 500", "groups": ["nobody"]}
    assert checks["user sshd"]["expect"]["home"] == 'in ["/var/empty/sshd", "/var/run/sshd"]'
    assert (checks["user sshd"]["expect"]["uid"], checks["user sshd (2)"]["expect"]) == ("> 50", {"uid": "< 100"})
    assert checks["user sshd"]["annotations"]["desc"] == "Ensure sshd is enabled"
    assert left == [
        "addr tcp://ip-address-or-domain-name:80: local-address",
        "command commandskip: the file says skip",
        "file /etc/passwd: md5",
        "file ~root: ~root is no absolute path",
        "matching has_substr: there is no such probe",
        "port tcp6:80: IPv4 and IPv6 are not told apart",
        "service sshd: runlevels",
    ]


@pytest.mark.parametrize(
    ("wanted", "good", "bad"),
    [
        ("55", ["55"], ["56", "550"]),
        ("{equal: foo}", ["foo"], ["fooo"]),
        ("{have-prefix: a.b}", ["a.bc"], ["axbc", "xa.b"]),
        ("{have-suffix: a.b}", ["xa.b"], ["a.bx", "axb"]),
        (r"{match-regexp: '\d{2}'}", ["a42"], ["a4"]),
        ("{contain-substring: '2'}", ["42"], ["41"]),
        ("{gt: 40}", [41], [40]),
        ("{and: [{ge: 40}, {le: 45}]}", [40, 45], [39, 46]),
        ("{or: [a, 'b, c', 7]}", ["a", "b, c", 7], ["b", 8]),
        ("{not: foo}", ["bar"], ["foo"]),
        ("{not: {lt: 5}}", [5], [4]),
        ("{not: {have-prefix: a}}", ["ba"], ["ab"]),
        ("{not: {match-regexp: '^a'}}", ["ba"], ["ab"]),
        ("{not: {equal: 5}}", [6], [5]),
        ("{contain-element: b}", [["a", "b"]], [["ab"]]),
        ("{contain-element: {have-prefix: b}}", [["a", "bc"]], [["ab"]]),
        ("{contain-element: {have-suffix: '.b'}}", [["a.b"]], [["axb", "a.bc"]]),
        ("{not: {contain-element: b}}", [["a", "bc"]], [["a", "b"]]),
        ("{not: {contain-element: 5}}", [[15, 50]], [[1, 5]]),
        ("{equal: [a, b]}", [["a", "b"]], [["b", "a"]]),
    ],
)
def test_matchers(wanted, good, bad):
    of_list = isinstance(good[0], list)
    (expect,) = expected(f"package: {{k: {{versions: {wanted}}}}}" if of_list else f"kernel-param: {{k: {{value: {wanted}}}}}")
    ((path, text),) = expect.items()
    matcher = parse_matcher(text, path)
    assert [value for value in good if not matcher.test(value)] == []
    assert [value for value in bad if matcher.test(value)] == []


@pytest.mark.parametrize(
    ("pattern", "good", "bad"),
    [
        ("foo", "a\nxfoox\n", "a\n"),
        ("!foo", "a\n", "a foo\n"),
        ("\\!foo", "a !foo\n", "fo\n"),
        ("/^[Gg]oss$/", "a\ngoss\n", "a goss\n"),
        ("!/^b/", "ab\n", "a\nb\n"),
        ("/(?i)GOSS/", "goss", "boss"),
        ("5", "a 5", "a 4"),
    ],
)
def test_patterns_of_lines(pattern, good, bad):
    (expect,) = [check.get("expect") for check in convert({"file": {"/f": {"contents": [pattern]}}})[0]]
    matcher = parse_matcher(expect["content"], "content")
    assert matcher.test(good) and not matcher.test(bad)


def test_what_several_matchers_ask_of_one_key_are_several_checks():
    text = """
file:
  /tmp/test.txt:
    exists: true
    contents:
      and:
        - contain-element: "foo"
        - not: {contain-element: "bar"}
        - contain-element: {match-regexp: "[Gg]oss"}
"""
    assert expected(text) == [
        {"exists": True, "content": "~ (?m:^foo$)"},
        {"content": "!~ (?m:^bar$)"},
        {"content": "~ (?m:[Gg]oss)"},
    ]


def test_json_of_a_body():
    text = "http: {http://h/: {status: 200, body: {gjson: {moo.nested: cow, items.0.n: {le: 25}, '@this': {have-key: foo}}}}}"
    checks, left = converted(text)
    assert left == ["http http://h/: body: gjson '@this'"]
    good = "http: {http://h/: {status: 200, body: {gjson: {moo.nested: cow, items.0.n: {le: 25}}}}}"
    assert expected(good) == [{"status": 200, "json.moo.nested": '== "cow"', "json.items[0].n": "<= 25"}]
    assert checks


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("package: {p: {versions: {semver-constraint: '>1'}}}", "package p: versions: semver-constraint"),
        ("user: {u: {uid: {gt: many}}}", "user u: uid: gt with 'many'"),
        ("command: {c: {stdout: ['/[/']}}", "the regular expression"),
        ("dns: {d: {addrs: {consist-of: [{have-prefix: a}]}}}", "consist-of with a matcher"),
        ("addr: {'udp://h:53': {reachable: true}}", "is no tcp://host:port"),
        ("port: {'ssh': {listening: true}}", "is not of the form tcp:22"),
        ("port: 22", "port: this is no resource of goss"),
        ("service: {s: up}", "its attributes are no mapping"),
        ("gossfile: {x.yaml: {}}", "other files are not read here"),
        ("http: {'http://h': {headers: ['!X']}}", "headers: '!X' is not of the form"),
        ("service: {s: {odd: 1}}", "service s: odd"),
    ],
)
def test_what_has_no_equivalent_is_named(text, words):
    _checks, left = converted(text)
    assert any(words in sentence for sentence in left), left


def test_includes_see_other_files_from_where_they_stand():
    files = {"/a/two.yaml": {"gossfile": {"three.yaml": {}}, "service": {"x": {"running": True}}}, "/b.yaml": ["no"]}
    files["/a/three.yaml"] = {"service": {"x": {"running": False}, "y": {"running": True}}}
    asked = []

    def load(name, place):
        asked.append((name, place))
        place = "/a/" + name if name != "b" else "/b.yaml"
        return [(place, files[place])]

    content = {"gossfile": {"two.yaml": {}, "mine": {"file": "b"}, "off.yaml": {"skip": True}}, "service": {"x": {"running": True}}}
    checks, left = convert(content, load, "/a/one.yaml")
    assert [(check["name"], check["expect"]["active"]) for check in checks] == [
        ("service x", "!= true"),
        ("service y", True),
        ("service x (2)", True),
    ]
    assert left == ["gossfile mine: /b.yaml is no goss file", "gossfile off.yaml: the file says skip"]
    assert asked == [("two.yaml", "/a/one.yaml"), ("three.yaml", "/a/two.yaml"), ("b", "/a/one.yaml")]


def test_whatever_is_written_is_converted_or_named():
    """Random values in all attributes of all resources: nothing is raised, and what is made has the shape of a check."""
    chance = random.Random(5)
    values = (
        None, True, False, 0, 5, -1, 1.5, "", "x", "/a", "tcp:22", ["a"], [1], [], {}, {"gt": 1}, {"and": {"gt": 1, "lt": 2}}, {"not": {"not": 1}},
        {"or": [1, {}]}, {"have-len": 3}, {"contain-element": {"x": 1, "y": 2}}, {"gjson": {"a.b": 1}}, {"match-regexp": "("}, [["x"]], "!x",
        {"consist-of": ["b", "a"]}, [{"have-prefix": "a"}], {"equal": ["a"]}, {1: 2}, ["!/(/"], "a\nb", float("nan"),
    )  # fmt: skip
    for _round in range(3000):
        kind = chance.choice(RESOURCES)
        known = [*MAKERS.get(kind, (None, ("file", "skip")))[1], "title", "meta", "skip", "odd"]
        attributes = {name: chance.choice(values) for name in chance.sample(known, chance.randrange(5))}
        key = chance.choice(["a", "tcp:22", "/x", "https://h/", "tcp://h:1", "PTR:1.2.3.4", "", "a\x00b", 5, None, "x" * 400])
        checks, left = convert({kind: {key: chance.choice([attributes, attributes, None, 5])}})
        assert checks or left
        assert all(len(check["name"]) <= 200 and "\x00" not in check["name"] for check in checks)


def test_which_files_are_of_goss():
    assert is_goss({"service": {}}) and is_goss({"kernel-param": None, "dns": {}})
    assert is_goss({"service": {}, "x-anchors": {}, "registry": {}}) and not is_goss({"user": "bob", "port": 22})
    assert not is_goss([{"name": "a"}]) and not is_goss({"checks": []}) and not is_goss({}) and not is_goss({"service": {}, "checks": []})


def test_a_goss_file_runs(tmp_path):
    """What this very machine is like, written for goss."""
    place = tmp_path / "motd"
    place.write_text("hello goss\nsecond\n")
    place.chmod(0o640)
    text = f"""
file:
  {place}: {{exists: true, mode: "0640", filetype: file, size: 18, contents: [hello, "/^second$/", "!third"]}}
  {tmp_path}: {{exists: true, filetype: directory}}
  {tmp_path}/none: {{exists: false}}
mount:
  /proc: {{exists: true, filesystem: proc, opts: [rw]}}
user:
  root: {{exists: true, uid: 0, home: /root, groups: [root]}}
  no-such-user: {{exists: false}}
group: {{root: {{exists: true, gid: {{le: 0}}}}}}
kernel-param: {{kernel.ostype: {{value: Linux}}}}
interface: {{lo: {{exists: true, addrs: [127.0.0.1/8]}}}}
process: {{no-such-process: {{running: false}}}}
port: {{tcp:1: {{listening: false}}}}
dns: {{localhost: {{resolvable: true}}}}
addr: {{tcp://127.0.0.1:1: {{reachable: false}}}}
"""
    checks, left = converted(text)
    assert left == []
    results = inspect(read_checks(list(checks.values())))["results"]
    assert [(result["name"], result["summary"]) for result in results if result["status"] != "ok"] == []
    assert len(results) == 15
