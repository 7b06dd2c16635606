# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The manual page and the completion that the role installs are those of the program."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from vigil_watch.cli import main

FILES = Path(__file__).resolve().parents[3] / "roles" / "watcher" / "files"


@pytest.mark.parametrize(("command", "file"), [("manual", "vigil.1"), ("completion", "vigil.bash")])
def test_what_the_role_installs_is_what_the_parser_says(command, file, capsys):
    """Run `vigil manual` and `vigil completion` and put what they print into roles/watcher/files when this fails."""
    assert main([command]) == 0
    assert capsys.readouterr().out == (FILES / file).read_text()


def test_every_command_and_option_is_in_the_page(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    commands = [line.split()[0] for line in capsys.readouterr().out.splitlines() if line.startswith("    ") and line[4] != " "]
    page = (FILES / "vigil.1").read_text()
    assert len(commands) > 8
    for name in commands:
        with pytest.raises(SystemExit):
            main([name, "--help"])
        options = {word.strip("[],") for word in capsys.readouterr().out.split() if word.strip("[],").startswith("--")} - {"--help"}
        section = page.split(f'.SS "vigil {name}"')[1].split(".SS ")[0]
        assert [one for one in options if one.replace("-", "\\-") not in section] == []


def test_bash_completes_commands_and_options():
    script = (
        f"source {FILES}/vigil.bash; COMP_WORDS=(vigil re); COMP_CWORD=1; _vigil; echo ${{COMPREPLY[@]}};"
        " COMP_WORDS=(vigil restore --d); COMP_CWORD=2; _vigil; echo ${COMPREPLY[@]}"
    )
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["restore", "--dest", "--dry-run"]
