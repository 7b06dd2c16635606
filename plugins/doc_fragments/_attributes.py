# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection: it may change at any time and is not meant for others.

from __future__ import annotations


class ModuleDocFragment:
    # What every module states: extend this fragment and say `support` for check_mode and diff_mode, or add INFO_MODULE.
    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Runs with C(--check), says what would be done and does not do it.
  diff_mode:
    description: Shows with C(--diff) what is changed, or with C(--check) what would be.
  platform:
    description: The operating systems of hosts this runs on.
    support: full
    platforms: posix
"""

    # Reads and never changes the host. Together with the fragment above.
    INFO_MODULE = r"""
options: {}
attributes:
  check_mode:
    support: full
    details:
      - Nothing on the host is changed in any mode.
  diff_mode:
    support: N/A
    details:
      - Nothing on the host is changed, so there is no difference to show.
"""

    # Has a part that runs on the controller; the module adds `support` where it is not full.
    ACTION = r"""
options: {}
attributes:
  action:
    description: Has an action part, so some of the work is done on the controller.
    support: full
  async:
    description: Can be run with the C(async) keyword.
  bypass_host_loop:
    description: Runs once for all hosts instead of once for each.
    support: none
"""

    # The controller does everything, no host is contacted. Together with the first fragment.
    CONTROLLER = r"""
options: {}
attributes:
  action:
    description: Has an action part, so some of the work is done on the controller.
    support: full
    details:
      - All of the work is done on the controller, no host is contacted.
  async:
    description: Can be run with the C(async) keyword.
    support: none
  bypass_host_loop:
    description: Runs once for all hosts instead of once for each.
    support: none
  connection:
    description: Uses the connection of the host to run code there.
    support: none
"""

    ACTIONGROUP_ALL = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/vigil.ops.all) in C(module_defaults) to set defaults for this module.
    support: full
    membership:
      - vigil.ops.all
"""
