"""The log is JSON with ids; it holds no bodies, whoever writes to it."""

import json
import logging
import subprocess
import sys
import textwrap

from services.operation.logs import Seldom


def logged(script: str) -> list[dict[str, object]]:
    """The lines that a process of its own writes: configuring is for a whole process."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, check=True, text=True
    )
    return [json.loads(line) for line in done.stderr.splitlines()]


def test_an_error_is_logged_without_what_was_sent() -> None:
    lines = logged("""
        import structlog
        from pydantic import BaseModel
        from services.operation.logs import configure
        configure("info")
        class Count(BaseModel):
            count: int
        logger = structlog.get_logger()
        logger.debug("not_written")
        with structlog.contextvars.bound_contextvars(request_id="r1"):
            try:
                Count.model_validate({"count": "1103700123456"+"x"})
            except Exception:
                logger.exception("refused", slot=7)
    """)
    assert len(lines) == 1
    assert lines[0]["event"] == "refused"
    assert lines[0]["request_id"] == "r1"
    assert lines[0]["slot"] == 7
    assert "ValidationError" in str(lines[0]["error"])
    assert "1103700123456" not in json.dumps(lines)


def test_a_library_writes_into_the_same_log() -> None:
    lines = logged("""
        import logging
        from services.operation.logs import configure
        configure("info")
        logging.getLogger("aiokafka").info("chatter")
        try:
            {}["hunter2"]
        except KeyError:
            logging.getLogger("aiokafka").exception("lost %s", "broker")
    """)
    assert [line["event"] for line in lines] == ["lost broker"]
    assert lines[0]["logger"] == "aiokafka"
    assert "hunter2" not in json.dumps(lines)


def test_a_library_says_the_same_thing_once_in_ten_seconds_and_how_often_meanwhile() -> None:
    def said(created: float, node: int) -> logging.LogRecord:
        record = logging.LogRecord("aiokafka", logging.ERROR, "", 0, "no node %s", (node,), None)
        record.created = created
        return record

    seldom = Seldom()
    records = [said(second / 50, node) for second in range(500) for node in (1, 2)]
    assert [one.getMessage() for one in records if seldom.filter(one)] == ["no node 1", "no node 2"]
    later = said(10.0, 1)
    assert seldom.filter(later)
    assert later.getMessage() == "no node 1 (and 499 times before)"


def test_our_own_errors_keep_their_message() -> None:
    lines = logged("""
        import structlog
        from services.operation.logs import configure
        from services.operation.settings import BadSettings
        configure("info")
        try:
            raise BadSettings("KAMKAP_X is not a setting")
        except BadSettings:
            structlog.get_logger().exception("bad")
    """)
    assert str(lines[0]["error"]).endswith("BadSettings: KAMKAP_X is not a setting")
