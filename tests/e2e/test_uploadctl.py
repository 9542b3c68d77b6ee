# SPDX-License-Identifier: PostgreSQL
"""uploadctl as people and programs use it: JSON against its schema, texts, hints, exit codes."""

import csv
import io
import json
import os
import pty
import re
import shlex
import signal
import subprocess
import textwrap
import time

import jsonschema
import pytest
from harness import BUILD, ROOT, wait_until

SCHEMA = json.loads((ROOT / "docs/uploadctl.schema.json").read_text())


def valid(instance, definition):
    schema = {"$ref": f"#/definitions/{definition}", "definitions": SCHEMA["definitions"]}
    jsonschema.validate(instance, schema, format_checker=jsonschema.FormatChecker())


def plain(*arguments, environment=None, **options):
    """uploadctl without a service's socket."""
    return subprocess.run([BUILD / "uploadctl", *map(str, arguments)], capture_output=True,
                          text=True, timeout=60, stdin=subprocess.DEVNULL,
                          env=dict(os.environ, **(environment or {})), **options)


@pytest.fixture(scope="module")
def filled(cluster):
    """A service with uploads of several kinds in it."""
    import harness

    service = harness.Service(cluster, upload={"chunk_bytes": "4K"}).start()
    service.ok("upload", "--wait", service.people("good.csv", 500))
    service.ok("upload", "--wait", service.people("some.csv", 500, bad=[150, 300]), code=3)
    service.people("big.csv", 60_000)
    service.ok("upload", "big.csv")
    wait_until(lambda: service.status("big.csv")["rows"] > 0, "the first rows")
    service.ok("kill", "big.csv")
    service.ok("upload", service.people("stopped.csv", 100), "--wait")
    service.ok("upload", service.people("gone.csv", 100), "--wait")
    yield service
    service.remove()


@pytest.mark.parametrize("command, definition", [
    ("status good.csv", "upload"), ("status some.csv", "upload"), ("status big.csv", "upload"),
    ("list", "upload"), ("list --status KILLED", "upload"), ("list --limit 1", "upload"),
    ("history big.csv", "event"), ("rejects some.csv", "reject"), ("ping", "pong"),
    ("version", "version"), ("kill big.csv", "upload"), ("verify some.csv", "upload"),
    ("verify some.csv good.csv", "upload"), ("forget gone.csv", "upload"),
])
def test_json(filled, command, definition):
    answer = filled.ok(*command.split(), "--json")
    assert answer.err == ""
    objects = answer.objects
    assert objects
    for one in objects:
        valid(one, definition)


@pytest.mark.parametrize("command, code", [
    ("upload good.csv", 6), ("stop good.csv", 6), ("kill none.csv", 4), ("upload none.csv", 1),
    ("upload good.csv --profile none", 2), ("nonsense", 2), ("upload", 2), ("list --limit x", 2),
    ("upload --nonsense x", 2), ("rejects --csv --json some.csv", 2), ("forget none.csv", 4),
    ("verify none.csv", 4), ("forget", 2), ("status", 2), ("wait big.csv --timeout never", 2),
])
def test_json_errors(filled, command, code):
    answer = filled.ctl(*command.split(), "--json")
    assert answer.code == code, answer
    assert answer.err == "", answer
    one, = answer.objects
    assert list(one) == ["error"]
    valid(one["error"], "error")


def test_json_of_several_files(filled):
    answer = filled.ctl("upload", "good.csv", "some.csv", "none.csv", "--json")
    assert answer.code == 6  # the highest
    assert [one["error"]["code"] for one in answer.objects] == [
        "already_uploaded", "already_uploaded", "file_missing"]


def test_json_nothing_for_an_empty_list(filled):
    assert filled.ok("list", "--status", "FAILED", "--json").out == ""
    assert filled.ok("rejects", "good.csv", "--json").out == ""


def test_options_may_stand_anywhere(filled):
    for arguments in (["--json", "status", "good.csv"], ["status", "--json", "good.csv"],
                      ["status", "good.csv", "--json"]):
        assert filled.ok(*arguments).json["status"] == "PROCESSED"


