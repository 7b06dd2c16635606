# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A user's regular expression within a conversation."""

from __future__ import annotations

import functools
import time
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import CannotSee
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._looks import found_in
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._talks import Errand, done

_GRACE = 1.0  # seconds in which the guarded process says itself that it took too long


async def is_found(pattern: str, text: str, seconds: float) -> bool:
    """Whether it is found in the text; the other conversations go on meanwhile.

    :raises CannotSee: it took too long
    """
    return await first_found(pattern, [text], seconds) is not None


async def first_found(pattern: str, texts: t.Sequence[str], seconds: float) -> int | None:
    """The place of the first text in which it is found; the other conversations go on meanwhile.

    :raises CannotSee: it took too long
    """
    search = Errand(functools.partial(found_in, pattern, texts, seconds), "search")
    if not await done(search, time.monotonic() + seconds + _GRACE):
        raise CannotSee(f"the regular expression {pattern!r} could not be applied within {seconds:g} s", "expression")
    return next((place for place, found in enumerate(search.result()) if found), None)
