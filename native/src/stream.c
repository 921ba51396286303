#include "stream.h"

#include <string.h>

enum {
    CHUNK = 1 << 17,    /* bytes: a few milliseconds of work */
    CHUNKS_A_THREAD = 3 /* enough that no worker waits for the thread that hands on */
};

/* What became of a line. */
struct line {
    int32_t template_index;
    uint32_t session; /* where its text begins in the chunk's sessions; NO_SESSION: null */
    uint32_t session_length;
    bool blank;
};

#define NO_SESSION UINT32_MAX

struct le_chunk {
    struct le_job job;
    struct le_stream *stream;
    struct le_buffer bytes;
    size_t length; /* how much of `bytes` is this chunk's; the rest moves to the next */
    struct line *lines;
    size_t line_count, line_capacity;
    struct le_buffer sessions;
    enum logexport_status status; /* of the line after the last of `lines` */
    struct logexport_error error;
};

enum logexport_status le_stream_init(struct le_stream *stream, const struct le_event_reader *reader,
                                     struct le_pool *pool, int threads,
                                     struct le_detector *detector, struct logexport_error *error)
{
    *stream = (struct le_stream){.reader = reader, .detector = detector, .threads = threads};
    stream->scratches = calloc((size_t)threads, sizeof *stream->scratches);
    bool ok =
        stream->scratches != NULL &&
        le_in_flight_init(&stream->chunks, pool, threads, CHUNKS_A_THREAD, sizeof(struct le_chunk));
    for (size_t i = 0; ok && i < stream->chunks.count; i++)
        ((struct le_chunk *)le_in_flight_at(&stream->chunks, i))->stream = stream;
    for (int i = 0; ok && i < threads; i++)
        ok = le_scratch_init(&stream->scratches[i], reader->rules);
    if (ok)
        return LOGEXPORT_OK;
    le_stream_free(stream);
    return le_out_of_memory(error);
}

void le_stream_free(struct le_stream *stream)
{
    for (int i = 0; stream->scratches != NULL && i < stream->threads; i++)
        le_scratch_free(&stream->scratches[i]);
    for (size_t i = 0; i < stream->chunks.count; i++) {
        struct le_chunk *chunk = le_in_flight_at(&stream->chunks, i);
        le_buffer_free(&chunk->bytes);
        le_buffer_free(&chunk->sessions);
        free(chunk->lines);
    }
    free(stream->scratches);
    le_in_flight_free(&stream->chunks);
    *stream = (struct le_stream){0};
}

/* --- reading a chunk: on any thread ------------------------------------------------------------ */

static bool add_line(struct le_chunk *chunk, const struct le_event *event)
{
    if (chunk->line_count == chunk->line_capacity) {
        size_t capacity = chunk->line_capacity == 0 ? 2048 : chunk->line_capacity * 2;
        struct line *lines = realloc(chunk->lines, capacity * sizeof *lines);
        if (lines == NULL)
            return false;
        chunk->lines = lines;
        chunk->line_capacity = capacity;
    }
    struct line *line = &chunk->lines[chunk->line_count];
    *line = (struct line){event->template_index, NO_SESSION, 0, event->blank};
    if (event->session != NULL) {
        if (event->session_length >= NO_SESSION - chunk->sessions.length)
            return false;
        line->session = (uint32_t)chunk->sessions.length;
        line->session_length = (uint32_t)event->session_length;
        if (!le_buffer_append(&chunk->sessions, event->session, event->session_length))
            return false;
    }
    chunk->line_count++;
    return true;
}

static void read_chunk(struct le_job *job, int worker)
{
    struct le_chunk *chunk = (struct le_chunk *)(void *)job; /* its first member */
    struct le_scratch *scratch = &chunk->stream->scratches[worker];
    const char *at = chunk->bytes.data, *end = at + chunk->length;
    chunk->line_count = 0;
    chunk->sessions.length = 0;
    chunk->status = LOGEXPORT_OK;
    while (at < end && chunk->status == LOGEXPORT_OK) {
        size_t length;
        const char *next = le_line_end(at, end, &length);
        if (chunk->stream->reader->rules->encoding != LE_BYTES) {
            size_t zeros = le_zeros(at, length);
            at += zeros;
            length -= zeros;
        }
        struct le_event event;
        chunk->status =
            le_event_read(chunk->stream->reader, scratch, at, length, &event, &chunk->error);
        if (chunk->status == LOGEXPORT_OK && !add_line(chunk, &event))
            chunk->status = le_out_of_memory(&chunk->error);
        at = next;
    }
}

/* --- handing on: on the calling thread --------------------------------------------------------- */

static enum logexport_status hand_on_lines(struct le_stream *stream, struct le_chunk *chunk,
                                           struct logexport_error *error)
{
    struct logexport_stats *stats = &stream->detector->stats;
    enum logexport_status status;
    for (size_t i = 0; i < chunk->line_count; i++) {
        const struct line *line = &chunk->lines[i];
        stream->line++;
        stats->lines++;
        if (line->blank) {
            stats->blank++;
            continue;
        }
        struct le_event event = {.template_index = line->template_index};
        if (line->session != NO_SESSION) {
            /* An empty session's text may lie in a buffer that was never needed. */
            event.session = line->session_length == 0 ? "" : chunk->sessions.data + line->session;
            event.session_length = line->session_length;
        }
        status = le_detector_take_event(stream->detector, stream->line, &event, error);
        if (status != LOGEXPORT_OK)
            return status;
    }
    if (chunk->status == LOGEXPORT_OK)
        return LOGEXPORT_OK;
    if ((status = le_detector_flush(stream->detector, error)))
        return status;
    if (chunk->status != LOGEXPORT_TEXT)
        return le_fail(error, chunk->status, "%s", chunk->error.text);
    return le_fail(error, LOGEXPORT_TEXT, "On line %lld %s.", (long long)stream->line + 1,
                   chunk->error.text);
}

