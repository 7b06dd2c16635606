# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection: it may change at any time and is not meant for others.

"""Where people find this run again: the page of its job, and the trace that it is part of."""

from __future__ import annotations

import os
import re
import typing as t

from ansible_collections.vigil.ops.plugins.plugin_utils._plain import plain

NOTE = "run"
# Variables that hold the page of a job as it is: ours, of GitLab, of Jenkins.
_PAGES = ("VIGIL_JOB_URL", "CI_JOB_URL", "BUILD_URL")
# https://www.w3.org/TR/trace-context/#traceparent-header
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?\Z")


def notes(environ: t.Mapping[str, str] | None = None) -> dict[str, str]:
    """The annotation with the page of this job; empty where there is none that is known."""
    environ = os.environ if environ is None else environ
    page = next((environ[name] for name in _PAGES if environ.get(name, "").startswith(("http://", "https://"))), "")
    host, job = environ.get("AWX_HOST", ""), environ.get("JOB_ID", "")
    if not page and host.startswith(("http://", "https://")) and job.isdigit():
        page = f"{host.rstrip('/')}/#/jobs/playbook/{job}/output"
    return {NOTE: str(plain(page))} if page else {}


def trace_id(environ: t.Mapping[str, str] | None = None) -> str | None:
    """The trace of TRACEPARENT; None where there is none, or one that is not valid."""
    found = _TRACEPARENT.match((os.environ if environ is None else environ).get("TRACEPARENT", "").strip().lower())
    return found.group(1) if found and found.group(1).strip("0") and found.group(2).strip("0") else None
