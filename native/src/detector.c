#include "detector.h"

#include <math.h>
#include <string.h>

enum {
    PENDING = 16384, /* records held back at most; a power of two */
    BATCHES_A_THREAD = 2,
    FIRST_YEAR = 2000 /* of the first time without one */
};

/* Windows that are scored together. `status` and `error` are the worker's until the job is done. */
struct le_batch {
    struct le_job job;
    const struct le_scorer *scorer;
    struct le_entry **entries;
    size_t count;
    void *input;
    int64_t line; /* the last one when it was sent */
    _Atomic(int64_t)
        running_until; /* `line` while it is being scored, else 0: any thread may look */
    enum logexport_status status;
    struct logexport_error error;
};

enum said { JUDGED, WARMUP, UNSEEN, CLOSED };

struct le_pending {
    uint8_t said; /* enum said */
    uint8_t kind; /* enum logexport_kind */
    bool closing; /* it is said because its session was closed */
    int32_t template_index;
    int64_t number, first_line, last_line; /* number: of the line or the window */
    struct le_session *session;            /* with a reference, or NULL */
    struct le_entry *entry;                /* of JUDGED */
};

/* --- life ------------------------------------------------------------------------------------- */

static bool make_batches(struct le_detector *detector, struct le_pool *pool, int threads)
{
    const struct le_scorer *scorer = &detector->loaded->scorer;
    if (!le_in_flight_init(&detector->batches, pool, threads, BATCHES_A_THREAD,
                           sizeof(struct le_batch)))
        return false;
    for (size_t i = 0; i < detector->batches.count; i++) {
        struct le_batch *batch = le_in_flight_at(&detector->batches, i);
        batch->scorer = scorer;
        batch->entries = malloc(scorer->most * sizeof *batch->entries);
        batch->input = malloc(scorer->most * scorer->input_size);
        if (batch->entries == NULL || batch->input == NULL)
            return false;
    }
    return true;
}

/* What the windows are made in. */
static bool init_input(struct le_detector *detector)
{
    const struct le_loaded *loaded = detector->loaded;
    const struct le_task *task = &loaded->metadata.task;
    if (task->input == LE_COUNT_MATRIX)
        return le_count_windows_init(&detector->counts, (size_t)task->lines, (size_t)task->stride,
                                     (size_t)task->steps, (size_t)loaded->vocab.size);
    detector->instants.year = FIRST_YEAR;
    if (task->input == LE_SESSION_COUNTS)
        detector->row = malloc((size_t)loaded->scorer.features * sizeof *detector->row);
    else if (task->start >= 0)
        detector->padded = malloc((size_t)task->length * sizeof *detector->padded);
    return (task->input != LE_SESSION_COUNTS || detector->row != NULL) &&
           (task->start < 0 || detector->padded != NULL) &&
           le_sessions_init(&detector->sessions, loaded->rules.max_sessions,
                            loaded->rules.idle_lines);
}

enum logexport_status le_detector_init(struct le_detector *detector, const struct le_loaded *loaded,
                                       struct le_pool *pool, int threads,
                                       const struct logexport_options *options,
                                       const struct le_log_files *files, logexport_sink sink,
                                       void *user, struct logexport_error *error)
{
    *detector = (struct le_detector){.loaded = loaded,
                                     .anomalies_only = options->anomalies_only != 0,
                                     .session_summary = options->session_summary != 0,
                                     .leave_at_end = options->leave_at_end != 0,
                                     .sink = sink,
                                     .user = user};
    bool ok = init_input(detector) && make_batches(detector, pool, threads) &&
              le_memo_init(&detector->memo, loaded->scorer.key_size,
                           loaded->scorer.most * detector->batches.count) &&
              le_record_format_init(&detector->format, &loaded->metadata, loaded->top_k,
                                    loaded->threshold, files);
    detector->pending = ok ? malloc(PENDING * sizeof *detector->pending) : NULL;
    if (detector->pending != NULL)
        return LOGEXPORT_OK;
    le_detector_free(detector);
    return le_out_of_memory(error);
}

