# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Zone files for tests: a head with SOA and NS where the test gives records alone, serials that rise, and signatures by ldns."""

from __future__ import annotations

import dataclasses
import re
import shutil
import tempfile
import time
import typing as t
from pathlib import Path

from dns_process import DnsLabError, run

_SOA = re.compile(r"(\bSOA\s+\S+\s+\S+\s+\(?\s*)(\d+)", re.IGNORECASE)
_SIGNATURE = re.compile(r"^(?P<head>\S+\s+\d+\s+IN\s+RRSIG\s+(?P<type>\S+)\s.*\s)(?P<end>\S+)\s*$")
HEAD = """\
$ORIGIN {zone}.
$TTL 300
@ SOA ns hostmaster {serial} 3600 600 86400 60
@ NS ns
ns A 127.0.0.1
"""


def serial_of(text: str) -> int:
    """The serial of a zone's text; 0 when it has no SOA."""
    found = _SOA.search(text)
    return int(found.group(2)) if found else 0


def is_signed(text: str) -> bool:
    return "RRSIG" in text


def zone_text(zone: str, text: str, serial: int = 1) -> str:
    """A whole zone with this serial at least.

    Text without SOA gets a head: origin, TTL 300, SOA (negative TTL 60), `@ NS ns`, `ns A 127.0.0.1`. The serial of unsigned text is
    raised when it is lower; that of signed text cannot be, and DnsLabError says so.
    """
    if not _SOA.search(text):
        return HEAD.format(zone=zone.rstrip("."), serial=serial) + text.rstrip("\n") + "\n"
    if serial_of(text) >= serial:
        return text.rstrip("\n") + "\n"
    if is_signed(text):
        raise DnsLabError(f"the signed zone {zone} has serial {serial_of(text)} and needs {serial}: sign it with this serial")
    return _SOA.sub(lambda found: f"{found.group(1)}{serial}", text, count=1).rstrip("\n") + "\n"


def _from_now(days: int) -> str:
    return time.strftime("%Y%m%d%H%M%S", time.gmtime(time.time() + days * 86400))


def many(count: int, zone: str = "bench.test") -> t.Tuple[str, t.List[str]]:
    """(text of a zone, its full names): h0000000 A 10.x.y.z and so on, one address for each."""
    lines = [f"h{number:07d} A 10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}" for number in range(count)]
    return "\n".join(lines) + "\n", [f"h{number:07d}.{zone}" for number in range(count)]


@dataclasses.dataclass
class ZoneKey:
    """The one key of a zone (KSK and ZSK in one), and what is made with it."""

    zone: str
    dir: Path
    name: str  # of the key's files: Kzone.+013+12345

    @classmethod
    def make(cls, zone: str, algorithm: str = "ECDSAP256SHA256") -> ZoneKey:
        place = Path(tempfile.mkdtemp(prefix="vigil-dns-key-"))
        bits = ["-b", "2048"] if algorithm.startswith("RSA") else []
        name = run("ldns-keygen", "-a", algorithm, *bits, "-k", f"{zone.rstrip('.')}.", cwd=place).strip().splitlines()[-1]
        return cls(zone.rstrip("."), place, name)

    @property
    def ds(self) -> str:
        """The DS record, for the parent zone or as trust anchor."""
        return " ".join((self.dir / f"{self.name}.ds").read_text().split())

    @property
    def dnskey(self) -> str:
        """The DNSKEY record, for a trust anchor."""
        return " ".join((self.dir / f"{self.name}.key").read_text().split(";")[0].split())

    def sign(
        self, text: str, serial: int = 1, inception: t.Optional[str] = None, expiration: t.Optional[str] = None, nsec3: bool = False
    ) -> str:
        """The zone signed, from a week ago until in a year. Times are YYYYMMDDHHMMSS, UTC; an expiration in the past makes expired signatures."""
        inception, expiration = inception or _from_now(-7), expiration or _from_now(365)
        source = self.dir / "zone"
        source.write_text(zone_text(self.zone, text, serial))
        options = ["-n"] if nsec3 else []
        run(
            "ldns-signzone",
            *options,
            *("-i", inception, "-e", expiration, "-o", f"{self.zone}.", "-f", "zone.signed", "zone", self.name),
            cwd=self.dir,
        )
        return (self.dir / "zone.signed").read_text()

    def tampered(self, signed: str, owner: str, kind: str) -> str:
        """The signed text with the signature of one RRset broken: bogus. `owner` is the full name, `kind` the type that is covered."""
        lines, done = signed.splitlines(), 0
        for number, line in enumerate(lines):
            found = _SIGNATURE.match(line)
            if found and line.split()[0].rstrip(".").lower() == owner.rstrip(".").lower() and found.group("type") == kind.upper():
                end = found.group("end")
                lines[number] = found.group("head") + ("B" if end[0] == "A" else "A") + end[1:]
                done += 1
        if not done:
            raise DnsLabError(f"the signed zone {self.zone} has no signature of {owner} {kind}")
        return "\n".join(lines) + "\n"

    def close(self) -> None:
        shutil.rmtree(self.dir, ignore_errors=True)


@dataclasses.dataclass(frozen=True)
class SignedTree:
    """Zones of one server for tests of DNSSEC; `anchor` is what a validating resolver must be told.

    secure.test          signed; www A, and the delegations of the others
    bogus.secure.test    signed and in the chain, but the signatures of www A and of its own NSEC are broken; ok A is well
    expired.secure.test  signed and in the chain, all signatures expired in 2021
    insecure.secure.test not signed, delegated without DS; www A
    """

    zones: t.Dict[str, str]
    anchor: str
    keys: t.Dict[str, ZoneKey]

    @classmethod
    def make(cls) -> SignedTree:
        keys = {name: ZoneKey.make(name) for name in ("secure.test", "bogus.secure.test", "expired.secure.test")}
        www = "www A 192.0.2.1\nok A 192.0.2.2\n"
        bogus = keys["bogus.secure.test"]
        expired = keys["expired.secure.test"].sign(www, inception="20200101000000", expiration="20210101000000")
        below = "".join(f"{name} NS ns\n" for name in ("bogus", "expired", "insecure"))
        below += "".join(f"{keys[name].ds}\n" for name in ("bogus.secure.test", "expired.secure.test"))
        return cls(
            {
                "secure.test": keys["secure.test"].sign(www + below),
                "bogus.secure.test": bogus.tampered(bogus.sign(www), "www.bogus.secure.test", "A"),
                "expired.secure.test": expired,
                "insecure.secure.test": www,
            },
            keys["secure.test"].ds,
            keys,
        )

    def close(self) -> None:
        for key in self.keys.values():
            key.close()
