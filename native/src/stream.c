#include "stream.h"

#include <string.h>

enum {
    CHUNK = 1 << 17,     /* bytes: a few milliseconds of work */
    CHUNKS_A_THREAD = 3, /* enough that no worker waits for the thread that hands on */
    LONG = 1 << 14 /* bytes: on no line of less than twice as many a quadratic pattern takes long */
};

/* A text that lies in the chunk's texts. */
struct place {
    uint32_t begin; /* NO_TEXT: null */
    uint32_t length;
};

#define NO_TEXT UINT32_MAX

/* What became of a line. */
struct line {
    int32_t template_index;
    struct place session, pid;
    uint8_t kind; /* enum le_line_kind */
    bool empty, headed, next_line, opened, closes, field;
    uint8_t opens;
    struct le_look look;
    uint32_t more; /* its place in the chunk's `more`; NO_TEXT: nothing else is needed of it */
};

/* What is needed of a line that may be joined with others. */
struct more {
    size_t bytes;
    int source;
    struct place text, message, by, stream;
    uint32_t fields; /* where those that the rules want begin in the chunk's `fields`; NO_TEXT: they
                      * are not needed */
};

struct le_chunk {
    struct le_job job;
    struct le_stream *stream;
    struct le_buffer bytes;
    size_t length; /* how much of `bytes` is this chunk's; the rest moves to the next */
    struct line *lines;
    size_t line_count, line_capacity;
    struct le_buffer texts, more, fields;
    struct le_buffer times; /* a struct le_written of each line, if times are wanted */
    /* Where it is being read, for any thread that looks: the number of its first line (0: not known,
     * while chunks before it are being read), which of its lines (from 1; 0: none), and by whom. */
    _Atomic(int64_t) first, reading;
    _Atomic(int) worker;
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
    ok = ok && le_joiner_init(&stream->joiner, reader, detector);
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
        le_buffer_free(&chunk->texts);
        le_buffer_free(&chunk->more);
        le_buffer_free(&chunk->fields);
        le_buffer_free(&chunk->times);
        free(chunk->lines);
    }
    free(stream->scratches);
    le_joiner_free(&stream->joiner);
    le_in_flight_free(&stream->chunks);
    *stream = (struct le_stream){0};
}

/* --- reading a chunk: on any thread ------------------------------------------------------------ */

static bool add_text(struct le_chunk *chunk, struct le_text text, struct place *place)
{
    *place = (struct place){NO_TEXT, 0};
    if (text.data == NULL)
        return true;
    if (text.length >= NO_TEXT - chunk->texts.length)
        return false;
    *place = (struct place){(uint32_t)chunk->texts.length, (uint32_t)text.length};
    return le_buffer_append(&chunk->texts, text.data, text.length);
}

/* Whether the line may be joined with the one before it or after it. `follows_piece`: the one before
 * it may be a piece. */
static bool may_be_joined(const struct le_preprocess *rules, const struct le_event *event,
                          bool follows_piece)
{
    if (event->kind == LE_PIECE || (event->source >= 0 && follows_piece))
        return true;
    return rules->holds && event->kind == LE_LINE && !event->empty &&
           (!event->headed || event->next_line);
}

static bool add_fields(struct le_chunk *chunk, const struct le_event *event, uint32_t *begin)
{
    struct place place;
    *begin = NO_TEXT;
    if (event->kind != LE_PIECE && !event->next_line)
        return true;
    *begin = (uint32_t)(chunk->fields.length / sizeof place);
    for (int i = 0; i < chunk->stream->reader->rules->field_count; i++)
        if (!add_text(chunk, event->fields[i], &place) ||
            !le_buffer_append(&chunk->fields, &place, sizeof place))
            return false;
    return true;
}

static bool add_more(struct le_chunk *chunk, const struct le_event *event)
{
    struct more more = {.bytes = event->bytes, .source = event->source};
    return add_text(chunk, event->text, &more.text) &&
           add_text(chunk, event->message, &more.message) && add_text(chunk, event->by, &more.by) &&
           add_text(chunk, event->stream, &more.stream) && add_fields(chunk, event, &more.fields) &&
           le_buffer_append(&chunk->more, &more, sizeof more);
}

