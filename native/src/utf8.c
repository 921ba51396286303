#include "utf8.h"

#include <stdint.h>
#include <string.h>

static const char replacement[] = "\xEF\xBF\xBD"; /* U+FFFD */

/* Whether the sequence at `s` is valid, and its length (1..4); where it is not, that of its maximal
 * subpart, the longest prefix that some valid sequence begins with (Unicode 15, section 3.9, table
 * 3-7). */
static bool is_sequence(const unsigned char *s, size_t left, size_t *length)
{
    unsigned char first = s[0];
    *length = 1;
    if (first < 0x80)
        return true;
    if (first < 0xC2 || first > 0xF4)
        return false;
    unsigned char low = 0x80, high = 0xBF;
    size_t whole = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    if (first == 0xE0)
        low = 0xA0; /* no overlong forms */
    else if (first == 0xED)
        high = 0x9F; /* no surrogates */
    else if (first == 0xF0)
        low = 0x90;
    else if (first == 0xF4)
        high = 0x8F; /* nothing above U+10FFFF */
    for (; *length < whole; ++*length) {
        if (*length >= left || s[*length] < low || s[*length] > high)
            return false;
        low = 0x80;
        high = 0xBF;
    }
    return true;
}

size_t le_utf8_valid_prefix(const char *bytes, size_t length)
{
    size_t i = 0;
    while (i < length) {
        uint64_t word;
        while (length - i >= sizeof word) {
            memcpy(&word, bytes + i, sizeof word);
            if ((word & UINT64_C(0x8080808080808080)) != 0)
                break;
            i += sizeof word;
        }
        if (i == length)
            break;
        size_t step;
        if (!is_sequence((const unsigned char *)bytes + i, length - i, &step))
            return i;
        i += step;
    }
    return i;
}

bool le_utf8_decode(const char *bytes, size_t length, struct le_buffer *scratch, const char **text,
                    size_t *text_length)
{
    size_t valid = le_utf8_valid_prefix(bytes, length);
    if (valid == length) {
        *text = bytes;
        *text_length = length;
        return true;
    }
    scratch->length = 0;
    size_t done = 0;
    for (;;) {
        if (!le_buffer_append(scratch, bytes + done, valid))
            return false;
        done += valid;
        if (done == length)
            break;
        size_t subpart;
        is_sequence((const unsigned char *)bytes + done, length - done, &subpart);
        done += subpart;
        if (!le_buffer_append(scratch, replacement, 3))
            return false;
        valid = le_utf8_valid_prefix(bytes + done, length - done);
    }
    *text = scratch->data;
    *text_length = scratch->length;
    return true;
}

void le_utf8_make_valid(char *string)
{
    size_t length = strlen(string);
    for (;;) {
        size_t valid = le_utf8_valid_prefix(string, length);
        if (valid == length)
            return;
        string += valid;
        length -= valid;
        *string = '?';
    }
}
