# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What changes below paths: by inotify through the watchdog library, or by looking where the kernel gives no more watches.

What the library does not do is done here: it passes over a queue that ran over (IN_Q_OVERFLOW, inotify(7)), new directories for which there is no watch left,
trees that are moved in, and paths that are gone for a time. Whenever directories change the watches are made anew before everything is compared.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import stat
import typing as t

Heard = t.Callable[[bool], None]
_OVERFLOW = 0x00004000
_QUIET = ("opened", "closed_no_write")
_overflowed: t.List[t.Callable[[], None]] = []
_patched = False


class Ears:
    """The paths of one watch.

    :arg hidden: a directory of which nothing is heard
    :arg heard: called from a thread of its own for each change; true where directories changed or the queue ran over
    """

    def __init__(self, paths: t.Sequence[str], hidden: str, heard: Heard, overflow: t.Callable[[], None]) -> None:
        self._paths, self._hidden, self._heard = [os.path.normpath(path) for path in paths], hidden, heard
        self._overflow = overflow
        self._observer: t.Any = None
        _overflowed.append(overflow)

    def open(self) -> str:
        """Hear from now on; empty, or why that cannot be."""
        self.close()
        try:
            from watchdog.observers import Observer
        except ImportError:
            return "the Python library watchdog is not installed"
        _hear_overflows()
        observer = Observer()
        observer.daemon = True
        try:
            handler = _handler(self._paths, self._hidden, self._heard)
            for path in self._paths:
                place = path if os.path.isdir(path) else os.path.dirname(path) or "/"
                observer.schedule(handler, place, recursive=os.path.isdir(path))
            observer.start()
        except OSError as exc:
            observer.unschedule_all()
            return exc.strerror or str(exc)
        self._observer = observer
        return ""

    def alive(self) -> bool:
        """Whether all threads of the library go on; they end where a path is removed."""
        return self._observer is not None and all(one.is_alive() for one in self._observer.emitters)

    def close(self) -> None:
        """Hear nothing any more."""
        observer, self._observer = self._observer, None
        if observer is not None:
            observer.stop()
            observer.join()


def _handler(paths: t.Sequence[str], hidden: str, heard: Heard) -> t.Any:
    """Of a path that is a file its directory is watched, in which much may happen that is nobody's business."""
    from watchdog.events import FileSystemEventHandler

    def concerns(place: str, kind: str) -> bool:
        if place == hidden or place.startswith(hidden + "/"):
            return False
        below = any(place == path or place.startswith(path.rstrip("/") + "/") for path in paths)
        return below or (kind != "modified" and any(path.startswith(place + "/") for path in paths))

    class Handler(FileSystemEventHandler):  # type: ignore[misc]
        def on_any_event(self, event: t.Any) -> None:
            if event.event_type in _QUIET:
                return
            places = [os.fsdecode(place) for place in (event.src_path, getattr(event, "dest_path", "")) if place]
            if any(concerns(place, event.event_type) for place in places):
                heard(bool(event.is_directory) and event.event_type != "modified")

    return Handler()


def _hear_overflows() -> None:
    """The library reads the event of a queue that ran over, and drops it: look at what it reads."""
    global _patched
    if _patched:
        return
    _patched = True
    try:
        library = importlib.import_module("watchdog.observers.inotify_c")
        reader = getattr(library, "InotifyFD", None) or library.Inotify  # the name since version 7, and before
        read = reader._parse_event_buffer
    except (ImportError, AttributeError):
        return  # then the look at everything, every hour, finds it

    def parse(data: bytes) -> t.Iterator[t.Any]:
        for event in read(data):
            if event[1] & _OVERFLOW:
                for tell in _overflowed:
                    tell()
            yield event

    reader._parse_event_buffer = staticmethod(parse)


def fingerprint(paths: t.Sequence[str], hidden: str) -> bytes:
    """Of names, sizes, times and modes of everything below paths; another one where something changed."""
    digest = hashlib.blake2b(digest_size=16)
    waiting = list(reversed(paths))
    while waiting:
        path = waiting.pop()
        try:
            found = os.lstat(path)
            parts = (path, found.st_ino, found.st_mode, found.st_uid, found.st_gid, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
            digest.update(repr(parts).encode("utf-8", "surrogatepass"))
            if stat.S_ISDIR(found.st_mode) and path != hidden:
                waiting += [os.path.join(path, name) for name in sorted(os.listdir(path))]
        except OSError as exc:
            digest.update(f"{path}: {exc.errno}".encode("utf-8", "surrogatepass"))
    return digest.digest()
