#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""The reader of CSV against its oracle, Python's csv.reader(strict=True): oracle.py --records N

Random records, under random dialects and limits, as csvdump prints them: in whatever reads, from
whatever record on, and cut into chunks. What Python raises on is mapped by the rules of
docs/design.md: text after a closing quote ends the record at its line end (Python, too, goes on with
the next line); a quote that stays open is an error that names the line where it opens; a record
longer than max_record is a reject.

UPLOADER_BUILD      the build folder of the program under test, tests/csvdump"""

import argparse
import csv
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CSVDUMP = Path(os.environ.get("UPLOADER_BUILD", ROOT / "build/test")) / "tests/csvdump"
MAX_RECORD = 1024 * 1024
BOM = b"\xef\xbb\xbf"
LARGE = 100_000  # bytes; of larger files not every way is tried
TABLES = {}  # of alphabets

csv.field_size_limit(1 << 30)

# ---- the oracle ----


def text(data):
    """Each byte as one character: Python's csv then sees the bytes."""
    return data.decode("latin-1")


class Lines:
    """The physical lines of a file, as Python's open(newline='') splits them, with offsets."""

    def __init__(self, data):
        self.start = self.end = len(BOM) if data.startswith(BOM) else 0
        self.number = 0
        self.lines = iter(re.findall(rb"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+\Z", data[self.start :]))

    def __iter__(self):
        return self

    def __next__(self):
        line = next(self.lines)
        self.number += 1
        self.end += len(line)
        return text(line)


def open_quote(data, start, delimiter, quote, max_record):
    """The offset of the first quote of the record at `start` that is not closed within max_record
    bytes, or not at all; None when all are. The plainest of automata."""
    state, opened = "start", None
    for at in range(start, len(data)):
        byte = data[at : at + 1]
        if state == "quoted":
            if at - opened >= max_record:
                return opened
            if byte == quote:
                state = "closing"
        elif state == "closing" and byte == quote:
            state = "quoted"
        elif byte in (b"\r", b"\n"):
            return None
        elif state == "text":
            pass
        elif state == "closing" and byte != delimiter:
            state = "text"
        elif byte == delimiter:
            state = "start"
        elif state == "start" and byte == quote:
            state, opened = "quoted", at
        else:
            state = "plain"
    return opened if state == "quoted" else None


def line_of(data, offset):
    """The number of the physical line that the offset stands in."""
    return len(re.findall(rb"\r\n|\r|\n", data[:offset])) + 1


def line_end(raw):
    """Bytes of the line end that this ends in."""
    return 2 if raw.endswith(b"\r\n") else 1


def oracle(data, delimiter=b",", quote=b'"', max_record=MAX_RECORD):
    """What csvdump must print."""
    lines = Lines(data)
    reader = csv.reader(lines, delimiter=text(delimiter), quotechar=text(quote), strict=True)
    records = []
    while True:
        start = lines.end
        fields = fault = None
        try:
            fields = next(reader)
        except StopIteration:
            return records
        except csv.Error as error:
            fault = "text_after_quote" if "expected after" in str(error) else "open"
            assert fault != "open" or "unexpected end of data" in str(error), error
        if fields == []:
            continue
        raw = data[start : lines.end]
        body = raw[: -line_end(raw)] if raw[-1:] in b"\r\n" else raw
        if fault == "open" or len(body) > max_record:
            opened = open_quote(data, start, delimiter, quote, max_record)
            assert fault != "open" or opened is not None
            if opened is not None:
                line = line_of(data, opened)
                records.append({"error": "file_quote", "line": line, "offset": opened})
                return records
            fault = "too_long"
        record = {
            "line_no": len(records) + 1,
            "start_offset": start,
            "length": len(body),
            "end_offset": lines.end,
            "complete": raw != body and not (raw.endswith(b"\r") and lines.end == len(data)),
        }
        if fault:
            record["fault"] = fault
            record["data"] = text(body[:max_record])
        else:
            record["fields"] = fields
        records.append(record)


# ---- csvdump ----


def dump(path, *options):
    """The lines that csvdump prints."""
    done = subprocess.run([CSVDUMP, *options, str(path)], capture_output=True, check=False)
    assert done.returncode in (0, 1), (done.returncode, done.stderr)
    assert done.stderr == b"", done.stderr
    return done.stdout


