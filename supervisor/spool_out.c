/* SPDX-License-Identifier: PostgreSQL */
#include "supervisor/spool_out.h"

#include "base/mem.h"
#include "base/pause.h"
#include "base/reject_csv.h"
#include "db/trackers.h"
#include "supervisor/spool_list.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define REJECTS_A_PAGE 500
#define REJECTS_SUFFIX ".rejects.csv"
#define RECEIPT_SUFFIX ".json"
#define FOLDER_MODE 0750

struct spool_out {
    uv_loop_t *loop;
    uv_work_t work;
    struct db_conn *conn;
    on_spool_out done;
    void *arg;

    char *folder, *name, *to;
    struct identity identity;
    int64_t tracker, rejects, after; /* rejects behind this line are still to come */
    json_t *receipt;
    bool advises;
    int from_fd, to_fd; /* the folders */
    char *to_name;      /* its name there */
    FILE *csv;          /* the rejects, under a temporary name */

    char *page; /* CSV that is to be written next */
    size_t page_bytes;
    bool asks, works, left;

    /* what the thread pool does, and what follows when it went well */
    int (*step)(struct spool_out *out, struct error *err);
    void (*then)(struct spool_out *out);
    int rc;
    struct error error;
};

/* ---- its end ---- */

static void out_free(struct spool_out *out)
{
    if (out->csv)
        fclose(out->csv);
    if (out->from_fd >= 0)
        close(out->from_fd);
    if (out->to_fd >= 0)
        close(out->to_fd);
    json_decref(out->receipt);
    free(out->folder);
    free(out->name);
    free(out->to);
    free(out->to_name);
    free(out->page);
    free(out);
}

static void finish(struct spool_out *out, const struct error *err)
{
    char *path = mem_format("%s/%s", out->to, out->to_name ? out->to_name : out->name);

    if (!out->left)
        out->done(out->arg, err ? NULL : path, err);
    free(path);
    out_free(out);
}

/* ---- the thread pool: files and folders ---- */

static int refuse(struct error *err, const char *what, const char *folder, const char *name)
{
    int errnum = errno;

    error_system(err, ERR_SYSTEM, errnum, "could not %s \"%s/%s\"", what, folder, name);
    if (errnum == EXDEV)
        error_hint(err, "The folders done and failed of a spool lie on its own file system.");
    else if (!err->hint[0])
        error_hint(err, "Let uid %d write to both folders; it is tried again.", (int)geteuid());
    return -(int)err->code;
}

