# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection: it may change at any time and is not meant for others.

"""Names a run by what its lists of checks come from, so that only a run of the same kind says of a check that it is gone."""

from __future__ import annotations

import json
import os
import typing as t
import uuid

from ansible import constants as C
from ansible import context
from ansible_collections.vigil.ops.plugins.plugin_utils._plain import plain

# Made in the main process, before workers are forked.
RUN = uuid.uuid4().hex
# AWX runs the playbook for each of its templates with the same command line.
# Which template of AWX or Tower has begun the run, as extra variables.
TEMPLATES = ("awx_job_template_id", "tower_job_template_id")


def of_run(variables: t.Mapping[str, t.Any], *more: str) -> str:
    """The playbooks, inventories, extra variables and tags of this run, and what else the caller names.

    The same command line from another directory is the same; other extra variables may mean other checks.
    """
    given = context.CLIARGS
    parts = {
        "playbooks": _places(given.get("args")),
        "inventories": _places(given.get("inventory") or C.config.get_config_value("DEFAULT_HOST_LIST")),
        "extra": [_extra(text) for text in given.get("extra_vars") or ()],
        "tags": [given.get(key) for key in ("tags", "skip_tags", "start_at_task")],
        "template": [variables.get(key) for key in TEMPLATES],
        "more": more,
    }
    return json.dumps(plain(parts), sort_keys=True, default=str)


def _places(names: t.Any) -> list[str]:
    return [os.path.realpath(name) if os.path.exists(name) else name for name in map(str, names or ())]


def _extra(text: t.Any) -> str:
    """A file of extra variables may change, as an inventory may; what stands on the command line is another command line then."""
    return "@" + _places([str(text)[1:]])[0] if str(text).startswith("@") else str(text)
