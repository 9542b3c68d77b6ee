/* SPDX-License-Identifier: PostgreSQL */
/* uploadctl, the client: asks the supervisor at its control socket. It never touches the database,
 * nor a file that it names. */
#include "base/log.h"
#include "ctl/arguments.h"
#include "ctl/color.h"
#include "ctl/commands.h"
#include "ctl/complete.h"
#include "ctl/output.h"
#include "ipc/messages.h"

#include <fcntl.h>
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

/* A standard descriptor that is closed is taken by something that cannot be used: what is opened
 * later must not get its number. */
static void fill_standard_descriptors(void)
{
    int fd;

    while ((fd = open("/dev/null", O_RDONLY | O_PATH)) >= 0 && fd <= STDERR_FILENO)
        ;
    if (fd > STDERR_FILENO)
        close(fd);
}

int main(int argc, char **argv)
{
    struct arguments arguments;
    struct error err;

    fill_standard_descriptors();
    /* for the widths of characters; numbers stay as JSON has them. What is printed is UTF-8, so
     * another encoding, the one of the C locale for instance, is of no use. */
    if (!setlocale(LC_CTYPE, "") || strcmp(nl_langinfo(CODESET), "UTF-8") != 0)
        setlocale(LC_CTYPE, "C.UTF-8");
    log_init("uploadctl");
    ipc_init();
    signal(SIGPIPE, SIG_IGN);
    if (argc > 1 && strcmp(argv[1], COMPLETE_COMMAND) == 0)
        return (int)output_end(complete(argv + 2, (size_t)argc - 2));
    if (arguments_parse(&arguments, argc, argv, &err) < 0) {
        output_error(&err, arguments.json);
        return (int)output_end(error_code_exit(err.code));
    }
    color_init(arguments.color);
    return (int)output_end(arguments.command->run(&arguments));
}