static bool add_line(struct le_chunk *chunk, const struct le_event *event, bool follows_piece)
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
    *line = (struct line){.template_index = event->template_index,
                          .kind = (uint8_t)event->kind,
                          .empty = event->empty,
                          .headed = event->headed,
                          .next_line = event->next_line,
                          .opened = event->opened,
                          .closes = event->closes,
                          .field = event->field,
                          .opens = event->opens,
                          .look = event->look,
                          .more = NO_TEXT};
    if (!add_text(chunk, event->session, &line->session) ||
        !add_text(chunk, event->pid, &line->pid))
        return false;
    if (chunk->stream->reader->rules->times &&
        !le_buffer_append(&chunk->times, &event->time, sizeof event->time))
        return false;
    if (may_be_joined(chunk->stream->reader->rules, event, follows_piece)) {
        line->more = (uint32_t)(chunk->more.length / sizeof(struct more));
        if (!add_more(chunk, event))
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
    bool follows_piece = true; /* the chunk before may end with one */
    chunk->line_count = 0;
    chunk->texts.length = chunk->more.length = chunk->fields.length = chunk->times.length = 0;
    chunk->status = LOGEXPORT_OK;
    atomic_store_explicit(&chunk->worker, worker, memory_order_relaxed);
    while (at < end && chunk->status == LOGEXPORT_OK) {
        size_t length;
        const char *next = le_line_end(at, end, &length);
        if (chunk->stream->reader->rules->encoding != LE_BYTES) {
            size_t zeros = le_zeros(at, length);
            at += zeros;
            length -= zeros;
        }
        struct le_event event;
        atomic_store_explicit(&chunk->reading, (int64_t)chunk->line_count + 1,
                              memory_order_relaxed);
        chunk->status =
            le_event_read(chunk->stream->reader, scratch, at, length, &event, &chunk->error);
        if (chunk->status == LOGEXPORT_OK && !add_line(chunk, &event, follows_piece))
            chunk->status = le_out_of_memory(&chunk->error);
        if (event.kind != LE_BLANK)
            follows_piece = event.kind == LE_PIECE;
        at = next;
    }
    atomic_store_explicit(&chunk->reading, 0, memory_order_relaxed);
}

static void tell_pattern(const struct le_match *match, int64_t line,
                         struct logexport_activity *activity)
{
    const struct le_pattern *pattern = atomic_load_explicit(&match->running, memory_order_relaxed);
    activity->doing = LOGEXPORT_MATCHING;
    activity->line = line;
    activity->pattern = pattern != NULL ? pattern->name : NULL;
}

bool le_stream_is_reading(const struct le_stream *stream, struct logexport_activity *activity)
{
    for (size_t i = 0; i < stream->chunks.count; i++) {
        const struct le_chunk *chunk = le_in_flight_at(&stream->chunks, i);
        int64_t first = atomic_load_explicit(&chunk->first, memory_order_relaxed);
        int64_t reading = atomic_load_explicit(&chunk->reading, memory_order_relaxed);
        if (reading == 0)
            continue;
        int worker = atomic_load_explicit(&chunk->worker, memory_order_relaxed);
        tell_pattern(&stream->scratches[worker].match, first > 0 ? first + reading - 1 : 0,
                     activity);
        if (first > 0) /* the one that all others wait for */
            return true;
    }
    return activity->doing == LOGEXPORT_MATCHING;
}

bool le_stream_is_joining(const struct le_stream *stream, struct logexport_activity *activity)
{
    int64_t line = atomic_load_explicit(&stream->joining, memory_order_relaxed);
    if (line > 0)
        tell_pattern(&stream->joiner.scratch.match, line, activity);
    return line > 0;
}

/* --- handing on: on the calling thread --------------------------------------------------------- */

static struct le_text text_at(const struct le_chunk *chunk, struct place place)
{
    if (place.begin == NO_TEXT)
        return (struct le_text){NULL, 0};
    /* An empty text may lie in a buffer that was never needed. */
    return (struct le_text){place.length == 0 ? "" : chunk->texts.data + place.begin, place.length};
}

/* The event as it was when its line was read. */
static struct le_event event_at(const struct le_chunk *chunk, const struct line *line)
{
    struct le_event event = {.kind = (enum le_line_kind)line->kind,
                             .empty = line->empty,
                             .headed = line->headed,
                             .next_line = line->next_line,
                             .opened = line->opened,
                             .closes = line->closes,
                             .pid = text_at(chunk, line->pid),
                             .field = line->field,
                             .opens = line->opens,
                             .look = line->look,
                             .template_index = line->template_index,
                             .session = text_at(chunk, line->session),
                             .source = -1};
    if (chunk->stream->reader->rules->times)
        memcpy(&event.time, chunk->times.data + (size_t)(line - chunk->lines) * sizeof event.time,
               sizeof event.time);
    if (line->more == NO_TEXT)
        return event;
    struct more more;
    memcpy(&more, chunk->more.data + line->more * sizeof more, sizeof more);
    event.bytes = more.bytes;
    event.source = more.source;
    event.text = text_at(chunk, more.text);
    event.message = text_at(chunk, more.message);
    event.by = text_at(chunk, more.by);
    event.stream = text_at(chunk, more.stream);
    for (int i = 0; more.fields != NO_TEXT && i < chunk->stream->reader->rules->field_count; i++) {
        struct place place;
        memcpy(&place, chunk->fields.data + (more.fields + (size_t)i) * sizeof place, sizeof place);
        event.fields[i] = text_at(chunk, place);
    }
    return event;
}

