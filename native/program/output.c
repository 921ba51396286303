#include "output.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

static bool write_all(struct output *output, const char *bytes, size_t length)
{
    while (length > 0 && output->error == 0) {
        ssize_t written = write(output->fd, bytes, length);
        if (written >= 0) {
            bytes += written;
            length -= (size_t)written;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            struct pollfd file = {.fd = output->fd, .events = POLLOUT};
            poll(&file, 1, -1);
        } else if (errno != EINTR) {
            output->error = errno;
        }
    }
    return output->error == 0;
}

bool output_flush(struct output *output)
{
    bool ok = write_all(output, output->bytes, output->length);
    output->length = 0;
    return ok;
}

bool output_add(struct output *output, const char *bytes, size_t length)
{
    if (length > sizeof output->bytes - output->length && !output_flush(output))
        return false;
    if (length > sizeof output->bytes)
        return write_all(output, bytes, length);
    memcpy(output->bytes + output->length, bytes, length);
    output->length += length;
    return output->error == 0;
}
