# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""zstd (RFC 8878) by whatever this host has: Python 3.14, a package, or the C library libzstd, which dpkg, rpm and systemd link to."""

from __future__ import annotations

import ctypes
import functools
import importlib
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.errors import Missing

_ALIKE = ("compression.zstd", "backports.zstd", "pyzstd")  # one interface, three names
_LIBRARIES = ("libzstd.so.1", "libzstd.1.dylib")
_OUT = 1 << 17


class ZstdError(Exception):
    """What was to be unpacked is damaged."""


class Unpacker(t.Protocol):
    """Unpacks one frame: like zlib.decompressobj, but for ``decompress`` that may take nothing."""

    eof: bool
    unused_data: bytes

    def decompress(self, data: bytes) -> bytes:
        """What comes out."""


class Zstd(t.NamedTuple):
    """One way to it. ``press`` makes a frame of data at a level; both let other threads run."""

    press: t.Callable[[bytes, int], bytes]
    unpacker: t.Callable[[], Unpacker]
    errors: tuple[type[Exception], ...]


_FOUND: list[Zstd] = []


def zstd() -> Zstd:
    """The way that this host has.

    :raises Missing: it has none
    """
    if not _FOUND:
        found = _by_package() or _by_library()
        if found is None:
            raise Missing("zstd", "libzstd (Debian libzstd1), Python 3.14, or the Python package zstandard")
        _FOUND.append(found)
    return _FOUND[0]


def _by_package() -> Zstd | None:
    for name in _ALIKE:
        try:
            module: t.Any = importlib.import_module(name)
        except ImportError:
            continue
        return Zstd(module.compress, module.ZstdDecompressor, (module.ZstdError,))
    try:
        other: t.Any = importlib.import_module("zstandard")
    except ImportError:
        return None
    return Zstd(
        lambda data, level: other.ZstdCompressor(level=level).compress(data),
        lambda: other.ZstdDecompressor().decompressobj(),
        (other.ZstdError,),
    )


# --- the C library ---


class _Span(ctypes.Structure):
    """ZSTD_inBuffer and ZSTD_outBuffer of zstd.h."""

    _fields_ = (("place", ctypes.c_void_p), ("size", ctypes.c_size_t), ("at", ctypes.c_size_t))


def _by_library(names: t.Sequence[str] = _LIBRARIES) -> Zstd | None:
    for name in names:
        try:
            library = ctypes.CDLL(name)
            _declare(library)
        except (OSError, AttributeError):
            continue
        return Zstd(functools.partial(_press, library), functools.partial(_Frame, library), (ZstdError,))
    return None


def _declare(library: ctypes.CDLL) -> None:
    size, pointer = ctypes.c_size_t, ctypes.c_void_p
    for name, result, arguments in (
        ("ZSTD_compressBound", size, (size,)),
        ("ZSTD_compress", size, (pointer, size, ctypes.c_char_p, size, ctypes.c_int)),
        ("ZSTD_isError", ctypes.c_uint, (size,)),
        ("ZSTD_getErrorName", ctypes.c_char_p, (size,)),
        ("ZSTD_createDStream", pointer, ()),
        ("ZSTD_freeDStream", size, (pointer,)),
        ("ZSTD_decompressStream", size, (pointer, ctypes.POINTER(_Span), ctypes.POINTER(_Span))),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments


def _checked(library: ctypes.CDLL, code: int) -> int:
    if library.ZSTD_isError(code):
        raise ZstdError(library.ZSTD_getErrorName(code).decode("ascii", "replace"))
    return code


def _press(library: ctypes.CDLL, data: bytes, level: int) -> bytes:
    room = library.ZSTD_compressBound(len(data))
    out = bytearray(room)
    place = (ctypes.c_char * room).from_buffer(out)
    size = _checked(library, library.ZSTD_compress(ctypes.addressof(place), room, data, len(data), level))
    del place
    return bytes(memoryview(out)[:size])


class _Frame:
    """An :class:`Unpacker`."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library
        self._stream = library.ZSTD_createDStream()
        self._room = ctypes.create_string_buffer(_OUT)
        self.eof = False
        self.unused_data = b""

    def decompress(self, data: bytes) -> bytes:
        """What comes out of the next bytes; what is behind the frame is in ``unused_data``."""
        source = ctypes.c_char_p(data)
        given = _Span(ctypes.cast(source, ctypes.c_void_p), len(data), 0)
        pieces = []
        while True:
            taken = _Span(ctypes.addressof(self._room), _OUT, 0)
            left = _checked(self._library, self._library.ZSTD_decompressStream(self._stream, ctypes.byref(taken), ctypes.byref(given)))
            pieces.append(ctypes.string_at(self._room, taken.at))
            if left == 0:
                self.eof, self.unused_data = True, data[given.at :]
                break
            if given.at == given.size and taken.at < _OUT:
                break
        return b"".join(pieces)

    def __del__(self) -> None:
        self._library.ZSTD_freeDStream(self._stream)
