# SPDX-License-Identifier: PostgreSQL
"""The ways of doing a job that are compared. Each is a function of a lab and a size; it prepares, does
the job once while it is measured, checks that the table holds what the file says, and answers the
sample."""

import shlex
import tempfile
from collections import namedtuple

import lab as laboratory
from lab import PSQL, ROOT, run
from harness import Pooler, wait_until

Size = namedtuple("Size", "records wide_mb files")
WHOLE = Size(5_000_000, 1000, 10_000)
QUICK = Size(400_000, 60, 400)

COLUMNS = """file_tracker_id bigint NOT NULL DEFAULT 1, line_no bigint NOT NULL DEFAULT 0,
    name text NOT NULL, email text NOT NULL, created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()"""
BARE = f"CREATE TABLE t ({COLUMNS})"
SAME = f"""{BARE};
    CREATE INDEX ON t USING brin (file_tracker_id int8_minmax_ops, line_no int8_minmax_ops)
        WITH (pages_per_range = 32)"""
CLASSIC = """CREATE TABLE tracker (id bigserial PRIMARY KEY, path text);
    INSERT INTO tracker (path) VALUES ('people.csv');
    CREATE TABLE t (id bigserial PRIMARY KEY,
        file_tracker_id bigint NOT NULL DEFAULT 1 REFERENCES tracker,
        name text NOT NULL, email text NOT NULL, created_at timestamptz NOT NULL DEFAULT now(),
        updated_at timestamptz NOT NULL DEFAULT now());
    CREATE INDEX ON t (file_tracker_id)"""
FIELDS = [f"c{i}" for i in range(1, 31)]
WIDE = f"CREATE TABLE t ({', '.join(f'{field} text' for field in FIELDS)})"
TAKEN = ("c3", "c17")
ROWS = "uploader.file_data"

WAYS = {}


def way(function):
    WAYS[function.__name__] = function
    return function


# ---- the uploader ----


def upload(service, path, code=0):
    service.ok("upload", "--wait", path, code=code)


def check_rows(lab, path, **options):
    lab.check(lab.service.database, ROWS, path, line_no="line_no", **options)


def measured_upload(lab, path, **options):
    service = lab.new_service(**options)
    sample = lab.measure(lambda: upload(service, path), service.process.pid)
    check_rows(lab, path)
    return sample


@way
def uploader(lab, size):
    """uploadctl upload --wait, with all defaults"""
    return measured_upload(lab, laboratory.people(size.records))


@way
def uploader_one_chunk(lab, size):
    """the same without a checkpoint but the last: chunk_bytes = 1G, lanes = 1"""
    return measured_upload(lab, laboratory.people(size.records),
                           upload={"chunk_bytes": "1G", "lanes": 1})


@way
def uploader_resume(lab, size):
    """what remains of an upload that was killed at half, the hashing of the first half included"""
    path = laboratory.people(size.records)
    service = lab.new_service()
    service.ok("upload", path)
    wait_until(lambda: service.status(path)["rows"] >= size.records * 0.4, "its half", pause_s=0.001)
    service.ok("kill", path)
    share = service.status(path)["rows"] / size.records
    sample = lab.measure(lambda: upload(service, path), service.process.pid)
    check_rows(lab, path)
    # what was in at the kill is not always half: seconds as they would be for the half
    return sample._replace(seconds=sample.seconds * 0.5 / (1 - share))


@way
def uploader_rollback(lab, size):
    """stop of an upload that has failed at its very end, with all its rows in"""
    path = laboratory.people_unended(size.records)
    service = lab.new_service()
    upload(service, path, code=1)
    assert lab.service.count() > size.records * 0.5
    share = lab.service.count() / size.records
    sample = lab.measure(lambda: service.ok("stop", path), service.process.pid)
    assert service.count() == 0
    return sample._replace(seconds=sample.seconds / share)


@way
def uploader_verify(lab, size):
    """uploadctl verify of an upload"""
    path = laboratory.people(size.records)
    service = lab.new_service()
    upload(service, path)
    return lab.measure(lambda: service.ok("verify", path), service.process.pid)


