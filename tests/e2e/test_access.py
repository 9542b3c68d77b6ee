# SPDX-License-Identifier: PostgreSQL
"""Who may do what at the control socket: [access]."""

import json
import os
import subprocess

import pytest
from harness import BUILD

AS_ROOT = [] if os.getuid() == 0 else ["sudo", "-n"]

# An asker of another account: each line that it is given goes to the socket, and the answer back.
ASKER = """
import socket, sys
client = socket.socket(socket.AF_UNIX)
client.connect(sys.argv[1])
answers = client.makefile()
for line in sys.stdin:
    try:
        client.sendall(line.encode())
    except OSError:
        pass
    print(answers.readline().strip(), flush=True)
"""

COMMANDS = {  # kind: the least right that may
    "ping": "read", "metrics": "read", "list": "read", "status": "read", "history": "read", "wait": "read",
    "upload": "operate", "stop": "operate", "kill": "operate", "rejects": "operate",
    "verify": "operate", "continue": "operate", "pause": "operate", "forget": "admin",
}
RIGHTS = ["nothing", "read", "operate", "admin"]
ACCESS = {"read": "61001, @62001", "operate": "61002\n  @62002", "admin": "61003, @62003"}
PEOPLE = {  # uid, gid, further groups: the right that it has
    (61000, 62000, ()): "nothing", (61000, 62000, (62009,)): "nothing",
    (62001, 61001, ()): "nothing",  # a uid is no gid
    (61001, 62000, ()): "read", (61000, 62001, ()): "read", (61000, 62000, (7, 62001)): "read",
    (61002, 62000, ()): "operate", (61000, 62002, ()): "operate",
    (61001, 62000, (62001, 62002)): "operate",
    (61003, 62000, ()): "admin", (61000, 62003, ()): "admin", (61000, 62000, (62003,)): "admin",
    (0, 62000, ()): "admin", (os.getuid(), 62000, ()): "admin",
}


class Asker:
    def __init__(self, service, uid, gid, groups):
        further = ["--groups", ",".join(map(str, groups))] if groups else ["--clear-groups"]
        self.process = subprocess.Popen(
            [*AS_ROOT, "setpriv", "--reuid", str(uid), "--regid", str(gid), *further,
             "/usr/bin/python3", "-c", ASKER, service.socket],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.communicate()

    def ask(self, kind, **fields):
        """The first answer; None: the connection is closed."""
        self.process.stdin.write(json.dumps({"kind": kind, "ref": 1, **fields}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        return json.loads(line) if line.strip() else None


def is_denied(answer):
    return (answer.get("error") or {}).get("code") == "denied"


def fields_of(kind):
    if kind in ("ping", "list", "pause", "continue", "metrics"):
        return {"limit": 1} if kind == "list" else {}
    return {"file": "/nowhere/x.csv"}


@pytest.fixture(scope="module")
def guarded(cluster):
    import harness
    service = harness.Service(cluster, access=ACCESS).start()
    yield service
    service.remove()


@pytest.mark.parametrize("person", PEOPLE, ids=str)
def test_every_command(guarded, person):
    right = RIGHTS.index(PEOPLE[person])
    if right == 0:
        with Asker(guarded, *person) as asker:
            assert is_denied(asker.ask("ping")) and asker.ask("ping") is None
        return
    with Asker(guarded, *person) as asker:
        for kind, least in COMMANDS.items():
            answer = asker.ask(kind, **fields_of(kind))
            assert is_denied(answer) == (right < RIGHTS.index(least)), (kind, answer)
            if is_denied(answer):
                assert answer["error"]["message"] == f"uid {person[0]} may not give the command {kind}"
                assert f'"{least}" of section [access]' in answer["error"]["detail"], answer
                assert answer["ref"] == 1


def test_every_command_is_tried(guarded):
    """None was forgotten above: what the service does not know it would refuse in another way."""
    text = os.path.dirname(__file__) + "/../../ipc/messages.h"
    kinds = [line.split('"')[1] for line in open(text) if "FROM_CLIENT," in line and '"' in line]
    assert sorted(kinds) == sorted(COMMANDS)


def test_a_right_that_is_taken_away(new_service):
    """It counts at once, also for who is connected; and who did what is in the history."""
    service = new_service(access={"operate": "61002"}).start()
    path = service.people(count=10)
    with Asker(service, 61002, 62000, ()) as asker:
        asker.ask("upload", file=str(path))
        service.ok("wait", path)
        service.set(access={"operate": "", "read": "61002"})
        service.reload()
        assert is_denied(asker.ask("stop", file=str(path)))
        assert asker.ask("ping")["kind"] == "pong"
    events = service.ok("history", path, "--json").objects
    assert events[0]["uid"] == 61002, events


def uploadctl_as(service, uid, *words):
    program = service.folder / "uploadctl"
    if not program.exists():
        program.write_bytes((BUILD / "uploadctl").read_bytes())
        program.chmod(0o755)
    return subprocess.run(
        [*AS_ROOT, "setpriv", f"--reuid={uid}", "--regid=62000", "--clear-groups", program, "--socket",
         service.socket, *words], capture_output=True, text=True)


def test_an_exit_code_of_its_own(guarded):
    """uploadctl says what is missing."""
    done = uploadctl_as(guarded, 61001, "stop", "/nowhere/x.csv")
    assert done.returncode == 11, done
    assert "uid 61001 may not give the command stop" in done.stderr and "[access]" in done.stderr, done


@pytest.mark.parametrize("words", [("ping",), ("stop", "/nowhere/x.csv"), ("list",)], ids=str)
def test_who_may_do_nothing_is_told_so(guarded, words):
    done = uploadctl_as(guarded, 61999, *words)
    assert done.returncode == 11, done
    assert "uid 61999 may not use this service" in done.stderr, done


def test_version_without_a_right(guarded):
    done = uploadctl_as(guarded, 61999, "version")
    assert done.returncode == 0 and "uploaderd does not say: uid 61999 may not" in done.stdout, done
