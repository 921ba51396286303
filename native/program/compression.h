/* Compressed logs: recognised by their first bytes, decompressed while they are read. The rules stand
 * in docs/verdicts.md; core/logexport/logs/compression.py is the reference. */
#ifndef COMPRESSION_H
#define COMPRESSION_H

#include <stdbool.h>
#include <stddef.h>

enum compression_form {
    COMPRESSION_UNDECIDED, /* more bytes are needed to tell */
    COMPRESSION_NONE,
    COMPRESSION_GZIP,
    COMPRESSION_BZIP2,
    COMPRESSION_XZ,
    COMPRESSION_ZSTD
};

/* What files that begin with these bytes are compressed by. */
enum compression_form compression_recognise(const unsigned char *bytes, size_t length);

/* "gzip" and so on. */
const char *compression_name(enum compression_form form);

/* One member of a compressed file, being decompressed. */
struct decoder;

/* NULL: out of memory. */
struct decoder *decoder_new(enum compression_form form);
void decoder_free(struct decoder *decoder);

enum decoder_state {
    DECODER_MORE,      /* goes on; with no output, more input is needed */
    DECODER_END,       /* the member's end: a new decoder reads the next one */
    DECODER_DAMAGED,   /* `problem` says why, as a clause */
    DECODER_TOO_LARGE, /* `problem` says what: "a zstd window of more than 128 MiB" */
    DECODER_NO_MEMORY
};

/* Decompresses from `in` to `out`. Sets *used and *made: bytes taken and given. */
enum decoder_state decoder_run(struct decoder *decoder, const unsigned char *in, size_t in_length,
                               size_t *used, unsigned char *out, size_t out_length, size_t *made,
                               char *problem, size_t problem_size);

#endif