/* Joins a line with those before it; notes which, as patterns run on what was joined. */
static enum logexport_status join_line(struct le_stream *stream, struct le_event *event,
                                       struct logexport_error *error)
{
    atomic_store_explicit(&stream->joining, stream->line, memory_order_relaxed);
    enum logexport_status status = le_joiner_take(&stream->joiner, stream->line, event, error);
    atomic_store_explicit(&stream->joining, 0, memory_order_relaxed);
    return status;
}

static enum logexport_status hand_on_lines(struct le_stream *stream, struct le_chunk *chunk,
                                           struct logexport_error *error)
{
    struct logexport_stats *stats = &stream->detector->stats;
    const struct le_preprocess *rules = stream->reader->rules;
    bool joins = rules->continuation || rules->holds;
    enum logexport_status status;
    for (size_t i = 0; i < chunk->line_count; i++) {
        const struct line *line = &chunk->lines[i];
        stream->line++;
        stats->lines++;
        stats->blank++; /* until it is known to be an event */
        if (line->kind == LE_BLANK)
            continue;
        struct le_event event = event_at(chunk, line);
        status = joins ? join_line(stream, &event, error)
                 : event.empty
                     ? LOGEXPORT_OK
                     : le_detector_take_event(stream->detector, stream->line, &event, error);
        if (status == LOGEXPORT_TEXT) {
            struct logexport_error ignored;
            le_detector_flush(stream->detector, &ignored); /* what was read before */
        }
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
    struct le_chunk *next = le_in_flight_at(&stream->chunks, stream->chunks.first);
    atomic_store_explicit(&next->first, stream->line + 1, memory_order_relaxed);
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
    bool is_next = stream->chunks.running == 0; /* all lines before it have been handed on */
    atomic_store_explicit(&chunk->first, is_next ? stream->line + 1 : 0, memory_order_relaxed);
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

static enum logexport_status take_back_all(struct le_stream *stream, struct logexport_error *error)
{
    enum logexport_status status = LOGEXPORT_OK;
    bool taken = true;
    while (status == LOGEXPORT_OK && taken)
        status = take_back_chunk(stream, true, &taken, error);
    return status;
}

/* Where a long line begins in the chunk being filled, for any of at least twice LONG bytes that go on
 * behind `from`; the end of the bytes if there is none. It costs a look at every block of LONG bytes. */
static size_t find_long_line(const struct le_chunk *chunk, size_t from)
{
    const char *bytes = chunk->bytes.data;
    for (size_t at = from / LONG * LONG; at + LONG <= chunk->bytes.length; at += LONG) {
        if (memchr(bytes + at, '\n', LONG) != NULL)
            continue;
        const char *feed = at > 0 ? memrchr(bytes, '\n', at) : NULL;
        return feed != NULL ? (size_t)(feed + 1 - bytes) : 0;
    }
    return chunk->bytes.length;
}

/* Gives all records of the lines before a long one, before patterns run on that: they may run for so long
 * that the caller ends the process. `from`: where bytes were added. */
static enum logexport_status part_long_lines(struct le_stream *stream, size_t from,
                                             struct logexport_error *error)
{
    for (;;) {
        const struct le_chunk *chunk = le_in_flight_filling(&stream->chunks);
        size_t begin = find_long_line(chunk, from), rest = stream->line_begin - begin;
        enum logexport_status status;
        if (begin == chunk->bytes.length)
            return LOGEXPORT_OK;
        if ((status = send_chunk(stream, begin, error)) ||
            (status = take_back_all(stream, error)) ||
            (status = le_detector_flush(stream->detector, error)))
            return status;
        stream->line_begin = rest;
        chunk = le_in_flight_filling(&stream->chunks);
        if (rest == 0) /* it is not complete yet */
            return LOGEXPORT_OK;
        const char *feed = memchr(chunk->bytes.data, '\n', chunk->bytes.length);
        from = (size_t)(feed + 1 - chunk->bytes.data);
    }
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
        enum logexport_status status = part_long_lines(stream, begin, error);
        if (status != LOGEXPORT_OK)
            return status;
        chunk = le_in_flight_filling(&stream->chunks);
        if (chunk->bytes.length >= CHUNK && stream->line_begin > 0) {
            status = send_chunk(stream, stream->line_begin, error);
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
    if (status == LOGEXPORT_OK)
        status = take_back_all(stream, error);
    if (end)
        stream->skipping = false;
    if (until != LE_UNTIL_LOG_END)
        return status;
    int64_t lines = stream->line;
    atomic_store_explicit(&stream->joining, lines, memory_order_relaxed);
    stream->line = 0;
    if (status == LOGEXPORT_OK)
        status = le_joiner_finish(&stream->joiner, error);
    atomic_store_explicit(&stream->joining, 0, memory_order_relaxed);
    return status == LOGEXPORT_OK ? le_detector_finish(stream->detector, lines, error) : status;
}
