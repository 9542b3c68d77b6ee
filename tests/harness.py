# SPDX-License-Identifier: PostgreSQL
"""What the tests play with: a private PostgreSQL, the real programs, files. No test double."""

import contextlib
import csv
import itertools
import json
import os
import resource
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
from pathlib import Path

import checker
import psycopg2

csv.field_size_limit(1 << 30)

ROOT = Path(__file__).resolve().parents[1]
BUILD = Path(os.environ.get("UPLOADER_BUILD", ROOT / "build/test"))
SANITIZED = "asan" in BUILD.name
CLUSTER = ROOT / "scripts/cluster"
PATIENCE_S = 60  # how long anything may take on a busy machine before it counts as hung

_numbers = itertools.count(1)


def sanitizer(option):
    """The environment in which the sanitizer has this option besides."""
    return {"ASAN_OPTIONS": f"{os.environ.get('ASAN_OPTIONS', '')}:{option}"}


# Thousands of connections: as many descriptors as this process may have.
MAX_FILES = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (MAX_FILES, MAX_FILES))


def wait_until(condition, what, patience_s=PATIENCE_S, pause_s=0.01):
    """The first true value of condition(); fails when there is none in time."""
    end = time.monotonic() + patience_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {patience_s} s in vain for: {what}")
        time.sleep(pause_s)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Cluster:
    """A private PostgreSQL, on a Unix socket in a folder of its own."""

    def __init__(self, *settings, follows=None):
        """follows: a Cluster, whose standby this is."""
        self.folder = tempfile.mkdtemp(prefix="uplpg-", dir="/tmp")
        if follows:
            self._call("standby", follows.folder)
        else:
            self._call("create", *settings)

    def _call(self, command, *arguments):
        subprocess.run([CLUSTER, command, self.folder, *arguments], check=True, timeout=PATIENCE_S)

    def conninfo(self, database="postgres", user="postgres"):
        return f"host={self.folder} dbname={database} user={user}"

    def new_database(self):
        name = f"test_{os.getpid()}_{next(_numbers)}"
        with self.connect() as sql:
            sql.run(f"CREATE DATABASE {name}")
        return name

    def drop_database(self, name):
        with self.connect() as sql:
            sql.run(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def connect(self, database="postgres", user="postgres"):
        return Sql(self.conninfo(database, user))

    def start(self):
        self._call("start")

    def stop(self):
        self._call("stop")

    def crash(self):
        self._call("crash")

    def stop_receiving(self):
        """From now on a standby gets nothing of what its primary commits."""
        with self.connect() as sql:
            sql.run("ALTER SYSTEM SET primary_conninfo = ''")
            sql.run("SELECT pg_reload_conf()")
            wait_until(lambda: not sql.run("SELECT 1 FROM pg_stat_wal_receiver"), "the receiver's end")

    def promote(self):
        self._call("promote")

    def freeze(self):
        """Stops the server: connections stay, and nobody answers. What it returns undoes that."""
        server = int(open(f"{self.folder}/data/postmaster.pid").readline())
        group = [server] + children(server)
        for pid in group:
            send_signal(pid, signal.SIGSTOP)
        return lambda: [send_signal(pid, signal.SIGCONT) for pid in group]

    def remove(self):
        self._call("remove")


class Pooler:
    """A PgBouncer before a cluster, on a port of 127.0.0.1; user: the one that it lets in."""

    def __init__(self, cluster, mode="session", size=20, user="postgres", password=None, port=5432):
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="uplpb-", dir="/tmp"))
        self.folder.chmod(0o755)
        users, ini = self.folder / "users", self.folder / "ini"
        users.write_text(f'"{user}" "{password or ""}"\n')
        ini.write_text(
            f"[databases]\n* = host={cluster.folder} port={port}\n[pgbouncer]\n"
            f"listen_addr = 127.0.0.1\nlisten_port = {self.port}\nunix_socket_dir =\n"
            f"auth_type = {'plain' if password else 'trust'}\nauth_file = {users}\n"
            f"pool_mode = {mode}\nlogfile = {self.folder}/log\n"
            f"ignore_startup_parameters = extra_float_digits,options\n"
            f"default_pool_size = {size}\n")
        drop = []
        if os.getuid() == 0:  # it refuses to be root
            drop = ["setpriv", "--reuid=postgres", "--clear-groups"]
            for path in (self.folder, users, ini):
                shutil.chown(path, "postgres")
        program = shutil.which("pgbouncer", path=os.environ["PATH"] + ":/usr/sbin")
        self.process = subprocess.Popen([*drop, program, ini], stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        wait_until(self._listens, "pgbouncer")

    def _listens(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def conninfo(self, user="postgres"):
        return f"host=127.0.0.1 port={self.port} user={user} sslmode=disable"

    def remove(self):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder)


class Sql:
    """A connection in autocommit mode; rows as tuples."""

    def __init__(self, conninfo):
        self.connection = psycopg2.connect(conninfo, application_name="test")
        self.connection.autocommit = True

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.connection.close()

    def run(self, statement, *parameters):
        with self.connection.cursor() as cursor:
            cursor.execute(statement, parameters or None)
            return cursor.fetchall() if cursor.description else []

    def value(self, statement, *parameters):
        rows = self.run(statement, *parameters)
        return rows[0][0] if rows else None


class Answer:
    """What a program printed and how it ended."""

    def __init__(self, done):
        self.code = done.returncode
        self.out = done.stdout
        self.err = done.stderr

    @property
    def json(self):
        return json.loads(self.out)

    @property
    def objects(self):
        return [json.loads(line) for line in self.out.splitlines()]

    def __repr__(self):
        return f"exit code {self.code}\nstdout: {self.out}\nstderr: {self.err}"


class Service:
    """An uploaderd with a folder of its own: configuration, socket, log, and files to upload."""

    def __init__(self, cluster, database=None, folder=None, name=None, **options):
        self.cluster = cluster
        self.own_folder = folder is None
        self.folder = Path(folder or tempfile.mkdtemp(prefix="upl-", dir="/tmp")).resolve()
        self.folder.chmod(0o755)
        self.number = next(_numbers)
        self.database = database or cluster.new_database()
        self.files = self.folder / "files"
        self.files.mkdir(exist_ok=True)
        self.socket = self.folder / f"s{self.number}.sock"
        self.config = self.folder / f"s{self.number}.conf"
        self.log = self.folder / f"s{self.number}.log"
        self.options = {
            "database": {"conninfo": cluster.conninfo(self.database)},
            "supervisor": {"socket": self.socket, "log_level": "debug"},
            "files": {"allow": self.files},
        }
        if name:
            self.options["supervisor"]["name"] = name
        self.set(**options)
        self.program = [BUILD / "uploaderd"]
        self.environment = {}  # what each start of it has beside this process's own
        self.process = None
        self._sql = None
        self._checking = None

    # ---- configuration ----

    def set(self, extra="", **options):
        """set(upload={"lanes": 1}): options by section; extra: text as it is."""
        for section, values in options.items():
            self.options.setdefault(section.replace("__", " "), {}).update(values)
        if extra:
            self.options["extra"] = extra
        self.write_config()

    def write_config(self):
        lines = []
        for section, values in self.options.items():
            if section == "extra":
                continue
            lines.append(f"[{section}]")
            for key, value in values.items():
                items = value if isinstance(value, (list, tuple)) else [value]
                lines.append(f"{key} = {items[0]}")
                lines.extend(f"    {item}" for item in items[1:])
        lines.append(self.options.get("extra", ""))
        self.config.write_text("\n".join(lines) + "\n")

    # ---- life ----

    def start(self, wait=True, environment=None, arguments=(), log=None, pass_fds=()):
        """`log`: a path or descriptor to write it to, instead of the file that log_text() reads."""
        with open(self.log if log is None else log, "ab") as log:
            self.process = subprocess.Popen(
                [*self.program, "--config", self.config, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if arguments else log,
                stderr=log,
                env={**os.environ, **self.environment, **(environment or {})},
                pass_fds=pass_fds,
            )
        if wait:
            self.wait_ready()
        return self

    def be_a_role(self):
        """From its next start it connects as a role of its own, which owns its database: its name."""
        role = f"role_{self.database}"
        self.set(database={"conninfo": self.cluster.conninfo(self.database, role)})
        self.sql.run(f"CREATE ROLE {role} LOGIN; ALTER DATABASE {self.database} OWNER TO {role}")
        return role

    def allow_connections(self, role, count):
        """So many more than the role has now."""
        held = self.sql.value("SELECT count(*) FROM pg_stat_activity WHERE usename = %s", role)
        self.sql.run(f"ALTER ROLE {role} CONNECTION LIMIT {held + count}")

    def start_paused(self, point, **options):
        """Starts it so that the first process to reach the pause point stops itself there."""
        return self.start(environment=self.pause_environment(point), **options)

    def pause_environment(self, point):
        self.pause_file = self.folder / f"pause{next(_numbers)}"
        return {"UPLOADER_PAUSE_AT": point, "UPLOADER_PAUSE_FILE": str(self.pause_file)}

    def paused(self):
        """Waits until the pause point is reached; answers the pid that stopped there."""
        def stopped():
            if not self.pause_file.exists():
                return None
            text = self.pause_file.read_text()
            if not text.endswith("\n"):
                return None
            pid = int(text.split()[0])
            with open(f"/proc/{pid}/stat") as stat:
                return pid if stat.read().rpartition(")")[2].split()[0] == "T" else None

        return wait_until(stopped, f"a process to pause\n{self.log_text()[-3000:]}")

    def go_on(self):
        os.kill(int(self.pause_file.read_text().split()[0]), signal.SIGCONT)

    def wait_ready(self):
        def ready():
            assert self.process.poll() is None, "uploaderd ended:\n" + self.log_text()
            return self.ask("ping").get("database") == "ready"

        wait_until(ready, "uploaderd with its database")

    def in_the_middle(self, name="people.csv", count=60_000):
        """An upload that has its first rows, and goes on: (path, tracker)."""
        path = self.people(name, count)
        tracker = self.ok("upload", path, "--json").json["id"]
        wait_until(lambda: self.status(path)["rows"] > 0, "the first rows")
        return path, tracker

    def only_error(self):
        """The one error in the log."""
        lines = [line for line in self.log_text().splitlines() if " error" in line]
        assert len(lines) == 1, self.log_text()
        return lines[0]

    def log_text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def reload(self, sign="the configuration was read again"):
        """SIGHUP; waits until the log has the sign once more."""
        before = self.log_text().count(sign)
        self.process.send_signal(signal.SIGHUP)
        wait_until(lambda: self.log_text().count(sign) > before, f"{sign!r} in the log")

    def kill(self):
        """SIGKILL of the supervisor; its workers die with it."""
        workers = self.workers()
        self.process.kill()
        self.process.wait()
        for pid in workers:
            wait_until(lambda pid=pid: not alive(pid), "the worker to die with its supervisor")

    def stop(self, how=signal.SIGTERM, patience_s=PATIENCE_S):
        """Ends it in order and answers its exit code."""
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.process.wait(patience_s)

    def remove(self):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            for pid in self.workers():
                send_signal(pid, signal.SIGCONT)
            if SANITIZED:  # leaks are looked for when it ends in order
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.stop(patience_s=5)
            self.process.kill()
            self.process.wait()
        self.leave_sql()
        if self.own_folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def workers(self):
        """The pids of this supervisor's workers: the children of what it has started."""
        return [worker for forker in children(self.process.pid) for worker in children(forker)]

    # ---- talking to it ----

    def ctl(self, *arguments, patience_s=PATIENCE_S, environment=None, cwd=None):
        command = [BUILD / "uploadctl", "--socket", self.socket, *map(str, arguments)]
        return Answer(
            subprocess.run(
                command,
                capture_output=True,
                text=True,
                timeout=patience_s,
                stdin=subprocess.DEVNULL,
                env=dict(os.environ, **(environment or {})),
                cwd=cwd or self.files,
            )
        )

    def ctl_start(self, *arguments):
        command = [BUILD / "uploadctl", "--socket", self.socket, *map(str, arguments)]
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=self.files,
            stdin=subprocess.DEVNULL,
        )

    def ok(self, *arguments, code=0):
        answer = self.ctl(*arguments)
        assert answer.code == code, f"{arguments}: {answer}\n{self.log_text()[-4000:]}"
        return answer

    def upload_after_a_stop(self, path, *words):
        """upload --wait; a stop that is under way, which a new life goes on with, ends first."""
        while True:
            answer = self.ctl("upload", "--wait", *words, path, "--json")
            error = answer.json.get("error") or {}
            if answer.code != 6 or error.get("code") != "stop_under_way":
                return answer
            self.ctl("wait", path)

    def ask(self, kind, **fields):
        """The answer to a request of one, without the process that uploadctl is: for what is asked
        again and again. {} when nobody is there."""
        try:
            with self.raw() as client:
                client.sendall(json.dumps({"kind": kind, "ref": 1, **fields}).encode() + b"\n")
                return json.loads(client.makefile("rb").readline() or "{}")
        except (ConnectionError, FileNotFoundError):
            return {}

    def look(self, what):
        """An upload as status --json shows it; None when it has none to show."""
        if str(what).isdigit():
            return self.ask("status", id=int(what)).get("upload")
        return self.ask("status", file=os.path.normpath(self.files / what)).get("upload")

    def status(self, what):
        upload = self.look(what)
        assert upload, f"{what}: {self.ctl('status', what)}\n{self.log_text()[-4000:]}"
        return upload

    def wait_status(self, what, *statuses):
        def reached():
            upload = self.look(what)
            return upload and upload["status"] in statuses and upload

        return wait_until(reached, f"{what} to be {statuses}")

    def raw(self):
        """A client's plain socket; where the queue of those who connect is full, it waits."""
        client = socket.socket(socket.AF_UNIX)
        # A socket of Python's with a timeout does not block in connect(), and gets EAGAIN at once.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("@ll", PATIENCE_S, 0))
        client.connect(str(self.socket))
        client.settimeout(PATIENCE_S)
        return client

    # ---- the database ----

    @property
    def sql(self):
        if self._sql is None or self._sql.connection.closed:
            self._sql = self.cluster.connect(self.database)
        return self._sql

    @property
    def checking(self):
        """The checker's connection; it is dear to begin one, so it is kept while it lives."""
        try:
            if self._checking:
                self._checking.cursor().execute("SELECT 1")
                return self._checking
        except psycopg2.Error:
            pass  # it has died with its server
        self._checking = psycopg2.connect(self.cluster.conninfo(self.database),
                                          application_name="checker")
        return self._checking

    def leave_sql(self):
        """The next use of sql is a new connection, and the checker's is new, too."""
        for connection in (self._sql, self._checking):
            if connection:
                connection.close()
        self._sql = self._checking = None

    def rows(self, tracker=None):
        """[(line_no, name, email)] of a tracker, the only one when None."""
        where = "WHERE file_tracker_id = %s" if tracker else ""
        return self.sql.run(
            f"SELECT line_no, name, email FROM uploader.file_data {where} ORDER BY line_no",
            *([tracker] if tracker else []),
        )

    def count(self, table="file_data", tracker=None):
        where = "WHERE file_tracker_id = %s" if tracker else ""
        return self.sql.value(
            f"SELECT count(*) FROM uploader.{table} {where}", *([tracker] if tracker else [])
        )

    # ---- files ----

    def file(self, name, content):
        path = self.files / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        path.chmod(0o644)
        return path

    def people(self, name="people.csv", count=1000, bad=()):
        """A file of so many records; those whose numbers are in `bad` have three fields."""
        path = self.files / name
        with open(path, "w", newline="") as out:
            out.write("name,email\n")
            for i in range(1, count + 1):
                surplus = ",surplus" if i in bad else ""
                out.write(f"Person {i},person{i}@example.org{surplus}\n")
        path.chmod(0o644)
        return path


def send_signal(pid, number):
    """To a process that may end by itself at any time."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):  # the second: it went while it was read
        return False


def children(pid, zombies=False):
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return []
    return [int(child) for child in text.split() if zombies or alive(int(child))]


def family_of(pid):
    """A process and all that come from it, zombies included."""
    return [pid, *(one for child in children(pid, zombies=True) for one in family_of(child))]


def records_of(path):
    """[(line_no, name, email)] as Python's csv reads the file, for files without bad records."""
    with open(path, newline="", encoding="utf-8-sig") as file:
        reader = csv.reader(file, strict=True)
        header = next(record for record in reader if record)
        name, email = header.index("name"), header.index("email")
        records = (record for record in reader if record)
        return [(i, r[name], r[email]) for i, r in enumerate(records, 1)]


def check_exact(service, tracker, with_file=False, refused=None, data=None):
    """The musts for one tracker, by the checker, in one snapshot; answers its status. With the file
    also that rows and rejects are its records, byte by byte; `refused` are the good records that
    the table refuses, `data` the file's bytes when they are not at its path any more."""
    wrong = checker.Checker(service.checking, refused=refused, data=data).check({tracker}, with_file)
    assert not wrong, "\n".join(wrong[:20])
    return service.sql.value("SELECT status FROM uploader.file_tracker WHERE id = %s", tracker)
