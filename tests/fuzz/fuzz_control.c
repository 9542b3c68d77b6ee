/* SPDX-License-Identifier: PostgreSQL */
/* A client that sends any bytes, in any pieces, to the real control socket of a supervisor whose
 * database is away. Every frame is answered as the protocol has it, in order, and nothing else is
 * said; what is not answered waits for the database. Whatever the client sent and however it left,
 * nothing of it is left over.
 *
 * The first four bytes choose whether the supervisor is shutting down, whether and how many blanks
 * stand before the first frame (so that it is about as long as a frame may be), and the pieces. */
#include "base/log.h"
#include "base/mem.h"
#include "base/status.h"
#include "base/text.h"
#include "ipc/messages.h"
#include "supervisor/control.h"
#include "supervisor/database.h"
#include "supervisor/requests.h"
#include "supervisor/supervisor.h"
#include "supervisor/uploads.h"
#include "tests/fuzz/frames.h"
#include "tests/fuzz/scratch.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Longer than all answers to one input. */
#define ANSWERS_BYTES ((size_t)4 * 1024 * 1024)

/* Blanks before the first frame: so many, and up to 255 more. */
#define PADDING_BYTES (IPC_REQUEST_MAX_BYTES - 200)

static uv_loop_t loop;
static struct supervisor supervisor = {.loop = &loop};
static int listen_fd;
static struct sockaddr_un address = {.sun_family = AF_UNIX};
static char *answers;

/* ---- the supervisor ---- */

/* Files that are there may be looked at: by the name of a profile that takes any text, too. */
static void configure(void)
{
    static const char text[] = "[database]\nconninfo = host=/nonexistent\n"
                               "[files]\nallow = /etc\n[profile any]\nheader = no\n";
    static struct scratch file; /* kept for the whole run */

    file = scratch_open("main.conf");
    scratch_write(&file, text, sizeof text - 1);
    DEMAND(conf_load(&supervisor.conf, file.path, NULL, stderr) == 0);
    static char name[] = "fuzz";
    supervisor.name = name;
}

static void listen_at_scratch(void)
{
    snprintf(address.sun_path, sizeof address.sun_path, "%s/socket", scratch_folder());
    listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    DEMAND(bind(listen_fd, (struct sockaddr *)&address, sizeof address) == 0);
}

/* It was tried once, and is not tried again. */
static void lose_database(void)
{
    supervisor.database = database_new(&supervisor);
    while (!database_trouble(supervisor.database))
        uv_run(&loop, UV_RUN_ONCE);
    database_stop(supervisor.database);
    uv_run(&loop, UV_RUN_DEFAULT);
}

static void begin_once(void)
{
    if (answers)
        return;
    answers = mem_new(ANSWERS_BYTES, 1);
    log_set_level(LOG_LEVEL_ERROR);
    DEMAND(uv_loop_init(&loop) == 0);
    configure();
    listen_at_scratch();
    lose_database();
}

static void begin(void)
{
    struct error err;

    uv_update_time(&loop);
    supervisor.away_since_ms = uv_now(&loop);
    supervisor.uploads = uploads_new(&supervisor);
    supervisor.requests = requests_new(&supervisor);
    DEMAND(control_new(&supervisor, dup(listen_fd), &supervisor.control, &err) == 0);
}

/* As supervisor_fini does it: the thread pool has let go before. */
static void end(void)
{
    control_close(supervisor.control);
    uv_run(&loop, UV_RUN_DEFAULT);
    requests_free(supervisor.requests);
    control_free(supervisor.control);
    uploads_free(supervisor.uploads);
    DEMAND(uv_run(&loop, UV_RUN_DEFAULT) == 0);
}

/* ---- the client ---- */

struct client {
    int fd;
    size_t size; /* of the answers so far */
    bool ended;  /* the supervisor has closed it */
};

static void take_answers(struct client *client)
{
    ssize_t n;

    while (!client->ended) {
        DEMAND(client->size < ANSWERS_BYTES);
        n = recv(client->fd, answers + client->size, ANSWERS_BYTES - client->size, MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN)
            return;
        client->ended = n <= 0; /* an error: it did not read all that was sent */
        client->size += n > 0 ? (size_t)n : 0;
    }
}

static void turn(struct client *client)
{
    uv_run(&loop, UV_RUN_NOWAIT);
    take_answers(client);
}

static void talk(struct client *client, struct pieces *pieces, const char *data, size_t left)
{
    while (left > 0 && !client->ended) {
        size_t size = pieces_next(pieces, left);
        ssize_t sent = send(client->fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EAGAIN)
            break; /* it is not read any more */
        DEMAND(sent > 0 || errno == EPIPE || errno == ECONNRESET);
        if (sent <= 0)
            break;
        turn(client);
        data += sent;
        left -= (size_t)sent;
    }
    for (int i = 0; i < 3; i++)
        turn(client);
}

/* ---- what it is to be told ---- */

enum expected { ANSWERED, REFUSED, LOOKED_AT, HELD };

/* Of a question that is held, nothing behind it is read. */
static enum expected expect_question(const json_t *message, enum ipc_kind kind)
{
    const char *status = ipc_text(message, "status");

    if (kind == IPC_LIST && status && status_parse(status) == STATUS_NONE)
        return REFUSED;
    return ipc_int(message, "limit", 1) < 1 ? REFUSED : HELD;
}

