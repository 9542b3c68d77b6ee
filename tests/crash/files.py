#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""The file is appended to, truncated, replaced, rewritten in place, removed, closed to readers, or
gets a byte that cannot be read, at a random instant while it is read, or between a kill and its resume.

What is in is always a part of the file that was there before, and is never mixed with another: a
change is refused with its reason. Then the file comes back, or a new one takes its place, and the
upload goes on to its end."""

import os
import re
import time
from pathlib import Path

import campaign
from campaign import main
from harness import BUILD, check_exact, sanitizer, wait_until

# what the upload may end with after such a change; PROCESSED: it came after all was read
ERRORS = {"file_unstable", "file_changed", "file_missing", "file_access", "file_empty", "file_read",
          "file_quote", "file_header", "file_kind"}


class World(campaign.World):
    def renew(self, dice):
        if self.next_round():
            # badsector.so opens a file at each read
            service = self.begin(upload={"chunk_bytes": "4K", "lanes": dice.randint(1, 3)},
                                 supervisor={"confine": "no"})
            # a sanitizer wants to be the first library
            service.start(environment={"LD_PRELOAD": str(BUILD / "tests/badsector.so"),
                                       "BADSECTOR": str(service.folder / "badsector"),
                                       **sanitizer("verify_asan_link_order=0")})
        return self.service


# ---- changes: each takes the path, the bytes that are there, and dice ----


def append(path, _, dice):
    with open(path, "ab") as file:
        file.write(b"more,more\n" * dice.randint(1, 500))


def truncate(path, data, dice):
    os.truncate(path, dice.randint(0, len(data) - 1))


def rewrite(path, data, dice):
    """Some bytes in place, the size as it was."""
    at = dice.randint(0, len(data) - 20)
    with open(path, "r+b") as file:
        file.seek(at)
        file.write(b"x" * 10)


def replace(path, data, dice):
    """Another file takes its place in one step, as a careful writer does it."""
    other = path.with_suffix(".new")
    other.write_bytes(data.replace(b"Person", dice.choice([b"PERSON", b"P"])))
    other.chmod(0o644)
    other.rename(path)


def remove(path, *_):
    path.unlink()


def close(path, *_):
    path.chmod(0)


def fail(path, data, dice):
    """A byte cannot be read any more; an I/O error (badsector.c)."""
    bad_sector(path).write_text(f"{dice.randrange(len(data))} {path}")


def bad_sector(path: Path):
    return path.parents[1] / "badsector"


CHANGES = [append, truncate, rewrite, replace, remove, close, fail]


def look(service, tracker, before, after):
    """Whatever is in is of the file that was there before; or all of it is of the other one, which
    was there when the worker came. Answers that file's bytes."""
    error = service.status(tracker)["error"]
    assert error is None or error["code"] in ERRORS, error
    try:
        check_exact(service, tracker, True, data=before)
        return before
    except AssertionError:
        assert after is not None
        check_exact(service, tracker, True, data=after)
        return after


def unreadable(error):
    """The byte of which it says that it cannot be read."""
    assert error["code"] == "file_read" and error["hint"], error
    return int(re.search(r"at byte (\d+): ", error["message"])[1])


def look_at_failure(service, path, tracker, row):
    """It says which byte it is, and does so again as long as that is so; the first to meet it may have
    been a lane that was behind that byte already, where nothing can be read either. It has left a KILLED
    upload as it was, when already the first look at the file came upon it."""
    byte = int(bad_sector(path).read_text().split()[0])
    answer = service.ctl("upload", "--wait", path, "--json")
    assert answer.code == 1, answer
    assert byte == unreadable(answer.json["error"])
    if row["status"] == "FAILED":
        assert byte <= unreadable(row["error"])
    check_exact(service, tracker, True)


def one_round(world, dice, tally):
    service = world.renew(dice)
    path = service.people(f"f{dice.number}.csv", dice.randint(4000, 16000), bad={7, 900})
    data = path.read_bytes()
    between = dice.random() < 0.4
    change = dice.choice(CHANGES)
    tracker = service.ok("upload", path, "--json").json["id"]
    if between:  # with something in, which the resume has to compare
        wait_until(lambda: service.status(tracker)["rows"] > 0, "the first rows")
    time.sleep(dice.random() ** 2 * 0.1)
    if between:
        between = service.ctl("kill", path).code == 0
    hit = service.status(tracker)["status"] in ("PROCESSING", "KILLED")
    change(path, data, dice)
    after = path.read_bytes() if change not in (remove, close) else None
    if between:
        service.ctl("upload", path)
    row = wait_until(lambda: ended(service, tracker), "the upload to end")
    if change is fail:
        hit = row["status"] != "PROCESSED"
    tally.note(f"{change.__name__}{' between' if between else ''}", hit)
    data = look(service, tracker, data, after)
    if change is fail and hit:
        look_at_failure(service, path, tracker, row)
    finish(service, path, tracker, data, row)


def ended(service, tracker):
    row = service.status(tracker)
    return row if row["status"] in ("PROCESSED", "FAILED", "KILLED") and row["phase"] in (
        "ended", "killed", "failed", "processed", "interrupted") else None


def finish(service, path, tracker, data, row):
    """The file comes back as it was, and the upload goes on from where it is; or it was in."""
    if bad_sector(path).exists():
        bad_sector(path).unlink()
    else:
        path.unlink(missing_ok=True)
        path.write_bytes(data)
        path.chmod(0o644)
    if row["status"] != "PROCESSED":
        answer = service.ctl("upload", "--wait", path, "--json")
        assert answer.code in (0, 3), answer
    assert check_exact(service, tracker, True) == "PROCESSED"


if __name__ == "__main__":
    raise SystemExit(main("files", __doc__, World, one_round, 1200))
