"""That a test of moments is measured again only where the machine stood still, once, and by its own bounds."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]

_TEST = """
import time
import pytest
from tests import stalls

runs = []

@pytest.fixture
def fresh():
    return []

@pytest.mark.{mark}
def test_it(fresh):
    assert fresh == []
    fresh.append(1)
    runs.append(1)
    if len(runs) <= {stalls}:
        stalls.seen.append(stalls.Stall(time.monotonic(), 1.0, {on_cpu}))
    assert len(runs) > {failures}
"""


@pytest.mark.parametrize(
    ("mark", "stalls", "on_cpu", "failures", "passes"),
    [
        ("moment", 1, 0.1, 1, True),
        ("moment", 0, 0.1, 1, False),  # nothing stood still
        ("moment", 1, 0.9, 1, False),  # Python itself did
        ("moment", 2, 0.1, 2, False),  # twice is enough
        ("kills", 1, 0.1, 1, False),  # no test of moments
    ],
)
def test_a_moment_is_measured_again_when_the_machine_stood_still(
    pytester: pytest.Pytester, mark: str, stalls: int, on_cpu: float, failures: int, passes: bool
) -> None:
    pytester.makepyprojecttoml('[tool.pytest.ini_options]\nmarkers = ["moment: x", "kills: x"]')
    pytester.makepyfile(_TEST.format(mark=mark, stalls=stalls, on_cpu=on_cpu, failures=failures))
    result = pytester.runpytest_inprocess(
        "-p", "tests.stalls", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning"
    )
    result.assert_outcomes(passed=int(passes), failed=int(not passes))
    if not passes and stalls:
        result.stdout.fnmatch_lines(["*for 1.00 s, 0.?0 s of it on a CPU"])
