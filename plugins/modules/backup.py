#!/usr/bin/python
# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: backup
short_description: Take a snapshot if and only if content changed
version_added: 1.0.0
description:
  - Compares files and directories with the last snapshot of the same O(name), and takes a new one only where something differs.
    A file that was only touched does not count.
  - A repository is a directory of ordinary C(tar.gz) archives with what was new each time, and of JSON files that say what belongs to a snapshot.
    It can be read and restored with C(tar) and a text editor alone.
  - A snapshot is there whole or not at all, whenever the process ends. Content that the repository holds is not stored again.
  - A file that is being written while it is read is tried three times; then the version of before stays, and the file is named in RV(torn).
  - What cannot be read is named in RV(problems), and what is known of it stays.
  - Runs on the host with the files. On the controller its action part remembers which snapshots were received, so that none is left out
    of what channels are told.
author:
  - vigil.ops contributors (@vigil-ops)
extends_documentation_fragment:
  - vigil.ops._repository
  - vigil.ops._attributes
  - vigil.ops._attributes.action
  - vigil.ops._attributes.actiongroup_all
  - vigil.ops._store
attributes:
  async:
    support: full
  check_mode:
    support: full
  diff_mode:
    support: full
    details:
      - Texts of up to 64 KiB are shown as a unified diff, all else by size and hash. What not everybody on the host may
        read is named alone. Passwords and the like are masked, see also O(mask).
