# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a probe is: its declaration (options, observed keys, default expect) and the two ways in which it can fail."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:  # pragma: no cover
    Runner = t.Callable[..., t.Tuple[int, str, str]]


class ProbeFailure(Exception):
    """The probe saw its target and it is bad; what was seen is still judged against ``expect``.

    :arg reason: one lower case word: dns, refused, reset, unreachable, timeout, tls, protocol, not_found, mismatch ...
    :arg sentence: one sentence for people, without secrets
    :arg observed: the observed keys known so far
    """

    def __init__(self, reason: str, sentence: str, observed: dict[str, t.Any] | None = None) -> None:
        super().__init__(sentence)
        self.reason = reason
        self.sentence = sentence
        self.observed = dict(observed or {})


class CannotSee(Exception):
    """The target could not be looked at: the result is ``unknown``. The sentence says what to grant or install.

    :arg reason: missing_library, permission, unsupported, timeout, check_mode, internal or unseen
    """

    def __init__(self, sentence: str, reason: str = "unseen") -> None:
        super().__init__(sentence)
        self.reason = reason
        self.sentence = sentence


class CommandTimeout(Exception):
    """A program did not end within its time and was stopped."""


class CommandFlood(Exception):
    """A program wrote without end and was stopped."""


class CommandMissing(Exception):
    """A program is not installed or may not be run."""


class Option:
    """One option of a probe.

    :arg type: str, int, number, bool, duration (float seconds in the probe, up to a day: a time to wait),
        period (the same, up to ten years), size (int bytes), list, dict, port, url, regex,
        path (absolute) or any
    :arg elements: type of the elements of a list
    :arg secret: the value is masked wherever it could be shown
    """

    def __init__(
        self,
        type: str = "str",
        required: bool = False,
        default: t.Any = None,
        choices: t.Sequence[str] | None = None,
        elements: str | None = None,
        help: str = "",
        secret: bool = False,
    ) -> None:
        self.type = type
        self.required = required
        self.default = default
        self.choices = tuple(choices) if choices else None
        self.elements = elements
        self.help = help
        self.secret = secret


class ProbeSpec:
    """The declaration of a probe, which validation, documentation and judgement share.

    :arg observes: observed key -> what it means (latency_ms is added for every probe)
    :arg expect: the default expectation: observed path -> matcher
    :arg one_of: groups of options of which at least one must be given
    :arg complete: a last look at the options together; raises ValueError with a sentence
    """

    def __init__(
        self,
        name: str,
        options: dict[str, Option],
        observes: dict[str, str],
        expect: dict[str, t.Any],
        one_of: t.Sequence[t.Sequence[str]] = (),
        help: str = "",
        complete: t.Callable[[dict[str, t.Any]], None] | None = None,
    ) -> None:
        self.name = name
        self.options = options
        self.observes = dict(observes, latency_ms="milliseconds from the start of the probe to its end")
        self.expect = expect
        self.one_of = tuple(tuple(group) for group in one_of)
        self.help = help
        self.complete = complete
        self.defaults = {name: option.default for name, option in options.items()}
        self.required = [name for name, option in options.items() if option.required]


class Context:
    """What the runner hands to a probe.

    :ivar run: ``run(argv, timeout) -> (rc, out, err)``; raises CommandTimeout, CommandFlood or CommandMissing; None where programs cannot be run
    :ivar check_mode: nothing may be changed, and a command probe does not run
    :ivar deadline: time.monotonic() at which the whole run ends
    :ivar shared: one dict for the whole run, where gather() leaves what it found for observe()
    :ivar attempt: 1 for the first look, then counted up by retries
    :ivar wanted: the top-level observed keys that expect or warn of this check name (what is dear is read only on demand); for gather()
        those of all checks of the probe
    :ivar past: what the probes left in the last run for this one, by their names, as JSON; whoever kept it may have damaged it
    :ivar left: where they leave it for the next one; None where nothing is kept
    """

    def __init__(
        self,
        run: Runner | None = None,
        check_mode: bool = False,
        deadline: float = float("inf"),
        shared: dict[str, t.Any] | None = None,
        attempt: int = 1,
        wanted: t.Iterable[str] = (),
        past: t.Mapping[str, t.Any] | None = None,
        left: dict[str, t.Any] | None = None,
    ) -> None:
        self.run = run
        self.check_mode = check_mode
        self.deadline = deadline
        self.shared: dict[str, t.Any] = {} if shared is None else shared
        self.attempt = attempt
        self.wanted = frozenset(wanted)
        self.past: t.Mapping[str, t.Any] = {} if past is None else past
        self.left = left

    def view(self, attempt: int, wanted: t.Iterable[str]) -> Context:
        """The same run as one attempt of one check sees it; ``shared`` and ``left`` stay one object."""
        return Context(self.run, self.check_mode, self.deadline, self.shared, attempt, wanted, self.past, self.left)
