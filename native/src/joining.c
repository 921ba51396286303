#include "joining.h"

#include "lines.h"

bool le_joiner_init(struct le_joiner *joiner, const struct le_event_reader *reader,
                    struct le_detector *detector)
{
    *joiner = (struct le_joiner){.reader = reader, .detector = detector};
    joiner->before_session.null = true;
    if (reader->rules->by_pid) {
        joiner->pids = calloc(1, sizeof *joiner->pids);
        if (joiner->pids == NULL)
            return false;
    }
    return le_scratch_init(&joiner->scratch, reader->rules);
}

void le_joiner_free(struct le_joiner *joiner)
{
    le_scratch_free(&joiner->scratch);
    struct le_buffer *const buffers[] = {&joiner->before_session.text, &joiner->pieces.message,
                                         &joiner->pieces.session.text, &joiner->headed.message,
                                         &joiner->headed.session.text, &joiner->by.text,
                                         &joiner->stream.text};
    for (size_t i = 0; i < sizeof buffers / sizeof buffers[0]; i++)
        le_buffer_free(buffers[i]);
    for (int i = 0; i < LE_MAX_FIELDS; i++) {
        le_buffer_free(&joiner->fields[i].text);
        le_buffer_free(&joiner->headed_fields[i].text);
    }
    le_buffer_free(&joiner->headed_pid.text);
    free(joiner->pids);
    *joiner = (struct le_joiner){0};
}

/* --- texts that are saved ------------------------------------------------------------------------ */

static struct le_text text_in(const struct le_buffer *buffer)
{
    /* An empty text may lie in a buffer that was never needed. */
    return (struct le_text){buffer->length > 0 ? buffer->data : "", buffer->length};
}

static bool save(struct le_saved *saved, struct le_text text)
{
    saved->null = text.data == NULL;
    saved->text.length = 0;
    return saved->null || le_buffer_append(&saved->text, text.data, text.length);
}

static struct le_text saved_text(const struct le_saved *saved)
{
    return saved->null ? (struct le_text){NULL, 0} : text_in(&saved->text);
}

static bool is_saved(const struct le_saved *saved, struct le_text text)
{
    if (saved->null || text.data == NULL)
        return saved->null && text.data == NULL;
    return saved->text.length == text.length &&
           (text.length == 0 || memcmp(saved->text.data, text.data, text.length) == 0);
}

static bool save_fields(const struct le_joiner *joiner, struct le_saved *saved,
                        const struct le_event *event)
{
    for (int i = 0; i < joiner->reader->rules->field_count; i++)
        if (!save(&saved[i], event->fields[i]))
            return false;
    return true;
}

static void restore_fields(const struct le_joiner *joiner, const struct le_saved *saved,
                           struct le_event *event)
{
    for (int i = 0; i < joiner->reader->rules->field_count; i++)
        event->fields[i] = saved_text(&saved[i]);
}

/* --- events ------------------------------------------------------------------------------------- */

/* Hands on an event that those after it may belong to, unless it is a field of one before. */
static enum logexport_status begin_record(struct le_joiner *joiner, int64_t line,
                                          const struct le_event *event,
                                          struct logexport_error *error)
{
    if (event->pid.data != NULL && le_pids_take(joiner->pids, line, event->pid, event->field)) {
        joiner->trace = LE_TRACE_POSTGRES;
        return LOGEXPORT_OK;
    }
    joiner->trace = (enum le_trace_state)event->opens;
    joiner->any_before = true;
    joiner->before_headed = event->headed;
    joiner->before_opened = event->opened;
    if (joiner->reader->rules->continuation && !save(&joiner->before_session, event->session))
        return le_out_of_memory(error);
    return le_detector_take_event(joiner->detector, line, event, error);
}

static enum logexport_status begin_oversize(struct le_joiner *joiner, int64_t line,
                                            struct logexport_error *error)
{
    const struct le_event event = {.kind = LE_OVERSIZE, .template_index = LE_UNSEEN};
    return begin_record(joiner, line, &event, error);
}

