#include "kept.h"

static const struct le_text absent = {"-\n", 2};

/* Whether the text is one to nine decimal digits. */
static bool is_number(struct le_text text)
{
    for (size_t i = 0; i < text.length && i < 10; i++)
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
    return text.length >= 1 && text.length <= 9;
}

/* The syslog severity of a number, its last three bits. */
static struct le_text severity_of(struct le_text number)
{
    static const struct le_text names[] = {{"emerg", 5}, {"alert", 5},   {"crit", 4},
                                           {"err", 3},   {"warning", 7}, {"notice", 6},
                                           {"info", 4},  {"debug", 5}};
    unsigned value = 0;
    for (size_t i = 0; i < number.length; i++)
        value = value * 10 + (unsigned)(number.data[i] - '0');
    return names[value % 8];
}

static bool is_white(char c)
{
    return c == '\n' || le_is_space(c);
}

/* The text with one underscore for each run of white space inside: as it stands, or in `space`, where
 * there is room for it. */
static struct le_text underscored(struct le_text text, struct le_buffer *space)
{
    const char *at = text.data, *end = at + text.length;
    while (end > at && is_white(end[-1]))
        end--;
    while (at < end && is_white(*at))
        at++;
    const char *white = at;
    while (white < end && !is_white(*white))
        white++;
    if (at == end)
        return absent;
    if (white == end)
        return (struct le_text){at, (size_t)(end - at)};
    char *begin = space->data + space->length, *to = begin;
    while (at < end) { /* which is not white, nor is what it ends with */
        while (at < end && !is_white(*at))
            *to++ = *at++;
        if (at < end)
            *to++ = '_';
        while (at < end && is_white(*at))
            at++;
    }
    space->length += (size_t)(to - begin);
    return (struct le_text){begin, (size_t)(to - begin)};
}

static struct le_text token_of(enum le_kept_form form, struct le_text value,
                               struct le_buffer *space)
{
    static const char classes[] = "0xx1xx2xx3xx4xx5xx6xx7xx8xx9xx";
    if (value.data == NULL)
        return absent;
    while (value.length > 0 && le_is_space(value.data[value.length - 1]))
        value.length--;
    while (value.length > 0 && le_is_space(*value.data)) {
        value.data++;
        value.length--;
    }
    if (form == LE_KEPT_SEVERITY && is_number(value))
        return severity_of(value);
    if (form == LE_KEPT_CLASS && value.length == 3 && is_number(value))
        return (struct le_text){classes + 3 * (value.data[0] - '0'), 3};
    return underscored(value, space);
}

bool le_kept_tokens(const enum le_kept_form *forms, int count, const struct le_text *values,
                    struct le_buffer *space, struct le_tokens *tokens)
{
    size_t room = 0;
    tokens->count = 0;
    for (int i = 0; i < count; i++)
        room += values[i].data == NULL ? 0 : values[i].length;
    space->length = 0;
    if (!le_buffer_reserve(space, room)) /* at once: the tokens must not move */
        return false;
    for (int i = 0; i < count; i++)
        if (!le_tokens_add(tokens, token_of(forms[i], values[i], space)))
            return false;
    return true;
}
