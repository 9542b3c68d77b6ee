# SPDX-License-Identifier: PostgreSQL
"""uploadctl against a scripted supervisor: order, pages, silence, endings, hostile texts."""

import base64
import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import jsonschema
import pyte
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from scripted import Supervisor, environment, error, last, progress, upload  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("UPLOADER_BUILD", ROOT / "build/test"))
SCHEMA = json.loads((ROOT / "docs/uploadctl.schema.json").read_text())


@pytest.fixture
def supervisor(tmp_path_factory):
    """A maker of scripted supervisors on one socket."""
    folder = tmp_path_factory.mktemp("s")
    made = []

    def make(script, **options):
        made.append(Supervisor(folder / "s", script, **options))
        return made[-1]

    yield make
    for one in made:
        try:
            one.close()
        except OSError:
            pass


def start(one, *arguments, **options):
    more = options.pop("env", {})
    return subprocess.Popen([BUILD / "uploadctl", *map(str, arguments)], text=True,
                            stdin=subprocess.DEVNULL, env=environment(one.path, **more),
                            stdout=options.pop("stdout", subprocess.PIPE),
                            stderr=options.pop("stderr", subprocess.PIPE), **options)


def run(one, *arguments, code=0, **options):
    process = start(one, *arguments, **options)
    out, err = process.communicate(timeout=60)
    assert process.returncode == code, (out, err)
    return out, err


def objects(text):
    made = [json.loads(line) for line in text.splitlines()]
    for one in made[:5] + made[-5:]:  # validating takes its time
        jsonschema.validate(one, SCHEMA)
    return made


def always(answer):
    return lambda client, request: client.answer(request, answer)


# ---- what is said, and how it ends ----


ALREADY = {"code": "already_uploaded", "message": "m", "detail": None, "hint": None,
           "sqlstate": None}


@pytest.mark.parametrize("command, final, code, text", [
    ("upload --wait a.csv", {}, 0, "PROCESSED: 5,000,000 rows, no rejects\n"),
    ("upload --wait a.csv", {"rejects": 3}, 3,
     "PROCESSED: 5,000,000 rows, 3 rejects; see: uploadctl rejects a.csv\n"),
    ("wait a.csv", {"status": "KILLED", "rows": 3_201_000, "offset": 649}, 5,
     "KILLED: 3,201,000 rows kept (64 % of the file); go on with: uploadctl upload a.csv\n"),
    ("wait 7", {"status": "KILLED", "rows": 1, "size": None}, 5,
     "KILLED: 1 row kept; go on with: uploadctl upload "),
    ("kill a.csv", {"status": "KILLED", "rows": 0, "offset": 0}, 0,
     "KILLED: 0 rows kept (0 % of the file); go on with: uploadctl upload a.csv\n"),
    ("stop a.csv", {"status": "STOPPED"}, 0,
     "STOPPED: rolled back, 0 rows left; begin again with: uploadctl upload a.csv\n"),
    ("wait a.csv", {"status": "STOPPED"}, 5, "STOPPED: "),
    ("wait a.csv", {"status": "FAILED", "error": {**ALREADY, "code": "file_quote"}}, 1, "FAILED: "),
    ("upload --wait a.csv", {"status": "FAILED", "error": ALREADY}, 6, "FAILED: "),
    ("upload a.csv", {"status": "PROCESSING"}, 0, "PROCESSING: upload 1 is running"),
    ("stop --no-wait a.csv", {"status": "PROCESSING"}, 0, "PROCESSING: upload 1 will be"),
    ("status a.csv", {"status": "FAILED", "error": ALREADY}, 0, "upload         1\n"),
])
def test_results(supervisor, tmp_path, command, final, code, text):
    one = supervisor(always(last(upload(path=str(tmp_path / "a.csv"), **final))))
    out, _ = run(one, *command.split(), code=code, cwd=tmp_path)
    assert out.startswith(text), out
    assert command.startswith("status") or out.count("\n") == 1
    out, err = run(one, *command.split(), "--json", code=code, cwd=tmp_path)
    assert err == "" and objects(out)[0]["path"] == str(tmp_path / "a.csv")


def test_notes_are_told(supervisor):
    one = supervisor(always(last(upload(status="STOPPED"), "it is STOPPED already")))
    assert "; it is STOPPED already; begin" in run(one, "stop", "1")[0]