options:
  paths:
    description: What to keep, as absolute paths. It may be left out where there is O(stdin_from).
    type: list
    elements: path
    default: []
  repository:
    description:
      - The directory of the repository on the same host. It is made when it is missing, for its owner alone.
      - With O(engine=restic) a repository as restic names it, such as V(/srv/restic) or V(s3:https://s3.example.com/bucket).
    type: path
    required: true
  name:
    description: Name of the job. Jobs of one repository have snapshots of their own and share contents.
    type: str
    default: default
  exclude:
    description:
      - Globs of what to leave out. One without a slash is held against the last part of a path (V(*.bak)), another against the whole
        (V(/var/cache/*)). V(**) goes over slashes, and a slash at the end means directories alone.
    type: list
    elements: str
  include:
    description: Globs of which a file must fit one. The default is all files.
    type: list
    elements: str
  max_size:
    description: Files that are larger are left out, such as V(100MiB). They are named in RV(left_out).
    type: str
  one_file_system:
    description: Leave out other file systems that are mounted below the O(paths).
    type: bool
    default: false
  paranoid:
    description: Read every file, even if its times say that nothing changed.
    type: bool
    default: false
  compression:
    description:
      - How archives are pressed from now on. V(gzip) can be read everywhere; V(zstd) is smaller and faster, and needs C(libzstd) (which most
        distributions install), Python 3.14, or the Python package C(zstandard) on the host. V(none) is for what is pressed already.
      - V(gzip) is three times as fast where the library C(libdeflate) or the Python package C(isal) is installed.
    type: str
    choices: [gzip, zstd, none]
    default: gzip
  retention:
    description:
      - Which snapshots of this O(name) stay, as numbers for V(last), V(hourly), V(daily), V(weekly), V(monthly) and V(yearly), and a time for V(within).
        Of each period (in UTC) the last snapshot stays. The newest one always does.
      - Without it all stay.
    type: dict
  ignore_lines:
    description: Regular expressions. A text file that differs only in lines in which one of them is found has not changed.
    type: list
    elements: str
  mask:
    description: Regular expressions of what the diff must not show; the groups of an expression, or all of it where it has none.
    type: list
    elements: str
  verify:
    description: Read everything of this O(name) back afterwards and compare its hashes; what differs is in RV(damaged).
    type: bool
    default: false
  wait:
    description: How long to wait for another process that works on the repository.
    type: str
    default: 1m
  before:
    description:
      - Programs that run before anything is read, each as a list of the program and its arguments, or as a mapping of C(argv), C(timeout) (V(10m))
        and C(environment). When one fails the following do not run, and no snapshot is taken.
      - They do not run in check mode.
    type: list
    elements: raw
    default: []
  after:
    description: Programs as O(before) that run after everything is read, also where that failed. When one fails so does the task, with its snapshot.
    type: list
    elements: raw
    default: []
  stdin_from:
    description:
      - Programs whose output becomes a file of the snapshot, such as dumps of databases.
      - The output goes to a file in the repository first, so it may be larger than memory. When the program fails, the
        output is thrown away, the version of before stays, and the path is in RV(torn).
      - They do not run in check mode.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the file. It is C(/.streams/NAME) in the snapshot.
        type: str
        required: true
      argv:
        description: The program and its arguments.
        type: list
        elements: str
        required: true
      timeout:
        description: When to end it.
        type: str
        default: 1h
      environment:
        description: Variables that it has besides the others. Their values are not shown.
        type: dict
        default: {}
  remote:
    description:
      - A remote of rclone (U(https://rclone.org)) to which the repository is copied, as V(s3store:bucket/host), or a mapping of what is below.
        Each repository needs a place of its own. C(rclone) must be installed on the host.
      - A snapshot is there whole or not at all. What could not be uploaded fails nothing; it is in RV(remote) and RV(events), and the next
        run makes up for it. What O(retention) removed is removed there, too, and nothing else ever is.
      - C(path) is the remote. Settings in a connection string (V(:s3,provider=Minio,...:bucket)) are handed on in the environment.
      - C(config) is the file with rclone's configuration. The default is that of the user.
      - C(environment) holds variables for rclone, such as C(RCLONE_CONFIG_S3STORE_SECRET_ACCESS_KEY). Their values are not shown.
      - "C(options) are flags of rclone without hyphens before them, such as V({bwlimit: 2M, s3-no-check-bucket: true})."
      - C(verify) is how an upload is compared, V(hash) (where the remote has none, sizes), V(size), or V(download), which reads all back.
      - C(attempts) (3) is how often something is tried in a run, with growing pauses, and C(timeout) (V(1h)) the time for one run of rclone.
      - C(recheck) (V(1d)) is how often the remote is looked at although nothing is new. With O(verify) all that is there is compared in each run.
    type: raw
  history_url:
    description: The store on the controller in which it is kept which snapshots were received. The default is that of E(VIGIL_STATE_URL), or the default store.
    type: str
  acknowledge:
    description:
      - When a snapshot counts as received, as soon as the result is here (V(received)), or when M(vigil.ops.notify) has got the result (V(told)).
    type: str
    choices: [received, told]
    default: received
  show:
    description: Print a line for each backup at the end of the run.
    type: bool
    default: false
  batch:
    description: Set by the action part, the last RV(batch) that was received.
    type: str
seealso:
  - module: vigil.ops.backup_info
  - module: vigil.ops.restore
"""

EXAMPLES = r"""
- name: Keep /etc whenever it changed
  vigil.ops.backup:
    paths: [/etc]
    repository: /var/backups/vigil
    name: etc
    exclude: ["*.swp", "/etc/mtab"]
    retention: {last: 10, daily: 14, weekly: 8}

- name: Keep the configuration of a switch, whatever the time of its last login
  vigil.ops.backup:
    paths: [/srv/configs]
    repository: /srv/backups
    ignore_lines: ['^! Last configuration change']

- name: Keep a database and its settings, here and in a bucket
  vigil.ops.backup:
    paths: [/etc/postgresql]
    repository: /var/backups/vigil
    name: shop
    stdin_from:
      - name: shop.sql
        argv: [runuser, -u, postgres, --, pg_dump, --restrict-key=backup, shop]
    remote:
      path: "s3store:backups/{{ inventory_hostname }}"
      environment:
        RCLONE_CONFIG_S3STORE_TYPE: s3
        RCLONE_CONFIG_S3STORE_PROVIDER: Minio
        RCLONE_CONFIG_S3STORE_ENDPOINT: https://minio.example.com
        RCLONE_CONFIG_S3STORE_ACCESS_KEY_ID: "{{ minio_key }}"
        RCLONE_CONFIG_S3STORE_SECRET_ACCESS_KEY: "{{ minio_secret }}"

- name: The same with restic
  vigil.ops.backup:
    engine: restic
    paths: [/etc]
    repository: s3:https://minio.example.com/backups
    restic:
      password_file: /etc/vigil/restic.password
      environment: {AWS_ACCESS_KEY_ID: "{{ minio_key }}", AWS_SECRET_ACCESS_KEY: "{{ minio_secret }}"}
    retention: {daily: 14}

- name: Keep what a service must not write to meanwhile
  vigil.ops.backup:
    paths: [/var/lib/shop]
    repository: /var/backups/vigil
    before: [[systemctl, stop, shop]]
    after: [[systemctl, start, shop]]
"""

RETURN = r"""
job: {description: The O(name)., returned: success, type: str, sample: etc}
snapshot:
  description: Id of the snapshot; null where nothing changed, and in check mode.
  returned: success
  type: str
  sample: 20261121T164723Z-28061da5
added: {description: "Paths that are new, at most 1000.", returned: success, type: list, elements: str, sample: [/etc/new.conf]}
modified: {description: "Paths that differ, at most 1000.", returned: success, type: list, elements: str, sample: [/etc/main.conf]}
removed: {description: "Paths that are gone, at most 1000.", returned: success, type: list, elements: str, sample: []}
torn: {description: Files that were written all the time., returned: success, type: list, elements: str, sample: []}
left_out: {description: Files that are larger than O(max_size)., returned: success, type: list, elements: str, sample: []}
problems: {description: "Sentences about what could not be read.", returned: success, type: list, elements: str, sample: []}
forgotten: {description: Snapshots that O(retention) does not keep., returned: success, type: list, elements: str, sample: []}
damaged:
  description: With O(verify), what is not as it was written, as C(message), C(snapshots) and C(paths).
  returned: success
  type: list
  elements: dict
  sample: []
stats:
  description: Numbers of C(paths) and C(bytes), of C(read_bytes), C(new_bytes) and C(stored_bytes), and how many were C(added), C(modified), C(removed).
  returned: success
  type: dict
  sample: {"paths": 812, "bytes": 5242880, "read_bytes": 2048, "new_bytes": 2048, "stored_bytes": 1100, "added": 0, "modified": 1, "removed": 0}
streams:
  description: What came of O(stdin_from), each with C(name), C(path), C(status) (V(ok), V(torn), V(skipped)), C(bytes) and C(message).
  returned: success
  type: list
  elements: dict
  sample: [{"name": "shop.sql", "path": "/.streams/shop.sql", "status": "ok", "bytes": 81920, "message": ""}]
remote:
  description:
    - What came of O(remote), null without it. C(status) is V(ok), V(failed), V(busy) (another process uploads), or V(skipped) (check mode).
      There are also C(path), the number of files C(uploaded), their C(bytes), and how many were C(removed) there.
    - C(pending) is how many files wait to be uploaded, since the time C(since), and C(message) says why.
  returned: success
  type: dict
  sample: {"path": "s3store:bucket/host", "status": "ok", "uploaded": 4, "bytes": 2103, "removed": 0, "pending": 0, "since": null, "message": ""}
events:
  description:
    - What is to be told, each with C(kind), C(status) (V(firing), V(resolved)), C(severity), C(message), C(snapshot) and C(at).
    - C(changed) is what a snapshot changed, also of those that were not received in earlier runs. C(remote), C(streams), C(paths) and C(repository)
      say what is not well, and that it is.
  returned: success
  type: list
  elements: dict
  sample: [{"kind": "changed", "status": "firing", "severity": "info", "snapshot": "20261121T164723Z-28061da5", "at": 1795279643.0,
            "message": "1 modified:\n~ /etc/main.conf"}]
batch: {description: The newest snapshot., returned: success, type: str, sample: 20261121T164723Z-28061da5}
receipt: {description: Where the controller keeps RV(batch)., returned: success, type: str, sample: "web1:6bf4faf0aa82d7b2"}
"""

import platform
import time
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.errors import BackupError
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import backup as flow
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import backup_news, backup_restic
from ansible_collections.vigil.ops.plugins.module_utils._engine.flows.backup_programs import conceal
from ansible_collections.vigil.ops.plugins.module_utils._module import SilentModule, finish
from ansible_collections.vigil.ops.plugins.module_utils._runner import run
from ansible_collections.vigil.ops.plugins.module_utils._streams import stream

STREAM = {
    "name": {"type": "str", "required": True},
    "argv": {"type": "list", "elements": "str", "required": True},
    "timeout": {"type": "str", "default": "1h"},
    "environment": {"type": "dict", "default": {}},
}
ARGUMENT_SPEC = {
    "paths": {"type": "list", "elements": "path", "default": []},
    "repository": {"type": "path", "required": True},
    "name": {"type": "str", "default": "default"},
    "exclude": {"type": "list", "elements": "str"},
    "include": {"type": "list", "elements": "str"},
    "max_size": {"type": "str"},
    "one_file_system": {"type": "bool", "default": False},
    "paranoid": {"type": "bool", "default": False},
    "compression": {"type": "str", "choices": ["gzip", "zstd", "none"], "default": "gzip"},
    "retention": {"type": "dict"},
    "ignore_lines": {"type": "list", "elements": "str"},
    "mask": {"type": "list", "elements": "str"},
    "verify": {"type": "bool", "default": False},
    "wait": {"type": "str", "default": "1m"},
    "before": {"type": "list", "elements": "raw", "default": []},
    "after": {"type": "list", "elements": "raw", "default": []},
    "stdin_from": {"type": "list", "elements": "dict", "default": [], "options": STREAM},
    "remote": {"type": "raw"},
    "engine": {"type": "str", "choices": ["archive", "restic"], "default": "archive"},
    "restic": {"type": "dict", "no_log": False},
    "history_url": {"type": "str"},
    "acknowledge": {"type": "str", "choices": ["received", "told"], "default": "received"},
    "show": {"type": "bool", "default": False},
    "batch": {"type": "str"},
}


def main() -> None:
    module = SilentModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    engine: t.Any = backup_restic if module.params["engine"] == "restic" else flow
    try:
        job = engine.read_job(module.params, platform.node())
    except ValueError as exc:
        conceal(module.params)
        module.fail_json(msg=f"The options cannot be used: {exc}.")
    tools = flow.Tools(run, stream, time.sleep)
    conceal(module.params)
    try:
        result = engine.backup(job, tools, time.time(), module.check_mode, module._diff)
    except BackupError as exc:
        finish(module, {"failed": True, "changed": False, "msg": f"Nothing was backed up: {exc}."}, job.secrets())
    text = result.pop("text")
    if module._diff:
        result["diff"] = {"prepared": text}
    for warning in backup_news.warnings_of(result):
        module.warn(warning)
    finish(module, result, job.secrets())


if __name__ == "__main__":
    main()
