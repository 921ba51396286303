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
    le_buffer_free(&scratch->masked[0]);
    le_buffer_free(&scratch->masked[1]);
    le_buffer_free(&scratch->hashes);
    le_tokens_free(&scratch->tokens);
}

/* A group's text, or NULL where it took no part. */
static const char *group(const struct le_match *match, const char *subject, uint32_t number,
                         size_t *length)
{
    size_t begin = match->offsets[2 * number], end = match->offsets[2 * number + 1];
    if (begin == PCRE2_UNSET || end < begin)
        return NULL;
    *length = end - begin;
    return subject + begin;
}

static enum logexport_status endless(struct logexport_error *error, const char *what)
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
    if (le_is_blank(line, length)) {
        event->template_index = LE_BLANK;
        return LOGEXPORT_OK;
    }

    if (rules->by == LE_BY_PATTERN) {
        int found = le_pattern_find(&rules->session, match, line, length, 0, false);
        if (found < 0)
            return endless(error, "the sessions");
        if (found > 0)
            event->session = group(match, line, rules->session_group, &event->session_length);
    }

    const char *message = line;
    size_t message_length = length;
    for (int i = 0; i < rules->header_count; i++) {
        const struct le_header *header = &rules->headers[i];
        int found = le_pattern_find(&header->pattern, match, line, length, 0, false);
        if (found < 0)
            return endless(error, "a header");
        if (found == 0)
            continue;
        message = group(match, line, header->message, &message_length);
        if (message == NULL) {
            message = line;
            message_length = 0;
        }
        if (rules->by == LE_BY_HOST && header->host != 0)
            event->session = group(match, line, header->host, &event->session_length);
        break;
    }

    int failed = le_masks_apply(rules->masks, rules->mask_count, match, scratch->masked, &message,
                                &message_length);
    if (failed == rules->mask_count && failed >= 0)
        return le_out_of_memory(error);
    if (failed >= 0) {
        char what[80] = "mask ";
        strncat(what, rules->mask_names[failed], 70);
        return endless(error, what);
    }
    if (!le_tokens_split(&scratch->tokens, message, message_length))
        return le_out_of_memory(error);
    event->template_index = le_matcher_find(reader->matcher, &scratch->tokens, &scratch->hashes);
    return event->template_index == -2 ? le_out_of_memory(error) : LOGEXPORT_OK;
}