static bool is_taken(int folder, const char *name)
{
    return faccessat(folder, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* The same name again after a crash, for then the file has not been moved: a receipt alone, which
 * that leaves, takes none. One tracker may have many files of a name, all refused, say. */
static char *free_name(const struct spool_out *out)
{
    int64_t number = out->tracker ? out->tracker : (int64_t)time(NULL);
    char *name = mem_dup(out->name);

    for (int nth = 1; is_taken(out->to_fd, name); nth++) {
        free(name);
        name = nth == 1 ? mem_format("%s.%" PRId64, out->name, number)
                        : mem_format("%s.%" PRId64 ".%d", out->name, number, nth);
    }
    return name;
}

static int open_folders(struct spool_out *out, struct error *err)
{
    out->from_fd = open(out->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (out->from_fd < 0)
        return refuse(err, "open", out->folder, "");
    if (mkdir(out->to, FOLDER_MODE) < 0 && errno != EEXIST)
        return refuse(err, "make", out->to, "");
    out->to_fd = open(out->to, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (out->to_fd < 0)
        return refuse(err, "open", out->to, "");
    out->to_name = free_name(out);
    return 0;
}

/* A file there under a temporary name, which begins with a dot. */
static FILE *open_temporary(const struct spool_out *out, const char *suffix, struct error *err)
{
    char *name = mem_format(".%s%s.new", out->to_name, suffix);
    int fd = openat(out->to_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");

    if (!file) {
        refuse(err, "write", out->to, name);
        if (fd >= 0)
            close(fd);
    }
    free(name);
    return file;
}

/* Written, durable, and in its place. */
static int close_temporary(const struct spool_out *out, FILE *file, const char *suffix,
                           struct error *err)
{
    char *from = mem_format(".%s%s.new", out->to_name, suffix);
    char *to = mem_format("%s%s", out->to_name, suffix);
    bool good = fflush(file) == 0 && fsync(fileno(file)) == 0;

    good = fclose(file) == 0 && good;
    good = good && renameat(out->to_fd, from, out->to_fd, to) == 0;
    int rc = good ? 0 : refuse(err, "write", out->to, to);
    free(from);
    free(to);
    return rc;
}

static int begin(struct spool_out *out, struct error *err)
{
    int rc = open_folders(out, err);

    if (rc < 0 || out->rejects == 0)
        return rc;
    out->csv = open_temporary(out, REJECTS_SUFFIX, err);
    if (!out->csv)
        return -(int)err->code;
    reject_csv_head(out->csv);
    return 0;
}

static int write_page(struct spool_out *out, struct error *err)
{
    if (fwrite(out->page, 1, out->page_bytes, out->csv) == out->page_bytes)
        return 0;
    return refuse(err, "write", out->to, out->to_name);
}

/* Writes the path that begins at `at`, in what a person is told to type, as it is once the file has
 * moved; answers what is behind it. */
static const char *put_moved(const struct spool_out *out, const char *at, FILE *to)
{
    size_t name = strlen(out->name);

    at += strlen(out->folder) + 1;
    fprintf(to, "%s/", out->to); /* that of the file, or of one that is to be made beside it */
    if (strncmp(at, out->name, name) != 0)
        return at;
    fputs(out->to_name, to);
    return at + name;
}

static void tell_moved(const struct spool_out *out, json_t *error)
{
    const char *rest = json_string_value(json_object_get(error, "hint"));
    char *told = NULL;
    size_t size;

    if (!rest)
        return;
    char *folder = mem_format("%s/", out->folder);
    FILE *to = open_memstream(&told, &size);
    if (!to)
        mem_none("a hint");
    for (const char *at; (at = strstr(rest, folder)); rest = put_moved(out, at, to))
        fwrite(rest, 1, (size_t)(at - rest), to);
    fputs(rest, to);
    if (fclose(to) != 0)
        mem_none("a hint");
    json_object_set_new(error, "hint", json_string(told));
    free(told);
    free(folder);
}

static int write_receipt(struct spool_out *out, struct error *err)
{
    FILE *file = open_temporary(out, RECEIPT_SUFFIX, err);

    if (!file)
        return -(int)err->code;
    if (out->advises)
        tell_moved(out, json_object_get(out->receipt, "error"));
    json_dumpf(out->receipt, file, JSON_INDENT(2));
    fputc('\n', file);
    return close_temporary(out, file, RECEIPT_SUFFIX, err);
}

static int check(const struct spool_out *out, int folder, const char *name, struct error *err)
{
    struct identity now = {0};
    struct stat st;

    if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
        now = identity_of(&st);
    if (identity_same_but_ctime(&now, &out->identity))
        return 0;
    return error_set(err, ERR_FILE_CHANGED, "\"%s/%s\" is another file by now", out->folder,
                     out->name);
}

/* The companion first: left alone, it would call the next file of this name complete. */
static void remove_companion(const struct spool_out *out)
{
    char *name = mem_format("%s" SPOOL_OK_SUFFIX, out->name);

    if (unlinkat(out->from_fd, name, 0) == 0)
        fsync(out->from_fd);
    free(name);
}

/* What came in between the look and the rename goes back: it has not been uploaded. */
static int move_file(struct spool_out *out, struct error *err)
{
    int rc = check(out, out->from_fd, out->name, err);

    if (rc < 0)
        return rc;
    remove_companion(out);
    PAUSE("spool.before_move");
    if (renameat2(out->from_fd, out->name, out->to_fd, out->to_name, RENAME_NOREPLACE) < 0)
        return refuse(err, "move", out->to, out->to_name);
    rc = check(out, out->to_fd, out->to_name, err);
    if (rc < 0) {
        renameat2(out->to_fd, out->to_name, out->from_fd, out->name, RENAME_NOREPLACE);
        return rc;
    }
    PAUSE("spool.moved");
    if (fsync(out->to_fd) < 0 || fsync(out->from_fd) < 0)
        return refuse(err, "make durable", out->to, out->to_name);
    return 0;
}

static int end(struct spool_out *out, struct error *err)
{
    int rc = 0;

    if (out->csv) {
        FILE *csv = out->csv;
        out->csv = NULL;
        rc = close_temporary(out, csv, REJECTS_SUFFIX, err);
    }
    PAUSE("spool.before_receipt");
    if (rc == 0)
        rc = write_receipt(out, err);
    return rc == 0 ? move_file(out, err) : rc;
}

/* ---- from step to step ---- */

static void on_work(uv_work_t *work)
{
    struct spool_out *out = CONTAINER_OF(work, struct spool_out, work);

    out->rc = out->step(out, &out->error);
}

static void on_worked(uv_work_t *work, int status)
{
    struct spool_out *out = CONTAINER_OF(work, struct spool_out, work);

    (void)status; /* it is never cancelled */
    out->works = false;
    if (out->left || out->rc < 0)
        finish(out, out->rc < 0 ? &out->error : NULL);
    else
        out->then(out);
}

static void queue_step(struct spool_out *out, int (*step)(struct spool_out *, struct error *),
                       void (*then)(struct spool_out *))
{
    out->step = step;
    out->then = then;
    out->works = true;
    uv_queue_work(out->loop, &out->work, on_work, on_worked);
}

static void finish_well(struct spool_out *out)
{
    finish(out, NULL);
}

static void print_page(struct spool_out *out, const struct tracker_reject *rejects, size_t count)
{
    free(out->page);
    FILE *to = open_memstream(&out->page, &out->page_bytes);

    if (!to)
        mem_none("a page of rejects");
    for (size_t i = 0; i < count; i++)
        reject_csv_add(to, rejects[i].line, rejects[i].reason, rejects[i].raw,
                       rejects[i].raw_bytes);
    if (fclose(to) != 0)
        mem_none("a page of rejects");
}

static void ask_page(struct spool_out *out);

static void on_page(void *arg, const struct tracker_reject *rejects, size_t count,
                    const struct db_error *err)
{
    struct spool_out *out = arg;

    out->asks = false;
    if (err) {
        finish(out, &err->error);
    } else if (count == 0) {
        queue_step(out, end, finish_well);
    } else {
        out->after = rejects[count - 1].line;
        print_page(out, rejects, count);
        queue_step(out, write_page, ask_page);
    }
}

static void ask_page(struct spool_out *out)
{
    struct error err;

    if (out->conn) {
        out->asks = true;
        tracker_rejects(out->conn, out->tracker, out->after, REJECTS_A_PAGE, on_page, out);
        return;
    }
    error_set(&err, ERR_DATABASE_AWAY, "the rejects cannot be read now");
    finish(out, &err);
}

static void go_on(struct spool_out *out)
{
    if (out->rejects > 0)
        ask_page(out);
    else
        queue_step(out, end, finish_well);
}

struct spool_out *spool_out_new(uv_loop_t *loop, struct db_conn *conn,
                                const struct spool_parcel *parcel, on_spool_out done, void *arg)
{
    struct spool_out *out = NEW(struct spool_out);

    *out = (struct spool_out){
        .loop = loop,
        .conn = conn,
        .done = done,
        .arg = arg,
        .folder = mem_dup(parcel->folder),
        .name = mem_dup(parcel->name),
        .to = mem_dup(parcel->to),
        .identity = parcel->identity,
        .tracker = parcel->tracker,
        .rejects = parcel->rejects,
        .receipt = parcel->receipt,
        .advises = parcel->advises,
        .from_fd = -1,
        .to_fd = -1,
    };
    queue_step(out, begin, go_on);
    return out;
}

void spool_out_database_lost(struct spool_out *out)
{
    struct error err;

    out->conn = NULL;
    if (!out->asks)
        return;
    out->asks = false;
    error_set(&err, ERR_DATABASE_AWAY, "the rejects cannot be read now");
    finish(out, &err);
}

void spool_out_leave(struct spool_out *out)
{
    out->left = true;
    if (!out->works)
        out_free(out);
}
