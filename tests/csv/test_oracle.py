# SPDX-License-Identifier: PostgreSQL
"""The reader of CSV against its oracle, Python's csv.reader(strict=True), on the same bytes.

What Python raises on is mapped by the rules of docs/design.md: text after a closing quote ends the
record at its line end (Python, too, goes on with the next line); a quote that stays open is an
error that names the line where it opens; a record longer than max_record is a reject.

CSVDUMP             the program under test (tests/csvdump in the build folder)
CSV_RANDOM_RECORDS  how many random records, at least (100000)
CSV_SEED            the seed, printed by each run
"""

import csv
import json
import os
import random
import re
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILD = os.environ.get("UPLOADER_BUILD", ROOT / "build/test")
CSVDUMP = os.environ.get("CSVDUMP", f"{BUILD}/tests/csvdump")
RANDOM_RECORDS = int(os.environ.get("CSV_RANDOM_RECORDS", "100000"))
SEED = int(os.environ.get("CSV_SEED", str(int(time.time()))))
MAX_RECORD = 1024 * 1024
BOM = b"\xef\xbb\xbf"

csv.field_size_limit(1 << 30)


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
        body = re.sub(rb"(?:\r\n|\r|\n)\Z", b"", raw)
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


def dump(path, *options):
    """csvdump's objects; of an error, code, line and offset only."""
    done = subprocess.run([CSVDUMP, *options, str(path)], capture_output=True, check=False)
    assert done.returncode in (0, 1), (done.returncode, done.stderr)
    assert done.stderr == b"", done.stderr
    objects = [json.loads(line) for line in done.stdout.splitlines()]
    for item in objects:
        if "error" in item:
            place = re.search(r"line (\d+), byte offset (\d+)", item.pop("message"))
            assert place, item
            item["line"], item["offset"] = int(place[1]), int(place[2])
    return objects


def options_of(delimiter, quote, max_record=MAX_RECORD):
    return [f"--delimiter={text(delimiter)}", f"--quote={text(quote)}", f"--max-record={max_record}"]


def check_records(path, data, delimiter=b",", quote=b'"', max_record=MAX_RECORD, reads=(0, 1, 2, 3)):
    """The records, with whatever read sizes."""
    path.write_bytes(data)
    wanted = oracle(data, delimiter, quote, max_record)
    for size in reads:
        found = dump(path, *options_of(delimiter, quote, max_record), f"--read-bytes={size}")
        assert found == wanted, f"reads of {size} bytes"
    return wanted


def check_starts(path, wanted, options, starts):
    """A scan that begins at a record finds the same ones from there on."""
    for start in starts:
        found = dump(path, *options, f"--start={wanted[start]['start_offset']}", "--read-bytes=7")
        for record in found:
            if "line_no" in record:
                record["line_no"] += start
        assert found == wanted[start:], f"from record {start + 1}"


def check_chunks(path, data, wanted, options, chunk_bytes, header=False):
    """Chunks tile the file, hold the records and have the hash of their bytes."""
    extra = ["--header"] if header else []
    found = dump(path, *options, f"--chunk-bytes={chunk_bytes}", *extra)
    chunks = [item for item in found if "chunk_no" in item]
    records = [item for item in found if "start_offset" in item and "chunk_no" not in item]
    shift = 1 if header and wanted else 0
    if any("error" in item for item in wanted):
        assert found[-1] == wanted[-1]
    else:
        assert records == [dict(item, line_no=item["line_no"] - shift) for item in wanted]
        assert [item["final"] for item in chunks] == [False] * (len(chunks) - 1) + [True]
        assert chunks[-1]["end_offset"] == len(data)
        assert chunks[-1]["last_line"] == max(len(wanted) - shift, 0)
    line, offset = 0, 0
    for number, chunk in enumerate(chunks, 1):
        assert chunk["chunk_no"] == number
        assert chunk["first_line"] == line + 1 and chunk["start_offset"] == offset
        assert chunk["hash"] == chunk["hash_again"] == chunk["hash_plain"]
        line, offset = chunk["last_line"], chunk["end_offset"]
        assert data[offset - 1 : offset + 1] != b"\r\n", "a chunk ends within CRLF"
        if not chunk["final"]:
            last = [item for item in wanted if item.get("end_offset") == offset]
            assert last and last[0]["complete"], "a chunk ends within a record"
            assert offset - chunk["start_offset"] >= chunk_bytes
            before = [item for item in wanted if item.get("line_no", 0) - shift == line - 1]
            if before and line > chunk["first_line"]:
                assert before[0]["end_offset"] - chunk["start_offset"] < chunk_bytes
    return chunks


