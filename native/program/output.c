#include "output.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    CAPACITY = 1 << 16,
    SEAL_TRIES = 200 /* of a millisecond: a write that takes longer may never return */
};

bool output_init(struct output *output, int fd)
{
    struct stat file;
    *output = (struct output){.fd = fd,
                              .in_pieces = fstat(fd, &file) != 0 || !S_ISREG(file.st_mode),
                              .capacity = CAPACITY};
    output->bytes = malloc(output->capacity);
    return output->bytes != NULL && pthread_mutex_init(&output->lock, NULL) == 0;
}

void output_free(struct output *output)
{
    free(output->bytes);
    output->bytes = NULL;
}

/* Whether the next piece can be written without waiting. */
static bool is_ready(const struct output *output, int timeout)
{
    struct pollfd file = {.fd = output->fd, .events = POLLOUT};
    return poll(&file, 1, timeout) > 0; /* also if it is broken: the write says so */
}

static size_t piece_length(const struct output *output)
{
    size_t left = output->end - output->begin;
    if (!output->in_pieces || left <= PIPE_BUF)
        return left;
    const char *begin = output->bytes + output->begin;
    const char *last = memrchr(begin, '\n', PIPE_BUF);
    return last != NULL ? (size_t)(last + 1 - begin) : PIPE_BUF;
}

static void write_piece(struct output *output)
{
    ssize_t written = write(output->fd, output->bytes + output->begin, piece_length(output));
    if (written >= 0)
        output->begin += (size_t)written;
    else if (errno != EINTR && errno != EAGAIN && errno != EWOULDBLOCK)
        output->error = errno;
}

/* Writes all, with the lock held, which is released while waiting for the reader. */
static bool write_all(struct output *output)
{
    while (output->begin < output->end && output->error == 0) {
        if (!output->in_pieces || is_ready(output, 0)) {
            write_piece(output);
            continue;
        }
        pthread_mutex_unlock(&output->lock);
        atomic_store(&output->waiting, true);
        is_ready(output, -1);
        atomic_store(&output->waiting, false);
        pthread_mutex_lock(&output->lock);
    }
    output->begin = output->end = 0;
    return output->error == 0;
}

bool output_flush(struct output *output)
{
    pthread_mutex_lock(&output->lock);
    bool ok = write_all(output);
    pthread_mutex_unlock(&output->lock);
    return ok;
}

/* Room for a record that is longer than all of it. */
static bool grow(struct output *output, size_t capacity)
{
    char *bytes = realloc(output->bytes, capacity);
    if (bytes == NULL) {
        output->error = ENOMEM;
        return false;
    }
    output->bytes = bytes;
    output->capacity = capacity;
    return true;
}

bool output_add(struct output *output, const char *record, size_t length)
{
    pthread_mutex_lock(&output->lock);
    bool ok = (length <= output->capacity - output->end || write_all(output)) &&
              (length <= output->capacity || grow(output, length));
    if (ok) {
        memcpy(output->bytes + output->end, record, length);
        output->end += length;
        ok = output->error == 0;
    }
    pthread_mutex_unlock(&output->lock);
    return ok;
}

int output_error(struct output *output)
{
    pthread_mutex_lock(&output->lock);
    int error = output->error;
    pthread_mutex_unlock(&output->lock);
    return error;
}

static void write_ready(struct output *output)
{
    while (output->begin < output->end && output->error == 0 && is_ready(output, 0))
        write_piece(output);
}

void output_drain(struct output *output)
{
    if (pthread_mutex_trylock(&output->lock) != 0)
        return;
    write_ready(output);
    pthread_mutex_unlock(&output->lock);
}

void output_seal(struct output *output)
{
    for (int i = 0; i < SEAL_TRIES; i++) {
        if (pthread_mutex_trylock(&output->lock) == 0) {
            write_ready(output);
            return;
        }
        poll(NULL, 0, 1);
    }
}