def test_names_are_quoted_for_the_shell(supervisor, tmp_path):
    path = f"{tmp_path}/it's a.csv"
    quoted = "'" + path.replace("'", "'\\''") + "'"
    one = supervisor(always(last(upload(path=path, status="KILLED",
                                        next=f"uploadctl upload {quoted}"))))
    out, _ = run(one, "kill", "it's a.csv", cwd=tmp_path)
    assert out.endswith("go on with: uploadctl upload 'it'\\''s a.csv'\n")
    out, _ = run(one, "kill", "1")
    assert out.endswith(f"go on with: uploadctl upload {quoted}\n")


@pytest.mark.parametrize("arguments, request_is", [
    (["upload", "x/../a.csv", "--profile", "p", "--restart", "--again", "--wait"],
     {"kind": "upload", "file": "a.csv", "profile": "p", "restart": True, "again": True,
      "wait": True}),
    (["upload", "./123"],
     {"kind": "upload", "file": "123", "restart": False, "wait": False}),
    (["stop", "12"], {"kind": "stop", "id": 12, "wait": True}),
    (["stop", "--no-wait", "12"], {"kind": "stop", "id": 12, "wait": False}),
    (["kill", "--", "-a.csv"], {"kind": "kill", "file": "-a.csv"}),
    (["wait", "a.csv"], {"kind": "wait", "file": "a.csv"}),
    (["status", "a.csv"], {"kind": "status", "file": "a.csv"}),
])
def test_requests(supervisor, tmp_path, arguments, request_is):
    one = supervisor(always(last(upload())))
    run(one, *arguments, cwd=tmp_path)
    request, = one.seen
    if "file" in request_is:
        request_is["file"] = str(tmp_path / request_is["file"])
    del request["ref"]
    assert request == request_is


def test_upload_by_id_asks_for_its_file_first(supervisor):
    one = supervisor(always(last(upload(12, status="KILLED", profile="shop"))))
    run(one, "upload", "12")
    assert [request["kind"] for request in one.seen] == ["status", "upload"]
    assert one.seen[1]["file"] == "/data/12.csv" and one.seen[1]["profile"] == "shop"


@pytest.mark.parametrize("name", ["a\nb.csv", b"\xff.csv", "/", ""])
def test_names_that_cannot_be_never_leave(supervisor, name):
    one = supervisor(always(last(upload())))
    process = subprocess.run([BUILD / "uploadctl", "--json", "upload", name], capture_output=True,
                             env=environment(one.path))
    assert process.returncode == 1 and one.seen == []
    refusal, = objects(process.stdout.decode())
    assert refusal["error"]["code"] == "file_name"


# ---- many ----


def test_many_files_are_answered_in_order(supervisor):
    held = []

    def backwards(client, request):
        held.append(request)
        if len(held) == 5:
            for one in reversed(held):
                number = int(one["file"].rsplit("/", 1)[1][1:])
                client.answer(one, error("not_found") if number == 2 else last(upload(number + 1)))

    one = supervisor(backwards)
    out, err = run(one, "kill", *[f"f{i}" for i in range(5)], "--json", code=4)
    made = objects(out)
    assert err == "" and made.pop(2)["error"]["code"] == "not_found"
    assert [one["id"] for one in made] == [1, 2, 4, 5]


@pytest.mark.parametrize("command, first", [("upload --wait", "upload"), ("stop", "stop")])
def test_with_very_many_files_all_are_begun_before_one_is_waited_for(supervisor, command, first):
    begun = set()

    def script(client, request):
        number = request["id"] if "id" in request else int(request["file"].rsplit("/f", 1)[1]) + 1
        if request["kind"] == first:
            assert request["wait"] is False
            begun.add(number)
            client.answer(request, last(upload(number, status="PROCESSING")))
        else:
            assert request["kind"] == "wait" and len(begun) == 1000
            client.answer(request, progress(upload(number, status="PROCESSING")))
            client.answer(request, last(upload(number, status="STOPPED")))

    one = supervisor(script)
    out, _ = run(one, *command.split(), *[f"f{i}" for i in range(1000)], "--json",
                 code=0 if first == "stop" else 5)
    assert [made["id"] for made in objects(out)] == list(range(1, 1001))


