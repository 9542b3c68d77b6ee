# SPDX-License-Identifier: PostgreSQL
"""What a service manager gives to uploaderd, and is told: the test plays systemd's side."""

import os
import re
import signal
import socket
import sys
import time
from pathlib import Path

import pytest
from harness import BUILD, Cluster, check_exact, records_of, wait_until

# Gives descriptor 3 the listening socket, as systemd does, and becomes the program.
ACTIVATE = """
import os, sys
for fd in sys.argv[1].split(","):
    os.set_inheritable(int(fd), True)
os.environ["LISTEN_PID"] = str(os.getpid())
os.environ["LISTEN_FDS"] = str(len(sys.argv[1].split(",")))
for at, fd in enumerate(sys.argv[1].split(","), 3):
    os.dup2(int(fd), at)
os.execv(sys.argv[2], sys.argv[2:])
"""


class Manager:
    """Takes notifications, each as a dictionary."""

    def __init__(self, folder):
        self.path = folder / "notify"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(self.path))
        self.socket.setblocking(False)
        self.environment = {"NOTIFY_SOCKET": str(self.path)}
        self.told = []

    def listen(self):
        while True:
            try:
                text = self.socket.recv(65536).decode()
            except BlockingIOError:
                return self.told
            self.told.append(dict(line.split("=", 1) for line in text.splitlines()))

    def count(self, key):
        return sum(key in message for message in self.listen())

    def wait(self, what, **wanted):
        """The first message, not waited for before, that has these values."""
        def find():
            for at, message in enumerate(self.listen()):
                if all(re.fullmatch(value, message.get(key, "")) for key, value in wanted.items()):
                    del self.told[: at + 1]
                    return message
            return None

        return wait_until(find, f"{what}: {self.told}")


@pytest.fixture
def manager(tmp_path):
    manager = Manager(tmp_path)
    yield manager
    manager.socket.close()


def test_ready_with_its_database(new_service, manager):
    service = new_service().start(environment=manager.environment)
    first = manager.listen()[0]
    assert first == {"READY": "1", "STATUS": "database away, running 0, queued 0"}
    manager.wait("its database", STATUS="database ready, running 0, queued 0")
    assert service.stop() == 0


def test_ready_without_its_database(new_service, own_cluster, manager):
    database = own_cluster.new_database()
    own_cluster.stop()
    service = new_service(cluster=own_cluster, database=database)
    service.start(wait=False, environment=manager.environment)
    assert "away" in manager.wait("readiness", READY="1")["STATUS"]
    own_cluster.start()
    manager.wait("its database", STATUS="database ready.*")


def test_status_counts(new_service, manager):
    service = new_service(supervisor={"max_workers": 1})
    service.start(environment={**manager.environment,
                               **service.pause_environment("lane.before_commit")})
    paths = [service.people(f"{i}.csv", 100) for i in range(3)]
    service.ok("upload", *paths)
    service.paused()
    manager.wait("what it does", STATUS="database ready, running 1, queued 2")
    service.ok("pause")
    manager.wait("the pause", STATUS=".*, paused")
    service.ok("kill", *paths)
    manager.wait("nothing more", STATUS="database ready, running 0, queued 0, paused")


def test_reload(new_service, manager):
    service = new_service().start(environment=manager.environment)
    manager.wait("readiness", READY="1")
    for extra in ("", "nonsense"):
        service.options["extra"] = extra
        service.write_config()
        before = time.clock_gettime(time.CLOCK_MONOTONIC)
        service.process.send_signal(signal.SIGHUP)
        reloading = manager.wait("the reload", RELOADING="1")
        after = time.clock_gettime(time.CLOCK_MONOTONIC)
        assert before <= int(reloading["MONOTONIC_USEC"]) / 1e6 <= after
        manager.wait("readiness again", READY="1")


def test_stopping_says_how_long(new_service, manager):
    service = new_service(supervisor={"stop_timeout": "90s"}, upload={"chunk_bytes": "4K"})
    service.start(environment=manager.environment)
    service.in_the_middle()
    assert service.stop() == 0
    stopping = manager.wait("the end", STOPPING="1")
    assert 90e6 < int(stopping["EXTEND_TIMEOUT_USEC"]) < 120e6
    assert stopping["STATUS"] == "ending: database ready, running 1, queued 0"


