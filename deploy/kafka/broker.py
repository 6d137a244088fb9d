"""Apache Kafka as the tests, the bench and the fault runs start it: one broker or three, KRaft.

Every node is controller and broker. A produce request is acknowledged after an fsync, a node dies
with the process that started it, and everything it writes is in the directory it was given.
"""

import argparse
import contextlib
import fcntl
import hashlib
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import IO, Literal, Self

from deploy.kafka.nodes import HOST, Node, lay_out

POM = Path(__file__).with_name("pom.xml")
CACHE = Path(__file__).parents[2] / ".cache" / "kafka"
START_SECONDS = 60
STOP_SECONDS = 10

# Three that end together wait for each other. What they acknowledged is on disk: cut it short.
CLOSE_SECONDS = 1

JAVA = [
    "java",
    "-Xms64m",
    "-Xmx768m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:-UsePerfData",
    "-XX:+ExitOnOutOfMemoryError",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSS",
]

# 1 is PR_SET_PDEATHSIG. It runs in the child and not as preexec_fn, which is unsafe beside threads.
DIE_WITH_PARENT = (
    "import ctypes, os, sys; ctypes.CDLL(None).prctl(1, 9); os.execvp(sys.argv[1], sys.argv[1:])"
)


class BrokerDied(Exception):
    """A broker ended while it was starting; the text is the end of its log."""


class Cluster:
    """A running cluster of one or three nodes, numbered from 1.

    The calls block until the cluster is as they say. A cluster belongs to one thread at a time.
    """

    def __init__(self, nodes: list[Node], java: list[str]) -> None:
        self._nodes = {node.number: node for node in nodes}
        self._java = java
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        self._paused: set[int] = set()
        # A child is told of the end of the thread that made it, so that thread must last.
        self._starter = ThreadPoolExecutor(max_workers=1)

    @classmethod
    def start(
        cls,
        directory: Path,
        brokers: Literal[1, 3] = 1,
        *,
        cache: Path | None = None,
        secured: Mapping[str, object] | None = None,
    ) -> Self:
        """A cluster that serves; what an earlier one left in the directory is there again.

        `secured` are the settings of one more listener, which speaks SASL over TLS.

        Raises:
            BrokerDied: a broker ended instead of serving.
            TimeoutError: a broker does not answer.
        """
        java = _java(cache or CACHE)
        try:
            return cls._serving(lay_out(directory, brokers, secured=secured), directory, java)
        except BrokerDied:
            # Somebody can take a port between our look and the broker's bind: once more, elsewhere.
            return cls._serving(lay_out(directory, brokers, secured=secured), directory, java)

    @classmethod
    def _serving(cls, nodes: list[Node], directory: Path, java: list[str]) -> Self:
        _format(nodes, java, cluster_id=_cluster_id(directory))
        cluster = cls(nodes, java)
        try:
            cluster.start_node(*cluster._nodes)
        except BaseException:
            cluster.close()
            raise
        return cluster

    @property
    def bootstrap(self) -> str:
        """The addresses of all nodes, running or not, as clients want them."""
        return ",".join(f"{HOST}:{node.port}" for node in self._nodes.values())

    @property
    def secured_bootstrap(self) -> str:
        """The same of the listener that asks who is there, in a cluster that has one."""
        return ",".join(f"{HOST}:{node.secured_port}" for node in self._nodes.values())

    @property
    def pids(self) -> dict[int, int]:
        """The process of each node that runs or is paused."""
        return {number: process.pid for number, process in self._processes.items()}

    def start_node(self, *numbers: int) -> None:
        """These nodes serve (again), on the ports and data they had.

        Two of three that are down must be started in one call: one alone has no quorum to join.
        """
        for number in numbers:
            self._processes[number] = self._starter.submit(self._launch, number).result()
        self._await_serving(numbers)

    def _launch(self, number: int) -> subprocess.Popen[bytes]:
        node = self._nodes[number]
        with node.output.open("ab") as output:
            return _popen([*self._java, "kafka.Kafka", str(node.properties)], output=output)

    def _await_serving(self, started: tuple[int, ...]) -> None:
        deadline = time.monotonic() + START_SECONDS
        serving = self._processes.keys() - self._paused
        while not all(serving <= _members(self._nodes[number].port) for number in serving):
            for number in started:
                if self._processes[number].poll() is not None:
                    self._reap(number)
                    raise BrokerDied(_tail(self._nodes[number].output))
            if time.monotonic() > deadline:
                raise TimeoutError(f"brokers {started} do not serve after {START_SECONDS} s")
            time.sleep(0.05)

    def kill(self, *numbers: int) -> None:
        """These nodes are gone without a word, as by kill -9."""
        for number in numbers:
            self._processes[number].kill()
        for number in numbers:
            self._reap(number)

    def stop(self, *numbers: int) -> None:
        """These nodes are gone: in order, or by force when they have not ended after 10 s."""
        self._end(numbers, grace_seconds=STOP_SECONDS)

    def _end(self, numbers: tuple[int, ...], *, grace_seconds: float) -> None:
        self.resume(*self._paused.intersection(numbers))
        for number in numbers:
            self._processes[number].terminate()
        deadline = time.monotonic() + grace_seconds
        for number in numbers:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._processes[number].wait(max(0, deadline - time.monotonic()))
        self.kill(*numbers)

    def pause(self, *numbers: int) -> None:
        """These nodes hold their connections and do nothing."""
        for number in numbers:
            self._processes[number].send_signal(signal.SIGSTOP)
            self._paused.add(number)

    def resume(self, *numbers: int) -> None:
        """These nodes go on where they were paused."""
        for number in numbers:
            self._processes[number].send_signal(signal.SIGCONT)
            self._paused.discard(number)

    def close(self) -> None:
        """No process of this cluster is left; its data are."""
        self._end(tuple(self._processes), grace_seconds=CLOSE_SECONDS)
        self._starter.shutdown()

    def _reap(self, number: int) -> None:
        self._processes.pop(number).wait()
        self._paused.discard(number)


