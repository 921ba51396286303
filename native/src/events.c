#include "events.h"

#include "utf8.h"

bool le_scratch_init(struct le_scratch *scratch, const struct le_preprocess *rules)
{
    *scratch = (struct le_scratch){0};
    return le_match_init(&scratch->match, rules->max_groups);
}

void le_scratch_free(struct le_scratch *scratch)
{
    le_match_free(&scratch->match);
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

enum logexport_status le_event_read(const struct le_event_reader *reader,
                                    struct le_scratch *scratch, const char *line, size_t length,
                                    struct le_event *event, struct logexport_error *error)
{
    const struct le_preprocess *rules = reader->rules;
    struct le_match *match = &scratch->match;
    *event = (struct le_event){.template_index = LE_UNSEEN};
    if (length > rules->max_line_bytes)
        return LOGEXPORT_OK; /* unseen, even if it is blank, and no pattern runs on it */
    if (!le_utf8_decode(line, length, &scratch->decoded, &line, &length))
        return le_out_of_memory(error);
    if (rules->encoding != LE_BYTES && !le_strip_escapes(&line, &length, &scratch->stripped))
        return le_out_of_memory(error);
    if (le_is_blank(line, length)) {
        event->blank = true;
        return LOGEXPORT_OK;
    }

    if (rules->by == LE_BY_PATTERN) {
        enum le_search found = le_pattern_find(&rules->session, match, line, length, 0, false);
        if (found == LE_ENDLESS)
            return refuse_endless(error, "the sessions");
        if (found == LE_FOUND)
            event->session =
                le_match_group(match, line, rules->session_group, &event->session_length);
    }

    struct le_fields fields;
    if (le_headers_find(rules->headers, rules->header_count, match, line, length, &fields) ==
        LE_ENDLESS)
        return refuse_endless(error, "a header");
    if (rules->by == LE_BY_HOST) {
        event->session = fields.host;
        event->session_length = fields.host_length;
    }

    const char *message = fields.message;
    size_t message_length = fields.message_length;
    int endless;
    switch (le_masks_apply(rules->masks, rules->mask_count, match, scratch->masked, &message,
                           &message_length, &endless)) {
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
    if (!le_tokens_split(&scratch->tokens, message, message_length) ||
        !le_matcher_find(reader->matcher, &scratch->tokens, &scratch->hashes,
                         &event->template_index))
        return le_out_of_memory(error);
    return LOGEXPORT_OK;
}