static enum logexport_status name_line(struct logexport_error *error, int64_t line,
                                       enum logexport_status status)
{
    if (status != LOGEXPORT_TEXT || error == NULL)
        return status;
    struct logexport_error clause = *error;
    return le_fail(error, LOGEXPORT_TEXT, "On line %lld %s.", (long long)line, clause.text);
}

/* --- held records ------------------------------------------------------------------------------- */

static bool hold(struct le_held *held, int64_t line, const struct le_event *event,
                 struct le_text message)
{
    held->holds = true;
    held->line = line;
    held->bytes = event->bytes;
    held->oversize = false;
    held->closes = event->closes;
    held->message.length = 0;
    return le_buffer_append(&held->message, message.data, message.length) &&
           save(&held->session, event->session);
}

/* Adds a line of so many bytes; false: the lines are too long by now. */
static bool join(const struct le_joiner *joiner, struct le_held *held, size_t bytes)
{
    held->bytes += bytes;
    held->oversize = held->oversize || held->bytes > joiner->reader->rules->max_line_bytes;
    return !held->oversize;
}

static enum logexport_status end_headed(struct le_joiner *joiner, struct logexport_error *error)
{
    struct le_held *held = &joiner->headed;
    if (!held->holds)
        return LOGEXPORT_OK;
    held->holds = false;
    if (held->oversize)
        return begin_oversize(joiner, held->line, error);
    const struct le_text message = text_in(&held->message);
    struct le_event event = {.kind = LE_LINE,
                             .headed = true,
                             .opened = joiner->headed_opened,
                             .closes = held->closes,
                             .pid = saved_text(&joiner->headed_pid),
                             .field = joiner->headed_field,
                             .time = joiner->headed_time,
                             .session = saved_text(&held->session)};
    if (joiner->reader->rules->continuation)
        event.opens = (uint8_t)le_trace_opens(message.data, message.length);
    restore_fields(joiner, joiner->headed_fields, &event);
    enum logexport_status status = le_event_match(joiner->reader, &joiner->scratch, message,
                                                  event.fields, &event.template_index, error);
    if (status != LOGEXPORT_OK)
        return name_line(error, held->line, status);
    return begin_record(joiner, held->line, &event, error);
}

/* A line without a header after a header whose message goes on. */
static enum logexport_status join_headed(struct le_joiner *joiner, const struct le_event *event,
                                         struct logexport_error *error)
{
    struct le_held *held = &joiner->headed;
    if (join(joiner, held, event->bytes)) {
        const char *text = event->text.data, *end = text + event->text.length;
        while (text < end && le_is_space(*text))
            text++;
        if ((held->message.length > 0 && !le_buffer_append(&held->message, " ", 1)) ||
            !le_buffer_append(&held->message, text, (size_t)(end - text)))
            return le_out_of_memory(error);
    }
    return end_headed(joiner, error);
}

static enum logexport_status take_without_head(struct le_joiner *joiner, int64_t line,
                                               struct le_event *event,
                                               struct logexport_error *error)
{
    bool joins_indented = joiner->before_headed || (joiner->before_opened && !event->opened);
    enum le_answer answer = le_trace_take(&joiner->trace, &event->look,
                                          (enum le_trace_state)event->opens, joins_indented);
    if (answer == LE_NOTHING)
        return LOGEXPORT_OK;
    if (answer == LE_EVENT)
        return begin_record(joiner, line, event, error);
    if (!joiner->any_before) { /* there is nothing to belong to, but its trace goes on */
        event->opens = (uint8_t)joiner->trace;
        return begin_record(joiner, line, event, error);
    }
    if (answer == LE_NAMES || event->session.data == NULL)
        event->session = saved_text(&joiner->before_session);
    return le_detector_take_event(joiner->detector, line, event, error);
}