void le_detector_free(struct le_detector *detector)
{
    while (detector->pending_count > 0) {
        struct le_pending *pending = &detector->pending[detector->pending_first];
        if (pending->session != NULL)
            le_session_release(&detector->sessions, pending->session);
        detector->pending_first = (detector->pending_first + 1) % PENDING;
        detector->pending_count--;
    }
    for (size_t i = 0; i < detector->batches.count; i++) {
        struct le_batch *batch = le_in_flight_at(&detector->batches, i);
        free(batch->entries);
        free(batch->input);
    }
    le_in_flight_free(&detector->batches);
    free(detector->pending);
    free(detector->padded);
    free(detector->row);
    le_memo_free(&detector->memo);
    le_sessions_free(&detector->sessions);
    le_count_windows_free(&detector->counts);
    le_record_format_free(&detector->format);
    le_buffer_free(&detector->text);
    *detector = (struct le_detector){0};
}

/* --- records out ------------------------------------------------------------------------------ */

static void judge_outcome(const struct le_detector *detector, const struct le_outcome *outcome,
                          struct logexport_record *record)
{
    bool finite, normal;
    if (detector->format.decision == LE_NEXT_EVENT_TOPK) {
        record->rank = outcome->rank;
        finite = outcome->rank >= 0;
        normal = outcome->rank < detector->loaded->top_k;
        record->reason = LOGEXPORT_TOPK;
    } else {
        finite = isfinite(outcome->score) != 0;
        record->score = finite ? (double)outcome->score : (double)NAN;
        normal = record->score <= detector->loaded->threshold;
        record->reason = LOGEXPORT_THRESHOLD;
    }
    record->verdict = finite && normal ? LOGEXPORT_NORMAL : LOGEXPORT_ANOMALY;
    if (record->verdict == LOGEXPORT_NORMAL)
        record->reason = LOGEXPORT_NO_REASON;
    else if (!finite)
        record->reason = LOGEXPORT_NOT_FINITE;
}

static void fill_record(const struct le_detector *detector, const struct le_pending *pending,
                        struct logexport_record *record)
{
    *record = (struct logexport_record){.kind = (enum logexport_kind)pending->kind,
                                        .template_index = pending->template_index,
                                        .rank = -1,
                                        .score = (double)NAN};
    const struct le_session *session = pending->session;
    if (session != NULL && !session->null) {
        record->session = session->key;
        record->session_length = session->key_length;
    }
    if (pending->closing) {
        record->closed = session->closed;
        record->closed_by = session->closed_by;
    }
    if (record->kind == LOGEXPORT_LINE) {
        record->line = pending->number;
    } else if (record->kind == LOGEXPORT_SESSION_SCORE) {
        record->first_line = session->first_line;
        record->last_line = session->last_line;
        record->lines = session->lines;
    } else if (record->kind == LOGEXPORT_WINDOW) {
        record->window = pending->number;
        record->first_line = pending->first_line;
        record->last_line = pending->last_line;
    }
    switch ((enum said)pending->said) {
    case JUDGED:
        judge_outcome(detector, &pending->entry->outcome, record);
        break;
    case WARMUP:
        record->verdict = LOGEXPORT_WARMUP;
        break;
    case UNSEEN:
        record->verdict = LOGEXPORT_ANOMALY;
        record->reason = LOGEXPORT_UNSEEN;
        break;
    case CLOSED:
        record->lines = session->lines;
        record->judged = session->judged;
        record->anomalies = session->anomalies;
        record->verdict = session->anomalies > 0 ? LOGEXPORT_ANOMALY
                          : session->judged > 0  ? LOGEXPORT_NORMAL
                                                 : LOGEXPORT_SHORT;
        break;
    }
}

static enum logexport_status hand_on_record(struct le_detector *detector,
                                            const struct le_pending *pending,
                                            struct logexport_error *error)
{
    struct logexport_record record;
    fill_record(detector, pending, &record);
    if (pending->said != CLOSED) {
        bool anomaly = record.verdict == LOGEXPORT_ANOMALY;
        detector->stats.records[record.verdict]++;
        if (pending->session != NULL)
            pending->session->anomalies += anomaly;
        if (detector->anomalies_only && !anomaly)
            return LOGEXPORT_OK;
    }
    const struct le_outcome *outcome = pending->said == JUDGED ? &pending->entry->outcome : NULL;
    if (!le_record_write(&detector->format, &record, pending->session, outcome, &detector->text))
        return le_out_of_memory(error);
    record.text = detector->text.data;
    record.text_length = detector->text.length;
    if (detector->sink(detector->user, &record) != 0)
        return le_fail(error, LOGEXPORT_STOPPED, "The sink of the records asked to stop.");
    return LOGEXPORT_OK;
}

