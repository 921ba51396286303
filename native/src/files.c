#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
}

bool le_file_name_is_plain(const char *name, size_t length)
{
    if (length == 0 || length > 128 || !is_word(name[0]))
        return false;
    for (size_t i = 1; i < length; i++)
        if (!is_word(name[i]) && name[i] != '.')
            return false;
    return true;
}

enum logexport_status le_file_open(int fd, const char *directory, const char *name, int *file,
                                   uint64_t *size, struct logexport_error *error)
{
    /* O_NONBLOCK: a pipe in a file's place must not hold us up before it is refused. */
    *file = openat(fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (*file < 0) {
        if (errno == ELOOP)
            return le_fail(error, LOGEXPORT_BUNDLE, "%.300s/%s is a symbolic link, not a file.",
                           directory, name);
        return le_fail(error, LOGEXPORT_BUNDLE, "%.300s/%s cannot be opened: %s.", directory, name,
                       strerror(errno));
    }
    struct stat status;
    if (fstat(*file, &status) != 0 || !S_ISREG(status.st_mode) || status.st_size < 0) {
        close(*file);
        *file = -1;
        return le_fail(error, LOGEXPORT_BUNDLE, "%.300s/%s is not a regular file.", directory,
                       name);
    }
    *size = (uint64_t)status.st_size;
    return LOGEXPORT_OK;
}

enum logexport_status le_file_read(int fd, const char *directory, const char *name, uint64_t limit,
                                   struct le_buffer *out, struct logexport_error *error)
{
    int file;
    uint64_t size;
    enum logexport_status status = le_file_open(fd, directory, name, &file, &size, error);
    if (status != LOGEXPORT_OK)
        return status;
    out->length = 0;
    if (size > limit) {
        status = le_fail(error, LOGEXPORT_BUNDLE,
                         "%.300s/%s has %llu bytes, more than the %llu that such a file may have.",
                         directory, name, (unsigned long long)size, (unsigned long long)limit);
        goto done;
    }
    if (!le_buffer_reserve(out, (size_t)size + 1)) {
        status = le_out_of_memory(error);
        goto done;
    }
    for (;;) {
        /* One byte more than the size: a file that grows while it is read is noticed. */
        ssize_t got = read(file, out->data + out->length, (size_t)size + 1 - out->length);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            status = le_fail(error, LOGEXPORT_BUNDLE, "%.300s/%s cannot be read: %s.", directory,
                             name, strerror(errno));
        if (got <= 0)
            break;
        out->length += (size_t)got;
        if (out->length > size)
            break;
    }
    if (status == LOGEXPORT_OK && out->length != size)
        status = le_fail(error, LOGEXPORT_BUNDLE, "%.300s/%s changed while it was read.", directory,
                         name);
done:
    close(file);
    return status;
}
