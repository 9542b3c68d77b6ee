/* SPDX-License-Identifier: PostgreSQL */
#include "ctl/commands.h"

#include "base/mem.h"
#include "base/priority.h"
#include "base/text.h"
#include "ctl/arguments.h"
#include "ctl/nearest.h"
#include "ctl/run.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

const struct command commands[COMMAND_COUNT] = {
    [CMD_UPLOAD] =
        {.name = "upload",
         .also = " start resume retry load import ",
         .operands = "FILE...",
         .least = 1,
         .most = SIZE_MAX,
         .run = run_asks,
         .what = "starts an upload of each file, or goes on with it",
         .more =
             "Answers as soon as the upload is durable in the database, with a line on how it "
             "stands; the file is read afterwards. Resuming is the same command: what was "
             "killed, failed or interrupted goes on from its recovery point, what was stopped "
             "begins anew. What is PROCESSED stays as it is, also with --restart; --again makes "
             "another upload of such a file, and changes nothing for one that is not.",
         .examples = {{"uploadctl upload orders.csv", "start it, or go on with it"},
                      {"uploadctl upload --wait *.csv", "see several through to their ends"},
                      {"uploadctl upload --restart orders.csv", "take out what is in, begin anew"},
                      {"uploadctl upload ./123", "a file whose name is a number"}}},
    [CMD_STOP] = {.name = "stop",
                  .also = " cancel abort rollback undo ",
                  .operands = "FILE|ID...",
                  .least = 1,
                  .most = SIZE_MAX,
                  .run = run_asks,
                  .what = "rolls an upload back: no row of the file remains",
                  .more = "Answers when STOPPED is durable. To keep the rows that are in, use kill "
                          "instead.",
                  .examples = {{"uploadctl stop orders.csv", "undo it and wait for that"},
                               {"uploadctl stop --no-wait 12", "only make sure that it will be"}}},
    [CMD_KILL] = {.name = "kill",
                  .also = " interrupt suspend ",
                  .operands = "FILE|ID...",
                  .least = 1,
                  .most = SIZE_MAX,
                  .run = run_asks,
                  .what = "ends an upload's worker at once: the rows that are in stay",
                  .more = "Answers when KILLED and its recovery point are durable. The upload "
                          "command goes on from there.",
                  .examples = {{"uploadctl kill orders.csv", "interrupt it, keep what is in"},
                               {"uploadctl upload orders.csv", "go on later"}}},
    [CMD_WAIT] = {.name = "wait",
                  .also = " attach ",
                  .operands = "FILE|ID...",
                  .least = 1,
                  .most = SIZE_MAX,
                  .run = run_asks,
                  .what = "waits for the end of uploads, as upload --wait does",
                  .more = "Ctrl-C ends the waiting, not the upload. When the supervisor goes away "
                          "it is looked for again for 30 seconds.",
                  .examples = {{"uploadctl wait orders.csv", "see it through"},
                               {"uploadctl wait --timeout 5m 12", "but not for longer than this"}}},
    [CMD_STATUS] = {.name = "status",
                    .also = " show info ",
                    .operands = "FILE|ID",
                    .least = 1,
                    .most = 1,
                    .run = run_asks,
                    .what = "shows one upload, and what can be done next",
                    .more = "A file means its newest upload. Ends with 0 whatever the upload's "
                            "state is.",
                    .examples = {{"uploadctl status orders.csv", "by its file"},
                                 {"uploadctl status --json 12", "by its ID, for a program"}}},
    [CMD_LIST] = {.name = "list",
                  .also = " ls ps ",
                  .operands = "",
                  .run = run_pages,
                  .what = "lists uploads, newest first",
                  .more = "All of them, unless --limit or --status says otherwise.",
                  .examples = {{"uploadctl list --limit 20", "the newest"},
                               {"uploadctl list --status FAILED", "only those that failed"}}},
    [CMD_WATCH] =
        {.name = "watch",
         .also = " follow top ",
         .operands = "",
         .run = run_watch,
         .what = "shows all uploads live, until interrupted",
         .more = "On a terminal a screen: problems, the newest first, with their messages; "
                 "what runs, with bars, rates and time left; what waits, in its order; what "
                 "has ended. What is in progress, and what is new, looked at once a second: what "
                 "comes and goes between is in the history. Away from a terminal, and with "
                 "--json, each upload that changed on a line of its own. Ctrl-C is its "
                 "end.",
         .examples = {{"uploadctl watch", "on a terminal"},
                      {"uploadctl watch --json", "one object a line, for a program"}}},
    [CMD_HISTORY] = {.name = "history",
                     .also = " log events ",
                     .operands = "FILE|ID",
                     .least = 1,
                     .most = 1,
                     .run = run_pages,
                     .what = "lists every transition of an upload: when, from, to, why, who",
                     .more = "Oldest first.",
                     .examples = {{"uploadctl history orders.csv", "what happened to it"}}},
    [CMD_REJECTS] =
        {.name = "rejects",
         .also = " errors ",
         .operands = "FILE|ID",
         .least = 1,
         .most = 1,
         .run = run_pages,
         .what = "lists the records that could not be uploaded: number, reason, raw text",
         .more =
             "In the file's order, numbered as the file's records are: 1 is the first behind the "
             "header. With --json the raw bytes are whole, in Base64; of a record longer "
             "than max_record so many.",
         .examples = {{"uploadctl rejects orders.csv", "what is wrong with it"},
                      {"uploadctl rejects --csv orders.csv > bad.csv",
                       "to correct the column raw, and upload what it says"}}},
    [CMD_VERIFY] = {.name = "verify",
                    .also = " check compare prove ",
                    .operands = "FILE|ID...",
                    .least = 1,
                    .most = SIZE_MAX,
                    .run = run_asks,
                    .what = "proves that the table holds exactly what the file says",
                    .more =
                        "Reads the file and the table side by side, rows and rejects, as far as "
                        "the upload came; then counts by the whole table. Changes nothing, and "
                        "may run while others upload. Ends with 0 when they are equal and the "
                        "upload is PROCESSED; with 1 and the first records that differ when "
                        "they are not; when they are equal as far as an upload came that is not "
                        "PROCESSED, as wait ends of it: 5 for KILLED and STOPPED, 1 for FAILED, 6 "
                        "for one that was refused as in already. With 6 also while the upload "
                        "is in progress. A file means its newest upload, which may be one that "
                        "was refused: its ID names any.",
                    .examples = {{"uploadctl verify orders.csv", "is all of it there, and once?"},
                                 {"uploadctl verify 12 --at done/orders.csv",
                                  "of a file that was moved since"}}},
    [CMD_FORGET] = {.name = "forget",
                    .also = " rm remove ",
                    .operands = "FILE|ID...",
                    .least = 1,
                    .most = SIZE_MAX,
                    .run = run_asks,
                    .what = "removes an upload that has ended, with its history and rejects",
                    .more = "Its rows stay in the table, unless --rows is given; then nothing "
                            "knows any more where they came from, and another upload of the file "
                            "has them twice. A file means its newest upload, which may be one "
                            "that was refused and has no rows: the ID, which list shows, names the "
                            "one that is meant. Answers when that is durable.",
                    .examples = {{"uploadctl forget 12", "its rows stay"},
                                 {"uploadctl forget --rows 12", "its rows go, too"}}},
    [CMD_PAUSE] = {.name = "pause",
                   .also = " hold drain ",
                   .operands = "",
                   .run = run_pause,
                   .what = "lets the service begin no further upload",
                   .more = "Those that run go on to their ends, and new ones are accepted and "
                           "wait. It stays so when the supervisor is restarted, until continue.",
                   .examples = {{"uploadctl pause", "before the database is worked on"}}},
    [CMD_CONTINUE] = {.name = "continue",
                      .also = " unpause release ",
                      .operands = "",
                      .run = run_pause,
                      .what = "ends a pause: what waits is begun",
                      .more = "To go on with an upload that was killed or has failed, use upload.",
                      .examples = {{"uploadctl continue", "afterwards"}}},
    [CMD_METRICS] = {.name = "metrics",
                     .also = " stats prometheus ",
                     .operands = "",
                     .run = run_metrics,
                     .what = "prints what the service counts of itself, for Prometheus",
                     .more = "Since the supervisor's start, in Prometheus' text format, for the "
                             "textfile collector of node_exporter: write it to another name in "
                             "that folder, and rename it. No file's name is in it.",
                     .examples = {{"uploadctl metrics", "all of them"}}},
    [CMD_PING] = {.name = "ping",
                  .operands = "",
                  .run = run_ping,
                  .what = "asks whether a supervisor is there, and its database",
                  .more = "Ends with 0 whenever the supervisor answers; \"away\" says that its "
                          "database does not.",
                  .examples = {{"uploadctl ping", "is it there?"}}},
    [CMD_VERSION] = {.name = "version",
                     .operands = "",
                     .run = run_version,
                     .what =
                         "prints the version of uploadctl, and of the supervisor if it is there",
                     .more = "Ends with 0 also when no supervisor is there.",
                     .examples = {{"uploadctl version", "which one is this?"}}},
    [CMD_HELP] = {.name = "help",
                  .operands = "[COMMAND]",
                  .most = 1,
                  .run = run_help,
                  .what = "explains uploadctl, or one of its commands",
                  .more = "",
                  .examples = {{"uploadctl help upload", "what does upload do?"}}},
};

