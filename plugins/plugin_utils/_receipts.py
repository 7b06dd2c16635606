# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection: it may change at any time and is not meant for others.

"""What the controller has received of a host, kept in its own store.

A host returns what it found in every run until it is handed the batch that this was in, or a later one. So nothing is lost when the
controller dies before it has kept the result.
"""

from __future__ import annotations

import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.state import receipts
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.store import StateError, StateMissing, open_store
from ansible_collections.vigil.ops.plugins.plugin_utils._arguments import store_url


class Receipts:
    """The last batch that was received from one source.

    :arg history_url: the option of that name, or None
    :arg what: what comes in batches, such as ``changes``
    :arg warn: shows a sentence
    """

    def __init__(self, history_url: str | None, key: str, what: str, warn: t.Callable[[str], None]) -> None:
        self.key = key
        self._url = store_url(history_url)
        self._what = what
        self._warn = warn

    def last(self) -> str | None:
        """The id of the last batch. Where that cannot be known nothing is acknowledged: all comes again, none is lost."""
        try:
            with open_store(self._url, read_only=True) as store, store.view() as unit:
                return receipts.last(unit, self.key)
        except StateMissing:
            return None
        except StateError as exc:
            self._warn(f"{self._what.capitalize()} that were received before may be returned again: {exc}")
            return None

    def receive(self, batch: str) -> None:
        """Remember a batch; where that fails a warning says what follows."""
        try:
            with open_store(self._url) as store, store.unit() as unit:
                receipts.receive(unit, self.key, batch)
                notices = list(store.notices)
        except StateError as exc:
            notices = [f"The same {self._what} are returned again by the next run: {exc}"]
        for notice in notices:
            self._warn(notice)


def source(task: t.Any, task_vars: t.Mapping[str, t.Any], view: str, state_url: str) -> str:
    """The key of what a task looks at: the host on which it runs, a word that keeps apart what is looked at, and the store there."""
    return receipts.key(str(task.delegate_to or task_vars.get("inventory_hostname", "localhost")), view, state_url)