def check_all(path, data, delimiter=b",", quote=b'"', max_record=MAX_RECORD, chunk_sizes=(1, 5, 64)):
    wanted = check_records(path, data, delimiter, quote, max_record)
    options = options_of(delimiter, quote, max_record)
    starts = range(sum("line_no" in item for item in wanted))
    check_starts(path, wanted, options, starts[:20])
    for chunk_bytes in chunk_sizes:
        check_chunks(path, data, wanted, options, chunk_bytes)
        check_chunks(path, data, wanted, options, chunk_bytes, header=True)
    return wanted


CORPUS = {
    "one_field": b"a\n",
    "plain": b"name,email\nA,a@x\nB,b@x\n",
    "no_last_newline": b"a,b\nc,d",
    "crlf": b"a,b\r\nc,d\r\n",
    "cr": b"a,b\rc,d\re,f",
    "cr_last_byte": b"a,b\rc,d\r",
    "crlf_last": b"a,b\r\n",
    "mixed_line_ends": b"a,b\nc,d\r\ne,f\rg,h\n\ri,j\r\r\nk,l\n\n",
    "only_lf": b"\n",
    "only_cr": b"\r",
    "only_empty_lines": b"\n\r\n\r\n\n\r",
    "empty_lines_first": b"\n\n\r\na,b\n",
    "empty_lines_between": b"a,b\n\n\nc,d\r\n\r\n\r\ne,f\r\r\rg,h",
    "empty_lines_last": b"a,b\n\n\r\n\r",
    "blank_line": b"a\n \nb\n",
    "tab_line": b"a\n\t\nb\n",
    "blanks_around": b" a , b \n\ta\t,\tb\t\n",
    "blank_before_quote": b'a, "b"\n',
    "blank_behind_quote": b'a,"b" \nc,d\n',
    "bom": BOM + b"a,b\n",
    "bom_quote": BOM + b'"a\n",b\n',
    "bom_only": BOM,
    "bom_newline": BOM + b"\n",
    "bom_twice": BOM + BOM + b"a,b\n",
    "bom_half": BOM[:2],
    "bom_later": b"a,b\n" + BOM + b"c,d\n",
    "bom_before_quote_later": b"a,b\n" + BOM + b'"c",d\n',
    "empty_fields": b",\n,,\n,",
    "quoted_empty": b'"",""\n""\n',
    "quoted_empty_last": b'""',
    "quoted_empty_line": b'a\n""\nb\n',
    "quoted": b'"a","b"\n"c","d"',
    "doubled": b'"a""b",""""\n"""","""a"""\n',
    "doubled_last": b'"a"""',
    "only_doubled": b'""""""\n',
    "delimiter_in_quotes": b'"a,b",","\n',
    "newline_in_quotes": b'"a\nb","c\r\nd"\n"e\rf",g\n',
    "line_ends_in_quotes": b'"\n","\r"\r\n"\r\n","\n\r"\r"\n\n\n"',
    "empty_lines_in_quotes": b'"a\n\n\nb"\n\nc\n',
    "literal_quote": b'a"b,c"\nd,e"f"\n',
    "literal_quotes_many": b'a"",b"""c\n x"y" ,"z"\n',
    "literal_quote_before_delimiter": b'a",b\nc"\n',
    "literal_quote_newline": b'a"b\nc"d\n',
    "quote_behind_delimiter_in_quotes": b'"a,"",b",c\n',
    "text_after_quote": b'"ab"c,d\ne,f\n',
    "text_after_quote_then_quote": b'"a"b,"c\nd",e\nf,g\n',
    "text_after_quote_crlf": b'"a"b\r\nc,d\r\n',
    "text_after_quote_cr": b'"a"b\rc,d\r',
    "text_after_quote_at_end": b'x,y\n"a"b',
    "text_after_quote_quote": b'"a" "b"\nc\n',
    "text_after_quoted_newline": b'"a\nb"c\nd,e\n',
    "text_after_quote_twice": b'"a"b\n"c"d\ne\n',
    "text_after_empty_quotes": b'""a\nb\n',
    "psql_end_marker": b"\\.\na,b\n\\.\n",
    "backslashes": b'a\\,b\n"a\\"\nc\\\n',
    "comment_like": b"#a,b\n",
    "nul": b'a\0b,"c\0"\n\0\n',
    "nul_after_quote": b'"a"\0\nb\n',
    "not_utf8": b"\xff\xfe,\xc3(\n\x80\n",
    "utf8": "ä,€\n\"\U0001f600\",\u2028\x85\n".encode(),
    "unicode_line_ends_are_text": "a\u0085b\u2028c\u2029d\x0b\x0c\x1c\x1d\x1e,e\n".encode(),
    "vertical_tab_form_feed": b"a\x0bb\x0cc\n",
    "open_quote": b'a,b\n"c,d\ne,f\n',
    "open_quote_first": b'"',
    "open_quote_line_3": b'a\r\nb\r"x\n\ny',
    "open_quote_in_later_line_of_record": b'"a\nb","c\nd',
    "open_quote_after_empty_lines": b"\n\r\n\ra\n\n,\"b\r\n",
    "open_quote_doubled_at_end": b'a\n"b""',
    "open_quote_behind_bom": BOM + b'"a\n',
    "open_quote_delimiter_last": b'a,"b,',
    "wide": b",".join(b"f%d" % i for i in range(3000)) + b"\n",
    "wide_quoted": b",".join(b'"%d"' % i for i in range(3000)) + b"\n",
    "long_field": b"x" * 300000 + b',"' + b"y\n" * 150000 + b'"\nb,c\n',
    "long_lines": b"".join(b"%d," % i + b"z" * (i * 7919 % 70000) + b"\r\n" for i in range(40)),
    "just_sixteen": b"123456789012345\n123456789012345,\n1234567890123456\n",
}


