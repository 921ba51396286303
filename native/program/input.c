#include "input.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "signals.h"

enum { TAR_AT = 257 };

bool input_open(struct input *input, const char *path)
{
    memset(input, 0, offsetof(struct input, raw));
    input->raw_begin = input->raw_end = 0;
    input->form = COMPRESSION_UNDECIDED;
    input->error[0] = '\0';
    if (strcmp(path, "-") == 0) {
        input->fd = STDIN_FILENO;
        input->name = "standard input";
        return true;
    }
    input->name = path;
    do
        input->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    while (input->fd < 0 && errno == EINTR && !signals_came());
    if (input->fd >= 0 || signals_came()) /* a signal: the next reading says so */
        return true;
    snprintf(input->error, sizeof input->error, "The log %.300s cannot be read: %s.", path,
             strerror(errno));
    return false;
}

void input_close(struct input *input)
{
    decoder_free(input->decoder);
    input->decoder = NULL;
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
                              {.fd = signals_descriptor(), .events = POLLIN}};
    for (;;) {
        int ready = poll(files, 2, wait ? -1 : 0);
        if (signals_came())
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

/* The first bytes say whether it is compressed. Bytes that no such file begins with decide at once,
 * so that a first line of one byte is not held back. */
static enum input_state decide_form(struct input *input, bool wait)
{
    size_t length = 0;
    enum input_state state = read_file(input, wait, input->raw + input->raw_end,
                                       sizeof input->raw - input->raw_end, &length);
    if (state != INPUT_BYTES && state != INPUT_END)
        return state;
    input->raw_end += length;
    input->form = compression_recognise(input->raw, input->raw_end);
    if (state == INPUT_END && input->form == COMPRESSION_UNDECIDED)
        input->form = COMPRESSION_NONE;
    return state == INPUT_END && input->raw_end == 0 ? INPUT_END : INPUT_BYTES;
}

static enum input_state refuse_for_memory(struct input *input)
{
    return fail_reading(input, "cannot be decompressed: not enough memory");
}

static enum input_state refuse_data(struct input *input, const char *why)
{
    char what[250];
    snprintf(what, sizeof what, "is truncated or corrupt %s data: %s",
             compression_name(input->form), why);
    return fail_reading(input, what);
}

/* Between members, and after the last, zero bytes are padding. False: out of memory. */
static bool begin_member(struct input *input)
{
    while (input->raw_begin < input->raw_end && input->raw[input->raw_begin] == 0)
        input->raw_begin++;
    if (input->raw_begin == input->raw_end)
        return true;
    input->decoder = decoder_new(input->form);
    return input->decoder != NULL;
}

/* Lets the decoder of a member go on. Sets *made: bytes given. False: `error` says what is wrong. */
static bool run_member(struct input *input, char *bytes, size_t size, size_t *made)
{
    char problem[200], what[250];
    size_t used;
    enum decoder_state state = decoder_run(
        input->decoder, input->raw + input->raw_begin, input->raw_end - input->raw_begin, &used,
        (unsigned char *)bytes, size, made, problem, sizeof problem);
    input->raw_begin += used;
    switch (state) {
    case DECODER_MORE:
        return true;
    case DECODER_END:
        decoder_free(input->decoder);
        input->decoder = NULL;
        return true;
    case DECODER_DAMAGED:
        refuse_data(input, problem);
        return false;
    case DECODER_NO_MEMORY:
        refuse_for_memory(input);
        return false;
    case DECODER_TOO_LARGE:
        snprintf(what, sizeof what, "has %s", problem);
        fail_reading(input, what);
        return false;
    }
    return false;
}

static enum input_state read_compressed(struct input *input, bool wait, char *bytes, size_t size,
                                        size_t *length)
{
    for (;;) {
        if (input->decoder == NULL && !begin_member(input))
            return refuse_for_memory(input);
        if (input->decoder != NULL) {
            size_t before = input->raw_begin;
            input->failed = !run_member(input, bytes, size, length);
            if (*length > 0)
                return INPUT_BYTES; /* an error is said at the next reading */
            if (input->failed)
                return INPUT_ERROR;
            if (input->decoder == NULL || input->raw_begin > before)
                continue;
        }
        size_t got = 0;
        enum input_state state = read_file(input, wait, input->raw, sizeof input->raw, &got);
        if (state == INPUT_END && input->decoder != NULL)
            return refuse_data(input, "it ends in the middle");
        if (state != INPUT_BYTES)
            return state;
        input->raw_begin = 0;
        input->raw_end = got;
    }
}

static enum input_state read_plain(struct input *input, bool wait, char *bytes, size_t size,
                                   size_t *length)
{
    if (input->raw_begin == input->raw_end)
        return read_file(input, wait, bytes, size, length);
    *length = input->raw_end - input->raw_begin; /* what was read to decide */
    if (*length > size)
        *length = size;
    memcpy(bytes, input->raw + input->raw_begin, *length);
    input->raw_begin += *length;
    return INPUT_BYTES;
}

static enum input_state read_content(struct input *input, bool wait, char *bytes, size_t size,
                                     size_t *length)
{
    while (input->form == COMPRESSION_UNDECIDED) {
        enum input_state state = decide_form(input, wait);
        if (state != INPUT_BYTES)
            return state;
    }
    return input->form == COMPRESSION_NONE ? read_plain(input, wait, bytes, size, length)
                                           : read_compressed(input, wait, bytes, size, length);
}

/* Whether content begins like a tar archive's: "ustar" at byte 257, and no line feed before. */
static bool is_tar(const char *bytes, size_t length)
{
    return length >= TAR_AT + 5 && memcmp(bytes + TAR_AT, "ustar", 5) == 0 &&
           memchr(bytes, '\n', TAR_AT) == NULL;
}

/* Reads the content's first bytes. Those before its first line feed are held back, as many as tell a
 * tar archive: its headers would be lines. */
static enum input_state read_beginning(struct input *input, bool wait, char *bytes, size_t size,
                                       size_t *length)
{
    do {
        size_t held = input->begin_length, more = 0;
        enum input_state state = read_content(input, wait, bytes + held, size - held, &more);
        if (state == INPUT_QUIET || state == INPUT_STOP)
            return state;
        memcpy(bytes, input->begin, held);
        size_t total = held + more;
        if (is_tar(bytes, total)) {
            snprintf(input->error, sizeof input->error,
                     "%.200s is a tar archive, not a log. Name what is in it: tar -xOf %.200s "
                     "MEMBER | logexport-engine detect BUNDLE -",
                     input->name, input->name);
            input->failed = true;
            return INPUT_ERROR;
        }
        if (state != INPUT_BYTES || total >= sizeof input->begin ||
            memchr(bytes, '\n', total) != NULL) {
            input->begun = true;
            input->failed |= state == INPUT_ERROR; /* said at the next reading */
            *length = total;
            return total > 0 ? INPUT_BYTES : state;
        }
        memcpy(input->begin + held, bytes + held, more);
        input->begin_length = total;
    } while (wait);
    return INPUT_QUIET;
}

enum input_state input_read(struct input *input, bool wait, char *bytes, size_t size,
                            size_t *length)
{
    *length = 0;
    if (signals_came())
        return INPUT_STOP;
    if (input->failed)
        return INPUT_ERROR;
    return input->begun ? read_content(input, wait, bytes, size, length)
                        : read_beginning(input, wait, bytes, size, length);
}