def test_by_id_and_by_environment(filled):
    tracker = filled.status("good.csv")["id"]
    answer = plain("status", tracker, "--json", environment={"UPLOADER_SOCKET": str(filled.socket)})
    assert json.loads(answer.stdout)["path"].endswith("good.csv")


def test_every_hint_that_names_a_command_works(filled):
    """Runs the commands in hints and in `next`, word for word."""
    errors = []
    for command in ("upload good.csv", "stop good.csv", "kill good.csv", "kill none.csv",
                    "upload none.csv", "status 4711", "nonsense", "upload", "help nonsense",
                    "upload good.csv --profile none"):
        errors.append(filled.ctl(*command.split(), "--json").objects[0]["error"])
    hints = [error["hint"] for error in errors]
    assert all(hints), errors
    hints += [f"with: {one['next']}" for one in filled.ok("list", "--json").objects if one["next"]]
    environment = dict(os.environ, UPLOADER_SOCKET=str(filled.socket),
                       PATH=f"{BUILD}:{os.environ['PATH']}")
    ran = 0
    for hint in hints:
        for command in re.findall(r"uploadctl (?:[^;\n]*?[^;.,\n])(?=[.,;]?(?:$|\n| or | for | to ))",
                                  hint):
            words = shlex.split(command)
            done = subprocess.run(words, capture_output=True, text=True, timeout=60,
                                  cwd=filled.files, env=environment, stdin=subprocess.DEVNULL)
            assert done.returncode not in (2, 7), (hint, command, done)
            ran += 1
    assert ran >= 8, hints


def test_texts_say_what_was_kept(service):
    path = service.people("big.csv", 60_000)
    service.ok("upload", path)
    wait_until(lambda: service.status(path)["rows"] > 0, "the first rows")
    answer = service.ok("kill", path).out
    assert re.search(r"KILLED: [\d,]+ rows kept.*go on with: uploadctl upload", answer), answer
    answer = service.ok("stop", path).out
    assert answer.startswith("STOPPED") and "uploadctl upload" in answer


def test_texts_of_questions(filled):
    assert "PROCESSED" in filled.ok("status", "good.csv").out
    table = filled.ok("list").out
    assert "good.csv" in table and "PROCESSED" in table and "some.csv" in table
    assert "PROCESSED" in filled.ok("history", "good.csv").out
    rejects = filled.ok("rejects", "some.csv").out
    assert "3 fields instead of 2" in rejects and "surplus" in rejects
    assert "ready" in filled.ok("ping").out


def test_help(filled):
    text = plain("help").stdout
    assert text.index("uploadctl upload") < text.index("--socket")  # examples lead
    for command in ("upload", "stop", "kill", "wait", "status", "list", "watch", "history",
                    "rejects", "ping", "version", "help"):
        done = plain("help", command)
        assert done.returncode == 0 and f"uploadctl {command}" in done.stdout, command
        assert plain(command, "--help").returncode == 0
    assert plain("--help").returncode == 0
    wrong = plain("uplaod", "x")
    assert wrong.returncode == 2 and "upload" in wrong.stderr


def test_three_ways_of_no_supervisor(new_service, tmp_path):
    service = new_service()
    messages = set()
    done = plain("--socket", service.socket, "ping")
    assert done.returncode == 7 and "hint:" in done.stderr
    messages.add(done.stderr.splitlines()[-1])
    service.start()
    service.kill()
    done = plain("--socket", service.socket, "ping")
    assert done.returncode == 7 and "hint:" in done.stderr
    messages.add(done.stderr.splitlines()[-1])
    service.start()
    service.socket.chmod(0)
    if os.getuid() == 0:
        build = service.folder / "uploadctl"
        build.write_bytes((BUILD / "uploadctl").read_bytes())
        build.chmod(0o755)
        done = subprocess.run(
            ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", build, "--socket",
             service.socket, "ping"], capture_output=True, text=True)
    else:
        done = plain("--socket", service.socket, "ping")
    assert done.returncode == 7 and "hint:" in done.stderr, done
    messages.add(done.stderr.splitlines()[-1])
    assert len(messages) == 3, messages


# ---- waiting ----


