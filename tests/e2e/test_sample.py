# SPDX-License-Identifier: PostgreSQL
"""The sample configuration, unchanged, where it is meant for: the user uploader, the role and the database
of that name at PostgreSQL's own socket, by peer authentication, and the default control socket."""

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from harness import BUILD, CLUSTER, PATIENCE_S, ROOT

SAMPLE = ROOT / "examples/uploader.conf"

# In a mount namespace of its own, so that neither the user nor the sockets are the machine's.
SCRIPT = r"""
mount -t tmpfs none /run
for name in passwd group; do cp "/etc/$name" "/run/$name"; done
echo "uploader:x:64999:64999::/nonexistent:/usr/sbin/nologin" >>/run/passwd
echo "uploader:x:64999:" >>/run/group
for name in passwd group; do mount --bind "/run/$name" "/etc/$name"; done
install -d -o postgres /run/postgresql
install -d -o uploader /run/uploader
mkdir -p /run/etc/conf.d /run/in
cp "$SAMPLE" /run/etc/uploader.conf
printf 'name,email\nAda,ada@example.org\nBob,bob@example.org\n' >/run/in/two.csv

"$CLUSTER" create "$SERVER" "unix_socket_directories='/run/postgresql'"
daemon=
end() { [ -z "$daemon" ] || { kill $daemon && wait $daemon; } || :; "$CLUSTER" remove "$SERVER"; }
trap end EXIT
psql -q -d postgres -U postgres -c 'CREATE ROLE uploader LOGIN' -c 'CREATE DATABASE uploader OWNER uploader'
printf 'local all postgres trust\nlocal all all peer\n' >"$SERVER/data/pg_hba.conf"
psql -qAt -d postgres -U postgres -c 'SELECT pg_reload_conf()' >/dev/null

as_uploader() { env -u UPLOADER_SOCKET setpriv --reuid=64999 --regid=64999 --clear-groups "$@"; }
start() {
    setpriv --reuid=64999 --regid=64999 --clear-groups "$BUILD/uploaderd" --config /run/etc/uploader.conf &
    daemon=$!
    until as_uploader "$BUILD/uploadctl" ping | grep -q '^ready'; do sleep 0.1; done
}

start    # the sample alone
as_uploader "$BUILD/uploadctl" upload --wait /run/in/two.csv 2>&1 | grep -F 'outside the allowed folders'
kill $daemon && wait $daemon
printf '[files]\nallow = /run/in\n' >/run/etc/conf.d/allow.conf    # which nobody else can know
start
as_uploader "$BUILD/uploadctl" upload --wait /run/in/two.csv
as_uploader psql -At -c 'SELECT name, email FROM uploader.file_data ORDER BY line_no'
kill $daemon && wait $daemon && echo ended in order
daemon=
"""


def test_the_sample_is_right():
    checked = subprocess.run([BUILD / "uploaderd", "--config", SAMPLE, "--check"], capture_output=True,
                             text=True, timeout=PATIENCE_S)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "ok\n", "")


def test_every_key_has_its_default_and_a_comment():
    keys = re.findall(r"^\| `(\w+)` \|", (ROOT / "docs/options.md").read_text(), re.M)
    lines = SAMPLE.read_text().splitlines()
    shown = [number for number, line in enumerate(lines) if re.match(r"#\w+ =", line)]
    assert [lines[number].split()[0][1:] for number in shown] == keys
    assert all(lines[number - 1].startswith("# ") for number in shown)


@pytest.mark.skipif(os.getuid() != 0, reason="a mount namespace needs root")
def test_it_works_unchanged():
    server = tempfile.mkdtemp(prefix="uplsample-", dir="/tmp")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    environment |= {"SAMPLE": str(SAMPLE), "SERVER": server, "BUILD": str(BUILD), "CLUSTER": str(CLUSTER)}
    try:
        done = subprocess.run(["unshare", "--mount", "bash", "-euc", SCRIPT], capture_output=True, text=True,
                              timeout=2 * PATIENCE_S, env=environment, stdin=subprocess.DEVNULL)
    finally:
        assert not Path(server).exists() or shutil.rmtree(server) is None
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-3:] == ["Ada|ada@example.org", "Bob|bob@example.org", "ended in order"]
