# SPDX-License-Identifier: PostgreSQL
"""What is claimed: the time of one way, divided by that of another, is at most so much (None: no claim)."""

from collections import namedtuple

Case = namedtuple("Case", "name way against at_most what")

CASES = [
    Case("same", "uploader", "psql_same", 0.70,
         "upload, against psql \\copy into the same columns and index"),
    Case("bare", "uploader", "psql_bare", 1.15, "upload, against psql \\copy into a bare heap"),
    Case("pgloader", "uploader", "pgloader", 0.06, "upload, against pgloader into the same table"),
    Case("classic", "uploader", "psql_classic", 0.11,
         "upload, against psql \\copy into a table with bigserial id, foreign key and its index"),
    Case("checkpoints", "uploader", "uploader_one_chunk", 1.05,
         "the defaults, against one chunk (so one lane, and no checkpoint but the last)"),
    Case("resume", "uploader_resume", "uploader", 0.55,
         "resume of a file killed at half, hashing included, against its whole upload"),
    Case("rollback", "uploader_rollback", "uploader", 0.80,
         "rollback of all its rows, against their upload"),
    Case("batch", "uploader_batch", "xargs_psql", 0.80,
         "a batch of small files, a worker process each, against xargs -P4 with psql"),
    Case("pooled", "uploader_batch_pooled", "xargs_psql", None,
         "that batch through PgBouncer, against xargs -P4 with psql without it"),
    Case("wide", "uploader_wide", "psql_wide", 0.80,
         "two columns of 30, quoted, against psql \\copy of all 30 into text columns"),
    Case("verify", "uploader_verify", "uploader", 0.80, "verify, against the upload"),
    Case("reading", "reading_ours", "reading_libcsv", 1.30,
         "reading alone (scanner, fields, hash, encoding), against libcsv with empty callbacks"),
]
