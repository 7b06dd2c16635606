# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The use case: what is refused before any work, what is written, what stays when writing fails."""

from __future__ import annotations

import concurrent.futures
import json
import os
import shutil
import subprocess
import sys

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import report as flow
from ansible_collections.vigil.ops.plugins.module_utils._engine.report import files

ALL = ("html", "md", "json", "junit", "prometheus")
NAMES = ["inspection.html", "inspection.json", "inspection.md", "inspection.prom", "inspection.xml"]


def request(dest, **values):
    return flow.Request(**dict({"dest": str(dest), "formats": ALL, "now": 1795226400.0}, **values))


def test_files_are_written_for_everybody_to_read(tmp_path, fleet):
    dest = tmp_path / "a" / "b"
    old = os.umask(0o077)
    try:
        made = flow.make(request(dest), fleet)
    finally:
        os.umask(old)
    assert sorted(os.listdir(dest)) == NAMES
    assert {os.stat(path).st_mode & 0o777 for path in made["files"].values()} == {0o644}
    assert made["changed"] and made["status"] == "critical" and made["summary"]["unreachable"] == 1
    assert json.loads((dest / "inspection.json").read_text(encoding="utf-8"))["title"] == "Inspection"


def test_the_same_again_is_no_change_but_has_a_new_time(tmp_path, fleet):
    flow.make(request(tmp_path), fleet)
    again = flow.make(request(tmp_path, now=1795230000.0), fleet)
    assert not again["changed"] and again["diff"] == []
    assert "2026-11-21T03:00:00Z" in (tmp_path / "inspection.json").read_text(encoding="utf-8")
    changed = flow.make(request(tmp_path), dict(fleet, web2=None))
    assert changed["changed"] and len(changed["diff"]) == 5


def test_check_mode_writes_nothing_and_says_the_same(tmp_path, fleet):
    dest = tmp_path / "new" / "deep"
    would = flow.make(request(dest, check_mode=True), fleet)
    assert would["changed"] and not (tmp_path / "new").exists()
    did = flow.make(request(dest), fleet)
    assert {key: would[key] for key in would if key != "diff"} == {key: did[key] for key in did if key != "diff"}
    assert not flow.make(request(dest, check_mode=True), fleet)["changed"]


def test_checking_alone_leaves_no_trace(tmp_path):
    assert sorted(flow.check(request(tmp_path / "x" / "y"))) == sorted(ALL)
    assert os.listdir(tmp_path) == []


def test_runs_at_one_time_do_not_meet(tmp_path, fleet):
    """Every host of a play that has no run_once makes the report, each in a process of its own."""
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for number in range(60):
            dest = request(tmp_path / str(number) / "deep", formats=["md"])
            assert len({str(made["files"]) for made in pool.map(lambda _one, dest=dest: flow.make(dest, fleet), range(8))}) == 1
    assert {os.listdir(tmp_path / str(number) / "deep")[0] for number in range(60)} == {"inspection.md"}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"formats": ["htlm"]}, 'formats: "htlm" is not known; did you mean "html"?'),
        ({"language": "zn"}, 'language: "zn" is not known; '),
        ({"title": " "}, "title is empty; leave it out or say what this report is about"),
        ({"dest": "relative"}, "dest must be the path of a directory, it is 'relative'"),
        ({"history_url": "mysql://x"}, "history_url: "),
    ],
)
def test_bad_options_are_refused_before_any_work(tmp_path, values, said):
    dest = tmp_path / "x"
    for work in (flow.check, lambda asked: flow.make(asked, {})):
        with pytest.raises(flow.ReportError) as caught:
            work(request(**dict({"dest": dest}, **values)))
        assert str(caught.value).startswith(said) and "\n" not in str(caught.value)
    assert not dest.exists()


def test_results_of_another_shape_are_refused(tmp_path):
    with pytest.raises(flow.ReportError, match="results must map host names"):
        flow.make(request(tmp_path / "x"), "text")
    assert not (tmp_path / "x").exists()


def test_dest_is_a_file(tmp_path):
    place = tmp_path / "file"
    place.write_text("mine", encoding="utf-8")
    for dest in (place, place / "below"):
        with pytest.raises(flow.ReportError, match=r"dest cannot be written at .*file.*; name a directory that can be written in dest$"):
            flow.check(request(dest))
    assert place.read_text(encoding="utf-8") == "mine"


def test_a_file_of_the_report_is_a_directory(tmp_path):
    (tmp_path / "inspection.md").mkdir()
    with pytest.raises(flow.ReportError, match=r"inspection\.md: a directory of that name is in the way"):
        flow.check(request(tmp_path))


def test_a_name_that_is_too_long(tmp_path):
    with pytest.raises(flow.ReportError, match="the name is too long"):
        flow.check(request(tmp_path / "made" / ("x" * 300)))
    assert os.listdir(tmp_path) == [], "what was made on the way is removed again"


def child(code, *arguments):
    """Run Python code in a process of its own, with the same import path."""
    env = dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path))
    return subprocess.run([sys.executable, "-c", code, *map(str, arguments)], env=env, capture_output=True, timeout=60, check=False)


FLOW = "from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import report as flow\n"