def test_wait_timeout(new_service):
    service = new_service(upload={"chunk_bytes": "4K"}).start_paused("lane.before_commit:3")
    path = service.people(count=5000)
    service.ok("upload", path)
    service.paused()
    assert service.ok("wait", path, "--timeout", "300ms", "--json",
                      code=8).json["error"]["code"] == "timeout"
    service.go_on()
    service.ok("wait", path, "--timeout", "60s")


@pytest.mark.parametrize("command", ["kill", "stop"])
def test_who_waits_is_told_that_somebody_interrupted_it(service, command):
    path = service.people(count=60_000)
    waiting = service.ctl_start("upload", "--wait", path, "--json")
    wait_until(lambda: service.ctl("status", path).code == 0 and service.status(path)["rows"] > 0,
               "the first rows")
    service.ok(command, path)
    out, err = waiting.communicate(timeout=60)
    assert waiting.returncode == 5, (out, err)
    assert json.loads(out)["status"] == {"kill": "KILLED", "stop": "STOPPED"}[command]


def test_interrupting_the_waiting(service):
    path = service.people(count=100_000)
    waiting = service.ctl_start("upload", "--wait", path)
    wait_until(lambda: service.ctl("status", path).code == 0, "the upload to begin")
    waiting.send_signal(signal.SIGINT)
    out, err = waiting.communicate(timeout=60)
    assert waiting.returncode == 130 and "goes on" in out + err, (out, err)
    service.ok("wait", path)


def test_waiting_over_a_restart(service):
    path = service.people(count=100_000)
    waiting = service.ctl_start("upload", "--wait", path, "--json")
    wait_until(lambda: service.ctl("status", path).code == 0 and service.status(path)["rows"] > 0,
               "the first rows")
    service.kill()
    service.start()
    out, err = waiting.communicate(timeout=60)
    assert waiting.returncode == 0 and json.loads(out)["status"] == "PROCESSED", (out, err)


def test_waiting_over_a_shutdown(service):
    path = service.people(count=100_000)
    waiting = service.ctl_start("upload", "--wait", path, "--json")
    wait_until(lambda: service.ctl("status", path).code == 0 and service.status(path)["rows"] > 0,
               "the first rows")
    service.stop()
    service.start()
    out, err = waiting.communicate(timeout=60)
    assert waiting.returncode == 0 and json.loads(out)["status"] == "PROCESSED", (out, err)


def test_progress_elsewhere_than_on_a_terminal(service):
    path = service.people(count=50_000)
    answer = service.ok("upload", "--wait", path)
    lines = answer.err.splitlines()
    assert 1 <= len(lines) <= 15 and all("%" in line for line in lines), answer
    assert len(answer.out.splitlines()) == 1 and "PROCESSED" in answer.out


@pytest.mark.parametrize("columns", [40, 80])
def test_progress_on_a_terminal(service, columns):
    path = service.people(f"a file with a rather long name {columns}.csv", 100_000)
    master, slave = pty.openpty()
    import fcntl
    import struct
    import termios
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    begun = time.monotonic()
    waiting = subprocess.Popen(
        [BUILD / "uploadctl", "--socket", service.socket, "upload", "--wait", path],
        stdout=subprocess.PIPE, stderr=slave, stdin=slave,
        env=dict(os.environ, TERM="xterm", LC_ALL="C.UTF-8"))
    os.close(slave)
    drawn = b""
    while True:
        try:
            piece = os.read(master, 65536)
        except OSError:
            break
        if not piece:
            break
        drawn += piece
    took = time.monotonic() - begun
    out = waiting.communicate(timeout=60)[0].decode()
    assert waiting.returncode == 0 and "PROCESSED" in out
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", drawn.decode())
    frames = [frame for frame in re.split(r"[\r\n]+", text) if frame.strip()]
    assert frames, drawn
    assert all(len(frame) <= columns for frame in frames), frames
    assert len(frames) <= 4 * took + 3, (len(frames), took)
    assert any("%" in frame for frame in frames)


def test_watch_as_lines(service):
    watching = service.ctl_start("watch", "--json")
    path = service.people(count=1000)
    service.ok("upload", "--wait", path)
    time.sleep(2)
    watching.send_signal(signal.SIGINT)
    out, err = watching.communicate(timeout=60)
    assert watching.returncode == 130, err
    objects = [json.loads(line) for line in out.splitlines()]
    assert objects and objects[-1]["status"] == "PROCESSED"
    for one in objects:
        valid(one, "upload")