#define AT(member) offsetof(struct arguments, member)

const struct command_option command_options[] = {
    {"socket", 0, "PATH", TAKES_TEXT, AT(socket), ON_ALL,
     "the supervisor's control socket; else what " SOCKET_VARIABLE " says, else the default"},
    {"json", 0, NULL, TAKES_FLAG, AT(json), ON_ALL,
     "prints JSON and nothing else, errors too: one object, or one a line"},
    {"color", 0, "WHEN", TAKES_COLOR, AT(color), ON_ALL,
     "auto (by default: on a terminal, unless NO_COLOR is set), always or never: statuses in "
     "color"},
    {"help", 'h', NULL, TAKES_FLAG, AT(help), ON_ALL, "as the command help"},
    {"version", 0, NULL, TAKES_FLAG, AT(version), ON_ALL, "as the command version"},
    {"wait", 0, NULL, TAKES_FLAG, AT(wait), ON(CMD_UPLOAD),
     "waits for the end, and shows the way there on standard error"},
    {"profile", 0, "NAME", TAKES_TEXT, AT(profile), ON(CMD_UPLOAD),
     "how to read the file: a profile of the supervisor's configuration; contacts by default"},
    {"restart", 0, NULL, TAKES_FLAG, AT(restart), ON(CMD_UPLOAD),
     "rolls back what is in and begins anew, also under other settings"},
    {"again", 0, NULL, TAKES_FLAG, AT(again), ON(CMD_UPLOAD),
     "also a file that is in already: its records are then in twice"},
    {"priority", 0, "N", TAKES_PRIORITY, AT(priority), ON(CMD_UPLOAD),
     PRIORITY_RANGE
     ": what waits with a higher one gets a worker first; 0 by default. Given for a file "
     "that waits already, it moves it"},
    {"no-wait", 0, NULL, TAKES_FLAG, AT(no_wait), ON(CMD_STOP),
     "answers as soon as the stop is durable; the rollback goes on"},
    {"timeout", 0, "TIME", TAKES_TIME, AT(timeout_ms), ON(CMD_WAIT),
     "waits no longer than this: 500ms, 30s, 5m, 1h"},
    {"at", 0, "PATH", TAKES_TEXT, AT(at), ON(CMD_VERIFY),
     "where the file lies now, when it was moved after its upload (out of a spool, say)"},
    {"rows", 0, NULL, TAKES_FLAG, AT(rows), ON(CMD_FORGET), "deletes the upload's rows, too"},
    {"csv", 0, NULL, TAKES_FLAG, AT(csv), ON(CMD_REJECTS),
     "prints them as CSV: line (the record's number), reason, raw (its bytes, to be corrected)"},
    {"status", 0, "S", TAKES_STATUS, AT(status), ON(CMD_LIST),
     "only uploads of this status, such as PROCESSING or FAILED"},
    {"limit", 0, "N", TAKES_COUNT, AT(limit), ON(CMD_LIST), "at most so many"},
};

