# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection: it may change at any time and is not meant for others.

"""The arguments of a task, read by its action part on the controller."""

from __future__ import annotations

import os
import typing as t

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.options import nearest
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.urls import default_url
from ansible_collections.vigil.ops.plugins.plugin_utils._plain import plain


class Refused(Exception):
    """The task cannot be run as it is written; the text is one sentence without secrets."""


def store_url(given: str | None) -> str:
    """The store on the controller: of the option, else of the environment, else the default one."""
    url = str(given or os.environ.get("VIGIL_STATE_URL") or "default")
    return default_url() if url == "default" else url


def validated(
    args: t.Mapping[str, t.Any], argument_spec: t.Mapping[str, t.Any], aside: t.Collection[str] = (), **rules: t.Any
) -> dict[str, t.Any]:
    """The options of a task as plain values with their defaults and types.

    :arg aside: large options that are handed on as they are, as the validation would copy them; each has its default when it is absent
    :arg rules: mutually_exclusive and the like, as AnsibleModule takes them
    :raises Refused: an option is unknown, missing or of another type
    """
    for key in args:
        if key not in argument_spec:
            raise Refused(f'There is no option "{key}"{nearest(key, argument_spec)}.'.replace("?.", "?"))
    options = plain({key: value for key, value in args.items() if key not in aside})
    checked = ArgumentSpecValidator({key: spec for key, spec in argument_spec.items() if key not in aside}, **rules).validate(options)
    if checked.error_messages:
        raise Refused("; ".join(checked.error_messages))
    found = dict(checked.validated_parameters)
    for key in aside:
        value = args.get(key)
        found[key] = argument_spec[key].get("default") if value is None else plain(value)
    return found


def hide(args: t.Any) -> None:
    """Take the values out of the options of a module that has been built with them.

    All that core does with them from then on is to write them into its debug log (``ANSIBLE_DEBUG``), secrets included.
    """
    if isinstance(args, dict):
        args.update({name: "(not shown)" for name, value in args.items() if not name.startswith("_ansible_") and value})