static enum expected expect(const json_t *message, enum ipc_kind *kind)
{
    const char *file = ipc_text(message, "file");
    const char *profile = ipc_text(message, "profile");
    struct error err;

    if (ipc_check(message, FROM_CLIENT, kind, &err) < 0)
        return REFUSED;
    if (*kind == IPC_PING)
        return ANSWERED;
    if (supervisor.ending)
        return REFUSED;
    if (*kind == IPC_LIST)
        return expect_question(message, *kind);
    if (!file == (ipc_int(message, "id", 0) == 0) || (file && !text_path_is_normal(file)))
        return REFUSED;
    if (*kind == IPC_HISTORY || *kind == IPC_REJECTS)
        return expect_question(message, *kind);
    if (*kind == IPC_UPLOAD)
        return profile && !conf_profile(&supervisor.conf, profile) ? REFUSED : LOOKED_AT;
    return HELD;
}

/* The next answer: whole, a message that the protocol has. NULL: there is none. */
static json_t *next_answer(struct frames *frames, enum ipc_kind *kind)
{
    struct error err;
    json_t *answer;
    enum frame frame = frames_next(frames, &answer);

    DEMAND(frame != FRAME_BROKEN);
    if (frame == FRAME_NONE) {
        DEMAND(frames->at == frames->size);
        return NULL;
    }
    DEMAND(ipc_check(answer, FROM_SUPERVISOR, kind, &err) == 0);
    return answer;
}

/* Answers to uploads come when the thread pool has looked at the file: by their ref, and only
 * refusals, since all else waits for the database. */
static bool is_of_look(const json_t *looks, const json_t *answer, enum ipc_kind kind)
{
    const json_t *look;
    size_t i;

    json_array_foreach (looks, i, look)
        if (kind == IPC_ERROR && json_equal(look, json_object_get(answer, "ref")))
            return true;
    return false;
}

/* The next answer is the one that is due, but for those to uploads, which may come before it. */
static void demand_answer(struct frames *got, const json_t *looks, const json_t *ref,
                          enum ipc_kind wanted)
{
    enum ipc_kind kind;
    json_t *answer;

    while (true) {
        DEMAND((answer = next_answer(got, &kind)));
        const json_t *found = json_object_get(answer, "ref");
        bool due = kind == wanted && (ref ? json_equal(ref, found) : !found);
        if (kind == IPC_ERROR) {
            const json_t *error = json_object_get(answer, "error");
            DEMAND(error_code_parse(ipc_text(error, "code")) != ERR_NONE);
            DEMAND(ipc_text(error, "message"));
        }
        if (!due)
            DEMAND(is_of_look(looks, answer, kind));
        json_decref(answer);
        if (due)
            return;
    }
}

static void demand_only_looks(struct frames *got, const json_t *looks)
{
    enum ipc_kind kind;
    json_t *answer;

    while ((answer = next_answer(got, &kind))) {
        DEMAND(is_of_look(looks, answer, kind));
        json_decref(answer);
    }
}

static void check_answers(struct frames sent, struct frames got)
{
    json_t *looks = json_array();
    enum ipc_kind kind;
    enum frame frame;
    json_t *message;
    bool read_on = true;

    while (read_on && (frame = frames_next(&sent, &message)) != FRAME_NONE) {
        if (frame == FRAME_BROKEN) {
            demand_answer(&got, looks, NULL, IPC_ERROR);
            break;
        }
        json_t *ref = json_object_get(message, "ref");
        switch (expect(message, &kind)) {
        case ANSWERED:
            demand_answer(&got, looks, ref, IPC_PONG);
            break;
        case REFUSED:
            demand_answer(&got, looks, json_is_integer(ref) ? ref : NULL, IPC_ERROR);
            break;
        case LOOKED_AT:
            json_array_append(looks, ref);
            break;
        case HELD:
            read_on = kind != IPC_LIST && kind != IPC_HISTORY && kind != IPC_REJECTS;
            break;
        }
        json_decref(message);
    }
    demand_only_looks(&got, looks);
    json_decref(looks);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input_bytes in = {data, size};
    struct client client = {.size = 0};
    size_t padding = 0;

    begin_once();
    unsigned how = choose(&in);
    unsigned more = choose(&in);
    supervisor.ending = how & 1;
    if ((how & 14) == 2) /* seldom: it is slow */
        padding = PADDING_BYTES + more;
    struct pieces pieces = pieces_choose(&in);
    char *sent = mem_new(padding + in.size, 1);
    memset(sent, ' ', padding);
    if (in.size > 0)
        memcpy(sent + padding, in.data, in.size);

    begin();
    client.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    DEMAND(connect(client.fd, (struct sockaddr *)&address, sizeof address) == 0);
    talk(&client, &pieces, sent, padding + in.size);
    shutdown(client.fd, SHUT_WR);
    turn(&client);
    end();
    take_answers(&client);
    DEMAND(client.ended);
    close(client.fd);
    check_answers((struct frames){sent, padding + in.size, 0, IPC_REQUEST_MAX_BYTES},
                  (struct frames){answers, client.size, 0, IPC_MESSAGE_MAX_BYTES});
    free(sent);
    return 0;
}
