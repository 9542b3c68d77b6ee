# SPDX-License-Identifier: PostgreSQL
"""What make install leaves works, and what make uninstall takes away is all of it."""

import os
import re
import subprocess

import pytest
from harness import BUILD, ROOT, records_of


def make(target, root, **variables):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    subprocess.run(
        ["make", "-s", "-C", ROOT, target, f"BUILD={BUILD.relative_to(ROOT)}", f"DESTDIR={root}",
         *(f"{name}={value}" for name, value in variables.items())],
        check=True, env=environment, timeout=300)


def files(root):
    return {str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir()}


@pytest.fixture
def root(tmp_path):
    make("install", tmp_path, prefix="/usr")
    return tmp_path


def test_installed_programs_work(new_service, root):
    """Elsewhere than they were built for: the supervisor finds its worker from its own place."""
    service = new_service()
    service.program = [root / "usr/sbin/uploaderd"]
    service.start_paused("worker.connected")
    path = service.people(count=1000)
    service.ok("upload", path)
    worker = service.paused()
    assert os.path.samefile(f"/proc/{worker}/exe", root / "usr/libexec/uploader/uploader-worker")
    service.go_on()
    waiting = subprocess.run([root / "usr/bin/uploadctl", "--socket", service.socket, "wait", path],
                             timeout=60)
    assert waiting.returncode == 0 and service.rows() == records_of(path)


def test_sample_configuration_is_the_default(root):
    config = root / "etc/uploader/uploader.conf"
    checked = subprocess.run([root / "usr/sbin/uploaderd", "--check", "--config", config],
                             capture_output=True, text=True)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "ok\n", "")


def test_rights(root):
    for path in root.rglob("*"):
        program = path.parent.name in ("bin", "sbin") or path.name == "uploader-worker"
        if path.is_file():
            assert path.stat().st_mode & 0o7777 == (0o755 if program else 0o644), path


def test_links_of_documents_lead_on(root):
    pages = list((root / "usr/share/doc/uploader").rglob("*.md"))
    assert len(pages) > 8
    for page in pages:
        for link in re.findall(r"\]\(([^)#:]+)[^)]*\)", page.read_text()):
            assert (page.parent / link).exists(), (page, link)


def test_units_name_the_places(tmp_path):
    make("install", tmp_path, prefix="/opt/it", sysconfdir="/opt/etc")
    for unit in (tmp_path / "opt/it/lib/systemd/system").glob("*.service"):
        commands = re.findall(r"^Exec\w+=(.*)$", unit.read_text(), re.M)
        commands.remove("kill -HUP $MAINPID") if unit.name == "uploader.service" else None
        assert commands
        for command in commands:
            assert re.match(r"/opt/it/sbin/uploaderd --config /opt/etc/uploader/[\w%]+\.conf", command)


def test_uninstall_leaves_the_configuration(root):
    config = root / "etc/uploader/uploader.conf"
    config.write_text("[upload]\nlanes = 3\n")
    make("install", root, prefix="/usr")  # an upgrade
    assert config.read_text() == "[upload]\nlanes = 3\n"
    (root / "usr/bin/somebody-else").touch()
    make("uninstall", root, prefix="/usr")
    assert files(root) == {"etc/uploader/uploader.conf", "usr/bin/somebody-else"}