def objects(lines):
    """What the lines say; of an error, code, line and offset only."""
    found = json.loads(b"[" + b",".join(lines.splitlines()) + b"]")
    for item in found:
        if "error" in item:
            place = re.search(r"line (\d+), byte offset (\d+)", item.pop("message"))
            assert place, item
            item["line"], item["offset"] = int(place[1]), int(place[2])
    return found


def options_of(delimiter, quote, max_record=MAX_RECORD):
    return [f"--delimiter={text(delimiter)}", f"--quote={text(quote)}", f"--max-record={max_record}"]


# ---- checks: `wanted` is what the oracle says, `lines` what a plain scan has printed ----


def check_records(path, wanted, options, reads):
    """The records, with whatever read sizes. Answers the lines."""
    lines = dump(path, *options)
    found = objects(lines)
    if found != wanted:
        differ = [pair for pair in zip(found, wanted) if pair[0] != pair[1]]
        raise AssertionError(f"{len(found)} records, wanted {len(wanted)}; {differ[:1]}")
    for size in reads:
        assert dump(path, *options, f"--read-bytes={size}") == lines, f"reads of {size} bytes"
    return lines


def check_starts(path, wanted, lines, options, starts):
    """A scan that begins at a record finds the same ones from there on."""
    each = lines.splitlines(keepends=True)
    for start in starts:
        found = dump(path, *options, f"--start={wanted[start]['start_offset']}",
                     f"--line-no={start + 1}", "--read-bytes=131")
        assert found == b"".join(each[start:]), f"from record {start + 1}"


def check_chunks(path, data, wanted, lines, options, chunk_bytes, header=False):
    """Chunks tile the file, hold the records and have the hash of their bytes."""
    if header:  # it has number 0
        lines = dump(path, *options, "--line-no=0")
    printed = dump(path, *options, f"--chunk-bytes={chunk_bytes}", *["--header"] * header)
    each = printed.splitlines(keepends=True)
    chunks = objects(b"".join(line for line in each if line.startswith(b'{"chunk_no"')))
    records = b"".join(line for line in each if not line.startswith(b'{"chunk_no"'))
    if "error" in (wanted or [{}])[-1]:
        error = lines.splitlines(keepends=True)[-1]
        assert records.endswith(error) and lines.startswith(records[: -len(error)])
    else:
        assert records == lines
        assert [item["final"] for item in chunks] == [False] * (len(chunks) - 1) + [True]
        assert chunks[-1]["end_offset"] == len(data)
        assert chunks[-1]["last_line"] == max(len(wanted) - header, 0)
    check_chain(data, wanted, chunks, chunk_bytes, header)


def check_chain(data, wanted, chunks, chunk_bytes, header):
    line, offset = 0, 0
    for number, chunk in enumerate(chunks, 1):
        assert chunk["chunk_no"] == number
        assert chunk["first_line"] == line + 1 and chunk["start_offset"] == offset
        assert chunk["hash"] == chunk["hash_again"] == chunk["hash_plain"]
        line, offset = chunk["last_line"], chunk["end_offset"]
        assert data[offset - 1 : offset + 1] != b"\r\n", "a chunk ends within CRLF"
        if not chunk["final"]:
            last = wanted[line - 1 + header]
            assert last["end_offset"] == offset and last["complete"], "a chunk ends within a record"
            assert offset - chunk["start_offset"] >= chunk_bytes
            if line > chunk["first_line"]:
                before = wanted[line - 2 + header]
                assert before["end_offset"] - chunk["start_offset"] < chunk_bytes


# ---- random files ----


def random_field(rng, alphabet):
    """Some bytes of the alphabet."""
    if alphabet not in TABLES:
        TABLES[alphabet] = bytes(alphabet[i % len(alphabet)] for i in range(256))
    length = (0, 1, 1, 2, 3, 5, 8, 13, 21, 60)[int(rng.random() * 10)]
    return rng.randbytes(length).translate(TABLES[alphabet])


def random_record(rng, delimiter, quote, nasty, plain):
    """A record with its line end, well formed as a rule."""
    fields = []
    for _ in range((1, 2, 2, 2, 2, 3, 7)[int(rng.random() * 7)]):
        kind = rng.random()
        if kind < 0.5:
            fields.append(random_field(rng, plain))
        elif kind < 0.9:
            fields.append(quote + random_field(rng, nasty).replace(quote, quote * 2) + quote)
        elif kind < 0.98:
            fields.append(b"l" + random_field(rng, plain + quote))
        else:
            fields.append(quote + b"q" + quote + random_field(rng, plain + quote))
    end = (b"\n", b"\n", b"\r\n", b"\r\n", b"\r", b"\n\n")[int(rng.random() * 6)]
    return delimiter.join(fields) + end


