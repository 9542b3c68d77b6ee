# SPDX-License-Identifier: PostgreSQL
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import harness  # noqa: E402


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


@pytest.fixture
def service(new_service):
    """A service that runs, with small chunks so that there are many instants in a small file."""
    return new_service(upload={"chunk_bytes": "4K"}).start()