def test_pages(supervisor):
    """List goes by ID downwards, the others upwards; an event's ID is none of its fields."""
    def script(client, request):
        if request["kind"] == "list":
            start = request.get("before", 1201) - 1
            numbers = range(start, max(start - request["limit"], 0), -1)
            made = [{"upload": upload(number)} for number in numbers]
            more = numbers[-1] > 1
        else:
            start = request.get("after", 0) + 1
            numbers = range(start, min(start + request["limit"], 1201))
            event = {"at": "2025-01-31T16:05:09Z", "from": None, "to": "INITIALIZING",
                     "event": "upload", "reason": "r", "uid": 0, "host": "h"}
            reject = {"offset": 1, "length": 2, "reason": "r", "sqlstate": None,
                      "raw_base64": "YQ=="}
            made = [{"event": {"id": number, **event}} if request["kind"] == "history"
                    else {"reject": {"line": number, **reject}} for number in numbers]
            more = numbers[-1] < 1200
        for one in made:
            client.answer(request, {"kind": "object", **one})
        client.answer(request, {"kind": "done", "more": more})

    one = supervisor(script)
    made = objects(run(one, "list", "--json")[0])
    assert [one["id"] for one in made] == list(range(1200, 0, -1))
    assert len(objects(run(one, "list", "--limit", "700", "--json")[0])) == 700
    out, _ = run(one, "list", "--limit", "3", "--status", "processed")
    assert one.seen[-1]["status"] == "PROCESSED" and one.seen[-1]["limit"] == 3
    assert len(out.splitlines()) == 4 and out.splitlines()[0].split()[0] == "ID"
    assert len(run(one, "list")[0].splitlines()) == 1201
    made = objects(run(one, "history", "7", "--json")[0])
    assert len(made) == 1200 and sorted(made[0]) == sorted(
        ["at", "from", "to", "event", "reason", "uid", "host"])
    assert [one["line"] for one in objects(run(one, "rejects", "7", "--json")[0])] == list(
        range(1, 1201))


def test_history_on_a_narrow_terminal(supervisor):
    """Nothing of a reason is cut away."""
    reason = "the service was ended in the middle of the upload, and so was its worker"

    def script(client, request):
        client.answer(request, {"kind": "object", "event": {
            "id": 1, "at": "2025-01-31T16:05:09Z", "from": "PROCESSING", "to": "KILLED",
            "event": "interrupt", "reason": reason, "uid": 0, "host": "db-loader-1"}})
        client.answer(request, {"kind": "done", "more": False})

    one = supervisor(script)
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    process = start(one, "history", "7", stdout=slave,
                    env={"TERM": "xterm", "LC_ALL": "C.UTF-8", "NO_COLOR": "1"})
    assert process.wait(60) == 0
    lines = os.read(master, 65536).decode().replace("\r", "").splitlines()
    os.close(slave)
    os.close(master)
    heading = lines[0].index("REASON")
    assert len(lines) > 3 and " ".join(line[heading:].strip() for line in lines[1:]) == reason
    assert all(not line[:heading].strip() for line in lines[2:])


def test_head_is_enough(supervisor):
    def script(client, request):
        for number in range(request.get("before", 100_000) - 1, 0, -1)[:500]:
            client.answer(request, {"kind": "object", "upload": upload(number)})
        client.answer(request, {"kind": "done", "more": True})

    one = supervisor(script)
    process = start(one, "list", "--json")
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(30) == 1 and process.stderr.read() == ""
    process.stderr.close()


def test_hostile_texts_are_escaped(supervisor):
    raw = base64.b64encode(b"a\x1b[2Jb\x00c\xff\r\n").decode()
    path = "/data/\x1b]0;x\x07.csv"

    def script(client, request):
        if request["kind"] == "rejects":
            client.answer(request, {"kind": "object", "reject": {
                "line": 1, "offset": 0, "length": 5, "reason": "r\x1b[1m", "sqlstate": None,
                "raw_base64": raw}})
        elif request["kind"] == "list":
            client.answer(request, {"kind": "object", "upload": upload(path=path)})
        else:
            client.answer(request, last(upload(path=path, status="KILLED", error={
                **ALREADY, "message": "x\x1b[1m"}), "n\x1b"))
        if request["kind"] in ("list", "rejects"):
            client.answer(request, {"kind": "done", "more": False})

    one = supervisor(script)
    for command in ("rejects 1", "list", "status 1", "wait 1", "kill 1"):
        out, err = run(one, *command.split(), code=5 if command == "wait 1" else 0)
        assert "\x1b" not in out + err and "\x07" not in out + err, command
    out, _ = run(one, "rejects", "1")
    assert "a\\x1B[2Jb\\x00c\\xFF\\r\\n" in out


