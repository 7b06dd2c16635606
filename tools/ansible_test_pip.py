# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Let ansible-test make its environments where its bootstrap script for pip cannot be downloaded.

ansible-test looks for `~/.ansible/test/cache/get_pip_<version>.py` before it downloads one. When the download fails (a closed
network), a stand-in that calls `ensurepip` is put there; it is marked, and replaced as soon as the download works.
"""

from __future__ import annotations

import re
import subprocess
import typing as t
import urllib.error
import urllib.request
from pathlib import Path

CACHE = Path.home() / ".ansible" / "test" / "cache"
MARK = "# stand-in: the download of get-pip failed"
STAND_IN = f"""{MARK}
import ensurepip

ensurepip.bootstrap(upgrade=True, default_pip=True)
"""


def wanted(python: Path) -> t.List[t.Tuple[str, str]]:
    """(file name in the cache, URL) of every bootstrap script that this ansible-test may ask for."""
    code = "import ansible_test, pathlib; print(pathlib.Path(ansible_test.__file__).parent)"
    home = Path(subprocess.run([str(python), "-c", code], stdout=subprocess.PIPE, text=True, check=True).stdout.strip())
    versions = re.findall(r"""pip=['"]([\d.]+)['"]""", (home / "_internal" / "python_requirements.py").read_text(encoding="utf-8"))
    address = re.search(
        r"https://\S+?/get-pip-%s\.py", (home / "_util" / "target" / "setup" / "requirements.py").read_text(encoding="utf-8")
    )
    if not address:
        return []
    return [(f"get_pip_{version.replace('.', '_')}.py", address.group(0) % version) for version in sorted(set(versions))]


def prepare(python: Path) -> None:
    """Fill the cache of ansible-test for this ansible-core."""
    for name, url in wanted(python):
        place = CACHE / name
        if place.exists() and MARK not in place.read_text(encoding="utf-8"):
            continue
        CACHE.mkdir(parents=True, exist_ok=True)
        place.write_text(_download(url) or STAND_IN, encoding="utf-8")


def _download(url: str) -> t.Optional[str]:
    try:
        with urllib.request.urlopen(url, timeout=15) as answer:
            return answer.read().decode("utf-8")
    except (OSError, ValueError, urllib.error.URLError):
        return None
