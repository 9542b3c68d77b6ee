# SPDX-License-Identifier: PostgreSQL
"""Where the measuring is done: a server with settings that are printed, the real programs, the files
that are loaded, and what a way of loading one costs."""

import os
import random
import shutil
import subprocess
import sys
import time
from collections import namedtuple
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
os.environ.setdefault("UPLOADER_BUILD", str(ROOT / "build"))
sys.path.insert(0, str(ROOT / "tests"))

import harness  # noqa: E402

PSQL = "/usr/lib/postgresql/15/bin/psql"  # the program itself: Debian's wrapper adds 20 ms
FILES = ROOT / "build/bench/files"
RESULTS = ROOT / "bench/results"
PEOPLE = ("name", "email")  # the columns of people()
SETTINGS = ["shared_buffers=512MB", "max_wal_size=8GB"]  # else the server's own defaults

Sample = namedtuple("Sample", "seconds client_cpu server_cpu wal")


def run(command, codes=(0,), **options):
    """Its standard output; a failure shows what it said."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                          check=False, **options)
    if done.returncode not in codes:
        raise SystemExit(f"{command}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done.stdout


# ---- files: made once, the same bytes each time, and on the disk before anything is measured ----


def make_file(name, write):
    path = FILES / name
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path.with_suffix(".new"), "w", encoding="utf-8", newline="") as out:
            write(out)
            out.flush()
            os.fsync(out.fileno())
        path.with_suffix(".new").rename(path)
        path.chmod(0o644)
    return path


def people(records):
    """Name and email, 44 bytes a record."""
    def write(out):
        out.write("name,email\n")
        for first in range(1, records + 1, 10_000):
            out.writelines(f"Person {i:09d},person{i:09d}@example.org\n"
                           for i in range(first, min(first + 10_000, records + 1)))
    return make_file(f"people-{records}.csv", write)


def people_unended(records):
    """The same, but for its end: a quote that is never closed, so that an upload ends FAILED there
    with everything before it in."""
    def write(out):
        with people(records).open(encoding="utf-8", newline="") as whole:
            shutil.copyfileobj(whole, out, 1 << 20)
        out.write('"open')
    return make_file(f"unended-{records}.csv", write)


def wide(megabytes):
    """30 quoted fields, with delimiters, quotes and line breaks in them."""
    dice = random.Random(1)
    words = ["plain", "a, b", 'say ""yes""', "two\nlines", "Käse", "12345", ""]

    def write(out):
        out.write(",".join(f"c{i}" for i in range(1, 31)) + "\n")
        size = 0
        while size < megabytes * 1_000_000:
            text = "".join(",".join(f'"{dice.choice(words)} {dice.randrange(10**6)}"'
                                    for _ in range(30)) + "\n" for _ in range(200))
            out.write(text * 5)
            size += 5 * len(text.encode())
    return make_file(f"wide-{megabytes}.csv", write)


def small_files(count, records=100):
    folder = FILES / f"small-{count}"
    if not folder.exists():
        for i in range(count):
            make_file(f"small-{count}.new/{i:06d}.csv", lambda out: out.write(
                "name,email\n" + "".join(f"Person {i}-{j},person{j}@{i}.example.org\n"
                                         for j in range(records))))
        (FILES / f"small-{count}.new").rename(folder)
    return folder


# ---- what something costs ----


def cpu_of(pid):
    """Seconds of a process, its children that are there, and those that it has seen the end of."""
    while True:
        family, total = harness.family_of(pid), 0
        for one in family:
            try:
                fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            total += sum(map(int, fields[11:15]))
        if harness.family_of(pid) == family:  # else one may have counted twice, or not at all
            return total / os.sysconf("SC_CLK_TCK")


class Lab:
    """A server; for each sample a new database, so that all begin alike."""

    def __init__(self, *settings):
        self.cluster = harness.Cluster(*SETTINGS, *settings)
        self.expected = {}  # file: count and sum, as the server itself reads it
        self.service = None
        with open(f"{self.cluster.folder}/data/postmaster.pid") as file:
            self.postmaster = int(file.readline())

    def settings(self):
        with self.cluster.connect() as sql:
            return sql.run("SELECT name, current_setting(name) FROM pg_settings WHERE name IN"
                           " ('server_version', 'shared_buffers', 'max_wal_size', 'fsync',"
                           " 'full_page_writes', 'synchronous_commit', 'wal_level') ORDER BY name")

    def new_database(self, statements=""):
        name = self.cluster.new_database()
        with self.cluster.connect(name) as sql:
            if statements:
                sql.run(statements)
            sql.run("CHECKPOINT")
        return name

    def drop_database(self, name):
        self.cluster.drop_database(name)

    def new_service(self, **options):
        """An uploaderd with a database of its own and the defaults, but for these options."""
        self.service = harness.Service(self.cluster, **options)
        self.service.set(files={"allow": [self.service.files, FILES]}, supervisor={"log_level": "info"})
        self.service.start()
        self.service.sql.run("CHECKPOINT")
        return self.service

    def leave(self):
        if self.service:
            database = self.service.database
            self.service.remove()
            self.service = None
            self.drop_database(database)

    def measure(self, act, client=None):
        """Runs act(); client: pid of a process whose time, with its children's, counts too."""
        with self.cluster.connect() as sql:
            wal = sql.value("SELECT pg_current_wal_insert_lsn()")
            server, own = cpu_of(self.postmaster), cpu_of(client) if client else 0
            spent = sum(os.times()[2:4])
            begin = time.monotonic()
            act()
            seconds = time.monotonic() - begin
            spent = sum(os.times()[2:4]) - spent
            own = cpu_of(client) - own if client else 0
            server = cpu_of(self.postmaster) - server
            wal = sql.value("SELECT pg_current_wal_insert_lsn() - %s::pg_lsn", wal)
        return Sample(seconds, spent + own, server, int(wal))

    # ---- is it all there? ----

    def expect(self, path, columns=PEOPLE, header=PEOPLE, line_no="line_no"):
        """Count and sum of the file's records, by the server's own COPY: once a file."""
        key = (path, line_no)
        if key not in self.expected:
            database = self.new_database(
                f"CREATE TABLE t ({', '.join(c + ' text' for c in header)},"
                " line_no bigint GENERATED ALWAYS AS IDENTITY)")
            run([PSQL, "-X", "-q", "-d", self.cluster.conninfo(database),
                 "-c", f"\\copy t ({', '.join(header)}) from '{path}' (format csv, header)"])
            with self.cluster.connect(database) as sql:
                self.expected[key] = sql.run(SUM.format(*columns, line_no=line_no, table="t"))
            self.drop_database(database)
        return self.expected[key]

    def check(self, database, table, path, columns=PEOPLE, header=PEOPLE, taken=None, line_no="0"):
        """The table holds what the file says: every record once, in its line where there is one."""
        with self.cluster.connect(database) as sql:
            found = sql.run(SUM.format(*(taken or columns), line_no=line_no, table=table))
        if found != self.expect(path, columns, header, line_no):
            raise SystemExit(f"{table} in {database} is not what {path} says: {found}")

    def end(self):
        self.leave()
        self.cluster.remove()


SUM = ("SELECT count(*), sum(hashtextextended(concat_ws(chr(31), {line_no}, length({0}), {0}, {1}), 0)"
       "::numeric) FROM {table}")