static bool is_ready(const struct le_pending *pending)
{
    return pending->said != JUDGED ||
           atomic_load_explicit(&pending->entry->scored, memory_order_acquire);
}

static enum logexport_status hand_on_ready(struct le_detector *detector,
                                           struct logexport_error *error)
{
    enum logexport_status status = LOGEXPORT_OK;
    while (status == LOGEXPORT_OK && detector->pending_count > 0) {
        struct le_pending *pending = &detector->pending[detector->pending_first];
        if (!is_ready(pending))
            break;
        status = hand_on_record(detector, pending, error);
        if (pending->session != NULL)
            le_session_release(&detector->sessions, pending->session);
        detector->pending_first = (detector->pending_first + 1) % PENDING;
        detector->pending_count--;
    }
    return status;
}

/* --- scoring ---------------------------------------------------------------------------------- */

static void score_batch(struct le_job *job, int worker)
{
    (void)worker;
    struct le_batch *batch = (struct le_batch *)(void *)job; /* its first member */
    atomic_store_explicit(&batch->running_until, batch->line, memory_order_relaxed);
    batch->status =
        le_scorer_run(batch->scorer, batch->entries, batch->count, batch->input, &batch->error);
    atomic_store_explicit(&batch->running_until, 0, memory_order_relaxed);
}

bool le_detector_is_scoring(const struct le_detector *detector, struct logexport_activity *activity)
{
    for (size_t i = 0; i < detector->batches.count; i++) {
        const struct le_batch *batch = le_in_flight_at(&detector->batches, i);
        int64_t line = atomic_load_explicit(&batch->running_until, memory_order_relaxed);
        if (line == 0)
            continue;
        activity->doing = LOGEXPORT_SCORING;
        activity->line = line;
        return true;
    }
    return false;
}

/* Takes back the batch that was sent first; waits for it if `wait`. */
static enum logexport_status take_back_batch(struct le_detector *detector, bool wait, bool *taken,
                                             struct logexport_error *error)
{
    struct le_batch *batch = le_in_flight_take_back(&detector->batches, wait);
    *taken = batch != NULL;
    if (!*taken)
        return LOGEXPORT_OK;
    batch->count = 0;
    if (batch->status != LOGEXPORT_OK && error != NULL)
        *error = batch->error;
    return batch->status;
}

/* Hands the batch being filled over to be scored. */
static enum logexport_status send_batch(struct le_detector *detector, struct logexport_error *error)
{
    struct le_batch *batch = le_in_flight_filling(&detector->batches);
    bool taken;
    if (batch->count == 0)
        return LOGEXPORT_OK;
    batch->line = detector->line;
    detector->stats.scored += batch->count;
    le_in_flight_send(&detector->batches, score_batch);
    if (le_in_flight_is_full(&detector->batches)) /* one must be free to be filled */
        return take_back_batch(detector, true, &taken, error);
    return LOGEXPORT_OK;
}

enum logexport_status le_detector_hand_on_ready(struct le_detector *detector,
                                                struct logexport_error *error)
{
    enum logexport_status status;
    bool taken;
    do
        status = take_back_batch(detector, false, &taken, error);
    while (status == LOGEXPORT_OK && taken);
    return status == LOGEXPORT_OK ? hand_on_ready(detector, error) : status;
}

enum logexport_status le_detector_flush(struct le_detector *detector, struct logexport_error *error)
{
    enum logexport_status status = send_batch(detector, error);
    bool taken = true;
    while (status == LOGEXPORT_OK && taken) {
        status = hand_on_ready(detector, error);
        if (status == LOGEXPORT_OK)
            status = take_back_batch(detector, true, &taken, error);
    }
    return status == LOGEXPORT_OK ? hand_on_ready(detector, error) : status;
}

