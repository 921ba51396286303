#include "headers.h"

/* Those of version 1 first. */
static const char *const names[] = {"timestamp", "host",   "process", "level",    "logger",
                                    "pid",       "thread", "source",  "request",  "code",
                                    "method",    "status", "action",  "priority", "msgid"};

const char *le_field_name(const char *name, size_t length)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strlen(names[i]) == length && memcmp(names[i], name, length) == 0)
            return names[i];
    return NULL;
}

bool le_header_find_groups(struct le_header *header, bool version_1)
{
    size_t count = version_1 ? 3 : sizeof names / sizeof names[0];
    uint32_t named = 0, known = 1;
    header->message = le_pattern_group(&header->pattern, "message");
    header->pid = le_pattern_group(&header->pattern, "pid");
    header->level = le_pattern_group(&header->pattern, "level");
    pcre2_pattern_info(header->pattern.code, PCRE2_INFO_NAMECOUNT, &named);
    for (size_t i = 0; i < count; i++)
        known += le_pattern_group(&header->pattern, names[i]) != 0;
    header->timed = !version_1 && le_time_find_groups(&header->pattern, header->times);
    for (int i = 0; header->timed && i < LE_TIME_GROUPS; i++)
        known += header->times[i] != 0;
    if (header->timed && le_pattern_group(&header->pattern, "timestamp") == 0)
        return false;
    return header->message != 0 && named == known;
}

void le_header_want(struct le_header *header, const char *const *wanted, int count)
{
    for (int i = 0; i < count; i++)
        header->fields[i] = wanted[i] == NULL ? 0 : le_pattern_group(&header->pattern, wanted[i]);
    header->field_count = count;
}

static struct le_text group_text(struct le_match *match, const char *line, uint32_t group)
{
    struct le_text text = {NULL, 0};
    if (group != 0)
        text.data = le_match_group(match, line, group, &text.length);
    return text;
}

enum le_search le_headers_find(const struct le_header *headers, int count, struct le_match *match,
                               const char *line, size_t length, struct le_fields *fields)
{
    fields->message = line;
    fields->message_length = length;
    fields->header = NULL;
    for (int i = 0; i < count; i++) {
        const struct le_header *header = &headers[i];
        enum le_search found = le_pattern_find(&header->pattern, match, line, length, 0, false);
        if (found == LE_NOT_FOUND)
            continue;
        if (found == LE_ENDLESS)
            return found;
        fields->message = le_match_group(match, line, header->message, &fields->message_length);
        if (fields->message == NULL) { /* a group that took no part: an empty message */
            fields->message = line;
            fields->message_length = 0;
        }
        for (int field = 0; field < header->field_count; field++)
            fields->texts[field] = group_text(match, line, header->fields[field]);
        fields->pid = group_text(match, line, header->pid);
        fields->level = group_text(match, line, header->level);
        fields->header = header;
        return found;
    }
    return LE_NOT_FOUND;
}
