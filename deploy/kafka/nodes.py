"""Where the nodes of a cluster live, on which ports, and by which settings."""

import random
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

HOST = "127.0.0.1"

# Below the range that Linux gives to outgoing connections: a client that keeps knocking at a dead
# broker's port could otherwise be given that very port, and the broker could not come back to it.
PORTS = range(20_000, 32_000)

# The limit for one batch is 16 MiB and its frame; one request carries a batch of each partition.
MESSAGE_BYTES = 17 * 1024 * 1024
REQUEST_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True)
class Node:
    """One broker and controller: its number, its ports and its folder."""

    number: int
    port: int
    controller_port: int
    secured_port: int
    """Listens only where a cluster has a listener that asks who is there."""
    directory: Path

    @property
    def properties(self) -> Path:
        """Its configuration file."""
        return self.directory / "server.properties"

    @property
    def data(self) -> Path:
        """The folder of its logs."""
        return self.directory / "data"

    @property
    def output(self) -> Path:
        """What it says."""
        return self.directory / "broker.log"


def lay_out(
    directory: Path, brokers: int, *, secured: Mapping[str, object] | None = None
) -> list[Node]:
    """Numbered from 1, each on free ports and with its configuration written; data stay.

    `secured` are the settings of one more listener, which speaks SASL over TLS.
    """
    ports = _free_ports(3 * brokers)
    nodes = [
        Node(number, ports.pop(), ports.pop(), ports.pop(), directory.absolute() / f"node-{number}")
        for number in range(1, brokers + 1)
    ]
    for node in nodes:
        node.directory.mkdir(parents=True, exist_ok=True)
        settings = _settings(node, nodes)
        if secured is not None:
            settings |= _secured(node, settings, secured)
        node.properties.write_text("".join(f"{n}={value}\n" for n, value in settings.items()))
    return nodes


def _free_ports(count: int) -> list[int]:
    candidates = random.SystemRandom().sample(PORTS, len(PORTS))
    free = (port for port in candidates if _is_free(port))
    return [next(free) for _ in range(count)]


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _settings(node: Node, nodes: list[Node]) -> dict[str, object]:
    return _place(node, nodes) | _durability(len(nodes)) | _sessions(len(nodes)) | _size()


def _place(node: Node, nodes: list[Node]) -> dict[str, object]:
    voters = ",".join(f"{peer.number}@{HOST}:{peer.controller_port}" for peer in nodes)
    controller = f"CONTROLLER://{HOST}:{node.controller_port}"
    return {
        "process.roles": "broker,controller",
        "node.id": node.number,
        "controller.quorum.voters": voters,
        "listeners": f"BROKER://{HOST}:{node.port},{controller}",
        "listener.security.protocol.map": "BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "BROKER",
        "log.dirs": node.data,
    }


def _secured(
    node: Node, settings: Mapping[str, object], secured: Mapping[str, object]
) -> dict[str, object]:
    protocols = "listener.security.protocol.map"
    return {
        "listeners": f"{settings['listeners']},SECURED://{HOST}:{node.secured_port}",
        protocols: f"{settings[protocols]},SECURED:SASL_SSL",
        **{f"listener.name.secured.{name}": value for name, value in secured.items()},
    }


def _durability(brokers: int) -> dict[str, object]:
    in_sync = 2 if brokers >= 3 else 1
    return {
        "auto.create.topics.enable": "false",
        "unclean.leader.election.enable": "false",
        "default.replication.factor": brokers,
        "min.insync.replicas": in_sync,
        "offsets.topic.replication.factor": brokers,
        "transaction.state.log.replication.factor": brokers,
        "transaction.state.log.min.isr": in_sync,
        "share.coordinator.state.topic.replication.factor": brokers,
        "share.coordinator.state.topic.min.isr": in_sync,
        # Kafka alone leaves this to replication; here acknowledged means on disk.
        "log.flush.interval.messages": 1,
        "log.retention.ms": -1,
        # A reader that was away for a week would otherwise find its place forgotten.
        "offsets.retention.minutes": 2**31 - 1,
    }


def _sessions(brokers: int) -> dict[str, object]:
    """How soon a dead broker is missed, which is also how soon a killed one is let in again.

    The usual 9 s would be most of the time of a suite that kills often. A lone broker has nobody
    who could take over from it too early.
    """
    session_ms = 3000 if brokers > 1 else 1500
    return {
        "broker.session.timeout.ms": session_ms,
        "broker.heartbeat.interval.ms": session_ms // 6,
    }


def _size() -> dict[str, object]:
    return {
        "num.partitions": 1,
        "message.max.bytes": MESSAGE_BYTES,
        "replica.fetch.max.bytes": MESSAGE_BYTES,
        "replica.fetch.response.max.bytes": MESSAGE_BYTES,
        "socket.request.max.bytes": REQUEST_BYTES,
        "group.initial.rebalance.delay.ms": 0,
        "offsets.topic.num.partitions": 4,
        "transaction.state.log.num.partitions": 4,
        "share.coordinator.state.topic.num.partitions": 4,
        "num.network.threads": 2,
        "num.io.threads": 4,
        "log.cleaner.dedupe.buffer.size": 4 * 1024 * 1024,
    }