/* --- records in ------------------------------------------------------------------------------- */

static enum logexport_status make_room(struct le_detector *detector, struct logexport_error *error)
{
    if (detector->pending_count < PENDING)
        return LOGEXPORT_OK;
    enum logexport_status status = send_batch(detector, error);
    while (status == LOGEXPORT_OK && (status = hand_on_ready(detector, error)) == LOGEXPORT_OK &&
           detector->pending_count > PENDING / 2 && detector->batches.running > 0) {
        bool taken;
        status = take_back_batch(detector, true, &taken, error);
    }
    return status;
}

static enum logexport_status hold_back(struct le_detector *detector, struct le_pending pending,
                                       struct logexport_error *error)
{
    enum logexport_status status = make_room(detector, error);
    if (status != LOGEXPORT_OK) {
        if (pending.session != NULL)
            le_session_release(&detector->sessions, pending.session);
        return status;
    }
    size_t at = (detector->pending_first + detector->pending_count++) % PENDING;
    detector->pending[at] = pending;
    return LOGEXPORT_OK;
}

/* Looks the window up, or has it scored, and sets the entry to wait for. */
static enum logexport_status look_up_or_score(struct le_detector *detector, const void *window,
                                              int32_t event, struct le_entry **entry,
                                              struct logexport_error *error)
{
    enum logexport_status status;
    if (le_memo_is_full(&detector->memo)) {
        if ((status = le_detector_flush(detector, error)))
            return status;
        le_memo_turn_generation(&detector->memo);
    }
    bool added;
    *entry = le_memo_find_or_add(&detector->memo, window, event, &added);
    if (*entry == NULL)
        return le_out_of_memory(error);
    if (!added) {
        detector->stats.remembered++;
        return LOGEXPORT_OK;
    }
    struct le_batch *batch = le_in_flight_filling(&detector->batches);
    batch->entries[batch->count++] = *entry;
    return batch->count == detector->loaded->scorer.most ? send_batch(detector, error)
                                                         : LOGEXPORT_OK;
}

/* What the model is shown of a session; NULL: too little. */
static const int32_t *window_of(const struct le_detector *detector,
                                const struct le_session *session)
{
    const struct le_task *task = &detector->loaded->metadata.task;
    size_t length = (size_t)task->length;
    if (task->start < 0 || session->null)
        return le_event_window_last(&session->window, length);
    return le_event_window_padded(&session->window, length, (int32_t)task->start, detector->padded);
}

/* The record of an event, which enters the window: a line's, or if `closing` the end that follows the
 * line. */
static enum logexport_status add_event(struct le_detector *detector, struct le_session *session,
                                       int64_t line, int32_t template_index, bool closing,
                                       struct logexport_error *error)
{
    const struct le_loaded *loaded = detector->loaded;
    bool ranks = loaded->metadata.task.decision == LE_NEXT_EVENT_TOPK;
    size_t length = (size_t)loaded->metadata.task.length;
    enum logexport_status status;
    session->references++; /* the record's */
    struct le_pending pending = {.said = WARMUP,
                                 .kind = LOGEXPORT_LINE,
                                 .closing = closing,
                                 .template_index = -1,
                                 .number = line,
                                 .session = session};
    const int32_t *window = NULL;
    if (template_index == LE_UNSEEN)
        pending.said = UNSEEN;
    else
        pending.template_index = template_index;
    if (ranks && pending.said != UNSEEN) {
        window = window_of(detector, session); /* the events before this one */
        if (window != NULL &&
            (status = look_up_or_score(detector, window, template_index, &pending.entry, error)))
            goto failed;
    }
    int32_t enters = pending.said == UNSEEN ? loaded->vocab.unknown : template_index;
    if (enters >= 0 && !le_event_window_append(&session->window, length, enters)) {
        status = le_out_of_memory(error);
        goto failed;
    }
    if (!ranks && pending.said != UNSEEN) {
        window = window_of(detector, session); /* the last of them is this one */
        if (window != NULL &&
            (status = look_up_or_score(detector, window, -1, &pending.entry, error)))
            goto failed;
    }
    if (window != NULL) {
        pending.said = JUDGED;
        session->judged++;
    }
    return hold_back(detector, pending, error);
failed:
    le_session_release(&detector->sessions, session);
    return status;
}

