"""The clock on the wall may jump, forth and back, while a condition is in force: its lease takes as long as it takes.

Not this machine's clock: that of the agent, the command line and the keeper, by a library in front of theirs.
"""

from __future__ import annotations

import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from netweather.kernel import namespaces
from tests.kernel.agent.conftest import PROGRAM, RealAgent, condition, real_agent
from tests.support import dumps
from tests.support.machine import SLOW
from tests.support.netns import Lab

DAY_S = 86_400
LIBRARY = """
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long long ahead(void)
{
	static const volatile long long *seconds;

	if (!seconds) {
		int fd = open(getenv("NWT_AHEAD"), O_RDONLY | O_CLOEXEC);

		seconds = mmap(0, sizeof(*seconds), PROT_READ, MAP_SHARED, fd, 0);
		close(fd);
	}
	return *seconds;
}

int clock_gettime(clockid_t id, struct timespec *now)
{
	int result = syscall(SYS_clock_gettime, id, now);

	if (!result && id == CLOCK_REALTIME)
		now->tv_sec += ahead();
	return result;
}

int gettimeofday(struct timeval *now, void *zone)
{
	struct timespec spec;

	clock_gettime(CLOCK_REALTIME, &spec);
	now->tv_sec = spec.tv_sec;
	now->tv_usec = spec.tv_nsec / 1000;
	return 0;
}

time_t time(time_t *now)
{
	struct timespec spec;

	clock_gettime(CLOCK_REALTIME, &spec);
	if (now)
		*now = spec.tv_sec;
	return spec.tv_sec;
}
"""


@dataclass
class Clock:
    """What those who are started with `environment` take for the time."""

    folder: Path

    def __post_init__(self) -> None:
        (self.folder / "clock.c").write_text(LIBRARY)
        words = [sys.executable, "-m", "ziglang", "cc", "-shared", "-fPIC", "-O1", "clock.c", "-o", "clock.so"]
        subprocess.run(words, cwd=self.folder, check=True, timeout=60 * SLOW)
        self.set(0)

    @property
    def environment(self) -> dict[str, str]:
        return {"LD_PRELOAD": str(self.folder / "clock.so"), "NWT_AHEAD": str(self.folder / "ahead")}

    def set(self, seconds: int) -> None:
        """How far it is ahead of the right time."""
        with (self.folder / "ahead").open("r+b" if (self.folder / "ahead").exists() else "wb") as file:
            file.write(struct.pack("=q", seconds))


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory) -> Clock:
    return Clock(tmp_path_factory.mktemp("clock"))


@pytest.fixture
def agent(tmp_path: Path, clock: Clock) -> Iterator[RealAgent]:
    clock.set(0)
    with real_agent(tmp_path / "state", **clock.environment) as made:
        yield made


def by_the_agent(agent: RealAgent, target: str, lease: str) -> None:
    with agent.client() as client:
        client.set([condition(target, lease=lease)])


def directly(agent: RealAgent, target: str, lease: str) -> None:
    agent.cli("set", target, "--name", "slow", "--delay", "30ms", "--for", lease, "--direct")


def test_others_see_the_clock_jump(agent: RealAgent, clock: Clock) -> None:
    words = [*PROGRAM[:1], "-c", "import time; print(time.time(), time.clock_gettime(time.CLOCK_BOOTTIME))"]
    clock.set(DAY_S)
    wall, boot = map(float, subprocess.check_output(words, env=agent.environment, text=True).split())
    assert 0 <= wall - DAY_S - time.time() + 60 < 120
    assert abs(boot - namespaces.boot_ns() / 1e9) < 60
    agent.cli("set", "netns:nowhere", "--delay", "1ms", code=1)
    written = agent.audit()[-1]["time"]  # by the agent itself, which runs all the while
    assert written > time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() + DAY_S - 3600))


@pytest.mark.parametrize("put", [by_the_agent, directly])
def test_a_lease_takes_as_long_as_it_takes(
    agent: RealAgent, net: Lab, clock: Clock, put: Callable[[RealAgent, str, str], None]
) -> None:
    before, target = dumps.dump(net.client), f"netns:{net.client.name}"
    with agent.client() as client:
        for jump in (DAY_S, -DAY_S):
            clock.set(-jump)
            put(agent, target, "1h")
            clock.set(jump)
            (shown,) = client.show()
            assert (shown.in_force, shown.problems) == (True, ())
            assert 3000 * 10**9 < (shown.remaining_ns or 0) <= 3600 * 10**9
            since = namespaces.boot_ns()
            put(agent, target, "2s")
            clock.set(-jump)
            agent.gone()
            assert namespaces.boot_ns() - since >= 2 * 10**9
            dumps.assert_same(before, net.client)