@pytest.mark.parametrize("name", CORPUS)
def test_corpus(tmp_path, name):
    check_all(tmp_path / f"{name}.csv", CORPUS[name])


@pytest.mark.parametrize(
    "delimiter, quote",
    [(b";", b'"'), (b"\t", b'"'), (b"|", b"'"), (b" ", b'"'), (b'"', b","), (b"a", b"b")],
)
def test_dialects(tmp_path, delimiter, quote):
    data = b"".join(CORPUS[name] for name in ("plain", "quoted", "literal_quote", "blanks_around"))
    data = data.replace(b'"', b"\1").replace(b",", delimiter).replace(b"\1", quote)
    check_all(tmp_path / "dialect.csv", data, delimiter, quote)


# Records about as long as max_record, which is 20 here.
LENGTHS = {
    "just_not_too_long": b"a" * 20 + b"\nb\n",
    "too_long_by_one": b"a" * 21 + b"\nb\n",
    "too_long_crlf": b"a" * 21 + b"\r\nb\r\n",
    "just_not_too_long_crlf": b"a" * 20 + b"\r\nb\r\n",
    "too_long_cr": b"a" * 33 + b"\rb\r",
    "too_long_cr_last": b"b\n" + b"a" * 33 + b"\r",
    "too_long_last": b"b\n" + b"a" * 100,
    "too_long_between": b"a\n" + b"b" * 1000 + b"\nc\n" + b"d" * 1000 + b"\r\ne\n",
    "too_long_many_fields": b"a," * 40 + b"\nb\n",
    "quoted_just_not_too_long": b'"' + b"a" * 18 + b'"\nb\n',
    "quotes_behind_the_limit": b"a" * 30 + b',"b\nc","d,\r\ne"\nf\n',
    "quote_across_the_limit": b"a" * 15 + b',"b\nc\nd\ne",\nf\n',
    "literal_quotes_behind_the_limit": b"a" * 30 + b'"b",c"d\ne\n',
    "quote_at_the_limit": b"a" * 19 + b',"b\nc"\nd\n',
    "doubled_behind_the_limit": b"a" * 30 + b',"""b""\n"",",c\nd\n',
    "text_after_quote_too_long": b'"a"' + b"b" * 30 + b'\n"c"d\n',
    "text_after_quote_behind_the_limit": b"a" * 30 + b',"b"c,"d\ne,f\n',
    "open_quote_in_the_end_of_a_long_one": b"x\n" + b"a" * 30 + b',"b\nc',
    "quoted_just_not_open_too_long": b'b,"' + b"a" * 18 + b'"\nc\n',
}


@pytest.mark.parametrize("name", LENGTHS)
def test_lengths(tmp_path, name):
    check_all(tmp_path / f"{name}.csv", LENGTHS[name], max_record=20)


