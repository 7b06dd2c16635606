# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the state room says when it cannot do its work: always one sentence with the place and the remedy."""

from __future__ import annotations


class StateError(Exception):
    """The store cannot be used. The text is one sentence that names the place and what to do."""


class StateMissing(StateError):
    """A store that was to be read only does not exist (yet)."""


class StateDamaged(StateError):
    """The file is not a database any more. A store that may write sets it aside and begins a new one."""


class StateAway(StateError):
    """The store cannot be used now, but may be later: its server does not answer, is full or too busy.

    :ivar undone: nothing of the unit was kept, and it may be done again at once
    """

    undone = False
