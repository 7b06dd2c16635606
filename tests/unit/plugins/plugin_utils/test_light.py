# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The light payload: what is sent to a host runs there alone, with nothing but Python, and gives away nothing."""

from __future__ import annotations

import ast
import base64
import dataclasses
import json
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes import registry
from ansible_collections.vigil.ops.plugins.modules.inspect import ARGUMENT_SPEC
from ansible_collections.vigil.ops.plugins.plugin_utils import _light

UTILS = Path(_light.__file__).resolve().parent.parent / "module_utils"
OPTIONS = {name: option.get("default") for name, option in ARGUMENT_SPEC.items()}  # as the action part completes them
LOAD = {"name": "load", "load": {}, "expect": {"per_core1": ">= 0"}}


@dataclasses.dataclass(frozen=True)
class Bits:
    """As ansible-core hands a built module over from 2.19 on."""

    b_module_data: bytes
    module_style: str
    shebang: str | None
    serialization_profile: str = "legacy"


def made(*checks, **options):
    return _light.script("inspect", {**OPTIONS, "checks": list(checks), **options}, "#!/usr/bin/python3")


def ran(text, cwd, *flags):
    done = subprocess.run([sys.executable, *flags, "-"], input=text, cwd=cwd, capture_output=True, timeout=60, check=False)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def test_it_runs_without_site_packages_and_writes_nothing(tmp_path):
    rc, out, err = ran(made(LOAD), tmp_path, "-I", "-S")
    result = json.loads(out)
    assert (rc, err) == (0, "")
    assert [(found["name"], found["status"]) for found in result["results"]] == [("load", "ok")]
    assert result["changed"] is False
    assert "invocation" not in result
    assert list(tmp_path.iterdir()) == []