def jars(cache: Path = CACHE) -> list[Path]:
    """What a broker's class path needs; Maven runs once per pom, whoever asks and how often."""
    folder = _folder(cache)
    with _alone(cache):
        if not folder.exists():
            _fetch(folder)
    return sorted(folder.glob("*.jar"))


def _folder(cache: Path) -> Path:
    return cache / hashlib.sha256(POM.read_bytes()).hexdigest()[:16]


@contextlib.contextmanager
def _alone(cache: Path) -> Iterator[None]:
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fetch(folder: Path) -> None:
    partial = folder.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    _run(["mvn", "-B", "-q", "-f", str(POM), f"-Djars.directory={partial}", "package"])
    partial.rename(folder)


def _java(cache: Path) -> list[str]:
    """The command that runs a class of Kafka, with the classes of a served start parsed in advance.

    Measured on two cores, a broker starts in 1.5 s with that archive and in 3.9 s without.
    """
    plain = [*JAVA, "-cp", ":".join(map(str, jars(cache)))]
    archive = _folder(cache) / "classes.jsa"
    with _alone(cache):
        if not archive.exists():
            _train(plain, archive)
    return [*plain[:1], f"-XX:SharedArchiveFile={archive}", *plain[1:]]


def _train(java: list[str], archive: Path) -> None:
    partial = archive.with_suffix(".partial")
    recording = [*java[:1], f"-XX:ArchiveClassesAtExit={partial}", *java[1:]]
    with tempfile.TemporaryDirectory() as scratch:
        nodes = lay_out(Path(scratch), 1)
        _format(nodes, java, cluster_id=_cluster_id(Path(scratch)))
        cluster = Cluster(nodes, recording)
        try:
            cluster.start_node(1)
            cluster.stop(1)
        finally:
            cluster.close()
    # Without an archive a broker starts all the same, only later.
    if partial.exists():
        partial.rename(archive)


def _cluster_id(directory: Path) -> str:
    # A node that meets another cluster on a port used before refuses it by this id.
    file = directory / "cluster.id"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        # Never a dash in front: the storage tool would take the id for an option.
        number = b"\x00" + uuid.uuid4().bytes[1:]
        file.write_text(urlsafe_b64encode(number).decode().rstrip("="))
    return file.read_text()


def _format(nodes: list[Node], java: list[str], *, cluster_id: str) -> None:
    tool = [*java, "kafka.tools.StorageTool", "format", "--cluster-id", cluster_id, "--config"]
    new = [node for node in nodes if not (node.data / "meta.properties").exists()]
    with ThreadPoolExecutor(max_workers=len(nodes)) as pool:
        list(pool.map(lambda node: _run([*tool, str(node.properties)]), new))


def _run(command: list[str]) -> None:
    # S603: the commands are ours; the two names are looked up on the PATH.
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed:\n{done.stdout}{done.stderr}")


def _popen(command: list[str], *, output: IO[bytes]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - as above
        [sys.executable, "-I", "-S", "-c", DIE_WITH_PARENT, *command],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        process_group=0,  # an interrupt at the keyboard is for the test run, which then closes us
    )


def _members(port: int) -> set[int]:
    """The brokers that serve, as the one at this port knows them; none while it does not answer."""
    request = struct.pack(">hhihi", 3, 1, 0, -1, 0)  # Metadata version 1, no client id, no topics
    try:
        with socket.create_connection((HOST, port), timeout=2) as connection:
            connection.sendall(struct.pack(">i", len(request)) + request)
            with connection.makefile("rb") as stream:
                (size,) = struct.unpack(">i", stream.read(4))
                return _brokers(BytesIO(stream.read(size)))
    except (OSError, struct.error):
        return set()


def _brokers(answer: BytesIO) -> set[int]:
    _correlation, count = struct.unpack(">ii", answer.read(8))
    found = set()
    for _ in range(count):
        (number,) = struct.unpack(">i", answer.read(4))
        (host_bytes,) = struct.unpack(">h", answer.read(2))
        answer.read(host_bytes + 4)  # the host and its port
        (rack_bytes,) = struct.unpack(">h", answer.read(2))
        answer.read(max(0, rack_bytes))
        found.add(number)
    return found


def _tail(file: Path) -> str:
    return "\n".join(file.read_text(errors="replace").splitlines()[-30:])


def main() -> None:
    """Run a cluster until interrupted; its addresses are the only line printed."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--brokers", type=int, choices=(1, 3), default=1)
    parser.add_argument("--directory", type=Path, required=True)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with contextlib.closing(Cluster.start(options.directory, options.brokers)) as cluster:
        sys.stdout.write(f"{cluster.bootstrap}\n")
        sys.stdout.flush()
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()


if __name__ == "__main__":
    main()