/* Takes back the chunk that was sent first and hands on its lines; waits for it if `wait`. */
static enum logexport_status take_back_chunk(struct le_stream *stream, bool wait, bool *taken,
                                             struct logexport_error *error)
{
    struct le_chunk *chunk = le_in_flight_take_back(&stream->chunks, wait);
    *taken = chunk != NULL;
    return *taken ? hand_on_lines(stream, chunk, error) : LOGEXPORT_OK;
}

/* Moves what is not its own from a chunk that was sent to the next, which is filled from now on. */
static enum logexport_status move_rest(struct le_stream *stream, const struct le_chunk *chunk,
                                       struct logexport_error *error)
{
    struct le_chunk *next = le_in_flight_filling(&stream->chunks);
    size_t rest = chunk->bytes.length - chunk->length;
    if (next == chunk) { /* the only one */
        memmove(next->bytes.data, next->bytes.data + next->length, rest);
        next->bytes.length = rest;
        return LOGEXPORT_OK;
    }
    next->bytes.length = 0;
    return le_buffer_append(&next->bytes, chunk->bytes.data + chunk->length, rest)
               ? LOGEXPORT_OK
               : le_out_of_memory(error);
}

/* Has the first `length` bytes of the chunk being filled read, and moves the rest to the next. */
static enum logexport_status send_chunk(struct le_stream *stream, size_t length,
                                        struct logexport_error *error)
{
    struct le_chunk *chunk = le_in_flight_filling(&stream->chunks);
    enum logexport_status status;
    bool taken;
    if (length == 0)
        return LOGEXPORT_OK;
    chunk->length = length;
    stream->line_begin = 0;
    le_in_flight_send(&stream->chunks, read_chunk);
    if (le_in_flight_is_full(&stream->chunks) && /* one must be free to be filled */
        (status = take_back_chunk(stream, true, &taken, error)))
        return status;
    if ((status = move_rest(stream, chunk, error)) || stream->chunks.pool == NULL)
        return status;
    do
        status = take_back_chunk(stream, false, &taken, error);
    while (status == LOGEXPORT_OK && taken);
    return status == LOGEXPORT_OK ? le_detector_hand_on_ready(stream->detector, error) : status;
}

/* Drops the zeros at the start of the line that is not complete yet: there may be many. */
static void drop_zeros(struct le_chunk *chunk, size_t line_begin)
{
    char *line = chunk->bytes.data + line_begin;
    size_t length = chunk->bytes.length - line_begin, zeros = le_zeros(line, length);
    if (zeros == 0)
        return;
    memmove(line, line + zeros, length - zeros);
    chunk->bytes.length -= zeros;
}

enum logexport_status le_stream_push(struct le_stream *stream, const char *bytes, size_t length,
                                     struct logexport_error *error)
{
    /* What is kept of an oversize line: one byte more than a line may have, and a CR. */
    size_t limit = stream->reader->rules->max_line_bytes + 2;
    bool zeros_go = stream->reader->rules->encoding != LE_BYTES;
    while (length > 0) {
        if (stream->skipping) {
            const char *feed = memchr(bytes, '\n', length);
            if (feed == NULL)
                return LOGEXPORT_OK;
            length -= (size_t)(feed - bytes);
            bytes = feed;
            stream->skipping = false;
        }
        struct le_chunk *chunk = le_in_flight_filling(&stream->chunks);
        size_t begin = chunk->bytes.length;
        if (zeros_go && begin == stream->line_begin) {
            size_t zeros = le_zeros(bytes, length);
            bytes += zeros;
            length -= zeros;
            if (length == 0)
                break;
        }
        size_t piece = begin < CHUNK ? CHUNK - begin : CHUNK;
        if (piece > length)
            piece = length;
        if (!le_buffer_append(&chunk->bytes, bytes, piece))
            return le_out_of_memory(error);
        bytes += piece;
        length -= piece;

        const char *feed = memrchr(chunk->bytes.data + begin, '\n', piece);
        if (feed != NULL)
            stream->line_begin = (size_t)(feed + 1 - chunk->bytes.data);
        if (feed != NULL && zeros_go)
            drop_zeros(chunk, stream->line_begin);
        if (chunk->bytes.length - stream->line_begin > limit) {
            chunk->bytes.length = stream->line_begin + limit;
            stream->skipping = true;
        }
        if (chunk->bytes.length >= CHUNK && stream->line_begin > 0) {
            enum logexport_status status = send_chunk(stream, stream->line_begin, error);
            if (status != LOGEXPORT_OK)
                return status;
        }
    }
    return LOGEXPORT_OK;
}

enum logexport_status le_stream_flush(struct le_stream *stream, enum le_stream_until until,
                                      struct logexport_error *error)
{
    const struct le_chunk *chunk = le_in_flight_filling(&stream->chunks);
    bool end = until != LE_UNTIL_LAST_LF;
    enum logexport_status status =
        send_chunk(stream, end ? chunk->bytes.length : stream->line_begin, error);
    bool taken = true;
    while (status == LOGEXPORT_OK && taken)
        status = take_back_chunk(stream, true, &taken, error);
    if (end)
        stream->skipping = false;
    if (until == LE_UNTIL_LOG_END)
        stream->line = 0;
    return status;
}
