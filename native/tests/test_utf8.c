/* Decoding with replacement: the cases of the WHATWG algorithm, and the fast path's borders. */
#include "test.h"
#include "utf8.h"

#define R "\xEF\xBF\xBD"

static void decodes(const char *bytes, size_t length, const char *wanted)
{
    struct le_buffer scratch = {0}, ended = {0};
    const char *text;
    size_t text_length;
    NEED(le_utf8_decode(bytes, length, &scratch, &text, &text_length));
    NEED(le_buffer_append(&ended, text, text_length) && le_buffer_append(&ended, "", 1));
    CHECK_TEXT(ended.data, wanted);
    CHECK(text_length == strlen(wanted));
    le_buffer_free(&scratch);
    le_buffer_free(&ended);
}

#define DECODES(bytes, wanted) decodes(bytes, sizeof(bytes) - 1, wanted)

static void invalid_parts_become_one_replacement_each(void)
{
    DECODES("", "");
    DECODES("plain", "plain");
    DECODES("caf\xC3\xA9 \xE6\x97\xA5 \xF0\x9F\x98\x80",
            "caf\xC3\xA9 \xE6\x97\xA5 \xF0\x9F\x98\x80");
    DECODES("\x80", R);                   /* a continuation that continues nothing */
    DECODES("\xC0\xAF", R R);             /* overlong */
    DECODES("\xE0\x9F\xBF", R R R);       /* overlong, three bytes */
    DECODES("\xED\xA0\x80", R R R);       /* a surrogate */
    DECODES("\xF4\x90\x80\x80", R R R R); /* above U+10FFFF */
    DECODES("\xF5\x80\x80\x80", R R R R);
    DECODES("\xE2\x82", R); /* cut off: one subpart */
    DECODES("\xE2\x82x", R "x");
    DECODES("\xF0\x9F\x98", R);
    DECODES("\xF0\x9F\x98\x41\xC3", R "A" R);
    DECODES("\xF1\x80\xE1\x80\xC2\x62\x80", R R R "b" R);
    DECODES("\xFE\xFF", R R);
    DECODES("\xEF\xBB\xBF", "\xEF\xBB\xBF"); /* a byte order mark is a character */
    DECODES("\xEF\xBF\xBF\xF4\x8F\xBF\xBF", "\xEF\xBF\xBF\xF4\x8F\xBF\xBF");
}

static void the_word_at_a_time_path_ends_where_it_must(void)
{
    for (size_t length = 0; length < 40; length++)
        for (size_t at = 0; at < length; at++) {
            char bytes[40], wanted[44];
            memset(bytes, 'a', sizeof bytes);
            bytes[at] = '\xFF';
            snprintf(wanted, sizeof wanted, "%.*s%s%.*s", (int)at, bytes, R, (int)(length - at - 1),
                     bytes + at + 1);
            decodes(bytes, length, wanted);
            CHECK(le_utf8_valid_prefix(bytes, length) == at);
        }
}

static void a_string_is_made_valid_in_place(void)
{
    char text[] = "ok \xE2\x82 \xC3\xA9 \xFF";
    le_utf8_make_valid(text);
    CHECK_TEXT(text, "ok ?? \xC3\xA9 ?");
}

int main(void)
{
    invalid_parts_become_one_replacement_each();
    the_word_at_a_time_path_ends_where_it_must();
    a_string_is_made_valid_in_place();
    return failures != 0;
}
