# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When a module goes through a pipe instead; that it works on a full disk is a test of the lab."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible_collections.vigil.ops.plugins.plugin_utils import _piped


class Action:
    """An action whose module says in turn what is given: results, or errors that are raised."""

    def __init__(self, *says, can_pipe=True):
        self.says = list(says)
        self.given = []
        self.can_pipe = can_pipe
        self.is_on = False
        self._connection = self

    def set_option(self, name, value):
        self.is_on = (name, value) == ("pipelining", True)

    def _is_pipelining_enabled(self, module_style):
        return self.is_on and self.can_pipe

    def _execute_module(self, module_name, module_args, task_vars):
        self.given.append((dict(module_args), self.is_on))
        module_args.clear()  # as the plugins do that hide secrets
        said = self.says.pop(0)
        if isinstance(said, Exception):
            raise said
        return said


FULL = AnsibleError("failed to transfer file to /root/.ansible/tmp/x: No space left on device")
NO_FOLDER = AnsibleConnectionFailure("Failed to create temporary directory. In some cases, you may have ...")


@pytest.mark.parametrize("fault", [FULL, NO_FOLDER])
def test_where_nothing_can_be_copied_it_is_tried_through_a_pipe(fault):
    action = Action(fault, {"results": []})
    assert _piped.execute(action, "m", {"a": 1}, {}) == {"results": []}
    assert action.given == [({"a": 1}, False), ({"a": 1}, True)]


def test_the_first_failure_stands_where_a_pipe_is_no_help():
    for action in (Action(FULL, AnsibleError("sudo: sorry, you must have a tty")), Action(FULL, can_pipe=False)):
        with pytest.raises(AnsibleError, match="No space left"):
            _piped.execute(action, "m", {}, {})


def test_other_failures_are_left_alone():
    action = Action(AnsibleConnectionFailure("timed out"))
    with pytest.raises(AnsibleConnectionFailure):
        _piped.execute(action, "m", {}, {})
    assert len(action.given) == 1
    for outcome in ({"changed": False}, {"failed": True, "msg": "m", "module_stderr": "other"}):
        assert _piped.execute(Action(dict(outcome)), "m", {}, {}) == outcome


def test_a_module_that_finds_no_room_to_unpack_says_so():
    said = {"failed": True, "msg": "No start of json char found", "module_stderr": "OSError: [Errno 28] No space left on device\n"}
    outcome = _piped.execute(Action(said), "m", {}, {})
    assert outcome["msg"] == "the module finds no room in the temporary directory of the host: no space left on device"
