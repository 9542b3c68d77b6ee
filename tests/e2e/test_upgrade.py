# SPDX-License-Identifier: PostgreSQL
"""A database of every earlier version of the schema, with uploads in every state in it, is migrated
at start, and all goes on."""

import io
import re

import pytest
from harness import ROOT, Service, check_exact, wait_until

MIGRATIONS = sorted((ROOT / "db/sql/migrations").glob("*.sql"))
TABLES = ["file_tracker", "file_checkpoint", "file_data", "file_reject", "file_event", "file_content"]
COLUMNS = """
    SELECT column_name FROM information_schema.columns
    WHERE table_schema = 'uploader' AND table_name = %s AND is_generated = 'NEVER'"""


def make_schema(sql, version):
    """As the program of that version made it."""
    sql.run("CREATE SCHEMA uploader")
    for number, path in enumerate(MIGRATIONS[:version], 1):
        sql.run(path.read_text().replace("@schema@", "uploader"))
        sql.run(f"INSERT INTO uploader.schema_version (version) VALUES ({number})")


def copy_tables(old, new):
    """What an earlier version has columns for."""
    for table in TABLES:
        columns = ", ".join(name for name, in new.run(COLUMNS, table))
        if not columns:
            continue
        data = io.StringIO()
        with old.connection.cursor() as cursor:
            cursor.copy_expert(f"COPY (SELECT {columns} FROM uploader.{table}) TO STDOUT", data)
        data.seek(0)
        with new.connection.cursor() as cursor:
            cursor.copy_expert(f"COPY uploader.{table} ({columns}) FROM STDIN", data)
        if re.search(r"\bid\b", columns):
            new.run(f"SELECT setval(pg_get_serial_sequence('uploader.{table}', 'id'),"
                    f" (SELECT max(id) FROM uploader.{table}))")


@pytest.fixture(scope="module")
def world(cluster):
    """A life that ended badly: (service, {state: (path, tracker)})."""
    service = Service(cluster, upload={"chunk_bytes": "4K"}, name="upgraded").start()
    made = {}
    path = service.people("processed.csv", 2000, bad={3, 1999})
    made["PROCESSED"] = path, service.ok("upload", "--wait", path, "--json", code=3).json["id"]
    for state, command in {"KILLED": "kill", "STOPPED": "stop"}.items():
        made[state] = service.in_the_middle(f"{state}.csv", 20_000)
        service.ok(command, made[state][0])
    made["interrupted"] = service.in_the_middle("interrupted.csv", 20_000)
    service.kill()
    yield service, made
    service.remove()


@pytest.mark.parametrize("version", range(1, len(MIGRATIONS) + 1))
def test_from_version(world, cluster, version):
    before, made = world
    database = cluster.new_database()
    with cluster.connect(database) as sql:
        make_schema(sql, version)
        copy_tables(before.sql, sql)
    after = Service(cluster, database, folder=before.folder, name="upgraded",
                    upload={"chunk_bytes": "4K"}).start()
    try:
        assert after.sql.value("SELECT max(version) FROM uploader.schema_version") == len(MIGRATIONS)
        path, tracker = made["interrupted"]
        wait_until(lambda: after.status(tracker)["status"] == "PROCESSED", "it to go on by itself")
        for state in ("PROCESSED", "KILLED", "STOPPED"):
            path, tracker = made[state]
            assert check_exact(after, tracker) == state
            if state != "PROCESSED":
                after.ok("upload", "--wait", path)
            if state != "PROCESSED" or version >= 4:  # the first that keeps the hash of a file
                assert check_exact(after, tracker, with_file=True) == "PROCESSED"
            after.ok("verify", path)
        after.ok("forget", "--rows", path)
        assert not after.rows(tracker)
    finally:
        after.remove()
