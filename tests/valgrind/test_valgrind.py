# SPDX-License-Identifier: PostgreSQL
"""A supervisor's life and its workers' under valgrind's memcheck: an upload with rejects, compared
with its file and forgotten; one that is stopped; one that is killed and resumed; the end. Not a byte
is lost, and none read or freed that should not be."""

import re
from pathlib import Path

import pytest
from harness import SANITIZED, check_exact

pytestmark = pytest.mark.skipif(SANITIZED, reason="excludes a sanitizer")

LOST = "definite,indirect,possible"
MEMCHECK = ["valgrind", "--trace-children=yes", "--child-silent-after-fork=no",
            "--leak-check=full", f"--show-leak-kinds={LOST}", f"--errors-for-leak-kinds={LOST}",
            "--error-exitcode=99"]
ERROR = re.compile("Invalid|uninitialised|Mismatched|overlap|points to|ly lost in loss record")


@pytest.fixture
def valgrind(new_service):
    """A service of which every process runs under valgrind; their reports are read at its end."""
    service = new_service(upload={"chunk_bytes": "4K", "lanes": 2},
                          supervisor={"confine": "no"})  # valgrind makes memory executable
    service.program = [*MEMCHECK, f"--log-file={service.folder}/memcheck.%p", *service.program]
    service.start()
    yield service
    ended = 0
    reports = list(Path(service.folder).glob("memcheck.*"))
    for report in reports:
        text = report.read_text()
        assert not ERROR.search(text), text
        ended += "ERROR SUMMARY: 0 errors" in text  # else it was killed
    assert len(reports) >= 6 and ended >= 5, reports  # the supervisor, and five workers


def test_memcheck(valgrind):
    service = valgrind
    service.sql.run("ALTER TABLE uploader.file_data ADD CHECK (name <> 'Person 100')")
    path = service.people(count=500, bad={7})
    tracker = service.ok("upload", "--wait", path, "--json", code=3).json["id"]
    assert check_exact(service, tracker, True, refused={100}) == "PROCESSED"
    service.ok("verify", path)
    service.ok("forget", "--rows", path)

    path, tracker = service.in_the_middle("stopped.csv", 3000)
    service.ok("stop", path)
    assert check_exact(service, tracker) == "STOPPED"

    path, tracker = service.in_the_middle("killed.csv", 3000)
    service.ok("kill", path)
    assert check_exact(service, tracker, True, refused={100}) == "KILLED"
    service.ok("upload", "--wait", path, code=3)
    assert check_exact(service, tracker, True, refused={100}) == "PROCESSED"

    assert service.stop() == 0
