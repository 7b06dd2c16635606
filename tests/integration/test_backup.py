# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The modules backup, backup_info and restore, run by ansible-playbook."""

from __future__ import annotations

import json
import os

import pytest


@pytest.fixture
def tree(tmp_path):
    root = tmp_path / "tree"
    (root / "conf.d").mkdir(parents=True)
    (root / "main.conf").write_text("listen 80\npassword = hunter22\n# seen at 10:00\n")
    (root / "conf.d" / "a.conf").write_text("a 1\n")
    return root


@pytest.fixture
def play(run_playbook, ansible_env, tmp_path):
    """play(module, options, *args) -> the result of the module and all that was said."""

    def run(module, options, *args):
        place = ansible_env.home / "result.json"
        place.unlink(missing_ok=True)
        options = {"repository": str(tmp_path / "repository"), "name": "job", **options}
        tasks = [
            {f"vigil.ops.{module}": options, "register": "found", "ignore_errors": True},
            {"ansible.builtin.copy": {"content": "{{ found | to_json }}", "dest": str(place)}, "check_mode": False, "diff": False},
        ]
        done = run_playbook([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}], *args)
        return json.loads(place.read_text()), done.output

    return run


def test_backup_on_change_and_back(play, tree, tmp_path):
    options = {"paths": [str(tree)], "retention": {"last": 5}}
    dry, _said = play("backup", options, "--check")
    assert dry["changed"] and dry["snapshot"] is None and len(dry["added"]) == 4 and not (tmp_path / "repository").exists()
    first, _said = play("backup", options)
    assert first["changed"] and first["snapshot"] and first["added"] == dry["added"]
    again, _said = play("backup", options)
    assert not again["changed"] and again["snapshot"] is None
    (tree / "main.conf").write_text("listen 81\npassword = hunter33\n# seen at 10:00\n")
    (tree / "conf.d" / "a.conf").unlink()
    second, said = play("backup", options, "--diff")
    assert second["modified"] == [f"{tree}/main.conf"] and second["removed"] == [f"{tree}/conf.d/a.conf"]
    assert "-listen 80" in said and "+listen 81" in said and "hunter" not in said
    (tree / "main.conf").chmod(0o640)
    (tree / "main.conf").write_text("listen 80\nonly for some\n")
    third, said = play("backup", options, "--diff", "--check")
    assert third["changed"] and "not everybody may read it" in said and "only for some" not in said
    (tree / "main.conf").chmod(0o644)
    listed, _said = play("backup_info", {"verify": "full"})
    assert [each["id"] for each in listed["snapshots"]] == [first["snapshot"], second["snapshot"]] and not listed["problems"]
    dry, _said = play("restore", {"snapshot": first["snapshot"], "paths": [f"{tree}/conf.d"]}, "--check")
    assert dry["changed"] and dry["restored"] == [f"{tree}/conf.d/a.conf"] and not (tree / "conf.d" / "a.conf").exists()
    back, _said = play("restore", {"snapshot": first["snapshot"], "backup": True})
    assert sorted(back["restored"]) == [f"{tree}/conf.d/a.conf", f"{tree}/main.conf"] and len(back["kept"]) == 1
    assert (tree / "main.conf").read_text().startswith("listen 80")
    os.remove(back["kept"][0])
    once_more, _said = play("restore", {"snapshot": first["snapshot"]})
    assert not once_more["changed"]


def test_check_mode_names_what_retention_would_remove(play, tree, tmp_path):
    options = {"paths": [str(tree)], "retention": {"last": 2}, "compression": "zstd"}
    taken = []
    for number in range(2):
        (tree / "main.conf").write_text(f"listen {number}\n")
        taken.append(play("backup", options)[0]["snapshot"])
    assert play("backup", options, "--check")[0]["forgotten"] == []
    (tree / "main.conf").write_text("listen 3\n")
    assert play("backup", options, "--check")[0]["forgotten"] == taken[:1]
    assert play("backup", options)[0]["forgotten"] == taken[:1]
    assert {path.suffix for path in (tmp_path / "repository" / "archives").glob("*.tar*")} == {".zst"}


def test_lines_that_do_not_count(play, tree):
    options = {"paths": [str(tree)], "ignore_lines": ["^# seen at"], "mask": ["listen ([0-9]+)"]}
    play("backup", options)
    (tree / "main.conf").write_text("listen 80\npassword = hunter22\n# seen at 10:05\n")
    assert not play("backup", options)[0]["changed"]
    (tree / "main.conf").write_text("listen 81\nother\n# seen at 10:05\n")
    found, said = play("backup", options, "--diff")
    assert found["modified"] == [f"{tree}/main.conf"] and "+other" in said and "listen 81" not in said
    back = play("restore", {"dest": str(tree.parent / "back")})[0]
    assert back["changed"] and "10:05" in (tree.parent / "back" / str(tree)[1:] / "main.conf").read_text()


@pytest.mark.parametrize(
    ("module", "options", "words"),
    [
        ("backup", {"paths": []}, "paths is empty"),
        ("backup", {"paths": ["/etc"], "name": "../x"}, "is no name for a backup"),
        ("backup", {"paths": ["/etc"], "retention": {"dayly": 3}}, "there is no 'dayly'"),
        ("backup", {"paths": ["/etc"], "max_size": "big"}, "big"),
        ("backup", {"paths": ["/etc"], "ignore_lines": ["("]}, "ignore_lines, entry 1"),
        ("backup", {"paths": ["/etc"], "repository": "/etc"}, "is no repository, but holds"),
        ("backup_info", {"repository": "/does/not/exist"}, "there is no repository at /does/not/exist"),
        ("restore", {"repository": "/does/not/exist"}, "there is no repository at /does/not/exist"),
        ("restore", {"at": "yesterday"}, "is no moment; write one such as"),
    ],
)
def test_bad_input_is_one_sentence(play, module, options, words):
    found, said = play(module, options)
    assert found["failed"] and words in found["msg"] and "Traceback" not in said