def test_watchdog_is_fed_by_the_loop(new_service, manager):
    service = new_service()
    service.start(environment={**manager.environment, "WATCHDOG_USEC": "400000"})
    manager.wait("food", WATCHDOG="1")
    start, before = time.monotonic(), manager.count("WATCHDOG")
    wait_until(lambda: manager.count("WATCHDOG") >= before + 10, "more of it")
    assert time.monotonic() - start >= 1.5  # every 200 ms, and not as fast as it can
    service.process.send_signal(signal.SIGSTOP)
    time.sleep(0.3)
    before = manager.count("WATCHDOG")
    time.sleep(1)
    assert manager.count("WATCHDOG") == before
    service.process.send_signal(signal.SIGCONT)
    wait_until(lambda: manager.count("WATCHDOG") > before, "food again")


def test_another_process_is_fed_by_nobody(new_service, manager):
    service = new_service()
    service.start(environment={**manager.environment, "WATCHDOG_USEC": "100000", "WATCHDOG_PID": "1"})
    time.sleep(0.5)
    assert manager.count("WATCHDOG") == 0
    assert service.stop() == 0


# ---- the socket by activation ----


def listening(path, kind=socket.SOCK_STREAM):
    server = socket.socket(socket.AF_UNIX, kind)
    server.bind(str(path))
    if kind == socket.SOCK_STREAM:
        server.listen()
    return server


def start_activated(service, *sockets, **options):
    """`sockets` stay ours, as they stay systemd's."""
    fds = [server.fileno() for server in sockets]
    numbers = ",".join(map(str, fds))
    service.program = [sys.executable, "-c", ACTIVATE, numbers, BUILD / "uploaderd"]
    return service.start(pass_fds=fds, **options)


def test_takes_the_socket_that_it_is_given(new_service, manager):
    service = new_service()
    server = listening(service.socket)
    inode = service.socket.stat().st_ino
    client = service.raw()  # comes before anybody listens, and is served
    client.sendall(b'{"kind":"ping","ref":1}\n')
    start_activated(service, server, environment=manager.environment)
    assert b'"ref":1' in client.recv(65536)
    path = service.people(count=500)
    service.ok("upload", "--wait", path)
    assert service.rows() == records_of(path)
    assert service.stop() == 0
    assert service.socket.stat().st_ino == inode  # it is systemd's

    client = service.raw()  # nobody is there, and nobody is refused
    client.sendall(b'{"kind":"ping","ref":2}\n')
    start_activated(service, server)
    assert b'"ref":2' in client.recv(65536)
    assert service.stop() == 0


def test_second_beside_an_activated_one(new_service):
    service = new_service()
    server = listening(service.socket)
    start_activated(service, server)
    second = new_service(folder=service.folder)
    second.socket = service.socket
    second.set(supervisor={"socket": service.socket})
    second.start(wait=False)
    assert second.process.wait(60) == 1
    assert "lives already" in second.log_text()
    service.ok("ping")


@pytest.mark.parametrize("how", ["another path", "two", "datagrams"])
def test_refuses_what_is_no_control_socket(new_service, how):
    service = new_service()
    sockets = [listening(service.folder / "other") if how == "another path" else
               listening(service.socket, socket.SOCK_DGRAM if how == "datagrams" else socket.SOCK_STREAM)]
    if how == "two":
        sockets.append(listening(service.folder / "other"))
    start_activated(service, *sockets, wait=False)
    assert service.process.wait(60) == 1
    error = service.only_error()
    assert "systemd passes" in error and "hint: " in error and "ListenStream=" in error


# ---- the workers ----


def variables(pid):
    with open(f"/proc/{pid}/environ") as text:
        return {name.partition("=")[0] for name in text.read().split("\0") if name}


