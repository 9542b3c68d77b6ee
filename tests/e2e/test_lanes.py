# SPDX-License-Identifier: PostgreSQL
"""Lanes that could block each other: by rule the target is loaded by one lane; and, with the rule
put out of force (test builds: UPLOADER_FORCE_LANES), the way out that is taken then."""

import pytest
from harness import check_exact, records_of


def neighbours(service, name="twins.csv"):
    """The last record of a chunk and the first of the next have the same email."""
    path = service.files / name
    with open(path, "w") as file:
        file.write("name,email\n")
        for i in range(1, 3001):
            file.write(f"Person {i:06},key{i:06}@example.org\n")
    return path


def count_in_one_row(sql):
    sql.run("CREATE TABLE tally (n bigint); INSERT INTO tally VALUES (0)")
    sql.run("CREATE FUNCTION tally() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN UPDATE tally SET n = n + 1; RETURN NULL; END $$")
    sql.run("CREATE TRIGGER tally AFTER INSERT ON uploader.file_data"
            " FOR EACH STATEMENT EXECUTE FUNCTION tally()")


def unique_index(sql):
    sql.run("CREATE UNIQUE INDEX file_data_email ON uploader.file_data (email)")


@pytest.mark.parametrize("forced", [False, True])
def test_statement_trigger_that_counts_in_one_row(new_service, forced):
    service = new_service(upload={"chunk_bytes": "4K", "lanes": 2})
    service.start(environment={"UPLOADER_FORCE_LANES": "2"} if forced else None)
    count_in_one_row(service.sql)
    path = neighbours(service)
    answer = service.ok("upload", "--wait", path, "--json").json
    assert answer["status"] == "PROCESSED"
    assert service.rows(answer["id"]) == records_of(path)
    assert check_exact(service, answer["id"]) == "PROCESSED"
    chunks = service.count("file_checkpoint")
    assert service.sql.value("SELECT n FROM tally") == chunks > 10


@pytest.mark.parametrize("forced", [False, True])
def test_unique_index_without_a_clash(new_service, forced):
    service = new_service(upload={"chunk_bytes": "4K", "lanes": 2})
    service.start(environment={"UPLOADER_FORCE_LANES": "2"} if forced else None)
    unique_index(service.sql)
    path = neighbours(service)
    answer = service.ok("upload", "--wait", path, "--json").json
    assert service.rows(answer["id"]) == records_of(path)


def test_a_trigger_that_eats_rows_is_found(service):
    service.sql.run("CREATE FUNCTION eat() RETURNS trigger LANGUAGE plpgsql AS"
                    " $$ BEGIN RETURN CASE WHEN NEW.line_no = 700 THEN NULL ELSE NEW END; END $$")
    service.sql.run("CREATE TRIGGER eat BEFORE INSERT ON uploader.file_data"
                    " FOR EACH ROW EXECUTE FUNCTION eat()")
    path = service.people(count=1000)
    answer = service.ok("upload", "--wait", path, "--json", code=1).json
    assert answer["error"]["code"] == "rows_lost"
    assert 0 < answer["line"] < 700
    assert check_exact(service, answer["id"]) == "FAILED"