@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_names_in_any_locale(supervisor, locale):
    def script(client, request):
        client.answer(request, {"kind": "object", "upload": upload(path="/data/größe 数.csv")})
        client.answer(request, {"kind": "done", "more": False})

    one = supervisor(script)
    assert "/data/größe 数.csv" in run(one, "list", env={"LC_ALL": locale})[0]


# ---- silence and endings ----


def test_a_supervisor_that_says_nothing(supervisor):
    one = supervisor(always({}), hello=False)
    begun = time.monotonic()
    out, err = run(one, "ping", code=7)
    assert 9 < time.monotonic() - begun < 15 and "does not answer" in err and "hint: " in err


@pytest.mark.parametrize("answer", [b"nonsense\n", b'{"kind": "pong"}\n', b"[]\n"])
def test_a_supervisor_that_talks_nonsense(supervisor, answer):
    one = supervisor(lambda client, request: client.raw(answer))
    run(one, "status", "1", code=2)


@pytest.mark.parametrize("command", ["upload a.csv", "stop a.csv", "kill a.csv",
                                     "upload --restart --wait a.csv"])
def test_a_command_whose_answer_is_lost(supervisor, command):
    one = supervisor(lambda client, request: client.close())
    out, err = run(one, *command.split(), code=7)
    assert "is not known" in err and "uploadctl status a.csv" in err


@pytest.mark.parametrize("arguments", [["upload", "--wait", "a.csv"], ["stop", "a.csv"],
                                       ["wait", "9"]])
def test_waiting_over_a_restart(supervisor, arguments):
    def first(client, request):
        client.answer(request, progress(upload(9, status="PROCESSING", offset=100)))
        one.close()

    asked = []

    def second(client, request):
        asked.append(request)
        if len(asked) == 1:  # still ending, or not yet ready
            client.answer(request, error("shutting_down"))
        else:
            client.answer(request, last(upload(9, status="STOPPED")))

    one = supervisor(first)
    waiting = start(one, *arguments, "--json")
    time.sleep(1)
    supervisor(second)
    out, err = waiting.communicate(timeout=30)
    assert waiting.returncode == (0 if arguments[0] == "stop" else 5), (out, err)
    made, = objects(out)
    assert made["id"] == 9 and err == ""
    assert all(request["kind"] == "wait" and request["id"] == 9 for request in asked)


def test_an_upload_that_was_not_answered_is_asked_for_again(supervisor):
    one = supervisor(lambda client, request: one.close())
    waiting = start(one, "upload", "--wait", "a.csv")
    time.sleep(0.7)
    other = supervisor(always(last(upload())))
    out, err = waiting.communicate(timeout=30)
    assert waiting.returncode == 0 and out.startswith("PROCESSED"), (out, err)
    assert other.seen[0]["kind"] == "upload" and "went away" in err


@pytest.mark.parametrize("command, answered, text", [
    ("upload --wait a.csv", True, "the upload goes on"),
    ("upload --wait a.csv", False, "goes on, but is not acknowledged yet"),
    ("stop a.csv", True, "the rollback goes on"),
    ("wait 1", False, "the upload goes on"),
    ("wait 1 --timeout 10s", True, "the upload goes on"),
])
def test_ctrl_c(supervisor, command, answered, text):
    def script(client, request):
        if answered:
            client.answer(request, progress(upload(status="PROCESSING")))

    one = supervisor(script)
    for as_json in ([], ["--json"]):
        one.seen.clear()
        waiting = start(one, *command.split(), *as_json)
        while not one.seen:
            time.sleep(0.01)
        time.sleep(0.2)
        waiting.send_signal(signal.SIGINT)
        out, err = waiting.communicate(timeout=30)
        assert waiting.returncode == 130 and text in (out if as_json else err), (out, err)
        if as_json:
            assert err == "" and objects(out)[0]["error"]["code"] == "wait_ended"


