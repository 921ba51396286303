/* Records to a descriptor, in large pieces, each of them of whole records.
 *
 * Whatever ends the program, no half of a record stands in the output. A file takes all at once. A pipe
 * whose reader is slow takes a part of what is written and makes the writer wait with the rest; but of
 * at most PIPE_BUF bytes it takes all or nothing. So such pieces are written, and the waiting is done
 * before, without the lock, so that another thread can write what is left and end the program. A record
 * that is longer than PIPE_BUF (its session is) can be cut, by a reader that stops in the middle of it. */
#ifndef OUTPUT_H
#define OUTPUT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct output {
    int fd;
    bool in_pieces; /* it is not a file */
    pthread_mutex_t lock;
    int error; /* errno of the write that failed; 0 */
    char *bytes;
    size_t capacity, begin, end; /* records from begin to end are complete, and not written yet */
    atomic_bool waiting;         /* for the reader */
};

/* False: out of memory. */
bool output_init(struct output *output, int fd);
void output_free(struct output *output);

/* Takes a record, LF included. False: a write failed, now or before. */
bool output_add(struct output *output, const char *record, size_t length);
bool output_flush(struct output *output);

/* errno of the write that failed, or 0. EPIPE: the reader has gone. */
int output_error(struct output *output);

/* For another thread than the one that adds: writes what is complete, as far as that goes without
 * waiting. */
void output_drain(struct output *output);

/* The same, and nothing is ever written afterwards: whoever tries waits until the program ends. A
 * thread that is writing is given a moment to end its piece. */
void output_seal(struct output *output);

#endif
