# SPDX-License-Identifier: PostgreSQL
"""Servers as they are found: TLS, passwords, peer, service and password files, several hosts, poolers,
and a role with few rights. Each with an upload, for the worker connects, too."""

import getpass
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from harness import ROOT, Cluster, Pooler, Sql, free_port, wait_until

PASSWORD = "s3cr3t of app"
SERVER_USER = "postgres" if os.getuid() == 0 else getpass.getuser()


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


def make_certificates(folder):
    """An authority, a server's certificate for localhost by it, and another authority."""
    for name in ("ca", "other"):
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}",
                "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.crt")
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost",
            "-keyout", folder / "server.key", "-out", folder / "server.csr")
    (folder / "san").write_text("subjectAltName=DNS:localhost\n")
    openssl("x509", "-req", "-in", folder / "server.csr", "-CA", folder / "ca.crt", "-CAkey",
            folder / "ca.key", "-CAcreateserial", "-days", "2", "-extfile", folder / "san",
            "-out", folder / "server.crt")
    (folder / "server.key").chmod(0o600)
    if os.getuid() == 0:
        shutil.chown(folder / "server.key", SERVER_USER)


HBA = f"""
local all app scram-sha-256
local all {getpass.getuser()} peer
hostssl all app all scram-sha-256
host all app all reject
"""


@pytest.fixture(scope="module")
def server():
    """A server with TLS on a port of localhost, which asks `app` for its password."""
    folder = Path(tempfile.mkdtemp(prefix="upltls-", dir="/tmp"))
    folder.chmod(0o755)
    make_certificates(folder)
    port = free_port()
    cluster = Cluster("fsync=off", "listen_addresses=localhost", f"port={port}", "ssl=on",
                      f"ssl_cert_file='{folder}/server.crt'", f"ssl_key_file='{folder}/server.key'")
    cluster.port, cluster.certificates = port, folder
    hba = Path(cluster.folder, "data/pg_hba.conf")
    hba.write_text(HBA + hba.read_text())
    with sql_of(cluster) as sql:
        sql.run(f"CREATE ROLE app LOGIN PASSWORD '{PASSWORD}'")
        if getpass.getuser() != "postgres":
            sql.run(f'CREATE ROLE "{getpass.getuser()}" LOGIN')
        sql.run("SELECT pg_reload_conf()")
    yield cluster
    cluster.remove()
    shutil.rmtree(folder)


def sql_of(cluster, database="postgres"):
    return Sql(f"host={cluster.folder} port={cluster.port} dbname={database} user=postgres")


@pytest.fixture
def new_app(server, new_service, cluster):
    """A maker of services whose conninfo is given; a role app may create the schema in a database."""
    made = []

    def make(conninfo, environment=None, wait=True, role="app"):
        database = f"app_{os.getpid()}_{len(made)}_{free_port()}"
        made.append(database)
        with sql_of(server) as sql:
            sql.run(f'CREATE DATABASE {database}')
            sql.run(f'GRANT CREATE ON DATABASE {database} TO "{role}"')
        service = new_service()
        service.app_database = database
        service.set(database={"conninfo": f"{conninfo} dbname={database}".split()})  # a line each
        return service.start(wait=wait, environment=environment)

    yield make


def password_file(service_folder, password=PASSWORD):
    path = Path(tempfile.mkdtemp(prefix="uplpw-", dir=service_folder)) / "pgpass"
    path.write_text(f"*:*:*:app:{password}\n")
    path.chmod(0o600)
    return path


def tls(server, ca="ca", host="localhost", user="app"):
    return (f"host={host} port={server.port} user={user} sslmode=verify-full"
            f" sslrootcert={server.certificates}/{ca}.crt")


def uploads(server, service):
    path = service.people(count=2000, bad={3})
    tracker = service.ok("upload", "--wait", path, "--json", code=3).json["id"]
    with sql_of(server, service.app_database) as sql:
        assert sql.value("SELECT count(*) FROM uploader.file_data") == 1999
    return tracker


def trouble(service):
    """What ping says of the database."""
    pong = wait_until(lambda: (lambda p: p if p.get("error") else None)(
        service.ctl("ping", "--json").json), "the trouble")
    return pong["error"]["message"]


def test_tls_and_a_password_file(server, new_app, tmp_path):
    service = new_app(f"{tls(server)} passfile={password_file(tmp_path)}")
    uploads(server, service)
    assert PASSWORD not in service.log_text()
    with sql_of(server, service.app_database) as sql:
        assert sql.value("SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)"
                         " WHERE usename = 'app'")


