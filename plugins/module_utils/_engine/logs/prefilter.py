# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds the lines of a block in which one of many texts stands, as fast as what is there allows.

``find`` looks for one text after the other, ``anchored`` for all of them by rare bytes that they share, ``hyperscan`` and ``re2`` use libraries
where they are installed. All of them give the same candidates; ``find`` is taken for few texts and for logs in which very many lines are
candidates.
"""

from __future__ import annotations

import bisect
import re
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.logs import anchors
from ansible_collections.vigil.ops.plugins.module_utils._engine.logs.literals import Literal

Search = t.Callable[[bytes], t.Dict[int, int]]
STRATEGIES = ("hyperscan", "re2", "anchored", "find")
FEW = 3  # up to so many texts one after the other are fastest
WORTH = 1 << 20  # bytes from which on it pays to build something
_FRESH = 1 << 25  # bytes after which it is looked anew what is rare
_DENSE = 2000  # a candidate in so many bytes is many
# Letters that are equal to i, k and s when case is ignored, though they are not ASCII.
_STRANGE = ("\u0130".encode(), "\u0131".encode(), "\u017f".encode(), "\u212a".encode())


class Prefilter:
    """Candidates for rules, numbered by bits.

    :arg wanted: texts, and the rules (bits) that want them
    :arg strategy: one of STRATEGIES; None: what is best
    """

    def __init__(self, wanted: t.Mapping[Literal, int], strategy: t.Optional[str] = None) -> None:
        self._wanted = dict(wanted)
        self._plain = [(literal.text, bits) for literal, bits in wanted.items() if not literal.fold]
        self._folded = [(literal.text, bits) for literal, bits in wanted.items() if literal.fold]
        self._fold_bits = 0
        for text, bits in self._folded:
            if re.search(rb"[iks]", text):
                self._fold_bits |= bits
        self._seen = 0
        self._is_dense = False
        self._fast: t.Optional[Search] = None
        self._tried = False
        self._forced = strategy
        self.strategy = "find"

    def hurry(self) -> None:
        """There will be much: what is quick is built at once."""
        self._seen = WORTH

    def candidates(self, data: bytes, starts: t.Optional[t.Sequence[int]] = None) -> t.Dict[int, int]:
        """The beginnings of the lines (or of the messages at ``starts``) in which there is a text, with the rules that want it."""
        self._starts = starts
        self._seen += len(data)
        if not self._tried and self._wanted and (self._forced or self._seen >= WORTH):
            self._build(data)
        if self._fast is not None and not (self._is_dense and self.strategy == "anchored" and not self._forced):
            found = self._fast(data)
        else:
            found = self._find(data)
        self._is_dense = len(found) * _DENSE > len(data)
        return found

    def strange(self, data: bytes) -> int:
        """The rules for which the quick look says nothing in this block, as letters are in it that only ``re`` can compare."""
        return self._fold_bits if self._fold_bits and any(one in data for one in _STRANGE) else 0

    def _build(self, data: bytes) -> None:
        self._tried = True
        for name in [self._forced] if self._forced else STRATEGIES:
            made = {"hyperscan": self._hyperscan, "re2": self._re2, "anchored": self._anchored, "find": lambda _data: self._find}[name](
                data
            )
            if made is not None:
                self._fast, self.strategy = made, name
                return

    def _bounds(self, data: bytes, at: int) -> t.Tuple[int, int]:
        """Beginning and end of the line or message that a place is in."""
        if self._starts is None:
            end = data.find(b"\n", at)
            return data.rfind(b"\n", 0, at) + 1, end if end >= 0 else len(data)
        number = bisect.bisect_right(self._starts, at)
        return self._starts[number - 1], self._starts[number] - 1 if number < len(self._starts) else len(data)

    def _find(self, data: bytes) -> t.Dict[int, int]:
        found: t.Dict[int, int] = {}
        for hay, texts in ((data, self._plain), (data.lower() if self._folded else b"", self._folded)):
            find = hay.find
            for text, bits in texts:
                at = find(text)
                while at >= 0:
                    start, end = self._bounds(data, at)
                    found[start] = found.get(start, 0) | bits
                    at = find(text, end)
        return found

    def _anchored(self, _data: bytes) -> t.Optional[Search]:
        if len(self._wanted) <= FEW and not self._forced:
            return None
        plain: t.List[anchors.Search] = []
        folded: t.List[anchors.Search] = []
        left = 0

        def search(block: bytes) -> t.Dict[int, int]:
            nonlocal left
            if left <= 0:  # what is rare may be another byte by now
                plain[:] = anchors.searches([text for text, _bits in self._plain], block)
                folded[:] = anchors.searches([text for text, _bits in self._folded], block.lower()) if self._folded else []
                left = _FRESH
            left -= len(block)
            found: t.Dict[int, int] = {}
            self._spread(block, block, plain, self._plain, found)
            if folded:
                more: t.Dict[int, int] = {}
                self._spread(block, block.lower(), folded, self._folded, more)
                for start, bits in more.items():
                    found[start] = found.get(start, 0) | bits
            return found

        return search

    def _spread(
        self, data: bytes, hay: bytes, looks: t.Sequence[anchors.Search], texts: t.Sequence[t.Tuple[bytes, int]], found: t.Dict[int, int]
    ) -> None:
        """Say which texts are in the lines that were hit."""
        for look in looks:
            last = -1
            for at in look(hay):
                if at < last:
                    continue
                start, last = self._bounds(data, at)
                if start in found:
                    continue  # by another look
                line, bits = hay[start:last], 0
                for text, those in texts:
                    if text in line:
                        bits |= those
                found[start] = bits

    def _hyperscan(self, _data: bytes) -> t.Optional[Search]:
        try:
            import hyperscan  # type: ignore[import-not-found,import-untyped,unused-ignore]
        except ImportError:
            return None
        literals = list(self._wanted)
        bits = [self._wanted[literal] for literal in literals]
        try:
            database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
            database.compile(
                expressions=[b"".join(b"\\x%02x" % byte for byte in literal.text) for literal in literals],
                ids=list(range(len(literals))),
                elements=len(literals),
                flags=[hyperscan.HS_FLAG_CASELESS if literal.fold else 0 for literal in literals],
            )
        except hyperscan.error:
            return None

        def search(block: bytes) -> t.Dict[int, int]:
            hits: t.List[t.Tuple[int, int]] = []
            database.scan(block, match_event_handler=lambda number, _from, end, _flags, _context: hits.append((end - 1, number)))
            found: t.Dict[int, int] = {}
            start, end = 0, -1
            for at, number in hits:
                if not start <= at < end:
                    start, end = self._bounds(block, at)
                found[start] = found.get(start, 0) | bits[number]
            return found

        return search

    def _re2(self, _data: bytes) -> t.Optional[Search]:
        try:
            import re2  # type: ignore[import-not-found,import-untyped,unused-ignore]
        except ImportError:
            return None
        options = re2.Options()
        options.encoding = re2.Options.Encoding.LATIN1
        options.never_capture = True
        options.max_mem = 64 << 20
        options.log_errors = False
        texts = [b"(?i:%s)" % re2.escape(text) for text, _bits in self._folded] + [re2.escape(text) for text, _bits in self._plain]
        try:
            pattern = re2.compile(b"|".join(texts), options)
        except re2.error:
            return None

        def search(block: bytes) -> t.Dict[int, int]:
            found: t.Dict[int, int] = {}
            place = 0
            while True:
                hit = pattern.search(block, place)
                if hit is None:
                    return found
                start, place = self._bounds(block, hit.start())
                line = block[start:place]
                low, bits = line.lower() if self._folded else b"", 0
                for text, those in self._plain:
                    if text in line:
                        bits |= those
                for text, those in self._folded:
                    if text in low:
                        bits |= those
                found[start] = bits

        return search
