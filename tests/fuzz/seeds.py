#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""Writes the inputs that the kept corpora began with: seeds.py FOLDER. To begin anew when what an
input's first bytes choose is changed: write them into build/fuzz/new, fuzz, and merge. Those called
limit-... are kept besides: they stand at a limit, which a merge by what is reached does not see."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/csv"))

import test_oracle  # noqa: E402


def csv_seeds():
    """The oracle's files, under the first dialects, with short limits and without."""
    for group, limit in (("CORPUS", 255), ("LENGTHS", 19), ("OPEN", 19)):
        for name, data in getattr(test_oracle, group).items():
            data = data[0] if isinstance(data, tuple) else data
            for how in (0, 8, 16, 48):
                yield f"{name}-{how}", bytes((how, limit, 2, 5, 3, 1)) + data[:600]
                if how == 8:
                    yield f"{name}-headed", bytes((8, limit, 6, 2, 2, 2)) + b"n,e\n" + data[:600]


REQUESTS = [
    b'{"kind":"ping","ref":1}',
    b'{"kind":"upload","ref":2,"file":"/etc/passwd","profile":"any","wait":true}',
    b'{"kind":"upload","ref":-3,"file":"/etc/passwd","again":null,"restart":false}',
    b'{"kind":"upload","ref":4,"file":"/etc","profile":"any"}',
    b'{"kind":"upload","ref":5,"file":"/etc/../x","profile":"none"}',
    b'{"kind":"upload","ref":6,"file":"/root/\xc3\xa4.csv","profile":"none"}',
    b'{"kind":"stop","ref":7,"file":"/etc/passwd","wait":true}',
    b'{"kind":"stop","ref":8,"id":1,"file":"/x"}',
    b'{"kind":"kill","ref":9,"id":9223372036854775807}',
    b'{"kind":"wait","ref":10,"id":1}',
    b'{"kind":"status","ref":11,"file":"/x\\ny"}',
    b'{"kind":"list","ref":12,"status":"PROCESSED","limit":0}',
    b'{"kind":"list","ref":13,"status":"x"}',
    b'{"kind":"list","ref":14,"before":5}',
    b'{"kind":"history","ref":15,"id":1,"limit":-1}',
    b'{"kind":"rejects","ref":16,"file":"/etc/passwd","after":2}',
    b'{"kind":"forget","ref":17,"id":1,"rows":true}',
    b'{"kind":"verify","ref":18,"id":1}',
    b'{"kind":"pong","ref":19}',
    b'{"kind":"ping","ref":"20"}',
    b'{"kind":"ping","ref":21,"ref":22}',
    b'{"kind":"ping"}',
    b'{"ref":23}',
    b'{"kind":"\\u20ac","ref":24,"x":[{}]}',
    b"[]",
    b"nothing",
    b"",
]


def control_seeds():
    """Each request by itself and all before it, as a client sends them and in small pieces."""
    for ending in (0, 1):
        for at, request in enumerate(REQUESTS):
            head = bytes((ending, 0, 0, 0))
            yield f"{at}-{ending}", head + request + b"\n"
            yield f"all-{at}-{ending}", bytes((ending, 0, 7, 200)) + b"\n".join(REQUESTS[: at + 1]) + b"\n"
        for more in (0, 1, 100, 175, 176, 177, 178, 255):
            yield f"limit-{more}-{ending}", bytes((2 + ending, more, 0, 0)) + REQUESTS[0] + b"\n"


MESSAGES = {
    0: [  # of a worker
        b'{"kind":"ready","size":12345}',
        b'{"kind":"progress","line":1,"offset":2,"rows":3,"rejects":4}',
        b'{"kind":"rolling","line":0,"offset":0,"rows":0,"rejects":-1}',
        b'{"kind":"end","outcome":"loaded"}',
        b'{"kind":"end","outcome":"crashed","error":null}',
        b'{"kind":"end","outcome":"failed","error":{"code":"file_quote","message":"m","detail":"d",'
        b'"hint":"h","sqlstate":"22P02"},"identity":[1,2,3,4,5]}',
        b'{"kind":"end","outcome":"trouble","error":{"code":"?","message":"\xe2\x82\xac",'
        b'"sqlstate":"\xe2\x82\xac\xe2\x82\xac"},"identity":[1.5]}',
    ],
    1: [  # to a worker
        b'{"kind":"rollback","epoch":9,"token":-5}',
        b'{"kind":"finish","reason":"why"}',
        b'{"kind":"job","mode":"load","tracker":1,"epoch":2,"token":3,"owner":"o","path":"/a.csv",'
        b'"allow":["/a","/b"],"profile":{"name":"p","columns":["n","e"],"header":true,'
        b'"surplus_ignore":false,"delimiter":44,"quote":34,"reject_limit":5},"chunk_bytes":8,'
        b'"max_record":16,"lanes":2,"earlier":7,"content":false,"again":true,"schema":"s",'
        b'"conninfo":"c","application_name":"a","log_level":6,"confine":true,"chunks":3,'
        b'"first_start":false}',
        b'{"kind":"job","mode":"verify","tracker":1,"epoch":2,"token":3,"owner":"o","path":"/a.csv",'
        b'"allow":[],"profile":{"name":"p","columns":["n",1]},"chunk_bytes":8,"max_record":16,'
        b'"lanes":2,"earlier":0,"content":false,"again":true,"schema":"s","conninfo":"c",'
        b'"application_name":"a","log_level":6,"confine":false,"chunks":0,"first_start":true}',
    ],
}


