#include "json_text.h"

#include <stdio.h>

/* The escape of a character, or NULL if it stands for itself. */
static const char *escape_of(unsigned char c, char hex[7])
{
    switch (c) {
    case '"':
        return "\\\"";
    case '\\':
        return "\\\\";
    case '\n':
        return "\\n";
    case '\r':
        return "\\r";
    case '\t':
        return "\\t";
    case '\f':
        return "\\f";
    case '\b':
        return "\\b";
    default:
        if (c >= 0x20)
            return NULL;
        memcpy(hex, "\\u00", 4);
        hex[4] = c < 0x10 ? '0' : '1';
        hex[5] = "0123456789abcdef"[c & 15];
        hex[6] = '\0';
        return hex;
    }
}

bool le_json_append_string(struct le_buffer *out, const char *text, size_t length)
{
    char hex[7];
    size_t plain = 0; /* where the run of characters that stand for themselves begins */
    if (!le_buffer_append(out, "\"", 1))
        return false;
    for (size_t i = 0; i < length; i++) {
        const char *escaped = escape_of((unsigned char)text[i], hex);
        if (escaped == NULL)
            continue;
        if (!le_buffer_append(out, text + plain, i - plain) ||
            !le_buffer_append(out, escaped, strlen(escaped)))
            return false;
        plain = i + 1;
    }
    return le_buffer_append(out, text + plain, length - plain) && le_buffer_append(out, "\"", 1);
}

bool le_json_append_real(struct le_buffer *out, double value, locale_t c_locale)
{
    char text[40];
    locale_t before = uselocale(c_locale); /* of this thread only */
    int length = snprintf(text, sizeof text, "%.9g", value);
    uselocale(before);
    return le_buffer_append(out, text, (size_t)length);
}

bool le_json_append_integer(struct le_buffer *out, int64_t value)
{
    char text[24], *at = text + sizeof text;
    uint64_t left = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do {
        *--at = (char)('0' + left % 10);
        left /= 10;
    } while (left > 0);
    if (value < 0)
        *--at = '-';
    return le_buffer_append(out, at, (size_t)(text + sizeof text - at));
}
