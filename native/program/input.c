#include "input.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A signal's handler can only do so much: it writes a byte that poll() sees. */
static int signal_pipe[2] = {-1, -1};
static volatile sig_atomic_t signalled;

static void on_signal(int number)
{
    int before = errno;
    (void)number;
    signalled = 1;
    if (write(signal_pipe[1], "", 1) < 0)
        errno = 0; /* full: one byte is enough */
    errno = before;
}

bool input_watch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    sigemptyset(&action.sa_mask);
    return pipe2(signal_pipe, O_CLOEXEC | O_NONBLOCK) == 0 &&
           sigaction(SIGTERM, &action, NULL) == 0 && sigaction(SIGINT, &action, NULL) == 0;
}

bool input_open(struct input *input, const char *path)
{
    memset(input, 0, offsetof(struct input, raw));
    input->raw_begin = input->raw_end = 0;
    input->form = UNDECIDED;
    input->error[0] = '\0';
    if (path == NULL || strcmp(path, "-") == 0) {
        input->fd = STDIN_FILENO;
        input->name = "standard input";
        return true;
    }
    input->name = path;
    input->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (input->fd >= 0)
        return true;
    snprintf(input->error, sizeof input->error, "The log %.300s cannot be read: %s.", path,
             strerror(errno));
    return false;
}

void input_close(struct input *input)
{
    if (input->form == GZIP)
        inflateEnd(&input->gzip);
    if (input->fd > STDIN_FILENO)
        close(input->fd);
}

static enum input_state fail_reading(struct input *input, const char *what)
{
    snprintf(input->error, sizeof input->error, "%.300s %s.", input->name, what);
    return INPUT_ERROR;
}

/* Reads from the file itself, when it has something or `wait` says to wait until it has. */
static enum input_state read_file(struct input *input, bool wait, void *bytes, size_t size,
                                  size_t *length)
{
    if (input->ended)
        return INPUT_END;
    struct pollfd files[2] = {{.fd = input->fd, .events = POLLIN},
                              {.fd = signal_pipe[0], .events = POLLIN}};
    for (;;) {
        int ready = poll(files, 2, wait ? -1 : 0);
        if (signalled)
            return INPUT_STOP;
        if (ready == 0)
            return INPUT_QUIET;
        if (ready < 0) {
            if (errno == EINTR)
                continue;
            break;
        }
        ssize_t got = read(input->fd, bytes, size);
        if (got > 0) {
            *length = (size_t)got;
            return INPUT_BYTES;
        }
        if (got == 0) {
            input->ended = true;
            return INPUT_END;
        }
        if (errno == EAGAIN || errno == EWOULDBLOCK) {
            if (!wait)
                return INPUT_QUIET;
            continue;
        }
        if (errno != EINTR)
            break;
    }
    char what[200];
    snprintf(what, sizeof what, "cannot be read: %s", strerror(errno));
    return fail_reading(input, what);
}

/* The first two bytes say whether it is gzip. One byte that is not gzip's first decides, too, so that
 * a first line of one byte is not held back. */
static enum input_state decide_form(struct input *input, bool wait)
{
    size_t length = 0;
    enum input_state state = read_file(input, wait, input->raw + input->raw_end,
                                       sizeof input->raw - input->raw_end, &length);
    if (state != INPUT_BYTES && state != INPUT_END)
        return state;
    input->raw_end += length;
    size_t have = input->raw_end;
    if (have >= 2 && input->raw[0] == 0x1f && input->raw[1] == 0x8b) {
        if (inflateInit2(&input->gzip, 16 + MAX_WBITS) != Z_OK)
            return fail_reading(input, "cannot be decompressed: not enough memory");
        input->form = GZIP;
        input->in_member = true;
    } else if (state == INPUT_END || have >= 2 || input->raw[0] != 0x1f) {
        input->form = PLAIN;
    }
    return state == INPUT_END && have == 0 ? INPUT_END : INPUT_BYTES;
}

static enum input_state refuse_gzip(struct input *input, const char *why)
{
    char what[200];
    snprintf(what, sizeof what, "is truncated or corrupt gzip data: %s", why);
    return fail_reading(input, what);
}

/* Between members, and after the last, zero bytes are padding (as gzip and Python read them). */
static void skip_padding(struct input *input)
{
    while (input->raw_begin < input->raw_end && input->raw[input->raw_begin] == 0)
        input->raw_begin++;
    if (input->raw_begin == input->raw_end)
        return;
    inflateReset(&input->gzip);
    input->in_member = true;
}

static enum input_state read_gzip(struct input *input, bool wait, char *bytes, size_t size,
                                  size_t *length)
{
    input->gzip.next_out = (Bytef *)bytes;
    input->gzip.avail_out = (uInt)size;
    for (;;) {
        if (!input->in_member)
            skip_padding(input);
        if (input->in_member) {
            input->gzip.next_in = input->raw + input->raw_begin;
            input->gzip.avail_in = (uInt)(input->raw_end - input->raw_begin);
            int result = inflate(&input->gzip, Z_NO_FLUSH);
            input->raw_begin = input->raw_end - input->gzip.avail_in;
            *length = size - input->gzip.avail_out;
            if (result == Z_STREAM_END)
                input->in_member = false;
            else if (result != Z_OK && result != Z_BUF_ERROR && *length == 0)
                return refuse_gzip(input, input->gzip.msg != NULL ? input->gzip.msg : "bad data");
            if (*length > 0)
                return INPUT_BYTES; /* an error comes again at the next call */
            if (result == Z_STREAM_END)
                continue;
        }
        size_t got = 0;
        enum input_state state = read_file(input, wait, input->raw, sizeof input->raw, &got);
        if (state == INPUT_END && input->in_member)
            return refuse_gzip(input, "it ends in the middle");
        if (state != INPUT_BYTES)
            return state;
        input->raw_begin = 0;
        input->raw_end = got;
    }
}

enum input_state input_read(struct input *input, bool wait, char *bytes, size_t size,
                            size_t *length)
{
    *length = 0;
    if (signalled)
        return INPUT_STOP;
    while (input->form == UNDECIDED) {
        enum input_state state = decide_form(input, wait);
        if (state != INPUT_BYTES)
            return state;
    }
    if (input->form == GZIP)
        return read_gzip(input, wait, bytes, size, length);
    if (input->raw_begin < input->raw_end) { /* what was read to decide */
        *length = input->raw_end - input->raw_begin;
        if (*length > size)
            *length = size;
        memcpy(bytes, input->raw + input->raw_begin, *length);
        input->raw_begin += *length;
        return INPUT_BYTES;
    }
    return read_file(input, wait, bytes, size, length);
}
