# SPDX-License-Identifier: PostgreSQL
"""What a worker cannot do any more once its file is open and its connections are made. The worker is
one that a file has taken over: misbehave.so is loaded into it."""

import os
import signal

import pytest
from harness import BUILD, SANITIZED, check_exact, wait_until

pytestmark = pytest.mark.skipif(SANITIZED, reason="a sanitizer opens files whenever it likes")

WAYS_OUT = ("open", "openat", "write", "socket", "connect", "execve", "fork", "kill", "ptrace")
REFUSED = ("unlink", "dup", "executable", "type")


def misbehaving(new_service, act, lanes, **settings):
    """A service whose worker does this at the 1,500,000th byte of a file, and the file."""
    service = new_service(upload={"chunk_bytes": "32K", "lanes": lanes},
                          supervisor={"resume": "no", "log_level": "debug", **settings})
    service.start(environment={"LD_PRELOAD": str(BUILD / "tests/misbehave.so"),
                               "MISBEHAVE": act, "MISBEHAVE_AT": "1500000"})
    return service, service.people(count=50_000)


@pytest.mark.parametrize("lanes", [1, 4])
@pytest.mark.parametrize("act", WAYS_OUT)
def test_a_way_out_is_its_end(new_service, act, lanes):
    service, path = misbehaving(new_service, act, lanes)
    service.ctl("upload", "--wait", path)
    status = service.status(path)
    assert status["status"] == "KILLED"
    assert f"ended by signal {signal.SIGSYS:d}" in service.log_text()
    assert "confine = no" in service.log_text()
    assert 0 < status["rows"] < 50_000
    assert "SUCCEEDED" not in service.log_text()
    service.stop()
    service.start()
    service.ok("upload", "--wait", path)
    assert check_exact(service, service.status(path)["id"], with_file=True) == "PROCESSED"


@pytest.mark.parametrize("act", REFUSED)
def test_what_nobody_needs_is_refused(new_service, act):
    service, path = misbehaving(new_service, act, 2)
    service.ok("upload", "--wait", path)
    assert check_exact(service, service.status(path)["id"], with_file=True) == "PROCESSED"
    assert f"misbehave: {act}: Function not implemented" in service.log_text()


def test_confine_no(new_service):
    service, path = misbehaving(new_service, "open", 2, confine="no")
    service.ok("upload", "--wait", path)
    assert "misbehave: open: SUCCEEDED" in service.log_text()


def test_what_the_kernel_says_of_it(new_service):
    """Before its file is read it has no new privileges; then a filter, and no further descriptor."""
    service = new_service(upload={"chunk_bytes": "64K"}).start()
    path = service.people(count=2_000_000)
    service.ok("upload", path)
    [worker] = wait_until(service.workers, "a worker")
    wait_until(lambda: "Seccomp:\t2" in open(f"/proc/{worker}/status").read(),
               "the filter")
    status = open(f"/proc/{worker}/status").read()
    assert "NoNewPrivs:\t1" in status
    for task in os.listdir(f"/proc/{worker}/task"):
        assert "Seccomp:\t2" in open(f"/proc/{worker}/task/{task}/status").read()
    limits = open(f"/proc/{worker}/limits").read()
    assert any(line.split()[:5] == ["Max", "open", "files", "1", "1"] for line in limits.splitlines())
    service.ok("kill", path)


def test_a_rollback_and_a_proof_are_confined_too(new_service):
    service = new_service(supervisor={"log_level": "debug"}, upload={"chunk_bytes": "256K"}).start()
    path = service.people(count=50_000)
    service.ok("upload", "--wait", path)
    before = service.log_text().count("confined")
    service.ok("verify", path)
    assert service.log_text().count("confined") == before + 1
    other = service.people("other.csv", count=1_000_000)
    service.ok("upload", other)
    wait_until(lambda: service.status(other)["rows"] > 0, "rows")
    service.ok("stop", other)
    assert service.count() == 50_000
    assert service.log_text().count("confined") == before + 3
