#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""Says whether the musts of docs/design.md hold for an upload: given the file, its profile and the
database, row by row. It shares no code with the product: records are what Python's csv says.

    checker.py --conninfo CONNINFO [--schema uploader] [--no-file] [ID...]

Prints a line for each thing that is wrong, and ends with 1 if there is one. Without ids: all uploads.
"""

import argparse
import csv
import json
import re
import sys
from bisect import bisect_left, bisect_right
from functools import lru_cache

import psycopg2
import psycopg2.extras
import xxhash

BOM = b"\xef\xbb\xbf"
ENDED = {"STOPPED", "KILLED", "FAILED", "PROCESSED"}
LEGAL = {  # from_status -> to_status, of file_event
    (None, "INITIALIZING"),
    ("INITIALIZING", "INITIALIZING"), ("INITIALIZING", "PROCESSING"), ("INITIALIZING", "KILLED"),
    ("INITIALIZING", "FAILED"), ("INITIALIZING", "PROCESSED"),
    ("PROCESSING", "INITIALIZING"), ("PROCESSING", "PROCESSING"), ("PROCESSING", "PROCESSED"),
    ("PROCESSING", "STOPPED"), ("PROCESSING", "KILLED"), ("PROCESSING", "FAILED"),
    ("STOPPED", "INITIALIZING"),
    ("KILLED", "INITIALIZING"), ("KILLED", "PROCESSING"), ("KILLED", "KILLED"),
    ("KILLED", "PROCESSED"), ("KILLED", "FAILED"),
    ("FAILED", "INITIALIZING"), ("FAILED", "PROCESSING"), ("FAILED", "PROCESSED"),
}


class Record:
    """One record of the file: its bytes without the line end, and its fields (None: no CSV). It
    lies from start to end, its line end included."""

    def __init__(self, start, end, raw, fields):
        self.start, self.end, self.raw, self.fields = start, end, raw, fields


LINE = re.compile(rb"[^\r\n]*(?:\r\n|[\r\n])|[^\r\n]+")


def physical_lines(data, start):
    """(offset, bytes with line end): lines end in LF, CRLF or CR."""
    for line in LINE.finditer(data, start):
        yield line.start(), line[0]


def read_records(data, delimiter, quote):
    """All records, empty lines left out, as Python's csv reads them; one with text behind a closing
    quote ends at its line end. Stops at a quote that is never closed."""
    records = []
    lines = physical_lines(data, len(BOM) if data.startswith(BOM) else 0)
    taken = []

    def feed():
        for offset, line in lines:
            taken.append((offset, line))
            yield line.decode("latin-1")

    reader = csv.reader(feed(), delimiter=delimiter, quotechar=quote, strict=True)
    while True:
        taken.clear()
        try:
            fields = next(reader)
        except StopIteration:
            return records
        except csv.Error as error:
            if "unexpected end of data" in str(error):
                return records
            fields = None
        if fields == [] or not taken:
            continue
        raw = b"".join(line for _, line in taken)
        raw = raw[:-2] if raw.endswith(b"\r\n") else raw[:-1] if raw[-1:] in b"\r\n" else raw
        end = taken[-1][0] + len(taken[-1][1])
        records.append(Record(taken[0][0], end, raw, fields))


class Expectation:
    """What each record of a file becomes: (name, email), or None for a reject."""

    def __init__(self, data, profile, max_record):
        self.profile = profile
        self.max_record = max_record
        self.data = data
        records = read_records(data, profile["delimiter"], profile["quote"])
        if profile["header"]:
            header = [self._text(field) for field in records[0].fields]
            self.places = [header.index(column) for column in profile["columns"]]
            self.count, self.more = len(header), False
            self.records, self.begin = records[1:], records[0].end
        else:
            self.places = [int(column) - 1 for column in profile["columns"]]
            self.count = max(self.places) + 1
            self.more = profile["surplus_columns"] == "ignore"
            self.records, self.begin = records, 0
        self.rows = [self.row(record) for record in self.records]

    @staticmethod
    def _text(field):
        return field.encode("latin-1").decode("utf-8")

    def end_of(self, line):
        """The offsets at which a chunk may end whose last record is `line`: from its line end to
        the next record; between them lie empty lines."""
        end = self.records[line - 1].end if line else self.begin
        after = self.records[line].start if line < len(self.records) else len(self.data)
        return range(end, after + 1)

    def row(self, record):
        fields = record.fields
        if fields is None or len(record.raw) > self.max_record or b"\0" in record.raw:
            return None
        if len(fields) != self.count and not (self.more and len(fields) > self.count):
            return None
        try:
            record.raw.decode("utf-8")
            return tuple(self._text(fields[place]) for place in self.places)
        except UnicodeDecodeError:
            return None


@lru_cache(maxsize=4)
def expect(data, profile_text, max_record):
    """A file is looked at several times while it goes in."""
    return Expectation(data, json.loads(profile_text), max_record)


class Checker:
    """`refused` says which good records the table has to have refused: a set of their lines. When
    it is None, every reject with an SQLSTATE is believed to be one. `data` are the bytes of the
    file when they are no longer what lies at its path."""

    def __init__(self, connection, schema="uploader", max_record=1024 * 1024, refused=None,
                 data=None):
        self.connection = connection
        self.data = data
        self.refused = refused
        self.schema = schema
        self.max_record = max_record
        self.wrong = []

    def say(self, tracker, text):
        self.wrong.append(f"tracker {tracker}: {text}")

    def query(self, statement, *parameters, factory=psycopg2.extras.DictCursor):
        with self.connection.cursor(cursor_factory=factory) as cursor:
            cursor.execute(statement.replace("@", f'"{self.schema}".'), parameters)
            return cursor.fetchall()

    def check(self, ids=(), with_file=True):
        """Checks the uploads in one snapshot; answers what is wrong, an empty list for nothing."""
        self.query_begin()
        try:
            for tracker in self.query("SELECT * FROM @file_tracker ORDER BY id"):
                if not ids or tracker["id"] in ids:
                    self.check_tracker(tracker, with_file)
            if not ids:
                self.check_strangers()
        finally:
            self.connection.rollback()
        return self.wrong

    def query_begin(self):
        self.connection.rollback()
        self.connection.set_session(isolation_level="REPEATABLE READ", readonly=True,
                                    autocommit=False)

    def check_strangers(self):
        for table in ("file_data", "file_checkpoint", "file_reject", "file_event",
                      "file_content"):
            rows = self.query(f"SELECT file_tracker_id, count(*) FROM @{table} WHERE file_tracker_id"
                              " NOT IN (SELECT id FROM @file_tracker) GROUP BY 1")
            for tracker, count in rows:
                self.say(tracker, f"{count} rows in {table} of a tracker that is not there")

    def check_tracker(self, tracker, with_file):
        number = tracker["id"]
        chain = self.query("SELECT * FROM @file_checkpoint WHERE file_tracker_id = %s"
                           " ORDER BY chunk_no", number)
        rows = self.read_rows(number)
        rejects = self.query("SELECT * FROM @file_reject WHERE file_tracker_id = %s"
                             " ORDER BY line_no", number)
        last = self.check_chain(number, chain)
        self.check_counts(number, chain, rows, rejects)
        self.check_lines(number, last, rows, rejects)
        self.check_status(tracker, chain, rows, rejects)
        self.check_events(tracker)
        if with_file and chain:
            self.check_file(tracker, last, chain, rows, rejects)

    def read_rows(self, number):
        """The rows by the table itself, as tuples; and the index has to lead to just as many."""
        by = {}
        for way, without in (("index", "seqscan"), ("table", "bitmapscan")):
            self.query(f"SELECT set_config('enable_{without}', 'off', true),"
                       " set_config('max_parallel_workers_per_gather', '0', true)")
            by[way] = self.query("SELECT line_no, name, email FROM @file_data"
                                 " WHERE file_tracker_id = %s ORDER BY line_no", number,
                                 factory=None)
            self.query(f"SELECT set_config('enable_{without}', 'on', true)")
        if by["index"] != by["table"]:
            self.say(number, f"the index leads to {len(by['index'])} of {len(by['table'])} rows")
        return by["table"]

    def check_chain(self, number, chain):
        line, offset, final = 0, 0, False
        totals = {"rows": 0, "rejects": 0}
        for place, k in enumerate(chain, 1):
            where = f"chunk {k['chunk_no']}"
            if final:
                self.say(number, f"{where} follows the final one")
            if k["chunk_no"] != place:
                self.say(number, f"{where} stands in place {place} of the chain")
            if k["first_line"] != line + 1 or k["start_offset"] != offset:
                self.say(number, f"{where} begins at record {k['first_line']}, offset"
                                 f" {k['start_offset']}; the one before ends at {line}, {offset}")
            if k["last_line"] - k["first_line"] + 1 != k["row_count"] + k["reject_count"]:
                self.say(number, f"{where} counts {k['row_count']} rows and {k['reject_count']}"
                                 f" rejects for records {k['first_line']} to {k['last_line']}")
            totals["rows"] += k["row_count"]
            totals["rejects"] += k["reject_count"]
            for what, total in totals.items():
                if k[f"{what}_total"] != total:
                    self.say(number, f"{where} says {k[what + '_total']} {what} so far, the chunks"
                                     f" count {total}")
            line, offset, final = k["last_line"], k["end_offset"], k["final"]
        return line

    def check_counts(self, number, chain, rows, rejects):
        lines = [line for line, _, _ in rows]
        for k in chain:
            found = bisect_right(lines, k["last_line"]) - bisect_left(lines, k["first_line"])
            if found != k["row_count"]:
                self.say(number, f"chunk {k['chunk_no']} has {found} rows, not {k['row_count']}")
        for what, found, counted in (
                ("rows", len(rows), sum(k["row_count"] for k in chain)),
                ("rejects", len(rejects), sum(k["reject_count"] for k in chain))):
            if found != counted:
                self.say(number, f"{found} {what} are there, the checkpoints count {counted}")

    def check_lines(self, number, last, rows, rejects):
        seen = {}
        for table, lines in (("row", [line for line, _, _ in rows]),
                             ("reject", [reject["line_no"] for reject in rejects])):
            for line in lines:
                if line in seen:
                    self.say(number, f"record {line} is there twice ({seen[line]}, {table})")
                if not 1 <= line <= last:
                    self.say(number, f"record {line} ({table}) lies behind the recovery point"
                                     f" {last}")
                seen[line] = table
        for line in range(1, last + 1):
            if line not in seen:
                self.say(number, f"record {line} is missing")

    def check_status(self, tracker, chain, rows, rejects):
        number, status = tracker["id"], tracker["status"]
        if status == "PROCESSED" and not (chain and chain[-1]["final"]):
            self.say(number, "PROCESSED without a final checkpoint")
        if status == "STOPPED" and (chain or rows or rejects):
            self.say(number, "STOPPED with something left")
        if status in ENDED and tracker["wanted"]:
            self.say(number, f"{status} and still wanted: {tracker['wanted']}")
        if tracker["interrupted"] and status != "KILLED":
            self.say(number, f"{status} is marked interrupted")

    def check_events(self, tracker):
        number = tracker["id"]
        events = self.query("SELECT * FROM @file_event WHERE file_tracker_id = %s ORDER BY id",
                            number)
        before = None
        for event in events:
            step = (event["from_status"], event["to_status"])
            if step not in LEGAL:
                self.say(number, f"event {event['id']}: {step[0]} to {step[1]} is no transition")
            if event["from_status"] != before:
                self.say(number, f"event {event['id']} is from {event['from_status']}, the one"
                                 f" before went to {before}")
            if not event["reason"] or not event["host"]:
                self.say(number, f"event {event['id']} lacks its reason or host")
            before = event["to_status"]
        if before != tracker["status"]:
            self.say(number, f"the last event says {before}, the tracker {tracker['status']}")

    @staticmethod
    def read(path):
        with open(path, "rb") as file:
            return file.read()

    def check_file(self, tracker, last, chain, rows, rejects):
        number = tracker["id"]
        try:
            data = self.data if self.data is not None else self.read(tracker["path"])
        except OSError as error:
            self.say(number, f"the file cannot be read: {error}")
            return
        expected = expect(data, tracker["profile_text"], self.max_record)
        if len(expected.records) < last:
            self.say(number, f"{last} records are in, the file has {len(expected.records)}")
            return
        if chain[-1]["final"] and len(expected.records) != last:
            self.say(number, f"final at record {last}, the file has {len(expected.records)}")
        if chain[-1]["final"] and chain[-1]["end_offset"] != len(data):
            self.say(number, f"final at {chain[-1]['end_offset']}, the file has {len(data)} bytes")
        for k in chain:
            self.check_place(number, k, expected)
        self.check_content(number, chain, data)
        there = {line: (name, email) for line, name, email in rows}
        rejected = {reject["line_no"]: reject for reject in rejects}
        for line, (record, wanted) in enumerate(zip(expected.records[:last], expected.rows), 1):
            reject = rejected.get(line)
            by_table = bool(reject and reject["sqlstate"])
            if by_table and wanted is None:
                self.say(number, f"record {line} is bad, and the table is said to have refused it")
            if by_table if self.refused is None else wanted is not None and line in self.refused:
                self.check_reject(number, line, record, reject)
            elif wanted is None:
                self.check_reject(number, line, record, reject)
            elif there.get(line) != wanted:
                self.say(number, f"record {line} is {there.get(line)!r}, not {wanted!r}")

    def check_content(self, number, chain, data):
        """With the final chunk comes the hash of the whole file."""
        kept = self.query("SELECT size, hash FROM @file_content WHERE file_tracker_id = %s", number)
        found = [(row["size"], bytes(row["hash"])) for row in kept]
        if chain[-1]["final"] and found != [(len(data), xxhash.xxh3_128(data).digest())]:
            self.say(number, f"the hash of the file is kept as {found}")

    def check_place(self, number, k, expected):
        where = f"chunk {k['chunk_no']}"
        if k["last_line"] <= len(expected.records):
            ends = expected.end_of(k["last_line"])
            if k["end_offset"] not in ends:
                self.say(number, f"{where} ends at offset {k['end_offset']}, the record"
                                 f" {k['last_line']} of the file at {ends.start}")
        part = expected.data[k["start_offset"]:k["end_offset"]]
        if bytes(k["hash"]) != xxhash.xxh3_128(part).digest():
            self.say(number, f"{where} has another hash than the file's bytes there")

    def check_reject(self, number, line, record, reject):
        if reject is None:
            self.say(number, f"record {line} should be among the rejects")
            return
        raw = record.raw[:self.max_record]
        if bytes(reject["raw"]) != raw:
            self.say(number, f"reject {line} has other bytes than the file")
        if (reject["start_offset"], reject["length"]) != (record.start, len(record.raw)):
            self.say(number, f"reject {line} is said to lie at {reject['start_offset']}, length"
                             f" {reject['length']}, not {record.start}, {len(record.raw)}")
        if not reject["reason"]:
            self.say(number, f"reject {line} has no reason")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--conninfo", default="")
    parser.add_argument("--schema", default="uploader")
    parser.add_argument("--max-record", type=int, default=1024 * 1024)
    parser.add_argument("--no-file", action="store_true")
    parser.add_argument("ids", nargs="*", type=int)
    options = parser.parse_args()
    connection = psycopg2.connect(options.conninfo)
    checker = Checker(connection, options.schema, options.max_record)
    wrong = checker.check(set(options.ids), not options.no_file)
    for line in wrong:
        print(line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