def test_workers_get_none_of_it(new_service, manager):
    service = new_service(upload={"chunk_bytes": "4K"})
    server = listening(service.socket)
    start_activated(service, server, environment={
        **manager.environment, "WATCHDOG_USEC": "60000000", "LISTEN_FDNAMES": "control",
        "CREDENTIALS_DIRECTORY": "/nonexistent", "PGPASSWORD": "secret", "OTHER": "kept"})
    path, tracker = service.in_the_middle()
    worker = wait_until(service.workers, "a worker")[0]
    names = variables(worker)
    assert "OTHER" in names
    assert not [name for name in names
                if re.match("PG|NOTIFY_|WATCHDOG_|LISTEN_|CREDENTIALS_", name)], names
    # null, the log twice, its socketpair; then its own files and connections: nothing listens
    for fd in os.listdir(f"/proc/{worker}/fd"):
        target = os.readlink(f"/proc/{worker}/fd/{fd}")
        assert not target.endswith(".lock")
    inode = os.fstat(server.fileno()).st_ino
    assert f"socket:[{inode}]" not in [os.readlink(f"/proc/{worker}/fd/{fd}")
                                       for fd in os.listdir(f"/proc/{worker}/fd")]
    service.ok("kill", path)
    assert check_exact(service, tracker) == "KILLED"


# ---- the password ----

SECRET = "s3cr3t & 'quoted' \\ one"


@pytest.fixture
def guarded():
    """A server that asks for passwords; its database and role are `loader`."""
    cluster = Cluster()
    with cluster.connect() as sql:
        sql.run("SET password_encryption = 'scram-sha-256'")
        sql.run("CREATE ROLE loader LOGIN PASSWORD %s", SECRET)
        sql.run("CREATE DATABASE loader OWNER loader")
    rules = Path(cluster.folder, "data/pg_hba.conf")
    rules.write_text("local all postgres trust\nlocal all all scram-sha-256\n")
    with cluster.connect() as sql:
        sql.run("SELECT pg_reload_conf()")
    yield cluster
    cluster.remove()


def loader(new_service, guarded, **options):
    service = new_service(cluster=guarded, database="loader", **options)
    service.set(database={"conninfo": guarded.conninfo("loader", "loader")})
    return service


def upload_one(service, name):
    path = service.people(name, count=100)
    service.ok("upload", "--wait", path)


def secret_file(folder, name, text, mode=0o600):
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(text)
    path.chmod(mode)
    return path


def test_password_by_credential(new_service, guarded, tmp_path):
    service = loader(new_service, guarded)
    # as systemd leaves it, which libpq would refuse of its own password file
    secret_file(tmp_path / "credentials", "uploader.password", SECRET + "\n", 0o440)
    service.start(environment={"CREDENTIALS_DIRECTORY": str(tmp_path / "credentials")})
    upload_one(service, "people.csv")
    assert SECRET not in service.log_text() and "s3cr3t" not in service.log_text()


def test_no_credential_of_this_name(new_service, tmp_path):
    service = new_service().start(environment={"CREDENTIALS_DIRECTORY": str(tmp_path)})
    upload_one(service, "people.csv")


def test_password_by_file_which_changes(new_service, guarded, tmp_path):
    service = loader(new_service, guarded)
    path = secret_file(tmp_path, "password", SECRET)
    service.set(database={"password_file": path, "conninfo": guarded.conninfo("loader", "loader")
                          + " password=wrong"})
    service.start()
    upload_one(service, "1.csv")
    with guarded.connect() as sql:  # what is connected stays so
        sql.run("ALTER ROLE loader PASSWORD 'another'")
    path.write_text("another\r\nfurther lines are not meant\n")
    service.reload()
    upload_one(service, "2.csv")
    with guarded.connect() as sql:
        sql.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'loader'")
    wait_until(lambda: service.ok("ping", "--json").json["database"] == "ready", "the database")
    upload_one(service, "3.csv")
    assert not re.search("s3cr3t|another", service.log_text())


@pytest.mark.parametrize("text, mode, message", [
    (None, 0, "No such file or directory; write the file"),
    ("\nsecret\n", 0o600, "its first line is empty; write the password on it"),
    ("", 0o600, "its first line is empty"),
    ("sec\0ret\n", 0o600, "there is a NUL byte in it"),
    ("secret\n" * 1000, 0o600, "it is too long; write the password alone"),
    ("secret\n", 0o604, "others may use the file; forbid it (with chmod o=)"),
], ids=["missing", "empty line", "empty", "NUL", "long", "mode"])
def test_password_file_that_cannot_be_taken(new_service, tmp_path, text, mode, message):
    service = new_service()
    service.set(database={"password_file": tmp_path / "password"})
    if text is not None:
        secret_file(tmp_path, "password", text, mode)
    service.start(wait=False)
    assert service.process.wait(60) == 2
    log = service.log_text()
    assert message in log and ":3: database.password_file: " in log and "secret" not in log