@pytest.mark.parametrize("options, says", [
    ({"ca": "other"}, "certificate verify failed"),
    ({"host": "127.0.0.1"}, "does not match host name"),
])
def test_a_wrong_certificate(server, new_app, tmp_path, options, says):
    service = new_app(f"{tls(server, **options)} passfile={password_file(tmp_path)}", wait=False)
    wait_until(lambda: service.ctl("ping").code == 0, "uploaderd")
    assert says in trouble(service)


def test_a_wrong_password(server, new_app, tmp_path):
    service = new_app(f"{tls(server)} passfile={password_file(tmp_path, 'n0t-it-at-all')}", wait=False)
    wait_until(lambda: service.ctl("ping").code == 0, "uploaderd")
    assert "password authentication failed" in trouble(service)
    assert "n0t-it-at-all" not in service.log_text()


def test_tls_is_demanded(server, new_app, tmp_path):
    service = new_app(f"host=localhost port={server.port} user=app sslmode=disable"
                      f" passfile={password_file(tmp_path)}", wait=False)
    wait_until(lambda: service.ctl("ping").code == 0, "uploaderd")
    assert "no encryption" in trouble(service)


def test_a_password_of_the_environment(server, new_app):
    service = new_app(tls(server), environment={"PGPASSWORD": PASSWORD})
    uploads(server, service)


def test_a_service_file(server, new_app, tmp_path):
    file = tmp_path / "services"
    file.write_text(f"[there]\nhost=localhost\nport={server.port}\nuser=app\npassword={PASSWORD}\n"
                    f"sslmode=verify-full\nsslrootcert={server.certificates}/ca.crt\n")
    service = new_app("service=there", environment={"PGSERVICEFILE": str(file)})
    uploads(server, service)


def test_peer(server, new_app):
    service = new_app(f"host={server.folder} port={server.port} user={getpass.getuser()}",
                      role=getpass.getuser())
    uploads(server, service)


def test_the_second_of_two_hosts(server, new_app, tmp_path):
    """Nobody listens at the first."""
    service = new_app(f"host=localhost,localhost port={free_port()},{server.port} user=app"
                      f" sslmode=require passfile={password_file(tmp_path)}")
    uploads(server, service)


def test_a_role_that_may_create_no_more(server, new_app, tmp_path):
    """The schema is there: its owner needs nothing else."""
    service = new_app(f"{tls(server)} passfile={password_file(tmp_path)}")
    with sql_of(server, service.app_database) as sql:
        sql.run(f"REVOKE CREATE ON DATABASE {service.app_database} FROM app")
    service.stop()
    service.start()
    uploads(server, service)


def grant(server, database, **variables):
    """examples/roles.sql, as an administrator runs it; answers how psql ended."""
    return subprocess.run(["psql", "-X", "-q", "-f", ROOT / "examples/roles.sql",
                           *[f"-v{name}={value}" for name, value in variables.items()],
                           f"host={server.folder} port={server.port} dbname={database} user=postgres"],
                          capture_output=True, text=True)


def test_the_grants_of_a_role_that_owns(server, new_service, tmp_path):
    with sql_of(server) as sql:
        database = f"owns_{free_port()}"
        sql.run(f"CREATE DATABASE {database}")
    assert grant(server, database, app="app").returncode == 0
    service = new_service()
    service.app_database = database
    service.set(database={"conninfo": [f"{tls(server)} dbname={database}",
                                       f"passfile={password_file(tmp_path)}"]})
    uploads(server, service.start())


