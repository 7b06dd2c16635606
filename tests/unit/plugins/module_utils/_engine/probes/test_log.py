# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The probe log: one look at the end of a file."""

from __future__ import annotations

import threading
import time

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.options import read_options
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.probe import CannotSee, Context, ProbeFailure
from ansible_collections.vigil.ops.plugins.module_utils._engine.probes import log


def look(place, **options):
    return log.observe(read_options(log.SPEC, {"path": str(place), **options}), Context())


def stamp(ago):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - ago))


def test_lines_count_that_are_young_enough(tmp_path):
    place = tmp_path / "app.log"
    place.write_text(f"{stamp(9000)} ERROR old\n  ERROR of the same message\n{stamp(60)} ERROR token=abcdefgh\n{stamp(1)} INFO ok\n")
    seen = look(place, keyword="ERROR")
    assert (seen["matches"], seen["lines"]) == (1, 4) and seen["last"].endswith("ERROR token=********")
    assert look(place, keyword="ERROR", since="1d")["matches"] == 3
    assert look(place, regex="error", ignore_case=True, exclude="token")["matches"] == 0
    assert seen["age_seconds"] < 60


def test_only_the_end_of_a_large_file_is_read(tmp_path):
    place = tmp_path / "app.log"
    place.write_text("ERROR x\n" * 1000)
    assert look(place, keyword="ERROR", max_bytes=80)["matches"] == 9  # the first line there is cut


def test_json_and_a_last_line_without_an_end(tmp_path):
    place = tmp_path / "app.log"
    place.write_text('{"level": "info"}\n{"level": "error", "code": 503}')
    assert look(place, json={"level": "error", "code": ">= 500"})["matches"] == 1


def test_what_cannot_be_looked_at_and_what_cannot_be_read(tmp_path):
    with pytest.raises(ProbeFailure, match="does not exist") as caught:
        look(tmp_path / "none.log", keyword="x")
    assert caught.value.reason == "not_found"
    (tmp_path / "empty.log").touch()
    assert look(tmp_path / "empty.log", keyword="x")["matches"] == 0
    for options, sentence in (
        ({}, 'log needs one of the options "keyword", "regex", "json"'),
        ({"keyword": "x", "exclude": "("}, "is not a regular expression"),
        ({"json": {"nothing(x)": 1}}, "which JMESPath does not have"),
    ):
        with pytest.raises(ValueError, match=sentence):
            look(tmp_path / "empty.log", **options)


def test_an_expression_that_would_go_on_for_ever_is_stopped_in_any_thread(tmp_path):
    place = tmp_path / "app.log"
    place.write_text("a" * 60 + "!\n" + "b\n")
    caught = []

    def work():
        try:
            look(place, regex="^(a+)+$", timeout="60s")
        except CannotSee as exc:
            caught.append(exc)

    log.gather([], Context())
    thread = threading.Thread(target=work)
    thread.start()
    thread.join(50)
    assert not thread.is_alive() and caught[0].reason == "expression" and "takes too long" in caught[0].sentence
    assert look(place, keyword="b")["matches"] == 1  # and the others go on


def test_a_look_has_an_end(tmp_path):
    place = tmp_path / "app.log"
    place.write_text(("a" * 60 + "!\n") * 4)
    with pytest.raises(CannotSee, match=r"was not looked through within 0\.3 s") as failed:
        look(place, regex="^(a+)+$", timeout="300ms")
    assert failed.value.reason == "timeout"