const size_t command_option_count = COUNT_OF(command_options);

const struct command *command_find(const char *name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

/* The command that the word may mean: one that is called so elsewhere, or nearly so here. NULL:
 * none, for what only looks like one (stop for start) may do the opposite. */
static const struct command *find_meant(const char *name)
{
    const char *names[COMMAND_COUNT];
    char *word = mem_format(" %s ", name);
    const struct command *meant = NULL;

    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        names[i] = commands[i].name;
        if (commands[i].also && strstr(commands[i].also, word))
            meant = &commands[i];
    }
    size_t nearest = nearest_of(name, names, COMMAND_COUNT);
    if (!meant && nearest < COMMAND_COUNT)
        meant = &commands[nearest];
    free(word);
    return meant;
}

int command_unknown(const char *name, struct error *err)
{
    const struct command *meant = find_meant(name);
    char escaped[80];

    text_escape(escaped, sizeof escaped, name);
    error_set(err, ERR_USAGE, "there is no command \"%s\"", escaped);
    if (!meant)
        return error_hint(err, "All commands are in: uploadctl help");
    if (meant == &commands[CMD_HELP])
        return error_hint(err, "The nearest one is \"help\"; see: uploadctl help");
    return error_hint(err, "The nearest one is \"%s\", which %s; see: uploadctl help %s",
                      meant->name, meant->what, meant->name);
}
