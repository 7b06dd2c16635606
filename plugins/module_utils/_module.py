# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""AnsibleModule as the modules of this collection use it. What needs nothing of Ansible is in ``_bridge``."""

from __future__ import annotations

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.vigil.ops.plugins.module_utils._bridge import finish, open_state, read_duration, store_secrets

__all__ = ["SilentModule", "finish", "open_state", "read_duration"]


class SilentModule(AnsibleModule):
    """A module whose arguments may hold secrets, so nothing goes to the system log.

    ``no_log=True`` is no help: Ansible replaces it by that of the task.
    """

    def log(self, msg: str, log_args: object = None) -> None:
        """Nothing is logged."""

    def exit_json(self, **kwargs: t.Any) -> t.NoReturn:
        """As AnsibleModule does, without the passwords of stores."""
        self.no_log_values.update(store_secrets(self.params))
        super().exit_json(**kwargs)

    def fail_json(self, msg: str, **kwargs: t.Any) -> t.NoReturn:
        """As AnsibleModule does, without the passwords of stores; options that are refused come here as well."""
        self.no_log_values.update(store_secrets(self.params))
        super().fail_json(msg, **kwargs)
