# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The configuration, read in a process that is gone afterwards: what reading it takes would stay with the supervisor for ever."""

from __future__ import annotations

import os
import pickle
import signal
import typing as t


class Unusable(Exception):
    """One sentence with file and line."""


class Loaded(t.NamedTuple):
    """What the supervisor knows of a configuration; ``packed`` is the pickled Config for the rooms."""

    path: str
    name: str
    state_url: str
    summary: str
    rooms: t.List[str]
    packed: bytes

    def shown(self) -> t.Dict[str, str]:
        """For whoever asks what runs; the URL of a server may hold a password."""
        state_url = "" if self.state_url.lower().startswith("postgres") else self.state_url
        return {"config": self.path, "name": self.name, "state_url": state_url, "watches": self.summary}


def loaded(path: str) -> Loaded:
    """Read it.

    :raises Unusable: one sentence
    """
    ear, mouth = os.pipe()
    pid = os.fork()
    if pid == 0:
        _tell(path, ear, mouth)
    os.close(mouth)
    with open(ear, "rb") as source:
        data = source.read()
    os.waitpid(pid, 0)
    if not data:
        raise Unusable(f"{path} could not be read: the process that read it has ended")
    said = pickle.loads(data)  # noqa: S301 - by a fork of this process
    if isinstance(said, str):
        raise Unusable(said)
    return Loaded(*said)


def _tell(path: str, ear: int, mouth: int) -> t.NoReturn:
    """The other side."""
    try:
        os.close(ear)
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        from ansible_collections.vigil.ops.plugins.module_utils._engine.state.errors import StateError
        from vigil_watch.config import load
        from vigil_watch.reading import ConfigError
        from vigil_watch.rooms import summary, wanted

        said: t.Any
        try:
            config = load(path)
            said = (path, config.name, config.state_url, summary(config), wanted(config), pickle.dumps(config))
        except (ConfigError, StateError) as exc:
            said = str(exc)
        except Exception as exc:  # noqa: BLE001 - the supervisor goes on with what it had
            said = f"{path}: {type(exc).__name__}: {exc}"
        with open(mouth, "wb") as out:
            pickle.dump(said, out)
    finally:
        os._exit(0)
