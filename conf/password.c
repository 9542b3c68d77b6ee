/* SPDX-License-Identifier: PostgreSQL */
#include "conf/password.h"

#include "base/mem.h"
#include "conf/conf.h"
#include "conf/read.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_BYTES 4096

char *password_credential(void)
{
    const char *folder = getenv("CREDENTIALS_DIRECTORY");

    return folder ? mem_format("%s/" CONF_CREDENTIAL, folder) : NULL;
}

static int refuse(const char *path, const char *what, const char *remedy, struct error *err)
{
    error_set(err, ERR_CONFIG, "\"%s\": %s", path, what);
    return error_hint(err, "%s", remedy);
}

static int take_line(const char *path, const char *data, size_t size, char **password,
                     struct error *err)
{
    size_t length = 0;

    while (length < size && data[length] != '\n')
        length++;
    if (length > 0 && data[length - 1] == '\r')
        length--;
    if (length == 0)
        return refuse(path, "its first line is empty", "write the password on it", err);
    if (memchr(data, '\0', length))
        return refuse(path, "there is a NUL byte in it", "write the password as text", err);
    *password = mem_format("%.*s", (int)length, data);
    return 0;
}

int password_read(const char *path, char **password, struct error *err)
{
    struct stat st;
    char *data;
    size_t size;

    *password = NULL;
    if (stat(path, &st) == 0 && (st.st_mode & S_IRWXO))
        return refuse(path, "others may use the file", "forbid it (with chmod o=)", err);
    if (stat(path, &st) == 0 && st.st_size > MAX_BYTES)
        return refuse(path, "it is too long", "write the password alone", err);
    int rc = read_whole(path, MAX_BYTES, &data, &size, err);
    if (rc < 0) {
        struct error why = *err;
        return refuse(path, why.message, why.hint, err);
    }
    rc = take_line(path, data, size, password, err);
    explicit_bzero(data, size);
    free(data);
    return rc;
}
