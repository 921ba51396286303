#include "headers.h"

bool le_header_find_groups(struct le_header *header)
{
    static const char *const names[] = {"message", "host", "timestamp", "process"};
    uint32_t named = 0, known = 0;
    header->message = le_pattern_group(&header->pattern, "message");
    pcre2_pattern_info(header->pattern.code, PCRE2_INFO_NAMECOUNT, &named);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        known += le_pattern_group(&header->pattern, names[i]) != 0;
    return header->message != 0 && named == known;
}

void le_header_want(struct le_header *header, const char *field)
{
    header->field = le_pattern_group(&header->pattern, field);
}

enum le_search le_headers_find(const struct le_header *headers, int count, struct le_match *match,
                               const char *line, size_t length, struct le_fields *fields)
{
    *fields = (struct le_fields){.message = line, .message_length = length};
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
        if (header->field != 0)
            fields->field = le_match_group(match, line, header->field, &fields->field_length);
        fields->header = header;
        return found;
    }
    return LE_NOT_FOUND;
}
