# SPDX-License-Identifier: PostgreSQL
"""The checker finds what is wrong: databases broken on purpose, each in one way."""

import checker
import psycopg2
import pytest
from harness import Service, check_exact

BAD = {7, 8, 450}
COUNT = 900  # ten chunks or so

# what is done to a PROCESSED upload, and a word of what the checker has to say about it
BROKEN = {
    "a row is removed": (
        "DELETE FROM @file_data WHERE line_no = 300", "record 300 is missing"),
    "the first row is removed": (
        "DELETE FROM @file_data WHERE line_no = 1", "record 1 is missing"),
    "the last row is removed": (
        "DELETE FROM @file_data WHERE line_no = 900", "record 900 is missing"),
    "a row is doubled": (
        "INSERT INTO @file_data (file_tracker_id, line_no, name, email) SELECT file_tracker_id,"
        " line_no, name, email FROM @file_data WHERE line_no = 300", "record 300 is there twice"),
    "a row is doubled in another's place": (
        "UPDATE @file_data SET line_no = 301 WHERE line_no = 300", "record 301 is there twice"),
    "a name is changed": (
        "UPDATE @file_data SET name = name || ' ' WHERE line_no = 300", "record 300 is"),
    "an email is changed": (
        "UPDATE @file_data SET email = upper(email) WHERE line_no = 300", "record 300 is"),
    "two rows have changed places": (
        "UPDATE @file_data SET line_no = 601 - line_no WHERE line_no IN (300, 301)",
        "record 300 is"),
    "a row too many, at the end": (
        "INSERT INTO @file_data (file_tracker_id, line_no, name, email) SELECT file_tracker_id,"
        " 901, 'n', 'e' FROM @file_data WHERE line_no = 1", "behind the recovery point"),
    "a row of record 0": (
        "INSERT INTO @file_data (file_tracker_id, line_no, name, email) SELECT file_tracker_id,"
        " 0, 'n', 'e' FROM @file_data WHERE line_no = 1", "behind the recovery point"),
    "a row for a reject": (
        "INSERT INTO @file_data (file_tracker_id, line_no, name, email) SELECT file_tracker_id,"
        " 7, 'Person 7', 'person7@example.org' FROM @file_data WHERE line_no = 1",
        "record 7 is there twice"),
    "a reject for a row": (
        "UPDATE @file_reject SET line_no = 300 WHERE line_no = 7", "record 300 is there twice"),
    "a reject is removed": (
        "DELETE FROM @file_reject WHERE line_no = 7", "record 7 is missing"),
    "a reject has other bytes": (
        "UPDATE @file_reject SET raw = raw || 'x' WHERE line_no = 7", "other bytes"),
    "a reject lies elsewhere": (
        "UPDATE @file_reject SET start_offset = start_offset + 1 WHERE line_no = 7",
        "is said to lie"),
    "a good record among the rejects": (
        "WITH gone AS (DELETE FROM @file_data WHERE line_no = 300 RETURNING *),"
        " fewer AS (UPDATE @file_checkpoint SET row_count = row_count - 1,"
        "  reject_count = reject_count + 1 WHERE 300 BETWEEN first_line AND last_line)"
        " INSERT INTO @file_reject (file_tracker_id, line_no, start_offset, length, reason, raw)"
        " SELECT file_tracker_id, 300, 1, 1, 'field_count', 'x' FROM gone", "record 300"),
    "a checkpoint is missing in the middle": (
        "DELETE FROM @file_checkpoint WHERE chunk_no = 4", "stands in place 4"),
    "the first checkpoint is missing": (
        "DELETE FROM @file_checkpoint WHERE chunk_no = 1", "stands in place 1"),
    "the last checkpoint is missing": (
        "DELETE FROM @file_checkpoint WHERE final", "without a final checkpoint"),
    "a checkpoint is shifted by a record": (
        "UPDATE @file_checkpoint SET first_line = first_line + 1, last_line = last_line + 1"
        " WHERE chunk_no = 4", "chunk 4 begins at record"),
    "a checkpoint is shifted by a byte": (
        "UPDATE @file_checkpoint SET start_offset = start_offset + 1, end_offset = end_offset + 1"
        " WHERE chunk_no = 4", "chunk 4 begins at record"),
    "a boundary between two checkpoints is shifted by a byte": (
        "UPDATE @file_checkpoint SET end_offset = end_offset + (chunk_no = 4)::int,"
        " start_offset = start_offset + (chunk_no = 5)::int WHERE chunk_no IN (4, 5)",
        "chunk 4 ends at offset"),
    "a checkpoint counts a row more": (
        "UPDATE @file_checkpoint SET row_count = row_count + 1 WHERE chunk_no = 4", "chunk 4"),
    "a checkpoint's totals are another's": (
        "UPDATE @file_checkpoint SET rows_total = rows_total + 1, rejects_total = rejects_total - 1"
        " WHERE chunk_no = 4", "chunk 4 says"),
    "a checkpoint has another hash": (
        "UPDATE @file_checkpoint SET hash = sha256(hash) WHERE chunk_no = 4", "another hash"),
    "a row counted as a reject": (
        "UPDATE @file_checkpoint SET row_count = row_count - 1, reject_count = reject_count + 1"
        " WHERE chunk_no = 4", "chunk 4 has"),
    "the last checkpoint is not final": (
        "UPDATE @file_checkpoint SET final = false", "without a final checkpoint"),
    "a final checkpoint in the middle": (
        "UPDATE @file_checkpoint SET final = true WHERE chunk_no = 4", "follows the final one"),
    "an event is missing": (
        "DELETE FROM @file_event WHERE to_status = 'PROCESSING'", "the one before went to"),
    "the last event is missing": (
        "DELETE FROM @file_event WHERE to_status = 'PROCESSED'", "the last event says"),
    "an event that is no transition": (
        "UPDATE @file_event SET from_status = 'STOPPED' WHERE to_status = 'PROCESSED'",
        "is no transition"),
    "an event of nobody": (
        "UPDATE @file_event SET host = '' WHERE to_status = 'PROCESSED'", "lacks its"),
    "STOPPED with its rows": (
        "UPDATE @file_tracker SET status = 'STOPPED'", "STOPPED with something left"),
    "KILLED, which nothing did": (
        "UPDATE @file_tracker SET status = 'KILLED'", "the last event says"),
    "an end that is still wanted": (
        "UPDATE @file_tracker SET wanted = 'stop'", "still wanted"),
    "the file has another hash": (
        "UPDATE @file_content SET hash = substr(sha256(hash), 1, 16)", "the hash of the file"),
    "the hash of the file is missing": (
        "DELETE FROM @file_content", "the hash of the file"),
    "rows of no tracker": (
        "INSERT INTO @file_data (file_tracker_id, line_no, name, email)"
        " VALUES (4711, 1, 'n', 'e')", "a tracker that is not there"),
}


