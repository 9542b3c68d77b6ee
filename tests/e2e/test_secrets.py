# SPDX-License-Identifier: PostgreSQL
"""A password in every place that may hold one shows nowhere: in no log, message, error, command line,
environment of a worker, row of the database or core file."""

import os
import subprocess

import pytest
from harness import BUILD, wait_until

SECRET = "s3cr3t-in-no-log"


def in_conninfo(service):
    return {"conninfo": f"password={SECRET}"}, {}


def in_a_uri(service):
    cluster = service.cluster
    return {"conninfo": None, "uri": f"postgresql://postgres:{SECRET}@/{service.database}"
                                     f"?host={cluster.folder}"}, {}


def a_file(service, name, text):
    path = service.folder / name
    path.write_text(text)
    path.chmod(0o600)
    return path


def in_a_password_file(service):
    return {"password_file": a_file(service, "pw", f"{SECRET}\n")}, {}


def in_the_environment(service):
    return {}, {"PGPASSWORD": SECRET}


def in_pgpass(service):
    return {}, {"PGPASSFILE": str(a_file(service, "pgpass", f"*:*:*:*:{SECRET}\n"))}


def in_a_service_file(service):
    return {"conninfo": "service=it"}, {
        "PGSERVICEFILE": str(a_file(service, "services", f"[it]\npassword={SECRET}\n"))}


def in_a_credential(service):
    folder = service.folder / "credentials"
    folder.mkdir()
    a_file(service, "credentials/uploader.password", f"{SECRET}\n")
    return {}, {"CREDENTIALS_DIRECTORY": str(folder)}


PLACES = [in_conninfo, in_a_uri, in_a_password_file, in_the_environment, in_pgpass, in_a_service_file,
          in_a_credential]


def configured(service, place, more=""):
    """Puts the secret into its place; answers the environment to start in."""
    database, environment = place(service)
    extra = database.pop("conninfo", "")
    uri = database.pop("uri", None)
    conninfo = uri or f"{service.cluster.conninfo(service.database)} {extra} {more}"
    service.set(database={"conninfo": conninfo, **database}, supervisor={"log_level": "debug"})
    return environment


def asked(service):
    """All that the commands say, as people and as programs read it."""
    said = ""
    for command in (["ping"], ["list"], ["status", "1"], ["history", "1"], ["rejects", "1"],
                    ["metrics"], ["verify", "1"], ["status", "4711"]):
        for options in ([], ["--json"]):
            answer = service.ctl(*command, *options)
            said += answer.out + answer.err
    return said


def in_the_database(service):
    tables = service.sql.run("SELECT table_name FROM information_schema.tables"
                             " WHERE table_schema = 'uploader'")
    return "".join(str(service.sql.run(f"SELECT to_jsonb(t)::text FROM uploader.{name} AS t"))
                   for (name,) in tables)


def of_process(pid, *what):
    return b"".join(open(f"/proc/{pid}/{name}", "rb").read() for name in what).decode(errors="replace")


@pytest.mark.parametrize("place", PLACES)
def test_it_shows_nowhere(new_service, place):
    service = new_service(upload={"chunk_bytes": "4K"})
    environment = configured(service, place)
    service.start(environment={**environment, **service.pause_environment("worker.connected")})
    service.ok("upload", service.people(count=10, bad={3}))
    worker = service.paused()
    assert SECRET not in of_process(worker, "cmdline", "environ")
    assert SECRET not in of_process(service.process.pid, "cmdline")
    for pid in (worker, service.process.pid):
        limits = of_process(pid, "limits").splitlines()
        [core] = [line.split()[4:6] for line in limits if line.startswith("Max core")]
        assert set(core) <= {"0", "1"}  # 0: as a sanitizer has it
    service.go_on()
    service.ctl("wait", "1")
    assert SECRET not in asked(service)
    assert SECRET not in in_the_database(service)
    assert SECRET not in service.log_text()


@pytest.mark.parametrize("place", [in_conninfo, in_a_uri, in_a_credential])
def test_no_error_shows_it(new_service, place):
    """The server is not there; the connection cannot be understood; the check says what is wrong."""
    service = new_service()
    environment = configured(service, place, more="port=1 connect_timeout=2")
    if place is in_a_uri:
        service.set(database={"conninfo": f"postgresql://postgres:{SECRET}@localhost:1/none"})
    service.start(wait=False, environment=environment)
    wait_until(lambda: "database=" in service.log_text() or "error" in service.log_text(), "the trouble")
    answer = service.ctl("ping", "--json")
    upload = service.ctl("upload", service.people(count=3))
    assert SECRET not in answer.out + answer.err + upload.out + upload.err + service.log_text()


@pytest.mark.parametrize("conninfo", [
    f"password={SECRET} nonsense", f"password={SECRET} nonsense=1", f"password='{SECRET}",
    f"postgresql://app:{SECRET}@[host/x", f"postgresql://app:{SECRET}@host/x?nonsense=1",
    f"nonsense={SECRET}"])
def test_no_check_shows_it(tmp_path, conninfo):
    config = tmp_path / "c.conf"
    config.write_text(f"[database]\nconninfo = {conninfo}\n")
    done = subprocess.run([BUILD / "uploaderd", "--check", "--config", config], capture_output=True,
                          text=True, env={**os.environ, "LC_ALL": "C"})
    assert done.returncode == 2 and "conninfo" in done.stderr
    assert SECRET not in done.stdout + done.stderr
