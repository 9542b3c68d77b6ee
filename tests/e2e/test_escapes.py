# SPDX-License-Identifier: PostgreSQL
"""Ways out of the allowed folder: of each kind and to each target, none is read. Asked for as files and
as spooled ones, by the file's folder and by one that begins with the same name."""

import itertools
import os
import shutil
import threading

import pytest
from harness import wait_until

SECRET = "name,email\nsecret,secret@example.org\n"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A tree beside the allowed folder: what stands in it must never be read."""
    outside = tmp_path_factory.mktemp("outside")
    outside.chmod(0o755)
    (outside / "deep/er").mkdir(parents=True)
    targets = [outside / "plain.csv", outside / "deep/one.csv", outside / "deep/er/two.csv",
               outside / "with blank.csv", outside / ".hidden.csv", outside / "ünï.csv"]
    for target in targets:
        target.write_text(SECRET)
    return outside, targets


def dots(allowed, target, number):
    relative = os.path.relpath(target, allowed)
    up = allowed.name
    yield from (f"{allowed}/{relative}", f"{allowed}/./{relative}", f"{allowed}//{relative}",
                f"{allowed}/../{up}/{relative}", f"{allowed}/inside/../{relative}",
                f"{allowed}/inside/./..//{relative}", f"{allowed}/none/../{relative}",
                f"{allowed}/inside/../inside/../{relative}", f"//{str(allowed)[1:]}/{relative}",
                f"/../..{allowed}/{relative}", f"{allowed}/..{target}",
                f"{allowed}/{'../' * 40}{str(target)[1:]}")


def spellings(allowed, target, number):
    """What some programs would take for another path; to the kernel all of it is a name."""
    relative = os.path.relpath(target, allowed)
    yield from (f"file://{target}", f"{allowed}/{relative.replace('..', '%2e%2e')}",
                f"{allowed}/{relative.replace('/', '%2f')}", f"{allowed}/{relative.replace('/', chr(92))}",
                f"{allowed}/{relative.replace('..', '..;')}", f"{allowed}/{relative.replace('..', '．．')}",
                f"{allowed}/{relative.replace('/', '∕')}", f"{allowed}/~/{target.name}",
                f"{allowed}/$HOME/{target.name}", f"{allowed}/{relative} ", f" {target}",
                f"{allowed}\n{target}", f"{target}\n", f"{target}/.", f"{target}/")


def same_beginning(allowed, target, number):
    for name in (f"{allowed}x", f"{allowed}.d", f"{allowed} ", f"{allowed}-old"):
        os.makedirs(name, exist_ok=True)
        shutil.copy(target, f"{name}/{number}.csv")
        yield f"{name}/{number}.csv"
    yield str(target)


def links(allowed, target, number):
    """Symbolic links, in every place of the path, and those that only /proc has."""
    folder = allowed / f"l{number}"
    folder.mkdir(exist_ok=True)
    made = {"absolute": target, "relative": os.path.relpath(target, folder), "twice": folder / "absolute",
            "folder": target.parent, "root": "/", "up": "..", "proc": "/proc/self/root",
            "dev": "/dev/fd", "cwd": "/proc/self/cwd", "loop": "loop"}
    for name, to in made.items():
        if not os.path.lexists(folder / name):
            (folder / name).symlink_to(to)
    yield from (f"{folder}/absolute", f"{folder}/relative", f"{folder}/twice",
                f"{folder}/folder/{target.name}", f"{folder}/root{target}",
                f"{folder}/up/../{os.path.relpath(target, allowed)}", f"{folder}/proc{target}",
                f"{folder}/dev/0", f"{folder}/cwd/{target.name}", f"{folder}/loop",
                f"{folder}/loop/{target.name}", f"/proc/self/root{target}", f"/proc/self/cwd{target}",
                f"/proc/1/root{target}", "/proc/self/fd/3", "/dev/stdin", "/dev/fd/3")


KINDS = (dots, spellings, same_beginning, links)


def ways(allowed, targets):
    for kind, (number, target) in itertools.product(KINDS, enumerate(targets)):
        yield from kind(allowed, target, number)


def test_no_way_leads_out(new_service, world):
    _, targets = world
    service = new_service().start()
    (service.files / "inside").mkdir()
    tried = list(dict.fromkeys(ways(service.files, targets)))
    assert len(tried) >= 200
    for path in tried:
        answer = service.ctl("upload", "--wait", "--json", "--", path)
        assert answer.code != 0, path
        assert "secret@" not in answer.out + answer.err, path
    assert service.count() == 0
    assert service.sql.value("SELECT count(*) FROM uploader.file_reject") == 0
    service.ok("upload", "--wait", service.people(count=3))  # what is allowed still is


def test_a_folder_that_changes_places(new_service, world):
    """While it is asked for, a folder of the path is now itself, now a link to another."""
    outside, _ = world
    service = new_service().start()
    inner, other, link = (service.files / name for name in ("inner", "other", "link"))
    inner.mkdir()
    for name in range(40):
        (inner / f"{name}.csv").write_text("name,email\ninside,inside@example.org\n")
        shutil.copy(outside / "plain.csv", outside / f"{name}.csv")
    link.symlink_to(outside)
    over = threading.Event()

    def swap():
        while not over.is_set():
            inner.rename(other)
            link.rename(inner)
            inner.rename(link)
            other.rename(inner)

    swapping = threading.Thread(target=swap)
    swapping.start()
    try:
        codes = [service.ctl("upload", "--wait", inner / f"{name}.csv").code for name in range(40)]
    finally:
        over.set()
        swapping.join()
    assert service.sql.value("SELECT count(*) FROM uploader.file_data WHERE name = 'secret'") == 0
    assert service.count() == codes.count(0)


def test_a_spool_takes_no_link(new_service, world):
    """Who can put something into a spool cannot make the service read what he himself may not."""
    _, targets = world
    service = new_service()
    spool = service.folder / "spool"
    spool.mkdir()
    service.set(spool__in={"path": spool, "settle": "100ms"})
    service.start()
    for number, target in enumerate(targets):
        (spool / f"link{number}.csv").symlink_to(target)
    (spool / "folder.csv").symlink_to(targets[0].parent)
    (spool / "true.csv").write_text("name,email\ninside,inside@example.org\n")
    wait_until(lambda: service.count() == 1, "the file that is one")
    assert service.sql.value("SELECT count(*) FROM uploader.file_data WHERE name = 'secret'") == 0
    assert {path.name for path in spool.glob("*.csv")} >= {"link0.csv", "folder.csv"}  # left as they are