def test_timeout(supervisor):
    one = supervisor(always(progress(upload(status="PROCESSING"))))
    begun = time.monotonic()
    out, err = run(one, "wait", "1", "2", "--timeout", "400ms", "--json", code=8)
    assert 0.3 < time.monotonic() - begun < 5
    assert [made["error"]["code"] for made in objects(out)] == ["timeout", "timeout"]


def test_a_refused_connection_is_told(supervisor):
    one = supervisor(always({}))
    one._serve = lambda client: client.raw(
        json.dumps(error("busy", "too many clients")).encode() + b"\n")
    out, err = run(one, "status", "1", code=6)
    assert err.startswith("uploadctl: too many clients\n")


# ---- how it is shown ----


def on_terminal(one, *arguments, columns, lines=24, seconds=None, stdout=None):
    """What is drawn on a terminal of this size, and the result."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    process = start(one, *arguments, stderr=slave, stdout=stdout or subprocess.PIPE,
                    env={"TERM": "xterm", "LC_ALL": "C.UTF-8"})
    if stdout is None:
        os.close(slave)
    drawn = b""
    end = time.monotonic() + (seconds or 60)
    while time.monotonic() < end:
        try:
            piece = os.read(master, 65536)
        except OSError:
            break
        drawn += piece
    return process, drawn.decode()


@pytest.mark.parametrize("columns", [10, 40, 132])
@pytest.mark.parametrize("files", [1, 3])
def test_progress_on_a_terminal(supervisor, columns, files):
    def script(client, request):
        for step in range(0, 31, 3 if files == 3 else 1):
            client.answer(request, progress(upload(
                status="PROCESSING", offset=step * 99_999_999, size=3_000_000_000, rate=123_456_789,
                rows=step * 12_345, path="/data/a rather long name of a file.csv")))
            time.sleep(0.1)
        client.answer(request, last(upload(offset=3_000_000_000, size=3_000_000_000)))

    one = supervisor(script)
    begun = time.monotonic()
    process, drawn = on_terminal(one, "upload", "--wait", *["a rather long name.csv"] * files,
                                 columns=columns)
    took = time.monotonic() - begun
    assert process.wait(30) == 0 and process.stdout.read().count("PROCESSED") == files
    process.stdout.close()
    frames = [frame for frame in re.split(r"\r|\x1b\[K", drawn) if frame.strip()]
    assert all(len(frame) < columns for frame in frames), frames
    assert 3 <= len(frames) <= 4 * took + 2
    assert "\n" not in drawn and drawn.endswith("\r\x1b[K")
    if columns >= 40:
        seen = [frame for frame in frames if re.search(
            r"\[#+-*\].* \d+(\.\d)? ?[MG]?B.* [\d,.]+[kM]? rows .*[\d.]+ ?MB/s .*\d ?s( left)?$", frame.rstrip())]
        assert seen, frames


def test_progress_elsewhere(supervisor):
    def script(client, request):
        for step in range(0, 100):
            client.answer(request, progress(upload(status="PROCESSING", offset=step * 10, rows=step)))
        client.answer(request, last(upload()))

    out, err = run(supervisor(script), "upload", "--wait", "a.csv")
    assert [line.split(" of ")[0] for line in err.splitlines()] == [
        f"a.csv: {percent} %" for percent in range(10, 101, 10)]
    assert out == "PROCESSED: 5,000,000 rows, no rejects\n"


def test_what_is_tried_again_is_said_once(supervisor):
    def script(client, request):
        for _ in range(3):
            client.answer(request, progress(upload(
                status="PROCESSING", phase="retrying", error={**ALREADY, "message": "gone"})))
        client.answer(request, last(upload()))

    out, err = run(supervisor(script), "upload", "--wait", "a.csv")
    assert err.splitlines() == ["a.csv: trying again: gone"]


def test_tables_fit_the_terminal(supervisor):
    def script(client, request):
        client.answer(request, {"kind": "object", "upload": upload(
            path="/data/" + "very/" * 30 + "far/down.csv")})
        client.answer(request, {"kind": "done", "more": False})

    one = supervisor(script)
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 90, 0, 0))
    process = start(one, "list", stdout=slave)
    os.close(slave)
    assert process.wait(30) == 0
    lines = os.read(master, 65536).decode().splitlines()
    shown = re.sub(r"\x1b\[\d+m", "", lines[1])
    assert len(lines) == 2 and len(shown) <= 90 and shown.endswith("far/down.csv")
    os.close(master)
    assert "/data/" + "very/" * 30 in run(one, "list")[0]


def watched():
    """Uploads that change with each round of questions."""
    rounds = [0]

    def script(client, request):
        if request.get("status") == "PROCESSING":
            rounds[0] += 1
            if rounds[0] < 3:
                client.answer(request, {"kind": "object", "upload": upload(
                    1, status="PROCESSING", rows=rounds[0])})
        if request["kind"] == "status":
            client.answer(request, last(upload(1, rows=77)))
            return
        if request.get("status") is None:
            client.answer(request, {"kind": "object", "upload": upload(1000)})
        client.answer(request, {"kind": "done", "more": False})

    return script


@pytest.mark.parametrize("as_json", [True, False])
def test_watch_prints_what_changes(supervisor, as_json):
    one = supervisor(watched())
    watching = start(one, "watch", *(["--json"] if as_json else []))
    time.sleep(4)
    watching.send_signal(signal.SIGINT)
    out, err = watching.communicate(timeout=30)
    assert watching.returncode == 130 and err == ""
    if as_json:
        made = [(made["id"], made["rows"]) for made in objects(out)]
        assert made == [(1, 1), (1000, 5_000_000), (1, 2), (1, 77)]
    else:
        assert len(out.splitlines()) == 4 and "77 rows" in out.splitlines()[-1]


class Terminal:
    """A terminal with watch on it, as an emulator of one shows it."""

    def __init__(self, one, columns, lines):
        self.master, slave = pty.openpty()
        self.screen = pyte.Screen(columns, lines)
        self.stream = pyte.Stream(self.screen)
        self.received = ""
        self.resize(columns, lines)
        self.process = start(one, "watch", stdout=slave, stderr=slave, env={"TERM": "xterm"})
        os.close(slave)

    def resize(self, columns, lines):
        self.screen.resize(lines, columns)
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def look(self, seconds):
        """What is on it after so long; a line each, without the blanks at its end."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if select.select([self.master], [], [], 0.1)[0]:
                try:
                    text = os.read(self.master, 65536).decode()
                except OSError:  # nobody has the other end any more
                    break
                self.received += text
                self.stream.feed(text)
        return [line.rstrip() for line in self.screen.display]

    def end(self, number):
        self.process.send_signal(number)
        assert self.process.wait(30) == 130
        self.look(0.3)
        os.close(self.master)
        assert self.received.endswith("\x1b[?25h\x1b[?1049l")