def batch(lab, size, pooler=None):
    folder = laboratory.small_files(size.files)
    service = lab.new_service()
    service.stop()
    service.set(batch__small={"files": f"{folder}/*.csv"})
    if pooler:
        service.set(database={"conninfo": f"{pooler.conninfo()} dbname={service.database}"})
    command = [ROOT / "build/uploaderd", "--config", service.config, "--batch"]
    sample = lab.measure(lambda: run(command), pooler and pooler.process.pid)
    assert service.count() == size.files * 100
    return sample


@way
def uploader_batch(lab, size):
    """uploaderd --batch over a folder of small files, max_workers = 4"""
    return batch(lab, size)


@way
def uploader_batch_pooled(lab, size):
    """the same through a PgBouncer (mode session), whose CPU is counted as the client's"""
    pooler = Pooler(lab.cluster)
    try:
        return batch(lab, size, pooler)
    finally:
        pooler.remove()


@way
def uploader_wide(lab, size):
    """two of the 30 columns of a wide file"""
    path = laboratory.wide(size.wide_mb)
    service = lab.new_service(profile__contacts={"columns": ", ".join(TAKEN),
                                                 "surplus_columns": "ignore"})
    sample = lab.measure(lambda: upload(service, path), service.process.pid)
    check_rows(lab, path, columns=TAKEN, header=FIELDS, taken=("name", "email"))
    return sample


# ---- psql ----


def psql_copy(lab, schema, path, columns=("name", "email"), checked=("name", "email")):
    database = lab.new_database(schema)
    command = [PSQL, "-X", "-q", "-d", lab.cluster.conninfo(database), "-c",
               f"\\copy t ({', '.join(columns)}) from '{path}' (format csv, header)"]
    sample = lab.measure(lambda: run(command))
    lab.check(database, "t", path, columns=checked, header=columns)
    lab.drop_database(database)
    return sample


@way
def psql_same(lab, size):
    """psql \\copy into a table with the same columns and index"""
    return psql_copy(lab, SAME, laboratory.people(size.records))


@way
def psql_bare(lab, size):
    """psql \\copy into a bare heap of the same columns"""
    return psql_copy(lab, BARE, laboratory.people(size.records))


@way
def psql_classic(lab, size):
    """psql \\copy into a table with a bigserial id, a foreign key and an index on it"""
    return psql_copy(lab, CLASSIC, laboratory.people(size.records))


@way
def psql_wide(lab, size):
    """psql \\copy of the wide file into a table of 30 text columns"""
    return psql_copy(lab, WIDE, laboratory.wide(size.wide_mb), columns=FIELDS, checked=TAKEN)


@way
def xargs_psql(lab, size):
    """xargs -P4 with a psql \\copy for each small file, into a bare heap"""
    folder = laboratory.small_files(size.files)
    database = lab.new_database(BARE)
    copy = f"{PSQL} -X -q -d {shlex.quote(lab.cluster.conninfo(database))}"
    command = (f"find {folder} -name '*.csv' | xargs -P4 -I% {copy}"
               " -c \"\\\\copy t (name, email) from '%' (format csv, header)\"")
    sample = lab.measure(lambda: run(["sh", "-c", command]))
    with lab.cluster.connect(database) as sql:
        assert sql.value("SELECT count(*) FROM t") == size.files * 100
    lab.drop_database(database)
    return sample


# ---- others ----


@way
def pgloader(lab, size):
    """pgloader into the table with the same columns and index"""
    path = laboratory.people(size.records)
    database = lab.new_database(SAME)
    with tempfile.NamedTemporaryFile("w", suffix=".load") as script:
        script.write(f"LOAD CSV FROM '{path}' (name, email)\n"
                     f"INTO postgresql://postgres@unix:{lab.cluster.folder}:5432/{database}?t"
                     " (name, email)\n"
                     "WITH skip header = 1, fields terminated by ',', drop indexes = false;\n"
                     .replace(", drop indexes = false", ""))
        script.flush()
        sample = lab.measure(lambda: run(["pgloader", "--quiet", script.name]))
    lab.check(database, "t", path)
    lab.drop_database(database)
    return sample


def reading(lab, which, path):
    return lab.measure(lambda: run([ROOT / "build/bench/reading", which, path]))


@way
def reading_ours(lab, size):
    """scanner, hash, fields and encoding, without a database"""
    return reading(lab, "ours", laboratory.people(size.records))


@way
def reading_libcsv(lab, size):
    """libcsv with empty callbacks"""
    return reading(lab, "libcsv", laboratory.people(size.records))


