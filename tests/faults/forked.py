"""Processes that begin where their imports ended: forked from one that has imported all of them.

A start so costs no imports, which take seconds: a storm starts thirty. In all else it is
`python -m` the module: a process and a process group of its own, gone when this one is.
"""

import asyncio
import ctypes
import json
import os
import runpy
import selectors
import signal
import sys
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from pathlib import Path

from deploy.kafka.broker import DIE_WITH_PARENT

KINDS = ("ingest", "projections", "timers", "relay", "api", "dispatcher")
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Forked:
    """One process that began."""

    pid: int
    ended: asyncio.Future[int]
    """Its exit code, when there is one; negative is the signal that ended it."""

    @property
    def runs(self) -> bool:
        """Whether it has not ended yet, as far as we were told."""
        return not self.ended.done()

    def signal(self, number: signal.Signals) -> None:
        """Send it this signal."""
        os.kill(self.pid, number)

    async def kill(self) -> None:
        """It is gone without a word, with all it may have started."""
        os.killpg(self.pid, signal.SIGKILL)
        await asyncio.shield(self.ended)


@dataclass
class Forks:
    """The way to the process that forks."""

    _requests: asyncio.StreamWriter
    _waiting: deque[asyncio.Future[Forked]] = field(default_factory=deque)
    _running: dict[int, Forked] = field(default_factory=dict)

    async def begin(self, module: str, environment: Mapping[str, str], output: Path) -> Forked:
        """The module runs as `__main__`, with this environment, and writes into this file."""
        began: asyncio.Future[Forked] = asyncio.get_running_loop().create_future()
        self._waiting.append(began)
        request = {"module": module, "environment": dict(environment), "output": str(output)}
        self._requests.write(json.dumps(request).encode() + b"\n")
        return await began

    async def _listen(self, answers: asyncio.StreamReader) -> None:
        while line := await answers.readline():
            pid, code = json.loads(line)
            if code is not None:
                self._running.pop(pid).ended.set_result(code)
                continue
            forked = Forked(pid, asyncio.get_running_loop().create_future())
            self._running[pid] = forked
            began = self._waiting.popleft()
            # Who asked for it may have gone: then it dies with the one that forked it.
            if not began.done():
                began.set_result(forked)


@asynccontextmanager
async def open_forks() -> AsyncIterator[Forks]:
    """The process that forks has begun; it and all that it forked are gone in the end."""
    forking = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", DIE_WITH_PARENT),
        *(sys.executable, "-m", "tests.faults.forked"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert forking.stdin is not None
    assert forking.stdout is not None
    forks = Forks(forking.stdin)
    listening = asyncio.create_task(forks._listen(forking.stdout))
    try:
        yield forks
    finally:
        forking.kill()
        await forking.wait()
        await listening


def _fork_as_asked() -> None:
    """Fork for each line that comes in, and say in lines who began, and who ended with what."""
    for kind in KINDS:
        import_module(f"services.{kind}.process")
    with open(0, "rb", buffering=0, closefd=False) as requests, selectors.DefaultSelector() as live:
        live.register(requests, selectors.EVENT_READ, lambda: _fork(requests.readline(), live))
        while live.get_map():
            for key, _ in live.select():
                act: Callable[[], None] = key.data
                act()


def _fork(request: bytes, live: selectors.BaseSelector) -> None:
    if not request:
        sys.exit(0)
    if not (pid := os.fork()):
        live.close()
        _be(**json.loads(request))
        sys.exit(0)
    # Before anybody can know of it: whoever kills the group must find one.
    os.setpgid(pid, pid)
    _tell(pid, None)
    child = os.pidfd_open(pid)
    live.register(child, selectors.EVENT_READ, partial(_reap, pid, child, live))


def _reap(pid: int, child: int, live: selectors.BaseSelector) -> None:
    live.unregister(child)
    os.close(child)
    _, status = os.waitpid(pid, 0)
    _tell(pid, os.waitstatus_to_exitcode(status))


def _tell(pid: int, code: int | None) -> None:
    os.write(1, json.dumps([pid, code]).encode() + b"\n")


def _be(module: str, environment: Mapping[str, str], output: str) -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    written = os.open(output, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    for place, file in ((0, os.open(os.devnull, os.O_RDONLY)), (1, written), (2, written)):
        os.dup2(file, place)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = [module]
    runpy.run_module(f"{module}.__main__", run_name="__main__")


if __name__ == "__main__":
    _fork_as_asked()
