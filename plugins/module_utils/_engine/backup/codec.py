# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How archives are pressed: gzip, zstd, or not at all, always in blocks that can be read alone.

Each block is a gzip member (RFC 1952, section 2.2: several members are one stream) or a zstd frame (RFC 8878, section 3: the same), so that
all cores can press them and one file can be read without the rest. ``tar`` needs to know nothing of this.
"""

from __future__ import annotations

import importlib
import typing as t
import zlib

from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.errors import Damaged

SUFFIXES = {"gzip": ".tar.gz", "zstd": ".tar.zst", "none": ".tar"}
_PIECE = 1 << 17
# Measured on 20,000 configuration files (tests/bench/backup). zlib: 1 and 2 cost alike, 4 costs 1.3 times that for 5 % fewer bytes.
# libdeflate and isal at these levels make files as small as zlib 4 in a third and a fifth of its time.
_ZLIB, _LIBDEFLATE, _ISAL, _ZSTD, _ZSTD_FAST = 2, 1, 3, 3, -5
_SAMPLE = 4096


class Codec(t.NamedTuple):
    """One way to press.

    :ivar suffix: of the name of an archive; :ivar press: a block of data, and whether it is worth the time
    """

    name: str
    suffix: str
    press: t.Callable[[bytes, bool], bytes]


def codec(name: str) -> Codec:
    """The codec of a name of :data:`SUFFIXES`.

    :raises Missing: this host has no library for it
    """
    if name == "gzip":
        return Codec(name, SUFFIXES[name], _gzip)
    if name == "zstd":
        from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.zstd import zstd

        zstd()
        return Codec(name, SUFFIXES[name], lambda data, worth: zstd().press(data, _ZSTD if worth else _ZSTD_FAST))
    return Codec(name, SUFFIXES[name], lambda data, _worth: data)


def dense(data: bytes) -> bool:
    """Whether data looks as if it were pressed already, by a sample of its middle. Plain ASCII, as most configuration is, never does."""
    at = max(0, (len(data) - _SAMPLE) // 2)
    sample = data[at : at + _SAMPLE]
    return len(sample) >= 1024 and not sample.isascii() and len(zlib.compress(sample, 1)) > len(sample) * 0.97


# --- gzip ---


def _gzip(data: bytes, worth: bool) -> bytes:
    if not worth:
        return _member(data, 0)
    if not _PRESSES:
        _PRESSES.append(_by_isal() or _by_libdeflate() or (lambda data: _member(data, _ZLIB)))
    return _PRESSES[0](data)


_Press = t.Callable[[bytes], bytes]
_PRESSES: list[_Press] = []


def _member(data: bytes, level: int) -> bytes:
    maker = zlib.compressobj(level, zlib.DEFLATED, 31)
    return maker.compress(data) + maker.flush()


def _by_isal() -> _Press | None:
    """The package isal, where it is installed."""
    try:
        module: t.Any = importlib.import_module("isal.isal_zlib")
    except ImportError:
        return None
    return lambda data: t.cast("bytes", module.compress(data, _ISAL, 31))


def _by_libdeflate() -> _Press | None:
    """The C library libdeflate, where it is installed."""
    import ctypes

    try:
        library = ctypes.CDLL("libdeflate.so.0")
        for name, result, arguments in (
            ("libdeflate_alloc_compressor", ctypes.c_void_p, (ctypes.c_int,)),
            ("libdeflate_free_compressor", None, (ctypes.c_void_p,)),
            ("libdeflate_gzip_compress_bound", ctypes.c_size_t, (ctypes.c_void_p, ctypes.c_size_t)),
            (
                "libdeflate_gzip_compress",
                ctypes.c_size_t,
                (*(ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t), *(ctypes.c_void_p, ctypes.c_size_t)),
            ),
        ):
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
    except (OSError, AttributeError):
        return None

    def press(data: bytes) -> bytes:
        maker = library.libdeflate_alloc_compressor(_LIBDEFLATE)  # one a block, as blocks are pressed by several threads
        try:
            room = library.libdeflate_gzip_compress_bound(maker, len(data))
            out = bytearray(room)
            place = (ctypes.c_char * room).from_buffer(out)
            size = library.libdeflate_gzip_compress(maker, data, len(data), ctypes.addressof(place), room)
            del place
            return bytes(memoryview(out)[:size])
        finally:
            library.libdeflate_free_compressor(maker)

    return press


# --- back ---


class Blocks:
    """Reads an archive on, block after block.

    :arg archive: its id, for what is said
    :ivar at: where in the file the block begins that is being read
    """

    def __init__(self, file: t.BinaryIO, suffix: str, archive: str) -> None:
        self._file, self._archive = file, archive
        self._maker: t.Callable[[], t.Any] | None = lambda: zlib.decompressobj(31)
        self._errors: tuple[type[Exception], ...] = (zlib.error, EOFError)
        if suffix == SUFFIXES["none"]:
            self._maker = None
        elif suffix == SUFFIXES["zstd"]:
            from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.zstd import zstd

            self._maker, self._errors = zstd().unpacker, (*zstd().errors, EOFError)
        self.at = 0

    def read(self, at: int) -> t.Iterator[bytes]:
        """The tar from a block on, in pieces of which none is of two blocks.

        :raises Damaged: it cannot be unpacked, or is cut off in the middle of a block
        """
        self._file.seek(at)
        self.at = at
        if self._maker is None:
            yield from iter(lambda: self._file.read(_PIECE), b"")
            return
        try:
            data = self._file.read(_PIECE)
            while data:
                maker = self._maker()
                taken = 0
                while not maker.eof:
                    if not data:
                        raise EOFError("it is cut off")
                    piece = maker.decompress(data)
                    taken += len(data)
                    data = b"" if not maker.eof else maker.unused_data
                    if piece:
                        yield piece
                    if not maker.eof:
                        data = self._file.read(_PIECE)
                self.at += taken - len(data)
                data = data or self._file.read(_PIECE)
        except self._errors as exc:
            raise Damaged(f"the archive {self._archive} is damaged: {exc}") from exc