def worker_seeds():
    """Each message by itself, all of them, with pauses and short frames."""
    for longest in (27, 28, 29):  # the message has 28 bytes, and a line end
        yield f"limit-{longest}", bytes((2 + 4 * (longest - 16), 0, 0, 0)) + MESSAGES[0][0] + b"\n"
    for sender, messages in MESSAGES.items():
        for at, message in enumerate(messages):
            yield f"limit-whole-{sender}-{at}", bytes((sender, 0, 0, 0)) + message + b"\n"
            yield f"short-{sender}-{at}", bytes((sender + 2 + 80, 0, 5, 0)) + message + b"\n"
        for pause in (0, 1, 2):
            yield f"all-{sender}-{pause}", bytes((sender, pause, 50, 3)) + b"\n".join(messages) + b"\n"


def conf_limits():
    """Every number, size and time at the ends of what may be written, and beyond; a password in each
    way of writing it."""
    scales = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3, "ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000}
    section = name = None
    for line in (ROOT / "docs/options.md").read_text().splitlines():
        if line.startswith("## ["):
            section = line[3:].replace("NAME", "x")
            name = section.strip("[]").replace(" ", "-")
        bounds = re.search(r"^\| `(\w+)` .* from (-?\d+)(\w*) to (\d+)(\w*)", line)
        if not bounds:
            continue
        key, *ends = bounds.groups()
        for number, unit in zip(ends[::2], ends[1::2]):
            for step in (-1, 0, 1):
                value = f"{int(number) * scales[unit] + step}{'ms' if unit in ('ms', 'h') else ''}"
                text = f"\0{section}\n{key} = {value}\n"
                yield f"limit-{name}-{key}-{value}", text.encode()
    for form in range(4):
        yield f"limit-password-{form}", bytes((4 + 8 * form,)) + b"#\n x"


def conf_seeds():
    """Every option with its default and with what is none; what inih would misread."""
    sample = (ROOT / "examples/uploader.conf").read_text()
    sections = re.split(r"^#?(?=\[)", sample, flags=re.M)[1:]
    for section in sections:
        title, keys = section.split("\n", 1)
        keys = re.findall(r"^#(\w+ =.*(?:\n#    .*)?)", keys, flags=re.M)
        keys = [key.replace("\n#", "\n") for key in keys]
        name = re.sub(r"\W+", "-", title)
        for how in (0, 1, 2, 3, 4, 14, 20, 28):
            yield f"{name}-{how}", bytes((how,)) + "\n".join([title, *keys, ""]).encode()
        for at, key in enumerate(keys):
            yield f"{name}-one-{at}", bytes((at % 8,)) + f"{title}\n{key}\n".encode()
            yield f"{name}-none-{at}", bytes((at % 8,)) + f"{title}\n{key.split('=')[0]}= -7x\n".encode()
    traps = ["[upload", "lanes = 3", "[upload] lanes", "[upload]\nlanes = 3 ; x", "[upload]\n lanes = 3",
             "[upload]\nlanes: 3", "[upload]\nlanes = 3\nlanes = 4", "[upload]\n[upload]", "[]",
             "[profile p]\ndelimiter = ;\nquote = ;", "[profile p]\ncolumns = \"a,b\", c",
             "[profile p]\nheader = no\ncolumns = 01, 2", "[batch b]\nprofile = p\nfiles =\n  /a/*.csv",
             "[database]\nconninfo = 'x'", "[database]\nconninfo =\n host=x\n  password=y z",
             "[database]\nconninfo = postgresql://u:p@h/d", "[files]\nallow = /a/\n  /b/..\n",
             "[x]\ny = z", "[upload]\nlanes = 1\n\x0c", "\ufeff[upload]", "[upload]\r\nlanes = 1\r\n",
             "[upload]\nlanes = " + "9" * 190, "[" + "u" * 60 + "]", "# only\n; comments\n"]
    for at, trap in enumerate(traps):
        yield f"trap-{at}", bytes((at % 8,)) + trap.encode() + b"\n"
    yield from conf_limits()


SEEDS = {"conf": conf_seeds, "control": control_seeds, "csv": csv_seeds, "worker": worker_seeds}


def main(folder):
    for target, seeds in SEEDS.items():
        (folder / target).mkdir(parents=True, exist_ok=True)
        for name, data in seeds():
            name = name if name.startswith("limit-") else f"seed-{name}"
            (folder / target / name).write_bytes(data)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
