# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""What a module needs between its options and the engine, whether Ansible's AnsibleModule or the light one of ``_light`` carries it."""

from __future__ import annotations

import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.secrets import mask, secrets_of
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.units import parse_duration

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.vigil.ops.plugins.module_utils._engine.state.store import Store


class Module(t.Protocol):
    """The part of AnsibleModule that the modules use."""

    @property
    def params(self) -> dict[str, t.Any]:
        """The options by name."""

    @property
    def check_mode(self) -> bool:
        """Whether nothing may be changed."""

    def warn(self, warning: str) -> None:
        """Give a warning beside the result."""

    def exit_json(self, **kwargs: t.Any) -> t.NoReturn:
        """End with a result."""

    def fail_json(self, msg: str, **kwargs: t.Any) -> t.NoReturn:
        """End with a failure."""


def read_duration(module: Module, option: str) -> float:
    """The seconds of a duration option; ends the module with a sentence when it is none."""
    try:
        return parse_duration(module.params[option])
    except ValueError as exc:
        module.fail_json(msg=f"{option}: {exc}")


def store_secrets(params: t.Mapping[str, t.Any]) -> set[str]:
    """The passwords in the URLs of stores, as they are written there and as they are meant."""
    found = secrets_of([params.get("state_url"), params.get("history_url")])
    if found:
        from urllib.parse import unquote

        found |= {unquote(one) for one in found}
    return found


def finish(module: Module, result: dict[str, t.Any], secrets: t.Collection[str] = ()) -> t.NoReturn:
    """End the module with a result that holds no secret; none is left in the echo of its arguments that Ansible may add."""
    result["invocation"] = {"module_args": mask(dict(module.params), {*secrets, *store_secrets(module.params)})}
    if result.get("failed"):
        module.fail_json(**result)
    module.exit_json(**result)


def open_state(module: Module, url: str | None) -> Store | None:
    """The store of the option ``state_url`` on this host, None where the option is left out; what it has to say becomes warnings.

    In check mode it is only read, and none is made.
    """
    if not url:
        return None
    from ansible_collections.vigil.ops.plugins.module_utils._engine.state.store import StateError, StateMissing, default_url, open_store

    try:
        store = open_store(default_url() if url == "default" else url, read_only=module.check_mode)
    except StateMissing:
        return None
    except StateError as exc:
        module.fail_json(msg=f"state_url: {exc}")
    for notice in store.notices:
        module.warn(notice)
    return store
