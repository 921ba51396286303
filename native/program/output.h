/* Records to a descriptor, in large pieces. */
#ifndef OUTPUT_H
#define OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

struct output {
    int fd;
    int error; /* errno of the write that failed; 0 */
    size_t length;
    char bytes[1 << 16];
};

/* False: a write failed, now or before; `error` says why. EPIPE: the reader has gone. */
bool output_add(struct output *output, const char *bytes, size_t length);
bool output_flush(struct output *output);

#endif