/* The record of the counts of a session that closes. */
static enum logexport_status add_counts(struct le_detector *detector, struct le_session *session,
                                        struct logexport_error *error)
{
    struct le_pending pending = {.said = JUDGED,
                                 .kind = LOGEXPORT_SESSION_SCORE,
                                 .closing = true,
                                 .template_index = -1,
                                 .session = session};
    le_session_counts_fill(&session->counts, detector->row,
                           (size_t)detector->loaded->scorer.features);
    enum logexport_status status =
        look_up_or_score(detector, detector->row, -1, &pending.entry, error);
    if (status != LOGEXPORT_OK)
        return status;
    session->judged++;
    session->references++; /* the record's */
    return hold_back(detector, pending, error);
}

/* Says what is to be said of a session that was taken out, and gives back its reference. `closed` is the
 * line at which it is closed; 0: it is evicted. */
static enum logexport_status close_session(struct le_detector *detector, struct le_session *session,
                                           int64_t closed, enum logexport_closed_by closed_by,
                                           struct logexport_error *error)
{
    const struct le_task *task = &detector->loaded->metadata.task;
    enum logexport_status status = LOGEXPORT_OK;
    session->closed = closed;
    session->closed_by = closed_by;
    if (!session->null && task->end >= 0)
        status = add_event(detector, session, session->last_line, (int32_t)task->end, true, error);
    if (!session->null && task->input == LE_SESSION_COUNTS)
        status = add_counts(detector, session, error);
    if (status != LOGEXPORT_OK || !detector->session_summary) {
        le_session_release(&detector->sessions, session);
        return status;
    }
    return hold_back(detector,
                     (struct le_pending){.said = CLOSED,
                                         .kind = LOGEXPORT_SESSION,
                                         .closing = true,
                                         .template_index = -1,
                                         .session = session},
                     error);
}

/* Closes the sessions that are idle at a line, at the lines at which they became so. */
static enum logexport_status close_idle(struct le_detector *detector, int64_t line,
                                        struct logexport_error *error)
{
    struct le_sessions *sessions = &detector->sessions;
    struct le_session *session;
    enum logexport_status status = LOGEXPORT_OK;
    while (status == LOGEXPORT_OK && (session = le_sessions_take_idle(sessions, line)) != NULL)
        status = close_session(detector, session, le_sessions_deadline(sessions, session),
                               LOGEXPORT_IDLE_LINES, error);
    return status;
}

/* Closes the session of a line that comes too late for it. */
static enum logexport_status close_at_gap(struct le_detector *detector, int64_t line,
                                          struct le_text key, int64_t instant,
                                          struct logexport_error *error)
{
    const int64_t most = detector->loaded->rules.idle_seconds * INT64_C(1000000);
    struct le_session *session = le_sessions_find(&detector->sessions, key.data, key.length);
    if (session == NULL || session->null || !session->timed || instant - session->latest <= most)
        return LOGEXPORT_OK;
    le_sessions_take(&detector->sessions, session);
    return close_session(detector, session, line, LOGEXPORT_GAP, error);
}

static enum logexport_status count_line(struct le_detector *detector, struct le_session *session,
                                        int32_t template_index, struct logexport_error *error)
{
    int32_t column = template_index == LE_UNSEEN ? detector->format.unseen_column : template_index;
    return session->null || le_session_counts_add(&session->counts, column)
               ? LOGEXPORT_OK
               : le_out_of_memory(error);
}