@pytest.mark.parametrize("closed, code", [("<&-", 0), ("2>&-", 0), (">&-", 1), ("<&- 2>&-", 0),
                                          ("<&- >&- 2>&-", 1)])
def test_standard_descriptors_that_are_closed(service, closed, code):
    for command in ("ping", "version", "help"):
        done = subprocess.run(["sh", "-c", f'"$0" --socket "$1" {command} {closed}',
                               BUILD / "uploadctl", service.socket], capture_output=True, text=True)
        assert done.returncode == code, (command, done)


def test_rejects_as_csv_are_corrected_and_uploaded(service):
    """Bytes as they are, whatever they are; a value that is corrected; and nothing else."""
    fine = b"fine,f\n" * 100  # as long as the first hundred are UTF-8, one that is not is a reject
    bad = b'a,b,c\n"x\ny","z",\n"q""r",\xff\nfine,f\n"t"u,v\n'
    path = service.file("bad.csv", b"name,email\n" + fine + bad)
    service.ok("upload", "--wait", path, code=3)
    command = [BUILD / "uploadctl", "--socket", service.socket, "rejects", "--csv", path]
    out = subprocess.run(command, capture_output=True, check=True).stdout
    head, *records = csv.reader(io.StringIO(out.decode("latin-1"), newline=""), strict=True)
    assert head == ["line", "reason", "raw"]
    assert [(int(line), raw.encode("latin-1")) for line, _, raw in records] == [
        (101, b"a,b,c"), (102, b'"x\ny","z",'), (103, b'"q""r",\xff'), (105, b'"t"u,v')]
    assert all(reason for _, reason, _ in records)
    mended = ["name,email", "a,b c", '"x\ny",z', '"q""r",y', "tu,v"]
    again = service.file("mended.csv", "\n".join(mended) + "\n")
    service.ok("upload", "--wait", again)
    assert service.count() == 105
    assert service.ok("rejects", "--csv", again).out == "line,reason,raw\n"
    assert service.ctl("rejects", "--csv", "--json", path).code == 2
    answer = service.ctl("rejects", "--csv", "none.csv")
    assert (answer.code, answer.out) == (4, "")


def test_a_file_whose_name_is_a_number(service):
    """Its name alone is an ID; the hint says how it is given."""
    service.file("123", "name,email\na,b\n")
    answer = service.ctl("upload", "--wait", "123")
    assert answer.code == 4 and "there is no upload 123" in answer.err, answer
    told = re.search(r"\./\S*\d", answer.err).group()
    service.ok("upload", "--wait", told)
    assert service.count() == 1


def test_rejects_are_corrected_as_the_document_says(service):
    """Its own commands; the longest record is longer than Python's csv takes by itself."""
    chapter = (ROOT / "docs/recovery.md").read_text().split("## Rejects, corrected")[1].split("\n## ")[0]
    take, upload = re.findall(r"(?:^    .*\n)+", chapter, re.MULTILINE)

    def run(command):
        return subprocess.run(["sh", "-c", textwrap.dedent(command)], cwd=service.files, timeout=60,
                              capture_output=True, text=True,
                              env={**os.environ, "PATH": f"{BUILD}:{os.environ['PATH']}",
                                   "UPLOADER_SOCKET": str(service.socket)})

    long = "x" * 200_000
    service.file("orders.csv", f'name,email\ngood,g\na,{long},more\n"b\nc",d,more\n')
    service.ok("upload", "--wait", "orders.csv", code=3)
    assert run(take).returncode == 0
    bad = service.files / "bad.csv"
    bad.write_text(bad.read_text().replace(",more", ""))
    done = run(upload)
    assert done.returncode == 0, done
    rows = service.sql.run("SELECT name, email FROM uploader.file_data ORDER BY name")
    assert rows == [("a", long), ("b\nc", "d"), ("good", "g")]

    bad.write_text(bad.read_text().replace(",raw", ",rew"))
    (service.files / "corrected.csv").unlink()
    assert run(upload).returncode == 1
    assert (service.files / "corrected.csv").read_text() == "name,email\n"
    assert service.sql.value("SELECT count(*) FROM uploader.file_tracker") == 2