def busy_service(waiting=50):
    """One that runs, one that is tried again, two that failed, some that wait, some that are in."""
    uploads = [upload(900 - n, path=f"/data/in{n}.csv", rows=1_234_567) for n in range(40)]
    uploads += [upload(800 - n, path=f"/data/waits{n}.csv", status="INITIALIZING", phase="queued",
                       waits_for="a worker", in_front=n) for n in range(waiting)]
    uploads += [
        upload(12, path="/data/older.csv", status="FAILED", updated_at="2026-01-01T00:00:00Z",
               error=error("csv", "an older trouble")["error"]),
        upload(11, path="/data/newer.csv", status="FAILED", updated_at="2026-01-02T00:00:00Z",
               error=error("csv", "a newer \x1b[2J trouble")["error"]),
        upload(10, path="/data/runs.csv", status="PROCESSING", phase="running", rows=500_000,
               offset=5_000_000, size=10_000_000, rate=1_000_000.0),
    ]

    def script(client, request):
        for one in uploads:
            if request.get("status") in (None, one["status"]):
                client.answer(request, {"kind": "object", "upload": one})
        client.answer(request, {"kind": "done", "more": False})

    return script


def test_watch_is_a_screen(supervisor):
    terminal = Terminal(supervisor(busy_service()), 80, 24)
    lines = terminal.look(2.5)
    assert "1 running, 1.0 MB/s   50 waiting   2 with a problem" in lines[0]
    assert lines[1] == "PROBLEMS"
    assert lines[2].split() == ["11", "FAILED", "/data/newer.csv"]  # the newest trouble first
    assert lines[3].strip() == "a newer \\x1B[2J trouble"
    assert lines[4].split() == ["12", "FAILED", "/data/older.csv"]
    assert lines[6] == "RUNNING"
    assert re.fullmatch(r" +10 \[#+-+\]  50% 500k rows 1.0M B/s .* /data/runs.csv", lines[7])
    assert lines[8].startswith("WAITING, ") and lines[8].endswith(" of 50")
    assert lines[9].split() == ["800", "#1", "a", "worker", "/data/waits0.csv"]
    assert "ENDED, 3 of 40" in lines
    assert lines[-1] == "Ctrl-C ends this; uploads go on."
    assert terminal.received.count("\x1b[J") == 1
    before = len(terminal.received)
    terminal.look(2.2)
    assert len(terminal.received) - before < 3 * 130  # of what stays as it is, only the clock is drawn

    terminal.resize(60, 10)
    terminal.process.send_signal(signal.SIGWINCH)  # no controlling terminal does
    lines = terminal.look(1)
    assert len(lines) == 10 and lines[1] == "PROBLEMS, 1 of 2" and lines[-1].startswith("Ctrl-C")
    assert any(line.endswith("runs.csv") for line in lines)
    terminal.end(signal.SIGINT)


