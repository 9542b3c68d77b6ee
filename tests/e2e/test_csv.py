# SPDX-License-Identifier: PostgreSQL
"""What people send, through the whole service; Python's csv says what has to be in the table."""

import csv
import io
import random

import pytest
from harness import check_exact, records_of

H = b"name,email\n"
NASTY = {
    "plain": H + b"a,b\nc,d\n",
    "no last newline": H + b"a,b\nc,d",
    "crlf": b"name,email\r\na,b\r\nc,d\r\n",
    "cr": b"name,email\ra,b\rc,d\r",
    "cr without the last": b"name,email\ra,b\rc,d",
    "mixed line ends": b"name,email\r\na,b\nc,d\re,f\r\n",
    "bom": b"\xef\xbb\xbf" + H + b"a,b\n",
    "bom and quoted header": b"\xef\xbb\xbf\"name\",\"email\"\na,b\n",
    "empty lines": b"\n\n" + H + b"\n\na,b\n\n\nc,d\n\n\n",
    "empty crlf lines": b"\r\nname,email\r\n\r\na,b\r\n\r\n",
    "quoted delimiters": H + b'"a,1","b,2"\n',
    "quoted quotes": H + b'"say ""hi""","""",\n'.replace(b",\n", b"\n"),
    "line breaks in fields": H + b'"a\nb","c\r\nd"\n"e\rf",g\n',
    "empty fields": H + b',\n"",""\na,\n,b\n',
    "blanks are kept": H + b"  a , b\t\n\" c \",  \n",
    "quote inside a field": H + b'a"b,c""d\n5" disk,x\n',
    "header order": b"email,name\nb,a\nd,c\n",
    "header only": H,
    "header only without newline": b"name,email",
    "utf-8": H + "Zoë Ångström,zoë@exämple.org\n李雷,𝒳@例え.jp\n".encode(),
    "backslashes and copy's own signs": H + b"\\N,\\.\n\\.,\\n\\t\n\\,\\\\\n",
    "null words": H + b"NULL,null\n\\N,None\n",
    "tabs and controls": H + b"a\tb,c\x01d\x7f\n",
    "long field": H + b"x" * 300_000 + b"," + b"y" * 300_000 + b"\n",
    "lone quoted line": H + b'"a","b"',
}


@pytest.mark.parametrize("name", NASTY)
@pytest.mark.parametrize("chunk", ["4K", "8M"])
def test_nasty(new_service, shared, name, chunk):
    service = shared(chunk)
    path = service.file(f"{name.replace(' ', '_')}.{chunk}.csv", NASTY[name])
    answer = service.ok("upload", "--wait", path, "--json").json
    expected = records_of(path)
    assert service.rows(answer["id"]) == expected
    assert (answer["rows"], answer["rejects"]) == (len(expected), 0)
    assert check_exact(service, answer["id"]) == "PROCESSED"


@pytest.fixture(scope="module")
def shared(cluster):
    """One service for each size of chunks: these tests do not disturb each other."""
    import harness

    services = {}

    def get(chunk):
        if chunk not in services:
            services[chunk] = harness.Service(cluster, upload={"chunk_bytes": chunk}).start()
        return services[chunk]

    yield get
    for service in services.values():
        service.remove()


REJECTS = {
    "too few fields": (b"a\n", "1 field instead of 2"),
    "too many fields": (b"a,b,c\n", "3 fields instead of 2"),
    "text after a quote": (b'"a"b,c\n', "text after a closing quote"),
    "not utf-8": (b"caf\xe9,b\n", "not UTF-8"),
    "surrogate": (b"\xed\xa0\x80,b\n", "not UTF-8"),
    "overlong": (b"\xc0\xaf,b\n", "not UTF-8"),
    "nul": (b"a\0b,c\n", "NUL"),
}


@pytest.mark.parametrize("name", REJECTS)
def test_reject(shared, name):
    service = shared("4K")
    bad, reason = REJECTS[name]
    # behind the first 100 records, whose encoding is looked at before
    good = b"".join(b"n%d,e%d\n" % (i, i) for i in range(150))
    path = service.file(f"reject_{name.replace(' ', '_')}.csv", H + good + bad + b"last,one\n")
    answer = service.ok("upload", "--wait", path, "--json", code=3).json
    assert (answer["status"], answer["rows"], answer["rejects"]) == ("PROCESSED", 151, 1)
    reject, = service.ok("rejects", path, "--json").objects
    assert reject["line"] == 151 and reason in reject["reason"], reject
    assert reject["offset"] == len(H + good) and reject["length"] == len(bad) - 1
    import base64
    assert base64.b64decode(reject["raw_base64"]) == bad[:-1]
    assert (152, "last", "one") in service.rows(answer["id"])
    assert check_exact(service, answer["id"], with_file=True) == "PROCESSED"
    assert reason in service.ok("rejects", path).out


def test_record_longer_than_max_record(new_service):
    service = new_service(upload={"chunk_bytes": "4K", "max_record": "8K"}).start()
    path = service.file("long.csv", H + b"a,b\n" + b"x" * 20_000 + b",y\n" + b"c,d\n")
    answer = service.ok("upload", "--wait", path, "--json", code=3).json
    assert service.rows() == [(1, "a", "b"), (3, "c", "d")]
    reject, = service.ok("rejects", path, "--json").objects
    assert (reject["line"], reject["length"]) == (2, 20_002)
    assert check_exact(service, answer["id"]) == "PROCESSED"


