#include "events.h"

#include "lines.h"
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
    le_buffer_free(&scratch->masked[0]);
    le_buffer_free(&scratch->masked[1]);
    le_buffer_free(&scratch->hashes);
    le_tokens_free(&scratch->tokens);
}

static enum logexport_status refuse_endless(struct logexport_error *error, const char *what)
{
    return le_fail(error, LOGEXPORT_TEXT, "the pattern of %s cannot be run to its end", what);
}

enum logexport_status le_event_match(const struct le_event_reader *reader,
                                     struct le_scratch *scratch, struct le_text message,
                                     int32_t *template_index, struct logexport_error *error)
{
    const struct le_preprocess *rules = reader->rules;
    int endless;
    switch (le_masks_apply(rules->masks, rules->mask_count, &scratch->match, scratch->masked,
                           &message.data, &message.length, &endless)) {
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
    if (!le_tokens_split(&scratch->tokens, message.data, message.length) ||
        !le_matcher_find(reader->matcher, &scratch->tokens, &scratch->hashes, template_index))
        return le_out_of_memory(error);
    return LOGEXPORT_OK;
}

/* What was found so far of the field and the key that sessions are by. */
struct found {
    int levels;        /* how often the line was opened */
    bool stands_alone; /* it cannot be a continuation line */
    bool pieces;       /* the innermost form is one with pieces */
    struct le_text field, by;
};

static void keep_opened(struct found *found, const struct le_opened *opened)
{
    found->stands_alone |= opened->stands_alone;
    found->pieces = opened->source >= 0;
    if (opened->field != NULL) /* the innermost */
        found->field = (struct le_text){opened->field, opened->field_length};
    if (found->by.data == NULL) /* the outermost */
        found->by = (struct le_text){opened->by, opened->by_length};
}

/* Opens a text as often as it can be. False: out of memory. */
static bool open_further(const struct le_preprocess *rules, struct le_scratch *scratch,
                         struct le_text *text, struct found *found)
{
    while (found->levels < LE_MAX_LEVELS) {
        struct le_opened *opened = &scratch->levels[found->levels];
        int done = le_structure_open(&rules->structure, text->data, text->length, opened);
        if (done <= 0)
            return done == 0;
        found->levels++;
        keep_opened(found, opened);
        *text = (struct le_text){opened->message, opened->message_length};
    }
    return true;
}

/* The way on from a text that was opened once, or not at all. */
static enum logexport_status read_text(const struct le_event_reader *reader,
                                       struct le_scratch *scratch, struct le_text text,
                                       struct found *found, struct le_event *event,
                                       struct logexport_error *error)
{
    const struct le_preprocess *rules = reader->rules;
    bool structured = rules->structure.form_count > 0;
    event->opened = found->levels > 0;
    if (event->opened && !open_further(rules, scratch, &text, found))
        return le_out_of_memory(error);
    event->empty = event->opened && found->pieces && le_is_blank(text.data, text.length);
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
    if (fields.field != NULL)
        found->field = (struct le_text){fields.field, fields.field_length};
    if (structured && event->headed && !event->next_line &&
        !open_further(rules, scratch, &message, found))
        return le_out_of_memory(error);
    if (rules->by == LE_BY_HOST)
        event->session = found->field;
    else if (rules->by == LE_BY_FIELD)
        event->session = found->by.data != NULL ? found->by : found->field;
    if (rules->continuation) {
        if (!found->stands_alone) /* a trace that a message is goes on within it */
            event->opens = (uint8_t)le_trace_opens(message.data, message.length);
        if (!event->headed && !found->stands_alone)
            le_look_at(text.data, text.length, &event->look);
        event->look.stands_alone = found->stands_alone;
    }
    return le_event_match(reader, scratch, message, &event->template_index, error);
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

    struct le_text text = {line, length};
    struct found found = {0};
    if (rules->structure.form_count > 0) {
        struct le_opened *opened = &scratch->levels[0];
        int done = le_structure_open(&rules->structure, line, length, opened);
        if (done < 0)
            return le_out_of_memory(error);
        if (done > 0) {
            found.levels = 1;
            keep_opened(&found, opened);
            text = (struct le_text){opened->message, opened->message_length};
            event->source = opened->source;
            event->message = text;
            event->field = found.field;
            event->by = found.by;
            event->stream = (struct le_text){opened->stream, opened->stream_length};
            if (opened->piece) {
                event->kind = LE_PIECE;
                return LOGEXPORT_OK;
            }
        }
    }
    return read_text(reader, scratch, text, &found, event, error);
}

enum logexport_status le_event_read_joined(const struct le_event_reader *reader,
                                           struct le_scratch *scratch, struct le_event *event,
                                           struct logexport_error *error)
{
    struct found found = {.levels = 1, .pieces = true, .field = event->field, .by = event->by};
    event->kind = LE_LINE;
    event->template_index = LE_UNSEEN;
    return read_text(reader, scratch, event->message, &found, event, error);
}