def test_watch_gives_the_terminal_back(supervisor):
    one = supervisor(busy_service(waiting=0))
    terminal = Terminal(one, 80, 24)
    assert terminal.look(0.7)[1] == "PROBLEMS"
    one.close()
    lines = terminal.look(1.5)
    assert lines[-1].startswith("this goes on when it is over: ")  # why it may be old
    supervisor(busy_service(waiting=0))
    assert terminal.look(2)[-1].startswith("Ctrl-C")
    terminal.end(signal.SIGTERM)


def test_watch_without_uploads(supervisor):
    terminal = Terminal(supervisor(always({"kind": "done", "more": False})), 80, 24)
    assert terminal.look(0.7)[1] == "no uploads yet"
    terminal.end(signal.SIGINT)


@pytest.mark.parametrize("as_json", [False, True])
def test_watch_over_a_restart(supervisor, as_json):
    one = supervisor(watched())
    watching = start(one, "watch", *(["--json"] if as_json else []))
    time.sleep(0.5)
    one.close()
    time.sleep(1)
    supervisor(always({"kind": "done", "more": False}))
    time.sleep(1)
    watching.send_signal(signal.SIGINT)
    out, err = watching.communicate(timeout=30)
    assert watching.returncode == 130
    if as_json:
        assert err == "" and all("id" in made for made in objects(out))
    else:
        assert "watching goes on when that is over" in err and "it is over" in err


# ---- colors ----


def colored(text):
    """What is in a color."""
    return re.findall(r"\x1b\[3\dm(\w+)\x1b\[0m", text)


@pytest.mark.parametrize("command", ["list", "status 1", "wait 1"])
def test_a_status_has_its_color(supervisor, command):
    def answer(client, request):
        if request["kind"] == "list":
            client.answer(request, {"kind": "object", "upload": upload(status="FAILED")})
            client.answer(request, {"kind": "done", "more": False})
        else:
            client.answer(request, last(upload(status="FAILED")))

    one = supervisor(answer)

    def print_of(*options, **env):
        return run(one, *command.split(), *options, code=int(command == "wait 1"), env=env)[0]

    plain = print_of()
    assert "FAILED" in plain and "\x1b" not in plain
    assert print_of("--color=auto") == print_of("--color=never") == plain
    for env in ({}, {"NO_COLOR": "1"}):  # what is asked for goes before
        text = print_of("--color=always", **env)
        assert colored(text) == ["FAILED"] and re.sub(r"\x1b\[\d+m", "", text) == plain
    assert "\x1b" not in print_of("--color=always", "--json")


@pytest.mark.parametrize("env, has", [
    ({"TERM": "xterm"}, True), ({"TERM": "xterm", "NO_COLOR": ""}, True),
    ({"TERM": "xterm", "NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)])
def test_colors_of_a_terminal(supervisor, env, has):
    master, slave = pty.openpty()
    one = supervisor(always(last(upload(status="FAILED"))))
    process = start(one, "status", "1", stdout=slave, env=env)
    process.communicate(timeout=60)
    os.close(slave)
    text = os.read(master, 65536).decode()
    os.close(master)
    assert "FAILED" in text and bool(colored(text)) == has
