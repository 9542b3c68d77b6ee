# SPDX-License-Identifier: PostgreSQL
"""What bash offers behind uploadctl: commands, options, statuses, files, and what the service knows."""

import os
import pty
import re
import shlex
import subprocess

import pytest
from harness import BUILD, PATIENCE_S, ROOT, wait_until

SCRIPT = ROOT / "completions/uploadctl"
CALL = """source "$SCRIPT"
COMP_WORDS=({words}) COMP_CWORD={last} COMP_LINE={line} COMP_POINT=${{#COMP_LINE}}
_uploadctl && printf '%s\\n' "${{COMPREPLY[@]}}"
"""


def environment(socket):
    return {**os.environ, "PATH": f"{BUILD}:{os.environ['PATH']}", "SCRIPT": str(SCRIPT),
            "UPLOADER_SOCKET": str(socket)}


def offered(line, socket="/nonexistent", cwd="/"):
    """What readline would offer for a line as it is typed; it splits words also at = and :."""
    words = re.findall(r"[=:]+|(?:\\.|[^\s=:])+", line) + ([""] if line.endswith(" ") else [])
    call = CALL.format(words=" ".join(map(shlex.quote, words)), last=len(words) - 1, line=shlex.quote(line))
    done = subprocess.run(["bash", "--norc", "-c", call], capture_output=True, text=True, cwd=cwd,
                          env=environment(socket), timeout=PATIENCE_S)
    assert done.stderr == ""
    return [word for word in done.stdout.split("\n") if word]


@pytest.mark.parametrize("line, words", [
    ("uploadctl st", ["stop", "status"]),
    ("uploadctl help me", ["metrics"]),
    ("uploadctl upload --re", ["--restart"]),
    ("uploadctl --json list --s", ["--socket", "--status"]),
    ("uploadctl list --status FA", ["FAILED"]),
    ("uploadctl list --status=P", ["PROCESSING", "PROCESSED"]),  # behind the =
    ("uploadctl stop --rows", []),  # of another command
    ("uploadctl ping ", []),
    ("uploadctl nonsense ", []),
])
def test_words_of_the_program(line, words):
    assert offered(line) == words


def test_all_commands_and_no_other():
    listed = subprocess.run([BUILD / "uploadctl", "help"], capture_output=True, text=True).stdout
    commands = re.findall(r"^  (\w+) .*$", listed.partition("Commands:\n")[2].partition("\n\n")[0], re.M)
    assert offered("uploadctl ") == commands
    assert "complete" not in listed


def test_files_without_a_service(tmp_path):
    for name in ("orders.csv", "other.csv", "at 10:00.csv"):
        (tmp_path / name).touch()
    (tmp_path / "or").mkdir()
    assert sorted(offered("uploadctl upload or", cwd=tmp_path)) == ["or", "orders.csv"]
    assert sorted(offered("uploadctl upload x.csv ot", cwd=tmp_path)) == ["other.csv"]
    assert offered("uploadctl --socket o", cwd=tmp_path) == offered("uploadctl kill o", cwd=tmp_path)


def test_what_the_service_knows(new_service):
    service = new_service()
    service.set(profile__german={"delimiter": "semicolon"}, profile__raw={"header": "no"})
    service.start()
    orders = service.people("orders.csv", 10)
    odd = service.people("it's 10:30 o'clock.csv", 10)
    for path in (orders, odd, orders):
        service.ok("upload", "--wait", *(["--again"] if path is orders else []), path)
    orders.unlink()  # the service still knows it
    socket, folder = service.socket, str(service.files)

    assert sorted(offered("uploadctl upload --profile ", socket)) == ["contacts", "german", "raw"]
    assert offered("uploadctl upload --profile=g", socket) == ["german"]
    assert offered("uploadctl status ", socket)[:2] == ["3", str(orders)]  # newest first
    assert offered("uploadctl status 2", socket) == ["2"]
    assert offered("uploadctl status or", socket, folder) == ["orders.csv"]
    assert offered(f"uploadctl kill {folder}/or", socket) == [str(orders)]
    assert offered(f"uploadctl status {folder}/it\\'s\\ 10:3", socket)[0] == "30 o'clock.csv"
    assert offered("uploadctl status 1 ", socket) == []  # takes one
    assert offered(f"uploadctl --socket {socket} status ", "/nonexistent")[0] == "3"


def test_at_a_terminal(new_service):
    """Readline takes it: one candidate is put there, quoted."""
    service = new_service().start()
    service.people("my people.csv", 10)
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(service.files)
        os.execve("/bin/bash", ["bash", "--norc", "--noprofile", "-i"],
                  {**environment(service.socket), "PS1": "> ", "TERM": "dumb", "HISTFILE": ""})
    try:
        os.write(terminal, b'source "$SCRIPT"; printf "%s\\n" re""ady\n')
        seen = [b""]

        def shows(what):
            seen[0] += os.read(terminal, 4096)
            return what in seen[0]

        wait_until(lambda: shows(b"\nready"), "bash")
        os.write(terminal, b"uploadctl upl\tmy\t--wait\n")
        wait_until(lambda: shows(b"PROCESSED: 10 rows"), "the completed command to be run")
        assert rb"uploadctl upload my\ people.csv --wait" in seen[0]
    finally:
        os.write(terminal, b"exit\n")
        os.close(terminal)
        os.waitpid(pid, 0)
