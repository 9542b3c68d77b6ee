/* SPDX-License-Identifier: PostgreSQL */
/* Brings the schema to this program's version: looks, and where something is to be done looks again
 * under a lock, makes one migration, and begins anew. So two programs that start at once make each
 * migration once, and a current schema is only looked at. */
#include "base/mem.h"
#include "db/query.h"
#include "db/recovery.h"

#include <stdlib.h>

static const struct {
    int64_t number;
    const char *text;
} migrations[] = {
#define SQL_STATEMENT(name, mode, text)
#define SQL_MIGRATION(number, text) {number, text},
#include "sql.inc"
#undef SQL_STATEMENT
#undef SQL_MIGRATION
};

struct migration {
    struct db_conn *conn;
    on_done answer;
    void *arg;
    bool locked; /* in a transaction, holding the lock */
    bool there;  /* the schema is */
};

static void look(const struct migration *migration);

static void step(const struct migration *migration, enum sql_statement statement,
                 struct params *params, on_result answer)
{
    query_send_context(migration->conn, statement, params, answer, migration, sizeof *migration);
}

/* Ends the transaction, if one is open, and answers. */
static void done(const struct migration *migration, const struct db_error *err)
{
    if (migration->locked)
        query_send_text(migration->conn, "ROLLBACK", NULL, NULL);
    migration->answer(migration->arg, err);
}

static int64_t version_known(void)
{
    return migrations[COUNT_OF(migrations) - 1].number;
}

static void refuse_newer(const struct migration *migration, int64_t version)
{
    struct db_error err = {.meaning = DB_DENIED};
    const char *schema = db_conn_schema(migration->conn);

    error_set(&err.error, ERR_DATABASE,
              "schema %s has version %lld, but this program knows versions up to %lld", schema,
              (long long)version, (long long)version_known());
    error_detail(&err.error, "A newer release of this program has migrated it.");
    error_hint(&err.error, "Start the newer release, or name another schema in the configuration, "
                           "section [database], key schema.");
    done(migration, &err);
}

/* The hint names the command that grants what is missing. */
static void deny_reading(struct db_error *err, const char *schema, const char *role)
{
    error_set(&err->error, ERR_DATABASE, "role %s may not use the tables of schema %s", role,
              schema);
    error_hint(&err->error,
               "As the schema's owner: GRANT USAGE ON SCHEMA %s TO %s; GRANT SELECT, INSERT, "
               "UPDATE, DELETE ON ALL TABLES IN SCHEMA %s TO %s;",
               schema, role, schema, role);
}

static void deny_tables(struct db_error *err, const char *schema, const char *role)
{
    error_set(&err->error, ERR_DATABASE,
              "schema %s lacks the service's tables, and role %s may not create them", schema,
              role);
    error_hint(&err->error, "As the schema's owner: GRANT USAGE, CREATE ON SCHEMA %s TO %s;",
               schema, role);
}

static void deny_schema(struct db_error *err, const char *schema, const char *role,
                        const char *database)
{
    error_set(&err->error, ERR_DATABASE,
              "database %s has no schema %s, and role %s may not create it", database, schema,
              role);
    error_hint(&err->error,
               "As the database's owner: GRANT CREATE ON DATABASE %s TO %s; or as a superuser: "
               "CREATE SCHEMA %s AUTHORIZATION %s;",
               database, role, schema, role);
}

/* Does the role have the rights for the next step? If not, `err` says which it lacks. */
static bool may_go_on(const struct migration *migration, const PGresult *state,
                      struct db_error *err)
{
    const char *schema = db_conn_schema(migration->conn);
    const char *role = result_text(state, 0, "quoted_role");
    bool versioned = result_bool(state, 0, "versioned");

    if (result_bool(state, 0,
                    versioned          ? "may_read"
                    : migration->there ? "may_create_tables"
                                       : "may_create_schema"))
        return true;
    *err = (struct db_error){.meaning = DB_DENIED};
    if (versioned)
        deny_reading(err, schema, role);
    else if (migration->there)
        deny_tables(err, schema, role);
    else
        deny_schema(err, schema, role, result_text(state, 0, "quoted_database"));
    error_sqlstate(&err->error, "42501");
    return false;
}

static void on_locked(void *arg, PGresult *result, const struct db_error *err)
{
    struct migration migration = *(const struct migration *)arg;

    (void)result;
    migration.locked = true;
    if (err)
        done(&migration, err);
    else
        look(&migration);
}

static void on_migrated(void *arg, PGresult *result, const struct db_error *err)
{
    struct migration migration = *(const struct migration *)arg;

    (void)result;
    migration.locked = false; /* committed, or rolled back behind the failed string */
    if (err)
        done(&migration, err);
    else
        look(&migration);
}

/* The next migration and its row, and the end of the transaction, in one string. */
static void migrate(const struct migration *migration, size_t index)
{
    char *text = mem_format("%s%s\nINSERT INTO @schema@.schema_version (version) VALUES (%lld);\n"
                            "COMMIT",
                            migration->there ? "" : "CREATE SCHEMA @schema@;\n",
                            migrations[index].text, (long long)migrations[index].number);

    query_send_text_context(migration->conn, text, on_migrated, migration, sizeof *migration);
    free(text);
}

static void decide(const struct migration *migration, int64_t version)
{
    size_t next = 0;

    while (next < COUNT_OF(migrations) && migrations[next].number <= version)
        next++;
    if (version > version_known())
        refuse_newer(migration, version);
    else if (next == COUNT_OF(migrations))
        done(migration, NULL);
    else if (migration->locked)
        migrate(migration, next);
    else
        step(migration, SQL_schema_lock, NULL, on_locked);
}

static void on_version(void *arg, PGresult *result, const struct db_error *err)
{
    const struct migration *migration = arg;

    if (err)
        done(migration, err);
    else
        decide(migration, result_int(result, 0, "version"));
}

static void on_state(void *arg, PGresult *result, const struct db_error *err)
{
    struct migration migration = *(const struct migration *)arg;
    struct db_error denied;

    if (err) {
        done(&migration, err);
        return;
    }
    migration.there = result_bool(result, 0, "schema_there");
    if (!may_go_on(&migration, result, &denied))
        done(&migration, &denied);
    else if (result_bool(result, 0, "versioned"))
        step(&migration, SQL_schema_version, NULL, on_version);
    else
        decide(&migration, 0);
}

static void look(const struct migration *migration)
{
    struct params params = {0};

    param_text(&params, db_conn_schema(migration->conn));
    step(migration, SQL_schema_state, &params, on_state);
}

void schema_migrate(struct db_conn *conn, on_done answer, void *arg)
{
    const struct migration migration = {.conn = conn, .answer = answer, .arg = arg};

    look(&migration);
}
