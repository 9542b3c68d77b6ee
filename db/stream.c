/* SPDX-License-Identifier: PostgreSQL */
/* COPY from the server, row by row, and no faster than they are taken: what nobody takes is not
 * read, so that it waits at the server and not in libpq's buffer. */
#include "db/session.h"

void stream_opened(struct db_conn *conn)
{
    conn->streaming = (struct streaming){.open = true};
}

bool stream_run(struct db_conn *conn, struct statement *statement)
{
    struct streaming *streaming = &conn->streaming;

    while (streaming->open && !streaming->held) {
        char *data;
        int size = PQgetCopyData(conn->pg, &data, 1);
        if (size == 0)
            return false;
        if (size < 0) {
            streaming->open = false;
            break;
        }
        bool more = statement->row(statement->arg, data, (size_t)size);
        PQfreemem(data);
        if (conn->closed)
            return false;
        streaming->held = !more;
    }
    return !streaming->open;
}

void stream_go_on(struct db_conn *conn)
{
    conn->streaming.held = false;
    conn_later(conn);
}
