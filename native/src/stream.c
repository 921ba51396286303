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
    *stream = (struct le_stream){
        .reader = reader, .pool = pool, .detector = detector, .threads = threads};
    stream->chunk_count = threads == 1 ? 1 : (size_t)threads * CHUNKS_A_THREAD + 1;
    stream->chunks = calloc(stream->chunk_count, sizeof *stream->chunks);
    stream->scratches = calloc((size_t)threads, sizeof *stream->scratches);
    bool ok = stream->chunks != NULL && stream->scratches != NULL;
    for (size_t i = 0; ok && i < stream->chunk_count; i++)
        stream->chunks[i].stream = stream;
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
    for (size_t i = 0; stream->chunks != NULL && i < stream->chunk_count; i++) {
        le_buffer_free(&stream->chunks[i].bytes);
        le_buffer_free(&stream->chunks[i].sessions);
        free(stream->chunks[i].lines);
    }
    free(stream->scratches);
    free(stream->chunks);
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
        struct le_event event;
        chunk->status =
            le_event_read(chunk->stream->reader, scratch, at, length, &event, &chunk->error);
        if (chunk->status == LOGEXPORT_OK && !add_line(chunk, &event))
            chunk->status = le_out_of_memory(&chunk->error);
        at = next;
    }
}

/* --- handing on: on the calling thread --------------------------------------------------------- */

static struct le_chunk *filling(struct le_stream *stream)
{
    return &stream->chunks[(stream->chunk_first + stream->chunk_running) % stream->chunk_count];
}

static enum logexport_status hand_on(struct le_stream *stream, struct le_chunk *chunk,
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
        status = le_detector_take(stream->detector, stream->line, &event, error);
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

/* Hands on the chunk that has been read the longest; waits for it if `wait`. */
static enum logexport_status take_back(struct le_stream *stream, bool wait, bool *taken,
                                       struct logexport_error *error)
{
    *taken = false;
    if (stream->chunk_running == 0)
        return LOGEXPORT_OK;
    struct le_chunk *chunk = &stream->chunks[stream->chunk_first];
    if (stream->pool != NULL) {
        if (wait)
            le_pool_wait(stream->pool, &chunk->job);
        else if (!le_pool_is_done(stream->pool, &chunk->job))
            return LOGEXPORT_OK;
    }
    *taken = true;
    stream->chunk_first = (stream->chunk_first + 1) % stream->chunk_count;
    stream->chunk_running--;
    return hand_on(stream, chunk, error);
}

/* Has the first `length` bytes of the chunk being filled read, and moves the rest to the next. */
static enum logexport_status send(struct le_stream *stream, size_t length,
                                  struct logexport_error *error)
{
    struct le_chunk *chunk = filling(stream);
    size_t rest = chunk->bytes.length - length;
    enum logexport_status status;
    bool taken;
    if (length == 0)
        return LOGEXPORT_OK;
    chunk->job.run = read_chunk;
    chunk->length = length;
    stream->chunk_running++;
    stream->line_begin = 0;
    if (stream->pool == NULL) {
        read_chunk(&chunk->job, 0);
        stream->chunk_running--;
        status = hand_on(stream, chunk, error);
        if (rest > 0)
            memmove(chunk->bytes.data, chunk->bytes.data + length, rest);
        chunk->bytes.length = rest;
        return status;
    }
    if (stream->chunk_running == stream->chunk_count) /* one must be free to be filled */
        if ((status = take_back(stream, true, &taken, error))) {
            stream->chunk_running--; /* it was not sent */
            return status;
        }
    struct le_chunk *next = filling(stream);
    next->bytes.length = 0;
    if (!le_buffer_append(&next->bytes, chunk->bytes.data + length, rest)) {
        stream->chunk_running--;
        return le_out_of_memory(error);
    }
    le_pool_submit(stream->pool, &chunk->job);
    do
        status = take_back(stream, false, &taken, error);
    while (status == LOGEXPORT_OK && taken);
    return status == LOGEXPORT_OK ? le_detector_give(stream->detector, error) : status;
}

enum logexport_status le_stream_push(struct le_stream *stream, const char *bytes, size_t length,
                                     struct logexport_error *error)
{
    /* What is kept of an oversize line: one byte more than a line may have, and a CR. */
    size_t limit = stream->reader->rules->max_line_bytes + 2;
    while (length > 0) {
        if (stream->skipping) {
            const char *feed = memchr(bytes, '\n', length);
            if (feed == NULL)
                return LOGEXPORT_OK;
            length -= (size_t)(feed - bytes);
            bytes = feed;
            stream->skipping = false;
        }
        struct le_chunk *chunk = filling(stream);
        size_t begin = chunk->bytes.length;
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
        if (chunk->bytes.length - stream->line_begin > limit) {
            chunk->bytes.length = stream->line_begin + limit;
            stream->skipping = true;
        }
        if (chunk->bytes.length >= CHUNK && stream->line_begin > 0) {
            enum logexport_status status = send(stream, stream->line_begin, error);
            if (status != LOGEXPORT_OK)
                return status;
        }
    }
    return LOGEXPORT_OK;
}

enum logexport_status le_stream_flush(struct le_stream *stream, bool end,
                                      struct logexport_error *error)
{
    enum logexport_status status =
        send(stream, end ? filling(stream)->bytes.length : stream->line_begin, error);
    bool taken = true;
    while (status == LOGEXPORT_OK && taken)
        status = take_back(stream, true, &taken, error);
    if (end) {
        stream->skipping = false;
        stream->line = 0;
    }
    return status;
}