@pytest.fixture(scope="module")
def processed(cluster):
    """A database with one PROCESSED upload, its file and its tracker; nobody is connected to it."""
    service = Service(cluster, upload={"chunk_bytes": "4K"}).start()
    path = service.people(count=COUNT, bad=BAD)
    tracker = service.ok("upload", "--wait", path, "--json", code=3).json["id"]
    assert check_exact(service, tracker, with_file=True) == "PROCESSED"
    assert service.stop() == 0
    service.leave_sql()
    yield service, tracker
    service.remove()


def verdict(service, tracker, statement):
    """What the checker says of a copy of the database in which the statement was run."""
    name = f"{service.database}_broken"
    with service.cluster.connect() as sql:
        sql.run(f"CREATE DATABASE {name} TEMPLATE {service.database}")
    try:
        with service.cluster.connect(name) as sql:
            # constraints that would refuse the damage are not what is tried here
            sql.run("SET session_replication_role = replica")
            for table, constraint in sql.run(
                    "SELECT conrelid::regclass::text, conname FROM pg_constraint WHERE contype ="
                    " 'c' AND connamespace = 'uploader'::regnamespace OR conname ="
                    " 'file_reject_pkey'"):
                sql.run(f"ALTER TABLE {table} DROP CONSTRAINT {constraint}")
            if statement:
                sql.run(statement.replace("@", "uploader."))
        connection = psycopg2.connect(service.cluster.conninfo(name))
        try:
            return checker.Checker(connection).check()
        finally:
            connection.close()
    finally:
        service.cluster.drop_database(name)


def test_nothing_is_wrong_with_the_copy(processed):
    assert verdict(*processed, None) == []


@pytest.mark.parametrize("what", BROKEN)
def test_found(processed, what):
    statement, says = BROKEN[what]
    wrong = verdict(*processed, statement)
    assert any(says in line for line in wrong), wrong


@pytest.mark.parametrize("change, says", [
    (lambda data: data + b"one,more\n", "the file has 901"),
    (lambda data: data[:-30], "the file has 29489 bytes"),
    (lambda data: data[:data.index(b"Person 900")], "the file has 899"),
    (lambda data: data.replace(b"Person 300,", b"Person 3OO,"), "record 300 is"),
    (lambda data: data + b"\n", "bytes"),
    (lambda data: data.replace(b"surplus", b"surplUs", 1), "other bytes"),
], ids=["appended", "cut in a record", "cut", "rewritten", "an empty line more", "a reject rewritten"])
def test_found_in_another_file(processed, change, says):
    service, _ = processed
    path = service.files / "people.csv"
    data = path.read_bytes()
    path.write_bytes(change(data))
    try:
        wrong = verdict(*processed, None)
    finally:
        path.write_bytes(data)
    assert any(says in line for line in wrong), wrong
