#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""Every pause point of worker and supervisor (base/pause.h), and at each: the paused process is
killed, its supervisor is killed, and a stop, a kill and a second upload arrive.

A round is one point and one act; all pairs are the whole campaign. At the end the musts hold, what
was acknowledged is so, and the upload goes on to its end."""

import json
import re
import signal
import time

from campaign import World, main
from harness import ROOT, alive, check_exact, send_signal, wait_until

COUNT = 2500
BAD = {5, 600, 2499}
CHECK = "ALTER TABLE uploader.file_data ADD CHECK (email !~ '700@')"

# What brings a process to a point, where an upload alone does not.
MOVES = {"queue": "resume", "start": "upload", "fence": "trouble", "finish": "upload",
         "stop": "stop", "empty": "stop", "restart": "restart", "restarted": "restart",
         "kill": "kill", "interrupt": "crash", "fail": "failure", "return": "change"}
SCENARIO = {"supervisor.moved/queue": "upload",  # a tracker that is made is queued, too
            "worker.compared": "resume", "worker.told_rollback": "stop",
            "rollback.before_step": "stop", "rollback.rows_out": "stop", "rollback.after_step": "stop",
            "supervisor.recovered": "life", "supervisor.before_recovery": "life"}
ACTS = ["paused", "supervisor", "stop", "kill", "upload"]
# what an answer of such a command may say of the upload's status; None: it was refused
SAID = {"stop": {"STOPPED", None}, "kill": {"KILLED", "FAILED", None},
        "upload": {"INITIALIZING", "PROCESSING", "PROCESSED", "FAILED", None}}


def points_of_source():
    """Every PAUSE there is in the C sources; those of moves once a move."""
    found = set()
    for path in ROOT.glob("*/*.c"):
        for kind, name in re.findall(r'\b(PAUSE|PAUSE_OF)\("([a-z_.]+)"', path.read_text()):
            found |= {f"{name}/{move}" for move in MOVES} if kind == "PAUSE_OF" else {name}
    return sorted(name for name in found if not name.startswith("spool."))  # spool.py, test_spool


def scenario_of(point):
    return SCENARIO.get(point) or MOVES.get(point.partition("/")[2]) or "upload"


POINTS = points_of_source()
PAIRS = [(point, act) for point in POINTS for act in ACTS]
STRIDE = 7  # a part of the rounds is spread over all of them


# ---- scenarios: each leads to the point, and leaves a client that is answered one day ----


class Nobody:
    """Where there is none."""

    def communicate(self, timeout):
        pass


def upload(service, path):
    return service.ctl_start("upload", path)


def in_the_middle(service, path):
    service.ok("upload", path)
    wait_until(lambda: service.status(path)["rows"] > 0, "the first rows")


def stop(service, path):
    in_the_middle(service, path)
    return service.ctl_start("stop", path)


def kill(service, path):
    in_the_middle(service, path)
    return service.ctl_start("kill", path)


def resume(service, path):
    in_the_middle(service, path)
    service.ok("kill", path)
    return service.ctl_start("upload", path)


def restart(service, path):
    in_the_middle(service, path)
    return service.ctl_start("upload", "--restart", path)


def crash(service, path):
    in_the_middle(service, path)
    for pid in service.workers():
        send_signal(pid, signal.SIGKILL)
    return Nobody()


def trouble(service, path):
    """The server is away when the worker's loss of it is to be recorded."""
    in_the_middle(service, path)
    service.sql.close()
    service.cluster.crash()
    time.sleep(0.3)
    service.cluster.start()
    return Nobody()


def failure(service, path):
    with open(path, "a") as file:
        file.write('"open\n')
    return service.ctl_start("upload", path)


def change(service, path):
    in_the_middle(service, path)
    service.ok("kill", path)
    data = path.read_bytes()
    path.write_bytes(data.replace(b"Person 1,", b"Person I,"))
    return service.ctl_start("upload", path)


def life(service, path):
    in_the_middle(service, path)
    service.kill()
    service.start(wait=False)
    return Nobody()


# ---- acts ----


def supervisor_dies(service):
    """However many lives it takes: the one that follows may be the one that stops at the point."""
    if service.process.poll() is None:
        service.process.kill()
        service.process.wait()
    service.start()