/* What is too long ends the record before it. */
static enum logexport_status take_oversize(struct le_joiner *joiner, int64_t line,
                                           struct logexport_error *error)
{
    enum logexport_status status = end_headed(joiner, error);
    return status == LOGEXPORT_OK ? begin_oversize(joiner, line, error) : status;
}

/* A line, or pieces that were joined. */
static enum logexport_status take_line(struct le_joiner *joiner, int64_t line,
                                       struct le_event *event, struct logexport_error *error)
{
    enum logexport_status status;
    if (event->empty)
        return LOGEXPORT_OK;
    if (event->headed) {
        if ((status = end_headed(joiner, error)))
            return status;
        if (!event->next_line)
            return begin_record(joiner, line, event, error);
        joiner->headed_opened = event->opened;
        joiner->headed_field = event->field;
        joiner->headed_time = event->time;
        return hold(&joiner->headed, line, event, event->text) &&
                       save_fields(joiner, joiner->headed_fields, event) &&
                       save(&joiner->headed_pid, event->pid)
                   ? LOGEXPORT_OK
                   : le_out_of_memory(error);
    }
    if (joiner->headed.holds)
        return join_headed(joiner, event, error);
    if (joiner->reader->rules->continuation)
        return take_without_head(joiner, line, event, error);
    return begin_record(joiner, line, event, error);
}

static enum logexport_status end_pieces(struct le_joiner *joiner, struct logexport_error *error)
{
    struct le_held *held = &joiner->pieces;
    enum logexport_status status;
    if (!held->holds)
        return LOGEXPORT_OK;
    held->holds = false;
    if (held->oversize)
        return take_oversize(joiner, held->line, error);
    struct le_event event = {.bytes = held->bytes,
                             .closes = held->closes,
                             .session = saved_text(&held->session),
                             .source = joiner->source,
                             .message = text_in(&held->message),
                             .by = saved_text(&joiner->by)};
    restore_fields(joiner, joiner->fields, &event);
    status = le_event_read_joined(joiner->reader, &joiner->scratch, &event, error);
    if (status != LOGEXPORT_OK)
        return name_line(error, held->line, status);
    return take_line(joiner, held->line, &event, error);
}

static enum logexport_status join_pieces(struct le_joiner *joiner, const struct le_event *event,
                                         struct logexport_error *error)
{
    struct le_held *held = &joiner->pieces;
    if (join(joiner, held, event->bytes) &&
        !le_buffer_append(&held->message, event->message.data, event->message.length))
        return le_out_of_memory(error);
    return event->kind == LE_PIECE ? LOGEXPORT_OK : end_pieces(joiner, error);
}

enum logexport_status le_joiner_take(struct le_joiner *joiner, int64_t line, struct le_event *event,
                                     struct logexport_error *error)
{
    enum logexport_status status;
    if (joiner->pieces.holds && event->source >= 0 && event->source == joiner->source &&
        is_saved(&joiner->stream, event->stream))
        return join_pieces(joiner, event, error);
    if ((status = end_pieces(joiner, error)))
        return status;
    if (event->kind == LE_LINE)
        return take_line(joiner, line, event, error);
    if (event->kind == LE_OVERSIZE)
        return take_oversize(joiner, line, error);
    joiner->source = event->source;
    bool ok = hold(&joiner->pieces, line, event, event->message) && save(&joiner->by, event->by) &&
              save(&joiner->stream, event->stream) && save_fields(joiner, joiner->fields, event);
    return ok ? LOGEXPORT_OK : le_out_of_memory(error);
}

enum logexport_status le_joiner_finish(struct le_joiner *joiner, struct logexport_error *error)
{
    enum logexport_status status = end_pieces(joiner, error);
    if (status == LOGEXPORT_OK)
        status = end_headed(joiner, error);
    joiner->trace = LE_TRACE_NONE;
    joiner->any_before = joiner->before_headed = joiner->before_opened = false;
    joiner->before_session.null = true;
    if (joiner->pids != NULL)
        *joiner->pids = (struct le_pids){0};
    return status;
}
