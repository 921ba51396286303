#include "events.h"

#include "lines.h"
#include "pids.h"
#include "utf8.h"

bool le_scratch_init(struct le_scratch *scratch, const struct le_preprocess *rules)
{
    *scratch = (struct le_scratch){0};
    return le_match_init(&scratch->match, rules->max_groups);
}

void le_scratch_free(struct le_scratch *scratch)
{
    le_match_free(&scratch->match);
    for (int i = 0; i < LE_MAX_LEVELS; i++)
        le_opened_free(&scratch->levels[i]);
    le_buffer_free(&scratch->decoded);
    le_buffer_free(&scratch->stripped);
    le_masking_free(&scratch->masking[0]);
    le_masking_free(&scratch->masking[1]);
    le_buffer_free(&scratch->kept);
    le_buffer_free(&scratch->hashes);
    le_tokens_free(&scratch->tokens);
}

static enum logexport_status refuse_endless(struct logexport_error *error, const char *what)
{
    return le_fail(error, LOGEXPORT_TEXT, "the pattern of %s cannot be run to its end", what);
}

enum logexport_status le_event_match(const struct le_event_reader *reader,
                                     struct le_scratch *scratch, struct le_text message,
                                     const struct le_text *fields, int32_t *template_index,
                                     struct logexport_error *error)
{
    const struct le_preprocess *rules = reader->rules;
    struct le_masked masked = {message.data, message.length, NULL};
    bool typed =
        rules->tokens.collapse || rules->tokens.splits || le_matcher_knows_marks(reader->matcher);
    int endless;
    switch (le_masks_apply(rules->masks, rules->mask_count, &scratch->match, scratch->masking,
                           typed, &masked, &endless)) {
    case LE_MASKS_APPLIED:
        break;
    case LE_MASKS_ENDLESS: {
        char what[80] = "mask ";
        strncat(what, rules->mask_names[endless], 70);
        return refuse_endless(error, what);
    }
    case LE_MASKS_NO_MEMORY:
        return le_out_of_memory(error);
    }
    scratch->tokens.count = 0;
    if ((rules->keep_count > 0 && !le_kept_tokens(rules->keep, rules->keep_count, fields + 1,
                                                  &scratch->kept, &scratch->tokens)) ||
        !(typed ? le_tokens_cut(&rules->tokens, &masked, &scratch->tokens)
                : le_tokens_append(&scratch->tokens, masked.text, masked.length)) ||
        !le_matcher_find(reader->matcher, &scratch->tokens, &scratch->hashes, template_index))
        return le_out_of_memory(error);
    return LOGEXPORT_OK;
}

/* Takes fields from a level further in: the innermost one counts. */
static void keep_fields(struct le_event *event, const struct le_text *fields, int count)
{
    for (int i = 0; i < count; i++)
        if (fields[i].data != NULL)
            event->fields[i] = fields[i];
}

static void keep_opened(const struct le_preprocess *rules, const struct le_opened *opened,
                        struct le_event *event)
{
    event->stands_alone |= opened->stands_alone;
    event->of_pieces = opened->source >= 0;
    keep_fields(event, opened->fields, rules->field_count);
    if (event->by.data == NULL) /* the outermost */
        event->by = (struct le_text){opened->by, opened->by_length};
}

/* Opens a text as often as it can be; `levels` says how often it was. False: out of memory. */
static bool open_further(const struct le_preprocess *rules, struct le_scratch *scratch,
                         struct le_text *text, int *levels, struct le_event *event)
{
    while (*levels < LE_MAX_LEVELS) {
        struct le_opened *opened = &scratch->levels[*levels];
        int done = le_structure_open(&rules->structure, text->data, text->length, opened);
        if (done <= 0)
            return done == 0;
        ++*levels;
        keep_opened(rules, opened, event);
        *text = (struct le_text){opened->message, opened->message_length};
    }
    return true;
}

/* Reads what the timestamp of a text says, once all of its fields are known. `match` is its header's;
 * `inside` says which levels stand behind that. */
static enum logexport_status read_time(const struct le_preprocess *rules,
                                       struct le_scratch *scratch, const struct le_fields *fields,
                                       struct le_text text, int inside, int levels,
                                       struct le_event *event, struct logexport_error *error)
{
    int place = rules->field_count - 1;
    struct le_text timestamp = event->fields[place];
    bool of_header =
        fields->header != NULL && fields->header->timed && fields->texts[place].data != NULL;
    for (int level = inside; level < levels; level++)
        of_header = of_header && scratch->levels[level].fields[place].data == NULL;
    if (of_header)
        le_time_read(fields->header->times, &scratch->match, text.data, &event->time);
    else if (timestamp.data != NULL && le_time_forms_read(&rules->time_forms, &scratch->match,
                                                          timestamp, &event->time) == LE_ENDLESS)
        return refuse_endless(error, "a time");
    return LOGEXPORT_OK;
}