def act_on(service, act, path, stopped):
    if act == "paused" and stopped != service.process.pid:
        send_signal(stopped, signal.SIGKILL)
    elif act in ("paused", "supervisor"):
        supervisor_dies(service)
        wait_until(lambda: not alive(stopped), "the worker to die with its supervisor")
    else:
        client = service.ctl_start(act, path, "--json")
        time.sleep(0.03)
        send_signal(stopped, signal.SIGCONT)
        out, err = client.communicate(timeout=60)
        assert client.returncode in (0, 1, 4, 6, 7), (client.returncode, out, err)
        said = json.loads(out)["status"] if client.returncode == 0 else None
        assert said in SAID[act], (said, out)
        return said
    return None


def to_the_end(service, path, scenario, refused):
    """What stands in the way of the end is known for each scenario."""
    words = ["--restart"] if scenario == "change" else []
    if scenario == "failure":
        path.write_bytes(path.read_bytes()[:-len('"open\n')])
    for _ in range(10):
        answer = service.upload_after_a_stop(path, *words)
        if answer.code in (3, 6):
            break
        words = ["--restart"] if "error" in answer.json and answer.json["error"] else words
    tracker = service.status(path)["id"]
    assert check_exact(service, tracker, True, refused) == "PROCESSED", answer
    assert service.count("file_reject", tracker) == len(BAD) + len(refused)


def is_over(service, scenario):
    """By the database: the supervisor may be what has paused. A worker may have loaded all before it
    is told to roll back: then another does."""
    ends = ("PROCESSED", "STOPPED") if scenario == "stop" else ("PROCESSED",)
    return service.sql.value("SELECT status FROM uploader.file_tracker") in ends


def lead_to(service, scenario, path):
    """What the scenario leaves to be waited for, once a process has paused; None: the upload was
    quicker, and the scenario came too late for it."""
    try:
        waiting = globals()[scenario](service, path)
    except AssertionError:
        if is_over(service, scenario):
            return None
        raise
    wait_until(lambda: service.pause_file.exists() or is_over(service, scenario), "a pause, or the end")
    if not service.pause_file.exists():
        time.sleep(1)  # a point may lie behind that
    return waiting if service.pause_file.exists() else None


def start(service, point, scenario):
    if scenario == "life":  # the next one is to stop
        service.start()
        service.environment.update(service.pause_environment(point))
    else:
        service.start_paused(point)
    service.sql.run(CHECK)


def attempt(world, dice, point, act, count):
    """False: it came too late."""
    scenario = scenario_of(point)
    refused = {i for i in range(1, count + 1) if str(i).endswith("700")}
    service = world.begin(upload={"chunk_bytes": "4K", "lanes": dice.randint(1, 3)},
                          supervisor={"stop_timeout": "5s"})
    start(service, point, scenario)
    path = service.people(count=count, bad=BAD)
    waiting = lead_to(service, scenario, path)
    if waiting is None:
        return False
    stopped = service.paused()
    said = act_on(service, act, path, stopped)
    send_signal(stopped, signal.SIGCONT)
    waiting.communicate(timeout=60)
    status = service.ctl("status", path, "--json")
    if status.code == 0:
        tracker = status.json["id"]
        check_exact(service, tracker, scenario not in ("change", "failure"), refused)
        statuses = [event["to"] for event in service.ok("history", tracker, "--json").objects]
        assert said is None or said in statuses, (said, statuses)
    to_the_end(service, path, scenario, refused)
    return True


def one_round(world, dice, tally):
    """Each round is another pair, until all were there; then they come again, with other dice."""
    point, act = PAIRS[(dice.number - 1) * STRIDE % len(PAIRS)]
    try:
        for count in (COUNT, 4 * COUNT, 16 * COUNT):
            if tally.note(f"{act} at {point.partition('/')[0]}",
                          attempt(world, dice, point, act, count)):
                return
    except Exception as error:
        raise AssertionError(f"{point}, {act}: {error}") from error
    raise AssertionError(f"{point}, {act}: however long the file, it came too late")


if __name__ == "__main__":
    raise SystemExit(main("points", __doc__, World, one_round, len(PAIRS)))