@pytest.mark.parametrize("tail", [
    pytest.param(b'c,"d\ne,f\n' + b"g,h\n" * 3000, id="much"), pytest.param(b'c,"d', id="end"),
])
def test_quote_that_is_never_closed(new_service, tail):
    service = new_service(upload={"chunk_bytes": "4K", "max_record": "8K"}).start()
    good = b"".join(b"n%d,e%d\n" % (i, i) for i in range(2000))
    path = service.file("open.csv", H + good + tail)
    answer = service.ok("upload", "--wait", path, "--json", code=1).json
    assert (answer["status"], answer["error"]["code"]) == ("FAILED", "file_quote")
    assert "line 2002" in answer["error"]["message"]
    assert 0 < answer["rows"] <= 2000
    assert check_exact(service, answer["id"]) == "FAILED"


def test_profile_without_header(new_service):
    service = new_service(profile__plain={"header": "no", "columns": ["2", "1"]}).start()
    path = service.file("plain.csv", b"e1,n1\ne2,n2\n")
    service.ok("upload", "--profile", "plain", "--wait", path)
    assert service.rows() == [(1, "n1", "e1"), (2, "n2", "e2")]


def test_profile_dialect_and_names(new_service):
    service = new_service(profile__shop={"columns": ["Kunde", "Mail"], "delimiter": ";",
                                         "quote": "'", "surplus_columns": "ignore"}).start()
    path = service.file("shop.csv", "Nr;Mail;Kunde;Rest\n1;'a;b';'it''s';x\n2;c;d;\"\n".encode())
    service.ok("upload", "--profile", "shop", "--wait", path)
    assert service.rows() == [(1, "it's", "a;b"), (2, "d", "c")]


@pytest.mark.parametrize("header, lists", [
    (b"name\n", ["name, email", "name"]),
    (b"name,email,age\n", ["name, email", "name, email, age"]),
    (b"Name,email\n", ["name, email", "Name, email"]),
    (b"name,email,email\n", ["name, email, email"]),
])
def test_header_that_is_not_the_profiles(service, header, lists):
    path = service.file("header.csv", header + b"a,b\n")
    error = service.ok("upload", path, "--json", code=1).json["error"]
    assert error["code"] == "file_header" and error["hint"]
    for text in lists:
        assert text in error["detail"]
    service.ok("status", path, code=4)  # no tracker is left


def test_hint_for_other_names_says_their_order(service):
    path = service.file("names.csv", "EMAIL,Name\ne,n\n")
    error = service.ok("upload", path, "--json", code=1).json["error"]
    assert "first that of the name, then that of the email" in error["hint"]
    with open(service.config, "a") as file:
        file.write("[profile other]\ncolumns = Name, EMAIL\n")
    service.reload()
    service.ok("upload", "--wait", "--profile", "other", path)
    assert service.rows() == [(1, "n", "e")]


def test_a_quoted_field_longer_than_max_record_is_allowed_by_the_hint(new_service):
    service = new_service(upload={"max_record": "4K"}).start()
    path = service.file("long.csv", 'name,email\n"' + 5000 * "n" + '",e\n')
    error = service.ok("upload", "--wait", path, "--json", code=1).json["error"]
    assert error["code"] == "file_quote" and "max_record in section [upload]" in error["hint"]
    service.set(upload={"max_record": "8K"})
    service.reload()
    service.ok("upload", "--wait", path)
    assert service.rows() == [(1, 5000 * "n", "e")]


@pytest.mark.parametrize("delimiter, line", [
    (";", "delimiter = semicolon"), ("\t", "delimiter = tab"), ("|", "delimiter = |"),
    (",", "delimiter = comma"),
])
def test_hint_for_another_delimiter_works(new_service, delimiter, line):
    """What the hint says, done as it says."""
    service = new_service(profile__wrong={"delimiter": ":"}).start()
    path = service.file("other.csv", f"name{delimiter}email\nn{delimiter}e\n".encode())
    error = service.ok("upload", "--profile", "wrong", path, "--json", code=1).json["error"]
    assert line + "," in error["hint"] and "[profile NAME]" in error["hint"], error
    with open(service.config, "a") as file:
        file.write(f"[profile other]\n{line}\n")
    service.reload()
    service.ok("upload", "--wait", "--profile", "other", path)
    assert service.rows() == [(1, "n", "e")]


def test_random_files(shared):
    """Random bytes of CSV's own signs, through service and oracle."""
    service = shared("4K")
    seed = random.randrange(1_000_000)
    print(f"seed {seed}")
    dice = random.Random(seed)
    signs = ['"', ",", "\n", "\r\n", "\r", " ", "a", "é", '""', "\\", "\t"]
    for number in range(10):
        out = io.StringIO()
        writer = csv.writer(out, lineterminator=dice.choice(["\n", "\r\n", "\r"]),
                            quoting=dice.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
        writer.writerow(["name", "email"])
        for _ in range(2000):
            writer.writerow(["".join(dice.choices(signs, k=dice.randrange(8))) for _ in range(2)])
        path = service.file(f"random{seed}_{number}.csv", out.getvalue())
        answer = service.ctl("upload", "--wait", path, "--json")
        assert answer.code in (0, 3), (seed, number, answer)
        assert check_exact(service, answer.json["id"], with_file=True) == "PROCESSED", seed


def test_the_longest_record_is_told_when_it_is_rejected(new_service):
    """Its raw bytes are one message, in base64."""
    service = new_service(upload={"max_record": "32M"}).start()
    record = b"x" * (32 * 1024 * 1024 - 4) + b",e,f"
    path = service.file("long.csv", b"name,email\n" + record + b"\ny,f@x\n")
    service.ok("upload", "--wait", path, code=3)
    told = service.ok("rejects", "--csv", path).out.splitlines()
    assert len(told) == 2 and told[1].startswith("1,") and len(told[1]) > len(record)