# A quote may be open for max_record bytes, here 20: each with the record, line and offset of it.
OPEN = {
    "quoted_too_long_by_one": (b'"' + b"a" * 19 + b'"\nb\n', 1, 0),
    "stray_quote": (b'a\nb,"c\n' + b"d,e\n" * 20, 2, 4),
    "stray_quote_behind_the_limit": (b"a\r\n" + b"b" * 30 + b',"c\r' + b"d,e\n" * 20, 2, 34),
    "closed_too_late": (b'a,"' + b"\n" * 30 + b'",b\n', 1, 2),
    "doubled_at_the_limit": (b'"' + b"a" * 18 + b'""' + b'b"\nc\n', 1, 0),
}


@pytest.mark.parametrize("name", OPEN)
def test_open_for_too_long(tmp_path, name):
    data, line, offset = OPEN[name]
    path = tmp_path / f"{name}.csv"
    wanted = check_all(path, data, max_record=20)
    assert wanted[-1] == {"error": "file_quote", "line": line, "offset": offset}


def random_field(rng, alphabet):
    length = rng.choice((0, 1, 1, 2, 3, 5, 8, 13, 21, 60))
    return bytes(rng.choices(alphabet, k=length))


def random_record(rng, delimiter, quote):
    """A record with its line end, well formed as a rule."""
    nasty = b"a \t\r\n\\.\0\xc3\xa4" + delimiter + quote * 2
    plain = bytes(set(b"abc xyz@.\t\xe2\x82\xac") - set(delimiter + quote)) or b"n"
    fields = []
    for _ in range(rng.choice((1, 2, 2, 2, 2, 3, 7))):
        kind = rng.random()
        if kind < 0.5:
            fields.append(random_field(rng, plain))
        elif kind < 0.9:
            fields.append(quote + random_field(rng, nasty).replace(quote, quote * 2) + quote)
        elif kind < 0.98:
            fields.append(b"l" + random_field(rng, plain + quote))
        else:
            fields.append(quote + b"q" + quote + random_field(rng, plain + quote))
    return delimiter.join(fields) + rng.choice((b"\n", b"\n", b"\r\n", b"\r\n", b"\r", b"\n\n"))


def random_soup(rng, delimiter, quote):
    """Bytes that mean something, in any order."""
    return bytes(rng.choices(b"ab\r\n\n" + delimiter * 3 + quote * 3, k=rng.randrange(1, 60)))


def random_dialect(rng):
    return rng.choice(((b",", b'"'), (b",", b'"'), (b";", b'"'), (b"\t", b"'"), (b"|", b'"')))


def check_random(path, rng, data, delimiter, quote, max_record, sample=5):
    reads = (0, rng.randrange(1, 9), rng.randrange(9, 500))
    wanted = check_records(path, data, delimiter, quote, max_record, reads)
    options = options_of(delimiter, quote, max_record)
    count = sum("line_no" in item for item in wanted)
    check_starts(path, wanted, options, rng.sample(range(count), min(sample, count)))
    chunk_bytes = rng.choice((1, rng.randrange(1, 100), rng.randrange(1, 2 * len(data) + 2)))
    check_chunks(path, data, wanted, options, chunk_bytes, header=rng.random() < 0.5)
    return count


def test_random_records(tmp_path):
    print(f"CSV_SEED={SEED}")
    rng = random.Random(SEED)
    done = 0
    while done < RANDOM_RECORDS:
        delimiter, quote = random_dialect(rng)
        count = rng.choice((1, 10, 100, 2000))
        data = b"".join(random_record(rng, delimiter, quote) for _ in range(count))
        if rng.random() < 0.3:
            data = data.rstrip(b"\r\n")
        if rng.random() < 0.2:
            data = BOM + data
        max_record = rng.choice((150, 200, MAX_RECORD, MAX_RECORD))
        done += check_random(tmp_path / "random.csv", rng, data or b"a", delimiter, quote, max_record)


def test_random_soup(tmp_path):
    print(f"CSV_SEED={SEED}")
    rng = random.Random(SEED + 1)
    for _ in range(max(RANDOM_RECORDS // 500, 20)):
        delimiter, quote = random_dialect(rng)
        data = random_soup(rng, delimiter, quote)
        check_random(tmp_path / "soup.csv", rng, data, delimiter, quote, rng.choice((5, 20, 100)), 1)