def test_a_directory_of_somebody_else(tmp_path):
    place = tmp_path / "theirs"
    place.mkdir(mode=0o555)
    # root may write everywhere: the child becomes nobody after its imports
    code = "import os, sys\n" + FLOW + "if os.getuid() == 0:\n    os.setgid(65534)\n    os.setuid(65534)\n"
    code += "try:\n    flow.check(flow.Request(sys.argv[1], ['md']))\nexcept flow.ReportError as error:\n    print(error)\n"
    for parent in [tmp_path, *tmp_path.parents]:
        if os.getuid() == 0 and str(parent).startswith(str(tmp_path.parents[2])):
            parent.chmod(parent.stat().st_mode | 0o055)
    done = child(code, place / "x")
    assert done.stdout.decode().strip().endswith("this user may not write there; name a directory that can be written in dest"), (
        done.stderr.decode()
    )


def test_a_full_disk_leaves_the_old_report(tmp_path):
    if os.getuid() != 0 or not shutil.which("unshare"):
        pytest.skip("A FULL DISK IS NOT TRIED: it takes root and unshare to mount a small one")
    code = "import os, subprocess, sys\n" + FLOW + "from ansible_collections.vigil.ops.plugins.module_utils._engine.report import files\n"
    code += (
        "place = sys.argv[1]\n"
        "subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=256k', 'none', place], check=True)\n"
        "asked = flow.Request(place, ['md', 'json'])\n"
        "flow.make(asked, {'a': None})\n"
        "before = open(place + '/inspection.json').read()\n"
        "try:\n    flow.make(asked, {'h%d' % n: None for n in range(3000)})\nexcept flow.ReportError as error:\n    print(error)\n"
        "print(open(place + '/inspection.json').read() == before, sorted(os.listdir(place)))\n"
    )
    env = dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path))
    done = subprocess.run(
        ["unshare", "-m", sys.executable, "-c", code, str(tmp_path)],
        env=env,
        capture_output=True,
        timeout=60,
        check=False,
    )
    if b"mount" in done.stderr and b"permission" in done.stderr:
        pytest.skip("A FULL DISK IS NOT TRIED: this container may not mount")
    said, state = done.stdout.decode().splitlines()
    assert "there is no space left on that disk" in said
    assert state == "True ['inspection.json', 'inspection.md']"


def test_write_replaces_a_link_and_not_what_it_points_at(tmp_path):
    (tmp_path / "target").write_text("precious", encoding="utf-8")
    (tmp_path / "inspection.md").symlink_to(tmp_path / "target")
    files.write(str(tmp_path / "inspection.md"), "new")
    assert (tmp_path / "target").read_text(encoding="utf-8") == "precious"
    assert (tmp_path / "inspection.md").read_text(encoding="utf-8") == "new"


def test_trend_comes_from_the_store(tmp_path, fleet):
    from ansible_collections.vigil.ops.plugins.module_utils._engine.state.results import record
    from ansible_collections.vigil.ops.plugins.module_utils._engine.state.store import open_store

    url = f"sqlite:///{tmp_path}/state.db"
    store = open_store(url)
    for run in range(40):
        with store.unit() as unit:
            record(unit, "web2", dict(fleet["web2"], score=60.0 + run), 1795000000.0 + run)
    store.close()
    flow.make(request(tmp_path / "out", history_url=url), fleet)
    doc = json.loads((tmp_path / "out" / "inspection.json").read_text(encoding="utf-8"))
    history = {host["name"]: [point["score"] for point in host["history"]] for host in doc["hosts"]}
    assert history["web2"] == [70.0 + run for run in range(30)]
    assert history["web10"] == []
    assert "Scores of the last 30 runs: 70, 71," in (tmp_path / "out" / "inspection.html").read_text(encoding="utf-8")


def test_a_store_that_is_not_there_is_no_history_and_is_not_made(tmp_path, fleet):
    url = f"sqlite:///{tmp_path}/none/state.db"
    assert flow.make(request(tmp_path / "out", history_url=url), fleet)["changed"]
    assert not (tmp_path / "none").exists()


def test_what_fails_because_of_another_host_is_skipped_in_the_report_and_does_not_count(tmp_path, results):
    from ansible_collections.vigil.ops.plugins.module_utils._engine.state.results import record
    from ansible_collections.vigil.ops.plugins.module_utils._engine.state.store import open_store

    web = {
        "results": [results["good"](), results["bad"]("page", depends_on=["db1:postgres", "db1:x"])],
        "score": 50.0,
        "status": "critical",
    }
    fleet = {"web1": web, "db1": {"results": [results["bad"]("postgres")], "score": 0.0, "status": "critical"}}
    url = f"sqlite:///{tmp_path}/state.db"
    with open_store(url) as store, store.unit() as unit:
        record(unit, "web1", dict(web, score=90.0), 1795000000.0)
        record(unit, "web1", web, 1795000001.0)
    made = flow.make(request(tmp_path, history_url=url), fleet)
    doc = json.loads((tmp_path / "inspection.json").read_text(encoding="utf-8"))
    db1, web1 = doc["hosts"]
    assert (web1["status"], web1["score"], web1["results"][1]["caused_by"]) == ("ok", 100.0, "db1:postgres")
    assert [point["score"] for point in web1["history"]] == [90.0, 100.0]
    assert db1["root_causes"][0]["affects"] == ["web1:page"] and db1["root_causes"][0]["why"]
    assert doc["root_causes"] == [dict({"host": "db1"}, **db1["root_causes"][0])]
    assert "Likely root cause: db1: postgres (9" in made["table"] and "affects web1:page" in made["table"]
    assert made["lost"] == ['web1: the check "page" depends on "db1:x", but no such check was looked at there']
    assert "(%d%%)" % round(100 * db1["root_causes"][0]["probability"]) in (tmp_path / "inspection.md").read_text(encoding="utf-8")
    assert db1["root_causes"][0]["why"].replace('"', "&quot;") in (tmp_path / "inspection.html").read_text(encoding="utf-8")
