"""What the figures of an installation mean."""

from __future__ import annotations

import pytest

from ace.core import checkup
from ace.models.access import ApiKey, Role
from ace.models.checkup import Finding, State, worst

DAY, NOW = 86_400.0, 1_000_000_000.0


def key(**changes: float) -> ApiKey:
    return ApiKey(id="k", secret_hash="0" * 64, role=Role.READ, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("found", "state"),
    [
        pytest.param(checkup.clock(NOW + 1, NOW), State.OK, id="clocks-agree"),
        pytest.param(checkup.clock(NOW, NOW + 5), State.WARNING, id="clock-behind"),
        pytest.param(checkup.clock(NOW + 60, NOW), State.FAULT, id="clock-beyond-a-lease"),
        pytest.param(checkup.disk(10**11, "x"), State.OK, id="room"),
        pytest.param(checkup.disk(10**9, "x"), State.WARNING, id="little-room"),
        pytest.param(checkup.disk(10**7, "x"), State.FAULT, id="no-room"),
        pytest.param(checkup.backups([], "x"), State.WARNING, id="no-backup"),
        pytest.param(checkup.backups([9 * DAY, 0.5 * DAY], "x"), State.OK, id="fresh-backup"),
        pytest.param(checkup.backups([9 * DAY], "x"), State.WARNING, id="old-backup"),
        pytest.param(checkup.keys([], NOW, host="::1", is_loopback=True), State.OK, id="alone"),
        pytest.param(checkup.keys([], NOW, host="0.0.0.0", is_loopback=False), State.FAULT, id="open-to-all"),
        pytest.param(checkup.keys([key()], NOW, host="0.0.0.0", is_loopback=False), State.OK, id="open-with-keys"),
        pytest.param(
            checkup.keys([key(), key(expires_at=NOW + DAY)], NOW, host="::1", is_loopback=True),
            State.WARNING,
            id="ends",
        ),
        pytest.param(
            checkup.keys([key(revoked_at=NOW - DAY)], NOW, host="::1", is_loopback=True),
            State.WARNING,
            id="all-revoked",
        ),
        pytest.param(checkup.dimensions(384, [384]), State.OK, id="same-length"),
        pytest.param(checkup.dimensions(384, []), State.OK, id="no-vectors"),
        pytest.param(checkup.dimensions(384, [384, 1024]), State.FAULT, id="another-length"),
    ],
)
def test_a_figure_is_judged(found: Finding, state: State) -> None:
    assert found.state == state
    assert bool(found.remedy) == (state != State.OK), "a remedy where one is called for"


def test_the_worst_finding_is_the_state_of_the_whole() -> None:
    told = [Finding(name="x", state=state, found="") for state in (State.OUTAGE, State.FAULT, State.WARNING)]
    assert worst(told) == State.FAULT
    assert worst([]) == State.OK
