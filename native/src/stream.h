/* Bytes to events: cut into chunks at the ends of lines, read by workers, handed on in order. */
#ifndef LE_STREAM_H
#define LE_STREAM_H

#include "in_flight.h"
#include "joining.h"

struct le_stream {
    const struct le_event_reader *reader;
    struct le_detector *detector;
    struct le_scratch *scratches; /* one a thread */
    struct le_joiner joiner;
    int threads;
    struct le_in_flight chunks; /* of struct le_chunk */
    bool skipping;              /* the rest of an oversize line is dropped */
    size_t line_begin; /* in the chunk being filled: where its last, incomplete line begins */
    int64_t line;      /* lines handed on */
    _Atomic(int64_t) joining; /* the line that is being joined with others; 0: none */
};

enum logexport_status le_stream_init(struct le_stream *stream, const struct le_event_reader *reader,
                                     struct le_pool *pool, int threads,
                                     struct le_detector *detector, struct logexport_error *error);

/* Whether a line is being read, or joined with others, and by which pattern, for any thread that
 * looks. */
bool le_stream_is_reading(const struct le_stream *stream, struct logexport_activity *activity);
bool le_stream_is_joining(const struct le_stream *stream, struct logexport_activity *activity);

/* The pool must have been freed before, so that no chunk is being read. */
void le_stream_free(struct le_stream *stream);

enum logexport_status le_stream_push(struct le_stream *stream, const char *bytes, size_t length,
                                     struct logexport_error *error);

/* What becomes of the bytes after the last LF, and of the lines' numbers. */
enum le_stream_until {
    LE_UNTIL_LAST_LF,  /* nothing: more bytes follow */
    LE_UNTIL_FILE_END, /* they are a line; the numbers go on in the next file */
    LE_UNTIL_LOG_END   /* they are a line; the detector finishes, the next log begins at line 1 */
};

/* Hands on all lines. */
enum logexport_status le_stream_flush(struct le_stream *stream, enum le_stream_until until,
                                      struct logexport_error *error);

#endif
