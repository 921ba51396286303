/* A log as bytes: a file, a pipe or standard input, compressed or not, with signals noticed while
 * waiting. */
#ifndef INPUT_H
#define INPUT_H

#include <stdbool.h>
#include <stddef.h>

#include "compression.h"

enum input_state {
    INPUT_BYTES, /* some were read */
    INPUT_QUIET, /* nothing is there now */
    INPUT_STOP,  /* SIGTERM or SIGINT came */
    INPUT_END,
    INPUT_ERROR /* `error` says what is wrong */
};

struct input {
    int fd;
    const char *name;
    enum compression_form form;
    bool ended;
    struct decoder *decoder; /* of the member that is being read; NULL between two */
    bool failed;             /* `error` is said at the next reading */
    bool begun;              /* the content is not a tar archive's */
    char begin[262];         /* until that is known, its first bytes */
    size_t begin_length;
    unsigned char raw[1 << 16];
    size_t raw_begin, raw_end; /* bytes of `raw` that were not used yet */
    char error[640];
};

/* Opens `path` ("-": standard input). On failure `error` says why. */
bool input_open(struct input *input, const char *path);
void input_close(struct input *input);

/* Reads what is there into `bytes`, unless a signal came (signals.h). With `wait` it waits for something to happen first. */
enum input_state input_read(struct input *input, bool wait, char *bytes, size_t size,
                            size_t *length);

#endif