# ---- the journal ----

# A mount of our own makes our socket the journal's, for this service alone.
WITH_JOURNAL = ("mount -t tmpfs none /run && mkdir -p /run/systemd/journal && "
                'mount --bind "$0" /run/systemd/journal && exec "$@"')
needs_root = pytest.mark.skipif(os.getuid() != 0, reason="only root may mount")


class Journal:
    """Takes entries, each as a dictionary."""

    def __init__(self, folder):
        self.folder = folder
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(folder / "socket"))
        (folder / "socket").chmod(0o666)
        self.socket.settimeout(0.05)
        self.entries = []

    def read(self):
        while True:
            try:
                text = self.socket.recv(65536).decode()
            except TimeoutError:
                return self.entries
            assert text.endswith("\n")
            self.entries.append(dict(line.split("=", 1) for line in text.splitlines()))

    def having(self, pattern):
        return [entry for entry in self.read() if re.search(pattern, entry["MESSAGE"])]


@pytest.fixture
def journal(tmp_path):
    journal = Journal(tmp_path)
    yield journal
    journal.socket.close()


def journal_stream(service):
    """Says that the service's log is a stream of the journal."""
    service.log.touch()
    there = service.log.stat()
    return {"JOURNAL_STREAM": f"{there.st_dev}:{there.st_ino}"}


def start_with(service, journal, **options):
    service.program = ["unshare", "--mount", "sh", "-c", WITH_JOURNAL, journal.folder,
                       *service.program]
    return service.start(environment=journal_stream(service), **options)


@needs_root
def test_journal_gets_fields(new_service, journal):
    service = new_service()
    start_with(service, journal, wait=False)
    wait_until(lambda: journal.having("database=ready"), "its database")
    path = service.people("größe=1.csv", count=100)
    tracker = service.ok("upload", "--wait", path, "--json").json["id"]
    processed, = journal.having("state=processed from=finishing")
    about = {"UPLOADER_TRACKER": str(tracker), "UPLOADER_FILE": str(path)}
    assert processed.items() >= {
        "PRIORITY": "6", "SYSLOG_IDENTIFIER": "uploaderd", **about}.items()
    assert processed["MESSAGE"].startswith(f"tracker={tracker} state=")
    worker = [entry for entry in journal.entries if entry["SYSLOG_IDENTIFIER"] == "uploader-worker"]
    assert worker and all(entry.items() >= about.items() for entry in worker)
    started, = journal.having("started version=")
    assert "UPLOADER_TRACKER" not in started and "UPLOADER_FILE" not in started
    assert service.log_text() == ""


@needs_root
def test_journal_gets_errors(new_service, journal, own_cluster):
    service = new_service(cluster=own_cluster)
    service.set(database={"conninfo": own_cluster.conninfo(service.database, "nobody-there")})
    start_with(service, journal, wait=False)
    error = wait_until(lambda: journal.having("the database is away"), "an error")[0]
    assert error["PRIORITY"] == "3" and error["UPLOADER_CODE"] == "database_away"
    assert "hint: " in error["MESSAGE"]


@needs_root
def test_journal_that_does_not_read(new_service, journal):
    """Costs its entries, and no upload."""
    service = new_service(upload={"chunk_bytes": "4K"})
    start_with(service, journal)
    for i in range(3):
        service.ok("upload", "--wait", service.people(f"{i}.csv", count=500))
    assert len(journal.read()) > 1
    assert service.count() == 1500
    assert service.stop() == 0


@needs_root
def test_no_journal_after_all(new_service, tmp_path):
    """The stream takes the lines, with the priority in front."""
    service = new_service()
    service.program = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /run && exec "$@"', "sh",
                       *service.program]
    service.start(environment=journal_stream(service))
    lines = service.log_text().splitlines()
    assert lines and all(re.match(r"<[3-7]>uploader", line) for line in lines)


def test_stream_of_somebody_else(new_service):
    """JOURNAL_STREAM is inherited by whoever sends the log elsewhere."""
    service = new_service().start(environment={"JOURNAL_STREAM": "1:1"})
    lines = service.log_text().splitlines()
    assert lines and all(re.match(r"[-0-9]+T[:.0-9]+Z uploader", line) for line in lines)
