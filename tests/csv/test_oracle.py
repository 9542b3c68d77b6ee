# SPDX-License-Identifier: PostgreSQL
"""The reader of CSV against its oracle (oracle.py): files written by hand, each for one rule, and
random ones.

CSV_RANDOM_RECORDS  how many random records, at least
CSV_SEED            their seed, printed by each run
"""

import os
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import oracle  # noqa: E402
from harness import SANITIZED  # noqa: E402
from oracle import BOM, LARGE, MAX_RECORD  # noqa: E402

RECORDS = 10_000 if SANITIZED else 100_000


def check_all(path, data, delimiter=b",", quote=b'"', max_record=MAX_RECORD):
    path.write_bytes(data)
    large = len(data) > LARGE
    options = oracle.options_of(delimiter, quote, max_record)
    wanted = oracle.oracle(data, delimiter, quote, max_record)
    lines = oracle.check_records(path, wanted, options, (7, 4096) if large else (1, 2, 3))
    count = sum("line_no" in item for item in wanted)
    oracle.check_starts(path, wanted, lines, options, range(min(count, 3 if large else 20)))
    for chunk_bytes in (1, 5, 64):
        for header in (False, True):
            oracle.check_chunks(path, data, wanted, lines, options, chunk_bytes, header and count > 0)
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


def test_random_records(tmp_path):
    seed = int(os.environ.get("CSV_SEED", time.time_ns() % 1_000_000))
    records = int(os.environ.get("CSV_RANDOM_RECORDS", RECORDS))
    print(f"CSV_SEED={seed}")
    done, batches = oracle.run(tmp_path, seed, records)
    assert done >= records and batches > 0
