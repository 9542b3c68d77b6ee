# SPDX-License-Identifier: PostgreSQL
import collections
import contextlib
import os
import re
import sys
import tempfile
from pathlib import Path

import psycopg2
import pytest

sys.path.insert(0, str(Path(__file__).parent))

import harness  # noqa: E402


def keep_reports():
    """A folder for what sanitizers report, each process in a file of its own: in the log of a worker
    or supervisor that ends nobody would look for it, and leaks are found at the end."""
    folder = Path(tempfile.mkdtemp(prefix="uplsan-", dir="/tmp"))
    folder.chmod(0o777)  # some services are another user's
    for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS"):
        os.environ[name] = f"{os.environ.get(name, '')}:log_path={folder}/report"
    return folder


REPORTS = keep_reports() if harness.SANITIZED else None
# What a leak check says whose process is killed while it looks: nothing of the process.
KILLED_WHILE_LOOKING = re.compile(r"==\d+==Unable to get registers from thread \d+\.\n?")
EVERY = 3 if harness.SANITIZED else 1


def pytest_collection_modifyitems(config, items):
    """With a sanitizer, which is slow, every third set of an end-to-end or CSV test's parameters: all
    of them are run without, and lead through the same code, as a rule."""
    numbers = collections.Counter()
    left_out = []
    for item in items:
        test = item.nodeid.partition("[")[0]
        if test.startswith(("e2e/", "csv/")) and numbers[test] % EVERY:
            left_out.append(item)
        numbers[test] += 1
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


@pytest.fixture(autouse=True)
def no_report():
    """A test fails when a sanitizer has reported something of its processes, whatever it saw."""
    yield
    reports = list(REPORTS.iterdir()) if REPORTS else []
    texts = [KILLED_WHILE_LOOKING.sub("", report.read_text(errors="replace")) for report in reports]
    for report in reports:
        report.unlink()
    assert not any(texts), "\n".join(texts)[:20_000]


@pytest.fixture(scope="session")
def cluster():
    """The server that tests share; each has a database of its own. Tests that stop a server make
    one for themselves (own_cluster)."""
    cluster = harness.Cluster("fsync=off", "max_connections=200", "max_prepared_transactions=4")
    yield cluster
    cluster.remove()


@pytest.fixture
def own_cluster():
    cluster = harness.Cluster()
    yield cluster
    cluster.remove()


@pytest.fixture
def durable_cluster():
    """What is committed asynchronously stays in its memory for long."""
    cluster = harness.Cluster("wal_writer_delay=10s", "bgwriter_delay=10s")
    yield cluster
    cluster.remove()


@pytest.fixture
def new_service(cluster):
    """A maker of services, which are ended after the test. It is started by the test."""
    made = []

    def make(**options):
        service = harness.Service(options.pop("cluster", cluster), **options)
        made.append(service)
        return service

    yield make
    for service in made:
        service.remove()
    for name in {service.database for service in made if service.cluster is cluster}:
        with contextlib.suppress(psycopg2.Error):  # a prepared transaction is left in it
            cluster.drop_database(name)


@pytest.fixture
def service(new_service):
    """A service that runs, with small chunks so that there are many instants in a small file."""
    return new_service(upload={"chunk_bytes": "4K"}).start()