def test_modules_of_the_present_directory_are_not_taken(tmp_path):
    for name in ("json", "base64", "zlib", "importlib", "selectors", "ansible_collections"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('taken')")
    rc, out, _err = ran(made(LOAD), tmp_path)
    assert (rc, json.loads(out)["status"]) == (0, "ok")


def test_an_older_python_is_told_which_is_needed(tmp_path):
    rc, out, err = ran(made(LOAD).replace(b"sys.version_info < (3, 8)", b"sys.version_info < (99, 0)"), tmp_path)
    assert (rc, err) == (1, "")
    assert json.loads(out)["failed"] is True
    assert "needs Python 3.8 or newer" in json.loads(out)["msg"]


def test_bad_checks_fail_as_with_ansible_module(tmp_path):
    rc, out, _err = ran(made({"name": "x", "htpt": {}}), tmp_path)
    assert (rc, json.loads(out)["failed"]) == (1, True)
    assert "htpt" in json.loads(out)["msg"]


def test_a_fault_of_ours_is_a_result_that_quotes_no_option(tmp_path):
    text = made(dict(LOAD, annotations={"password": "s3cr3t-value"}), concurrency="no number")
    rc, out, err = ran(text, tmp_path)
    result = json.loads(out)
    assert (rc, result["failed"]) == (1, True)
    assert "_engine/inspection/runner.py" in result["exception"]
    assert "s3cr3t-value" not in out + err


def test_the_invocation_is_told_with_vvv_alone_and_masked(tmp_path):
    check = {"name": "page", "http": {"url": "http://u:s3cr3t-value@127.0.0.1:9/", "timeout": 1}}
    rc, out, err = ran(made(check, _ansible_verbosity=3), tmp_path)
    assert rc == 0
    assert json.loads(out)["invocation"]["module_args"]["timeout"] == "60s"
    assert "s3cr3t-value" not in out + err


def test_options_that_look_like_the_script_stay_options(tmp_path):
    name = "'''\"\"\"{0}{args}\\n\\\\ é \u2028 {{ }} %s"
    _rc, out, _err = ran(made(dict(LOAD, name=name)), tmp_path)
    assert json.loads(out)["results"][0]["name"] == name


def test_what_looks_like_an_end_of_line_does_not_break_the_result(tmp_path):
    """Ansible takes the lines of what a host prints apart as str.splitlines() does, and a host may be told to print anything."""
    odd = "".join(map(chr, [*range(1, 0x20), 0x7F, *range(0x80, 0xA0), 0x2028, 0x2029, 0xFEFF]))
    place = tmp_path / "odd"
    place.write_text(f"a{odd}b", encoding="utf-8", newline="")
    check = {"name": f"odd {odd[-2]}", "file": {"path": str(place), "content": True}, "expect": {"content": "~ a"}}
    rc, out, _err = ran(made(check), tmp_path)
    (line,) = [line for line in out.splitlines() if line.strip()]
    (result,) = json.loads(line)["results"]
    assert (rc, result["status"], result["observed"]["content"]) == (0, "ok", f"a{odd}b")


def test_check_mode_runs_no_command(tmp_path):
    target = tmp_path / "touched"
    rc, _out, _err = ran(made({"name": "c", "command": {"argv": ["touch", str(target)]}}, _ansible_check_mode=True), tmp_path)
    assert rc == 0
    assert not target.exists()


def test_the_texts_of_both_hand_overs_are_replaced():
    style, shebang, text, path = _light.lightened(("new", "#!/usr/bin/python3", b"heavy", "/p"), "inspect", OPTIONS)
    assert (style, shebang, path) == ("new", "#!/usr/bin/python3", "/p")
    assert text.startswith(b"#!/usr/bin/python3\nimport sys\n")
    bits, path = _light.lightened((Bits(b"heavy", "new", "#!/usr/bin/python3"), "/p"), "inspect", OPTIONS)
    assert (bits.b_module_data, bits.module_style, path) == (text, "new", "/p")


@pytest.mark.parametrize(
    "built",
    [
        ("non_native_want_json", "#!/usr/bin/python3", b"x", "/p"),
        ("new", "#!powershell", b"x", "/p"),
        ("new", None, b"x", "/p"),
        ("new", "#!/usr/bin/python3", None, "/p"),
        (Bits(b"x", "binary", None), "/p"),
        (Bits(b"x", "new", "#!powershell"), "/p"),
        ("something", "new"),
        (1, 2, 3),
    ],
)
def test_what_is_not_known_is_left_as_it_is(built):
    assert _light.lightened(built, "inspect", OPTIONS) is built


def texts_of(*checks, **options):
    """What is sent, by name."""
    found = {}
    for line in made(*checks, **options).decode().splitlines():
        if line.startswith(('TEXTS = "', 'MORE = "')):
            found.update(json.loads(zlib.decompress(base64.b64decode(line.split('"')[1]))))
    return found


def test_imports_are_found_as_python_finds_them():
    """They are not parsed for the sake of time; so here is what parsing finds."""
    for path in sorted(UTILS.rglob("*.py")) + sorted(UTILS.parent.glob("modules/*.py")):
        text, wanted = path.read_text(encoding="utf-8"), set()
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(_light.ROOT):
                names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
                wanted |= {name for name in names if _light._file(name).is_file()}
        assert set(_light._imports(text)) == wanted, path


def test_only_what_the_checks_use_is_sent():
    probe = _light.ROOT + "module_utils._engine.probes."
    sent = texts_of(LOAD)
    assert {name for name in sent if name.startswith(probe)} == {probe + "registry", probe + "load"}
    assert not any("_engine.dns." in name or "_engine.channels." in name for name in sent)
    assert [name for name in sent if "_engine.state." in name] == [_light.ROOT + "module_utils._engine.state.errors"]
    more = texts_of(LOAD, {"name": "page", "http": {"url": "http://127.0.0.1:9/"}})
    assert probe + "http" in more
    assert probe + "load" in more
    file, server = texts_of(LOAD, state_url="sqlite:///x"), texts_of(LOAD, state_url="postgresql://db/x")
    assert any(name.endswith("state.store") for name in file) and not any("postgres" in name for name in file)
    assert any(name.endswith("state.postgres_session") for name in server)
    assert any(name.endswith("state.last_looks") for name in texts_of(LOAD, state_url="sqlite:///x"))
    for sign, stored in (({"path": "/x", "every": "1h"}, False), ({"state": "default", "every": "1h"}, True)):
        sent = texts_of({"name": "sign", "heartbeat": sign})
        assert any(name.endswith("state.store") for name in sent) is stored


@pytest.mark.parametrize("checks", [None, "text", [1, None, "x", {1: 2}], [{}]])
def test_what_is_no_check_is_left_to_the_host(checks):
    assert _light._needs({"checks": checks, "state_url": None}) == frozenset()


ALONE = {
    "http": {"url": "http://127.0.0.1:9/", "timeout": 2},
    "tcp": {"port": 9, "expect": "x"},
    "tls": {"host": "127.0.0.1", "port": 9},
    "dns": {"name": "localhost"},
    "process": {"pattern": "."},
    "service": {"name": "ssh"},
    "file": {"path": "/etc/passwd", "sha256": True},
    "command": {"argv": ["true"]},
    "port": {"port": 9},
    "udp": {"port": 9, "send": "x", "expect": "x", "timeout": 2},
    "icmp": {"host": "127.0.0.1"},
    "ssh": {"port": 9},
    "cert_file": {"path": "/no/such"},
    "mount": {"path": "/proc"},
    "package": {"name": "bash"},
    "user": {"name": "root"},
    "group": {"name": "root"},
    "kernel": {"name": "kernel.ostype"},
    "interface": {"name": "lo"},
    "heartbeat": {"path": "/no/such", "every": "1h"},
    "log": {"path": "/etc/passwd", "keyword": "no such text"},
    "smart": {"device": "/dev/null"},
}


@pytest.mark.parametrize("probe", registry.PROBES)
def test_every_probe_works_in_a_payload_that_holds_it_alone(tmp_path, probe):
    check = {"name": "it", probe: ALONE.get(probe, {})}
    rc, out, err = ran(made(check), tmp_path, "-I", "-S")
    (found,) = json.loads(out)["results"]
    assert (rc, err) == (0, "")
    assert (found["probe"], found["reason"]) != (probe, "internal"), found["summary"]
    assert "No module named 'ansible_collections" not in out


def test_the_store_works_on_the_host_where_it_is_used(tmp_path):
    place = tmp_path / "state.db"
    for _run in range(2):
        rc, out, _err = ran(made(LOAD, state_url=f"sqlite:///{place}"), tmp_path)
        assert rc == 0, out
    assert json.loads(out)["results"][0]["was"] == "ok"


def test_what_is_left_out_of_the_text_means_nothing():
    """Not one character of a string goes with the comments."""
    names = _light._closure("inspect", _light._EVERYTHING)
    for name in names:
        whole, sent = _light._file(name).read_text(), _light._source(name).code
        if not name.startswith(_light.ROOT + "modules."):
            assert ast.dump(ast.parse(whole)) == ast.dump(ast.parse(sent)), name
        assert whole.count("\n") == sent.count("\n")
        assert "SPDX-License-Identifier" in sent
