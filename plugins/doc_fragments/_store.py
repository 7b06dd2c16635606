# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection: it may change at any time and is not meant for others.

from __future__ import annotations


class ModuleDocFragment:
    # What every URL of a store may be.
    DOCUMENTATION = r"""
options: {}
notes:
  - A store is a file, C(sqlite:////path/state.db), or a schema in a PostgreSQL database, C(postgresql://user:password@host/database), for which
    Python needs C(psycopg) or C(psycopg2) where the store is opened. Passwords in it are not shown. See C(docs/state.md) of the collection.
"""
