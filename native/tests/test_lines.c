/* Lines: where one ends; decoding with replacement, by the cases of the WHATWG algorithm and at the fast
 * path's borders; white space and tokens. */
#include "decoding.h"
#include "lines.h"
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

static void ends_at(const char *bytes, size_t length, size_t line_length, size_t next)
{
    size_t found;
    const char *after = le_line_end(bytes, bytes + length, &found);
    CHECK(found == line_length && after == bytes + next);
}

static void a_line_ends_before_its_feed_and_one_return(void)
{
    ends_at("a\nb", 3, 1, 2);
    ends_at("a\r\nb", 4, 1, 3);
    ends_at("a\r\r\n", 4, 2, 4);
    ends_at("\n\n", 2, 0, 1);
    ends_at("\r\n", 2, 0, 2);
    ends_at("a\rb", 3, 3, 3);
    ends_at("a\r", 2, 2, 2); /* without a feed the return stays */
    ends_at("\r", 1, 1, 1);
}

static void strips_to(const char *text, const char *wanted)
{
    struct le_buffer scratch = {0}, ended = {0};
    size_t length = strlen(text);
    NEED(le_strip_escapes(&text, &length, &scratch));
    NEED(le_buffer_append(&ended, text, length) && le_buffer_append(&ended, "", 1));
    CHECK_TEXT(ended.data, wanted);
    le_buffer_free(&scratch);
    le_buffer_free(&ended);
}

static void escape_sequences_are_dropped(void)
{
    strips_to("plain", "plain");
    strips_to("\033[1;31mred\033[0m", "red");
    strips_to("\033]0;title\007x\033]8;;u\033\\y", "xy");
    strips_to("\033(Bx\0337", "x");
    strips_to("\033", "\033");
    strips_to("a\033[12", "a\033[12");
    strips_to("a\033]0;\033[1mb", "a\033]0;b");
    strips_to("\033\033[1mx", "\033x");
    strips_to("\033[0m", "");
}

/* Appends what a file of these bytes is, pushed in pieces of at most `piece` bytes. */
static enum logexport_status decode_file(struct le_decoding *decoding, const char *bytes,
                                         size_t length, size_t piece, struct le_buffer *out)
{
    const char *text;
    size_t text_length;
    enum logexport_status status = LOGEXPORT_OK;
    for (size_t at = 0; at < length && status == LOGEXPORT_OK;) {
        size_t take = 1 + below((unsigned)piece);
        if (take > length - at)
            take = length - at;
        status = le_decoding_push(decoding, bytes + at, take, &text, &text_length, NULL);
        if (status == LOGEXPORT_OK)
            NEED(le_buffer_append(out, text, text_length));
        at += take;
    }
    if (status == LOGEXPORT_OK)
        status = le_decoding_end(decoding, &text, &text_length, NULL);
    if (status == LOGEXPORT_OK)
        NEED(le_buffer_append(out, text, text_length));
    return status;
}

static void a_file_is_decoded_however_it_is_cut(void)
{
    static const char *const marks[] = {"", "\xff\xfe", "\xfe\xff", "\xef\xbb\xbf", "\xef\xbb"};
    for (int round = 0; round < 3000; round++) {
        char file[700];
        const char *mark = marks[below(5)];
        size_t length = strlen(mark), more = below(600);
        memcpy(file, mark, length);
        for (size_t i = 0; i < more; i++)
            file[length++] = (char)(below(3) == 0   ? 0
                                    : below(4) == 0 ? 0xd8 + below(8)
                                                    : below(256));
        enum le_encoding encoding = LE_BYTES + (int)below(4);
        struct le_buffer whole = {0}, pieces = {0};
        struct le_decoding decoding;
        le_decoding_init(&decoding, encoding);
        enum logexport_status one = decode_file(&decoding, file, length, 700, &whole);
        le_decoding_free(&decoding);
        le_decoding_init(&decoding, encoding);
        enum logexport_status other = decode_file(&decoding, file, length, 1 + below(20), &pieces);
        le_decoding_free(&decoding);
        CHECK(one == other);
        if (one == LOGEXPORT_OK)
            CHECK(whole.length == pieces.length &&
                  (whole.length == 0 || memcmp(whole.data, pieces.data, whole.length) == 0));
        le_buffer_free(&whole);
        le_buffer_free(&pieces);
    }
}

static void tokens_are_divided_by_five_characters_only(void)
{
    static const char text[] = " a\tb\vc\fd\re\xC2\xA0-f\x1cg\x85  ";
    static const char *const wanted[] = {"a", "b", "c", "d", "e\xC2\xA0-f\x1cg\x85"};
    struct le_tokens tokens = {0};
    NEED(le_tokens_split(&tokens, text, sizeof text - 1));
    CHECK(tokens.count == 5);
    for (size_t i = 0; i < tokens.count && i < 5; i++)
        CHECK(tokens.items[i].length == strlen(wanted[i]) &&
              memcmp(tokens.items[i].data, wanted[i], tokens.items[i].length) == 0);
    NEED(le_tokens_split(&tokens, " \t ", 3));
    CHECK(tokens.count == 0);
    NEED(le_tokens_split(&tokens, "", 0));
    CHECK(tokens.count == 0);
    CHECK(le_is_blank(" \t\v\f\r", 5) && le_is_blank("", 0));
    CHECK(!le_is_blank("\0", 1) && !le_is_blank("\xC2\xA0", 2) && !le_is_blank("\n", 1));
    le_tokens_free(&tokens);
}

static void many_tokens_are_held(void)
{
    char text[2000];
    struct le_tokens tokens = {0};
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = i % 2 == 0 ? 'x' : ' ';
    NEED(le_tokens_split(&tokens, text, sizeof text));
    CHECK(tokens.count == sizeof text / 2);
    le_tokens_free(&tokens);
}

int main(void)
{
    a_line_ends_before_its_feed_and_one_return();
    invalid_parts_become_one_replacement_each();
    the_word_at_a_time_path_ends_where_it_must();
    a_string_is_made_valid_in_place();
    escape_sequences_are_dropped();
    a_file_is_decoded_however_it_is_cut();
    tokens_are_divided_by_five_characters_only();
    many_tokens_are_held();
    return failures != 0;
}
