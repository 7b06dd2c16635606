# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where checks come from: files, goss files and profiles, read with Ansible's own loader."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible_collections.vigil.ops.plugins.plugin_utils._arguments import Refused
from ansible_collections.vigil.ops.plugins.plugin_utils._checks_from import Reader


@pytest.fixture(name="reader")
def fixture_reader(tmp_path):
    loader = DataLoader()

    def find(name):
        path = tmp_path / name
        if not path.exists():
            raise AnsibleError(f"Could not find {name}")
        return str(path)

    return Reader(find, loader.load_from_file)


def names(checks):
    return [check["name"] for check in checks]


def test_one_bad_resource_of_goss_does_not_keep_the_others_out(reader, tmp_path):
    (tmp_path / "goss.yaml").write_text(
        'kernel-param: {"https://h/": {value: 1}, vm.swappiness: {value: {lt: 101}}}\nhttp: {ftp://x: {status: 200}}\n'
    )
    assert names(reader.read(["goss.yaml"])) == ["kernel-param vm.swappiness"]
    assert len(reader.left_out) == 2 and all(sentence.startswith("goss.yaml: check") for sentence in reader.left_out)


def test_several_sources_in_their_order(reader, tmp_path):
    (tmp_path / "own.yml").write_text("checks: [{name: own, load: {}}]\n")
    (tmp_path / "list.json").write_text('[{"name": "listed", "load": {}}]')
    found = names(reader.read(["list.json", "own.yml", "profile:web"]))
    assert found[:3] == ["listed", "own", "web server"]
    assert names(reader.read("own.yml")) == ["own"] and names(reader.read("[own.yml, list.json]")) == ["own", "listed"]
    assert reader.read([]) == [] and reader.read(" ") == []


def test_a_circle_of_includes_ends(reader, tmp_path):
    (tmp_path / "a.yaml").write_text("gossfile: {b.yaml: {}, '*.yaml': {}}\nuser: {root: {exists: true}}\n")
    (tmp_path / "b.yaml").write_text("gossfile: {a.yaml: {}}\ngroup: {root: {exists: true}}\n")
    assert sorted(names(reader.read("a.yaml"))) == ["group root", "user root"]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("x.yml", "just text", "must hold a list of checks"),
        ("x.yml", "{services: {}, other: 1}", "must hold a list of checks"),
        ("x.yml", "a: [", "cannot be read"),
        ("x.yml", "user:\n{{range .Vars.users}}\n  {{.}}: {exists: true}\n{{end}}\n", "goss render"),
        ("x.yml", "gossfile: {none.yaml: {}}", "includes none.yaml, which is not there"),
        ("x.yml", "[{name: a, http: {url: 'http://{{ inventory_hostname }}/'}}]", r"has the template {{ inventory_hostname }}"),
        ("x.yml", "[{name: a, tcp: {port: '{{ ports.web | int }}'}}]", "put the list into a variable"),
        ("none.yml", None, "cannot be read"),
        ("profile:wbe", None, 'did you mean "web"'),
        ("profile:../../x", None, "there is no profile"),
        ("[", None, "cannot be read"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(reader, tmp_path, name, content, words):
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(Refused, match=words) as caught:
        reader.read(name)
    assert "\n" not in str(caught.value)


def test_formats_of_other_programs_are_no_templates(reader, tmp_path):
    line = "docker inspect -f '{{range .Mounts}}{{.Source}}{{else}}-{{end}}{{json .State}}{{len .Args}}' x"
    (tmp_path / "x.yml").write_text(f'[{{name: a, command: {{argv: [sh, -c, "{line}"]}}}}]')
    assert names(reader.read("x.yml")) == ["a"]


def test_a_pattern_that_nothing_fits_is_named(reader, tmp_path):
    (tmp_path / "goss.yaml").write_text("gossfile: {'goss.d/*.yaml': {}}\nuser: {root: {exists: true}}\n")
    assert names(reader.read("goss.yaml")) == ["user root"]
    assert [sentence.partition(": ")[2] for sentence in reader.left_out] == ["gossfile goss.d/*.yaml: no file fits this pattern"]


def test_sources_of_another_type(reader):
    with pytest.raises(Refused, match="must be a list"):
        reader.read({"a": 1})
    with pytest.raises(Refused, match="must be a list"):
        reader.read([1])