static enum logexport_status take_session_line(struct le_detector *detector, int64_t line,
                                               const struct le_event *event,
                                               struct logexport_error *error)
{
    struct le_sessions *sessions = &detector->sessions;
    struct le_text key = event->session;
    int64_t instant = 0;
    bool timed = detector->loaded->rules.idle_seconds > 0 &&
                 le_instants_place(&detector->instants, &event->time, &instant);
    enum logexport_status status;
    if ((status = close_idle(detector, line, error)) ||
        (timed && (status = close_at_gap(detector, line, key, instant, error))))
        return status;
    struct le_session *evicted;
    struct le_session *session = le_sessions_touch(sessions, key.data, key.length, &evicted);
    if (evicted != NULL &&
        (status = close_session(detector, evicted, 0, LOGEXPORT_NOT_CLOSED, error)))
        return status;
    if (session == NULL)
        return le_out_of_memory(error);
    if (session->lines++ == 0)
        session->first_line = line;
    session->last_line = line;
    if (timed && (!session->timed || instant > session->latest)) {
        session->timed = true;
        session->latest = instant;
    }
    status = detector->format.input == LE_SESSION_COUNTS
                 ? count_line(detector, session, event->template_index, error)
                 : add_event(detector, session, line, event->template_index, false, error);
    if (status != LOGEXPORT_OK || !event->closes || session->null)
        return status;
    le_sessions_take(sessions, session);
    return close_session(detector, session, line, LOGEXPORT_PATTERN, error);
}

/* A record about a sample; for next_event_topk `event` is that of the line after it, else -1. */
static enum logexport_status add_sample(struct le_detector *detector,
                                        const struct le_count_sample *sample, int32_t event,
                                        bool unseen, struct logexport_error *error)
{
    struct le_pending pending = {.said = unseen ? UNSEEN : JUDGED,
                                 .kind = LOGEXPORT_WINDOW,
                                 .template_index = event,
                                 .number = sample->number,
                                 .first_line = sample->first_line,
                                 .last_line = sample->last_line};
    enum logexport_status status;
    if (!unseen &&
        (status = look_up_or_score(detector, sample->counts, event, &pending.entry, error)))
        return status;
    return hold_back(detector, pending, error);
}

static enum logexport_status take_counted_line(struct le_detector *detector, int64_t line,
                                               int32_t event, struct logexport_error *error)
{
    enum logexport_status status;
    if (detector->has_before) { /* its counts are still what they were: no line came since */
        detector->has_before = false;
        status = add_sample(detector, &detector->before, event, event < 0, error);
        if (status != LOGEXPORT_OK)
            return status;
    }
    struct le_count_sample sample;
    if (!le_count_windows_append(&detector->counts, line, event, &sample))
        return LOGEXPORT_OK;
    if (detector->format.decision == LE_SCORE_THRESHOLD)
        return add_sample(detector, &sample, -1, false, error);
    detector->before = sample;
    detector->has_before = true;
    return LOGEXPORT_OK;
}

enum logexport_status le_detector_take_event(struct le_detector *detector, int64_t line,
                                             const struct le_event *event,
                                             struct logexport_error *error)
{
    detector->stats.unseen += event->template_index == LE_UNSEEN;
    detector->stats.blank--;
    detector->line = line;
    if (detector->format.input == LE_COUNT_MATRIX)
        return take_counted_line(detector, line, event->template_index, error);
    return take_session_line(detector, line, event, error);
}

/* What becomes of the sessions at the end of a log of so many lines. */
static enum logexport_status end_sessions(struct le_detector *detector, int64_t lines,
                                          struct logexport_error *error)
{
    bool ends = detector->loaded->rules.encoding != LE_BYTES; /* by rules of version 2 */
    enum logexport_status status = close_idle(detector, lines, error);
    struct le_session *session;
    while (status == LOGEXPORT_OK &&
           (session = le_sessions_take_oldest(&detector->sessions)) != NULL) {
        if (detector->leave_at_end)
            le_session_release(&detector->sessions, session);
        else if (ends)
            status = close_session(detector, session, lines + 1, LOGEXPORT_END_OF_LOG, error);
        else
            status = close_session(detector, session, 0, LOGEXPORT_NOT_CLOSED, error);
    }
    detector->instants = (struct le_instants){.year = FIRST_YEAR};
    return status;
}

enum logexport_status le_detector_finish(struct le_detector *detector, int64_t lines,
                                         struct logexport_error *error)
{
    if (detector->format.input == LE_COUNT_MATRIX) {
        enum logexport_status status = le_detector_flush(detector, error);
        le_count_windows_reset(&detector->counts);
        detector->has_before = false;
        return status;
    }
    enum logexport_status status = end_sessions(detector, lines, error);
    return status == LOGEXPORT_OK ? le_detector_flush(detector, error) : status;
}
