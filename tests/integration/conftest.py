# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What tests of modules share."""

from __future__ import annotations

import json

import pytest


@pytest.fixture
def run_steps(run_playbook, ansible_env):
    """run_steps([(module, options), ...], *args) -> the results of the modules, of which any may fail, and all that was said."""

    def run(steps, *args, **more):
        place = ansible_env.home / "results.json"
        place.unlink(missing_ok=True)
        tasks = [
            {f"vigil.ops.{module}": options, "register": f"found{number}", "ignore_errors": True}
            for number, (module, options) in enumerate(steps)
        ]
        every = "{{ [" + ", ".join(f"found{number}" for number in range(len(steps))) + "] | to_json }}"
        tasks.append({"ansible.builtin.copy": {"content": every, "dest": str(place)}, "check_mode": False, "diff": False})
        done = run_playbook([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}], *args, **more)
        assert place.exists(), done.output
        return json.loads(place.read_text()), done.output

    return run