def random_file(rng, delimiter, quote, count):
    """So many records, or one less when it is empty, and a BOM, or no last line end, at times."""
    nasty = b"a \t\r\n\\.\0\xc3\xa4" + delimiter + quote * 2
    plain = bytes(sorted(set(b"abc xyz@.\t\xe2\x82\xac") - set(delimiter + quote))) or b"n"
    data = b"".join(random_record(rng, delimiter, quote, nasty, plain) for _ in range(count))
    if rng.random() < 0.3:
        data = data.rstrip(b"\r\n")
    if rng.random() < 0.2:
        data = BOM + data
    return data or b"a"


def random_soup(rng, delimiter, quote):
    """Bytes that mean something, in any order."""
    return bytes(rng.choices(b"ab\r\n\n" + delimiter * 3 + quote * 3, k=rng.randrange(1, 60)))


def random_dialect(rng):
    return rng.choice(((b",", b'"'), (b",", b'"'), (b";", b'"'), (b"\t", b"'"), (b"|", b'"')))


def check_random(path, rng, data, delimiter, quote, max_record):
    """One file, in all ways; answers the number of its records."""
    path.write_bytes(data)
    options = options_of(delimiter, quote, max_record)
    wanted = oracle(data, delimiter, quote, max_record)
    large = len(data) > LARGE
    reads = [rng.randrange(1, 9), rng.randrange(9, 500)]
    lines = check_records(path, wanted, options, reads[large:])
    count = sum("line_no" in item for item in wanted)
    starts = rng.sample(range(count), min(1 if large else 2, count))
    check_starts(path, wanted, lines, options, starts)
    chunk_bytes = rng.choice((1, rng.randrange(1, 100), rng.randrange(1, 2 * len(data) + 2)))
    if large:  # each chunk is read on its own: ten thousands of them take a while
        chunk_bytes = max(chunk_bytes, len(data) // 1000)
    check_chunks(path, data, wanted, lines, options, chunk_bytes, rng.random() < 0.5)
    return count


def check_batch(path, seed, number, largest):
    """The batch of this number: a file of random records, and one of soup. Answers how many records."""
    rng = random.Random(f"{seed}/{number}")
    delimiter, quote = random_dialect(rng)
    limit = rng.choice((150, 200, MAX_RECORD, MAX_RECORD))
    size = rng.choice((1, 10, 100, 1000, largest))
    if limit < MAX_RECORD:  # a quote that is open for so long ends the file, sooner or later
        size = min(size, 1000)
    data = random_file(rng, delimiter, quote, size)
    soup = random_soup(rng, delimiter, quote)
    return (check_random(path, rng, data, delimiter, quote, limit)
            + check_random(path, rng, soup, delimiter, quote, rng.choice((5, 20, 100))))


def run(folder, seed, records, first=1, largest=10_000, say=lambda done, batch: None):
    """Batches until there are so many records; answers both numbers."""
    done, batch = 0, first
    while done < records:
        try:
            done += check_batch(folder / "random.csv", seed, batch, largest)
        except AssertionError as error:
            raise AssertionError(f"{error}\nrepeat it with: tests/csv/oracle.py --seed {seed} --first"
                                 f" {batch} --records 1 --largest {largest}") from error
        say(done, batch)
        batch += 1
    return done, batch - first


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=10_000_000)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    parser.add_argument("--first", type=int, default=1, help="number of the first batch")
    parser.add_argument("--largest", type=int, default=40_000, help="records of a large batch")
    options = parser.parse_args()
    begin = time.monotonic()

    def say(done, batch):
        if batch % 100 == 0:
            print(f"oracle: batch {batch}, {done:,} records, {time.monotonic() - begin:.0f} s", flush=True)

    print(f"oracle: seed {options.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="uploader-oracle.") as folder:
        done, batches = run(Path(folder), options.seed, options.records, options.first,
                            options.largest, say)
    print(f"oracle: seed {options.seed}, {done:,} records in {batches} batches agree,"
          f" {time.monotonic() - begin:.0f} s")


if __name__ == "__main__":
    sys.exit(main())
