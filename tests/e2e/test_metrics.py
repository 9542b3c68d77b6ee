# SPDX-License-Identifier: PostgreSQL
"""uploadctl metrics, read as Prometheus' own client reads it, and looked at by promtool."""

import os
import subprocess

from harness import ROOT, wait_until
from prometheus_client.parser import text_string_to_metric_families


def metrics_of(service):
    """{(name, labels): value}, and the families."""
    families = list(text_string_to_metric_families(service.ok("metrics").out))
    assert all(family.documentation and family.type in ("gauge", "counter") for family in families)
    return {(sample.name, tuple(sample.labels.values())): sample.value
            for family in families for sample in family.samples}


def test_what_is_counted(new_service):
    service = new_service(upload={"chunk_bytes": "4K"}, supervisor={"max_workers": 3}).start()
    before = metrics_of(service)
    assert before["uploader_database_up", ()] == 1 and before["uploader_workers_max", ()] == 3
    path = service.people(count=1000, bad={7, 9})
    service.ok("upload", "--wait", path, code=3)
    killed, _ = service.in_the_middle("killed.csv")
    service.ok("kill", killed)
    service.ok("pause")
    service.ok("upload", killed)
    after = metrics_of(service)
    assert after["uploader_rows_total", ()] >= 998 + service.status(killed)["rows"] - 200
    assert after["uploader_rejects_total", ()] == 2
    assert after["uploader_bytes_total", ()] > path.stat().st_size - 100
    for event, times in {"finish": 1, "kill": 1, "start": 2, "queue": 3, "fail": 0}.items():
        assert after["uploader_transitions_total", (event,)] == times, (event, after)
    assert after["uploader_paused", ()] == 1 and after["uploader_queue_length", ()] == 1
    assert after["uploader_clients", ()] == 1  # who asks
    assert "people" not in service.ok("metrics").out


def test_promtool_has_nothing_to_say(service):
    service.ok("upload", "--wait", service.people(count=10))
    done = subprocess.run([ROOT / "build/promtool", "check", "metrics"], text=True, capture_output=True,
                          input=service.ok("metrics").out)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_what_goes_wrong_is_counted(new_service):
    """A worker that dies, by nobody's command, and a server that goes away."""
    service = new_service(upload={"chunk_bytes": "4K"}).start()
    path, _ = service.in_the_middle()
    service.ok("kill", path)
    service.ok("upload", path)
    service.wait_status(path, "PROCESSING")
    wait_until(service.workers, "the worker")
    for pid in service.workers():
        os.kill(pid, 9)
    service.ok("wait", path)
    assert metrics_of(service)["uploader_worker_crashes_total", ()] == 1
    service.sql.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name"
                    " LIKE 'uploader/%%/0/%%' AND datname = current_database()")
    wait_until(lambda: metrics_of(service)["uploader_database_losses_total", ()] == 1, "the loss")
    wait_until(lambda: metrics_of(service)["uploader_database_up", ()] == 1, "the database")