def test_the_grants_of_a_role_that_only_writes(server, new_app, tmp_path):
    """Another has made the schema. All that an upload, a stop, a resume, a proof and a forget do."""
    service = new_app(f"{tls(server)} passfile={password_file(tmp_path)}")
    database = service.app_database
    service.stop()
    with sql_of(server, database) as sql:
        sql.run("DROP ROLE IF EXISTS writer")
        sql.run(f"CREATE ROLE writer LOGIN PASSWORD '{PASSWORD}'")
        sql.run(f"REVOKE CREATE, TEMPORARY ON DATABASE {database} FROM PUBLIC, app")
        assert grant(server, database, app="writer", owner="app").returncode == 0
    folder = password_file(tmp_path)
    folder.write_text(f"*:*:*:writer:{PASSWORD}\n")
    service.set(database={"conninfo": [tls(server, user="writer"), f"dbname={database}",
                                       f"passfile={folder}"]}, upload={"chunk_bytes": "8M"})
    service.start()
    tracker = uploads(server, service)
    service.ok("verify", tracker)
    path = service.people("stopped.csv", 3_000_000)  # more than one step of a rollback takes
    other = service.ok("upload", path, "--json").json["id"]
    wait_until(lambda: service.status(path)["rows"] > 2_100_000, "rows", pause_s=0.05)
    service.ok("kill", path)
    service.ok("stop", path)
    service.ok("forget", other)
    service.ok("forget", "--rows", tracker)
    with sql_of(server, database) as sql:
        assert sql.value("SELECT count(*) FROM uploader.file_data") == 0
        assert sql.value("SELECT count(*) FROM uploader.file_tracker") == 0
        sql.run("DROP OWNED BY writer")
        sql.run("DROP ROLE writer")


def test_the_grants_in_a_schema_of_another_name(server):
    """What is in it by then, and what its owner adds at an upgrade. Without the name there is no such
    schema, which psql's exit code says."""
    database = f"named_{free_port()}"
    with sql_of(server) as sql:
        sql.run(f"CREATE DATABASE {database}")
    with sql_of(server, database) as sql:
        sql.run("CREATE ROLE clerk")
        sql.run("CREATE SCHEMA loads AUTHORIZATION app")
        sql.run("SET ROLE app")
        sql.run("CREATE TABLE loads.before (id bigserial)")
        done = grant(server, database, app="clerk", owner="app")
        assert done.returncode == 3 and 'schema "uploader" does not exist' in done.stderr, done
        assert len(re.findall("ERROR", done.stderr)) == 1, done
        done = grant(server, database, app="clerk", owner="app", schema="loads")
        assert (done.returncode, done.stderr) == (0, "")
        sql.run("CREATE TABLE loads.later (id bigserial)")
        sql.run("RESET ROLE; SET ROLE clerk")
        for table in ("before", "later"):
            assert sql.run(f"INSERT INTO loads.{table} DEFAULT VALUES RETURNING id") == [(1,)]
            sql.run(f"UPDATE loads.{table} SET id = 2")
            sql.run(f"DELETE FROM loads.{table}")
        assert not sql.value("SELECT has_schema_privilege('loads', 'CREATE')")
        sql.run("RESET ROLE")
        sql.run("DROP OWNED BY clerk; DROP ROLE clerk")


# ---- poolers ----


@pytest.fixture
def new_pooler(server):
    """A maker of PgBouncers: (mode, sessions of the server that it has) -> conninfo for app."""
    made = []

    def make(mode, size=20):
        made.append(Pooler(server, mode, size, "app", PASSWORD, server.port))
        return made[-1].conninfo("app")

    yield make
    for pooler in made:
        pooler.remove()


def test_a_pooler_of_sessions(server, new_app, new_pooler, tmp_path):
    service = new_app(f"{new_pooler('session')} passfile={password_file(tmp_path)}")
    uploads(server, service)
    path = service.people("more.csv", 60_000)
    service.ok("upload", path)
    service.ok("kill", path)
    service.ok("upload", "--wait", path)


def test_a_rollback_behind_a_pooler_that_has_one_session_left(server, new_app, new_pooler, tmp_path):
    """The other lanes are connected, and never served: they are done without."""
    pooler = new_pooler("session", 3)  # the supervisor has two
    service = new_app(f"{pooler} passfile={password_file(tmp_path)}", wait=False)
    service.stop()
    service.set(upload={"chunk_bytes": "4K", "lanes": 1}, supervisor={"stop_timeout": "1h"})
    service.start(environment={"UPLOADER_STEP_RECORDS": "200"})
    path = service.people("big.csv", 3000)
    path.write_bytes(path.read_bytes() + b'"open')
    service.ok("upload", "--wait", path, code=1)
    service.set(upload={"lanes": 3})
    service.reload()
    assert service.ok("stop", path, "--json").json["status"] == "STOPPED"
    assert "rolls back lanes=3" in service.log_text()


def test_a_pooler_of_transactions_is_named(server, new_app, new_pooler, tmp_path):
    service = new_app(f"{new_pooler('transaction')} passfile={password_file(tmp_path)}", wait=False)
    service.process.wait(60)
    assert service.process.returncode == 1
    assert "pool" in service.only_error(), service.log_text()