/* The way on from a text that was opened once, or not at all. */
static enum logexport_status read_text(const struct le_event_reader *reader,
                                       struct le_scratch *scratch, struct le_text text, int levels,
                                       struct le_event *event, struct logexport_error *error)
{
    const struct le_preprocess *rules = reader->rules;
    bool structured = rules->structure.form_count > 0;
    enum logexport_status status;
    event->opened = levels > 0;
    if (event->opened && !open_further(rules, scratch, &text, &levels, event))
        return le_out_of_memory(error);
    event->empty = event->opened && event->of_pieces && le_is_blank(text.data, text.length);
    if (event->empty)
        return LOGEXPORT_OK;

    struct le_fields fields;
    if (le_headers_find(rules->headers, rules->header_count, &scratch->match, text.data,
                        text.length, &fields) == LE_ENDLESS)
        return refuse_endless(error, "a header");
    struct le_text message = {fields.message, fields.message_length};
    event->headed = fields.header != NULL;
    event->next_line = event->headed && fields.header->next_line;
    event->text = event->headed ? message : text;
    if (event->headed)
        keep_fields(event, fields.texts, fields.header->field_count);
    if (event->headed && rules->by_pid) {
        event->pid = le_pid(fields.pid);
        event->field = le_is_field_level(fields.level);
    }
    int inside = levels;
    if (structured && event->headed && !event->next_line &&
        !open_further(rules, scratch, &message, &levels, event))
        return le_out_of_memory(error);
    if (rules->times &&
        (status = read_time(rules, scratch, &fields, text, inside, levels, event, error)))
        return status;
    if (rules->by == LE_BY_HOST)
        event->session = event->fields[0];
    else if (rules->by == LE_BY_FIELD)
        event->session = event->by.data != NULL ? event->by : event->fields[0];
    if (rules->continuation) {
        if (!event->stands_alone) /* a trace that a message is goes on within it */
            event->opens = (uint8_t)le_trace_opens(message.data, message.length);
        if (!event->headed && !event->stands_alone)
            le_look_at(text.data, text.length, &event->look);
        event->look.stands_alone = event->stands_alone;
    }
    return le_event_match(reader, scratch, message, event->fields, &event->template_index, error);
}

enum logexport_status le_event_read(const struct le_event_reader *reader,
                                    struct le_scratch *scratch, const char *line, size_t length,
                                    struct le_event *event, struct logexport_error *error)
{
    const struct le_preprocess *rules = reader->rules;
    *event = (struct le_event){
        .kind = LE_LINE, .template_index = LE_UNSEEN, .bytes = length, .source = -1};
    if (length > rules->max_line_bytes) {
        event->kind = LE_OVERSIZE; /* even if it is blank; no pattern runs on it */
        return LOGEXPORT_OK;
    }
    if (!le_utf8_decode(line, length, &scratch->decoded, &line, &length))
        return le_out_of_memory(error);
    if (rules->encoding != LE_BYTES && !le_strip_escapes(&line, &length, &scratch->stripped))
        return le_out_of_memory(error);
    if (le_is_blank(line, length)) {
        event->kind = LE_BLANK;
        return LOGEXPORT_OK;
    }

    if (rules->by == LE_BY_PATTERN) {
        enum le_search found =
            le_pattern_find(&rules->session, &scratch->match, line, length, 0, false);
        if (found == LE_ENDLESS)
            return refuse_endless(error, "the sessions");
        if (found == LE_FOUND)
            event->session.data =
                le_match_group(&scratch->match, line, rules->session_group, &event->session.length);
    }

    if (rules->closes) {
        enum le_search found =
            le_pattern_find(&rules->close_pattern, &scratch->match, line, length, 0, false);
        if (found == LE_ENDLESS)
            return refuse_endless(error, "the sessions' ends");
        event->closes = found == LE_FOUND;
    }

    struct le_text text = {line, length};
    int levels = 0;
    if (rules->structure.form_count > 0) {
        struct le_opened *opened = &scratch->levels[0];
        int done = le_structure_open(&rules->structure, line, length, opened);
        if (done < 0)
            return le_out_of_memory(error);
        if (done > 0) {
            levels = 1;
            keep_opened(rules, opened, event);
            text = (struct le_text){opened->message, opened->message_length};
            event->source = opened->source;
            event->message = text;
            event->stream = (struct le_text){opened->stream, opened->stream_length};
            if (opened->piece) {
                event->kind = LE_PIECE;
                return LOGEXPORT_OK;
            }
        }
    }
    return read_text(reader, scratch, text, levels, event, error);
}

enum logexport_status le_event_read_joined(const struct le_event_reader *reader,
                                           struct le_scratch *scratch, struct le_event *event,
                                           struct logexport_error *error)
{
    event->kind = LE_LINE;
    event->template_index = LE_UNSEEN;
    event->of_pieces = true;
    return read_text(reader, scratch, event->message, 1, event, error);
}
