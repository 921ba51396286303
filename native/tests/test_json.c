/* JSON in: what is refused, in one sentence. JSON out: Python's escapes, numbers in any locale. */
#include <locale.h>
#include <math.h>

#include "json.h"
#include "json_text.h"
#include "test.h"
#include "walk_json.h"

static const struct le_place place = {"dir", "file.json", ""};

/* --- memory that ends --------------------------------------------------------------------------- */

/* CMakeLists.txt puts these in the place of the engine's malloc() and realloc(). */
void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_realloc(void *block, size_t size);
void *__wrap_realloc(void *block, size_t size);

static int allocations_left = -1; /* -1: without end */

static bool memory_ended(void)
{
    if (allocations_left < 0)
        return false;
    return allocations_left == 0 || allocations_left-- == 0;
}

void *__wrap_malloc(size_t size)
{
    return memory_ended() ? NULL : __real_malloc(size);
}

void *__wrap_realloc(void *block, size_t size)
{
    return memory_ended() ? NULL : __real_realloc(block, size);
}

/* --- the cursor --------------------------------------------------------------------------------- */

/* In memory of its own, so that a sanitizer sees what is read beyond it. */
static char *copy_of(const char *text, size_t length)
{
    char *copy = malloc(length + (length == 0));
    NEED(copy != NULL);
    memcpy(copy, text, length);
    return copy;
}

static bool is_json(const char *text, size_t length)
{
    struct le_json_cursor cursor;
    char *copy = copy_of(text, length);
    le_json_begin(&cursor, copy, length);
    bool skipped = le_json_skip(&cursor) && le_json_at_end(&cursor);
    ptrdiff_t where = cursor.at - copy;
    le_json_begin(&cursor, copy, length);
    bool walked = walk_json(&cursor, NULL, NULL) && le_json_at_end(&cursor);
    CHECK(skipped == walked && where == cursor.at - copy);
    if (cursor.why != NULL) { /* and so it stays */
        struct le_json_span span;
        CHECK(le_json_take(&cursor, &span) == LE_JSON_BAD && !le_json_skip(&cursor));
        CHECK(le_json_next_key(&cursor, &span) == -1 && le_json_next_item(&cursor) == -1);
        CHECK(!le_json_at_end(&cursor) && where == cursor.at - copy);
    }
    free(copy);
    return walked;
}

static const char *const valid[] = {
    "0",
    "-0",
    "-1",
    "10",
    "1234567890123456789012345678901234567890",
    "0.0",
    "-0.10",
    "1e5",
    "1E+05",
    "1e-5",
    "1.5e00",
    "0e0",
    "1e999",
    "true",
    "false",
    "null",
    " \t\r\nnull\n",
    "\"\"",
    "\"a\"",
    "\"seven b\"",
    "\"eight by\"",
    "\"nine byte\"",
    "\"\x7f\xc3\xa9\"",
    "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
    "\"\\u0000\\uABCD\\uabcd\\u12eF\"",
    "\"\\ud800\"",
    "\"\\udc00\\ud800\\ud83d\\ude00\"",
    "\"12345678\\n12345678\\\"\"",
    "[]",
    "[ ]",
    "[1]",
    "[1,2]",
    " [ 1 , [ ] , { } ] ",
    "[[],[[]],[[[]]]]",
    "{}",
    "{\n}",
    "{\"\":0}",
    "{\"a\":1,\"a\":2}",
    " { \"a\" : [ true ] , \"b\\n\" : { \"c\" : null } } ",
    "[{\"a\":[{\"b\":[]}]},{}]",
    "[0,-0,\"\",null,true,false]",
};

static const char *const malformed[] = {
    "",
    " ",
    "\v1",
    "\xc2\xa0"
    "1",
    "\xef\xbb\xbf{}",
    "01",
    "00",
    "-",
    "-a",
    "-01",
    "--1",
    "+1",
    "1.",
    ".5",
    "1.e5",
    "1e",
    "1e+",
    "1e5.5",
    "1 2",
    "0x10",
    "1_000",
    "NaN",
    "-Infinity",
    "Infinity",
    "nan",
    "tru",
    "TRUE",
    "truex",
    "nul",
    "nulll",
    "'a'",
    "a",
    "\"",
    "\"a",
    "\"a\n\"",
    "\"seven b\x1f\"",
    "\"12345678\t\"",
    "\"\\",
    "\"\\\"",
    "\"\\a\"",
    "\"\\U0041\"",
    "\"\\'\"",
    "\"\\u\"",
    "\"\\u123\"",
    "\"\\u123g\"",
    "\"\\u 123\"",
    "\"\\u+123\"",
    "\"\\u12",
    "\"\\x41\"",
    "\"a\" \"b\"",
    "[",
    "]",
    "[1",
    "[1,",
    "[,]",
    "[,1]",
    "[1,]",
    "[1,,2]",
    "[1 2]",
    "[1}",
    "[1]]",
    "[\"a\":1]",
    "{",
    "}",
    "{,}",
    "{]",
    "{\"a\"",
    "{\"a\"}",
    "{\"a\":",
    "{\"a\":}",
    "{\"a\":1",
    "{\"a\":1]",
    "{\"a\":1,",
    "{\"a\":1,}",
    "{\"a\":1,,\"b\":2}",
    "{\"a\":1 \"b\":2}",
    "{\"a\" 1}",
    "{\"a\"::1}",
    "{a:1}",
    "{1:1}",
    "{null:1}",
    "{\"a\":1}}",
    "{\"a\":1} x",
    "[1] // no",
    "/**/[1]",
};

static void the_grammar_is_that_of_rfc_8259(void)
{
    for (size_t i = 0; i < sizeof valid / sizeof *valid; i++)
        if (!is_json(valid[i], strlen(valid[i])))
            CHECK_TEXT("malformed", valid[i]);
    for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++)
        if (is_json(malformed[i], strlen(malformed[i])))
            CHECK_TEXT("valid", malformed[i]);
    CHECK(!is_json("1\0", 2));
    CHECK(!is_json("\"\\\0\"", 4));
    CHECK(!is_json("\"a\0\"", 4));
    CHECK(!is_json("[\0]", 3));
    for (int byte = 0; byte < 256; byte++) { /* at each place of the words that are read at once */
        char text[] = "\"0123456789ABCDEF\"";
        for (size_t at = 1; at < sizeof text - 2; at++) {
            char before = text[at];
            text[at] = (char)byte;
            CHECK(is_json(text, sizeof text - 1) == (byte >= 0x20 && byte != '"' && byte != '\\'));
            text[at] = before;
        }
    }
}

static void a_text_that_is_cut_is_malformed(void)
{
    static const char text[] = "{\"key\": [1.5e3, \"\\u00e9\\n plain, plain, plain\", {\"\": [ ]},"
                               " true, false, null, -0.5], \"other\" : {\"a\" : \"b\"}}";
    for (size_t length = 0; length < sizeof text - 1; length++)
        CHECK(!is_json(text, length));
    CHECK(is_json(text, sizeof text - 1));
}

static void nested(const char *open, const char *close, int depth, bool wanted)
{
    struct le_buffer text = {0};
    for (int i = 0; i < depth; i++)
        NEED(le_buffer_append(&text, open, strlen(open)));
    NEED(le_buffer_append(&text, "1", 1));
    for (int i = 0; i < depth; i++)
        NEED(le_buffer_append(&text, close, strlen(close)));
    CHECK(is_json(text.data, text.length) == wanted);
    le_buffer_free(&text);
}

static void sixty_four_may_be_open(void)
{
    static const int depths[] = {1, 63, 64, 65, 66, 128, 1000000};
    for (size_t i = 0; i < sizeof depths / sizeof *depths; i++) {
        nested("[", "]", depths[i], depths[i] <= 64);
        nested("{\"a\":", "}", depths[i], depths[i] <= 64);
        nested("[{\"a\": [], \"b\":", "}]", depths[i], depths[i] <= 32);
    }
}

static bool span_is(struct le_json_span span, const char *text)
{
    return span.length == strlen(text) && memcmp(span.text, text, span.length) == 0;
}

static void a_value_is_taken_apart(void)
{
    static const char text[] =
        " {\"a\" : -1.50 ,\"b\\n\": [ true, {\"x\":[1]}, \"q\\\"\"], \"c\":  {\"d\": 1 } , \"e\":{}}";
    struct le_json_cursor cursor;
    struct le_json_span span;
    le_json_begin(&cursor, text, sizeof text - 1);
    CHECK(le_json_take(&cursor, &span) == LE_JSON_OBJECT && span_is(span, "{"));
    CHECK(le_json_next_item(&cursor) == -1); /* of another kind than what is open */
    le_json_begin(&cursor, text, sizeof text - 1);
    CHECK(le_json_take(&cursor, &span) == LE_JSON_OBJECT);
    CHECK(le_json_next_key(&cursor, &span) == 1 && span_is(span, "a"));
    CHECK(le_json_take(&cursor, &span) == LE_JSON_NUMBER && span_is(span, "-1.50"));
    CHECK(le_json_next_key(&cursor, &span) == 1 && span_is(span, "b\\n"));
    CHECK(le_json_take(&cursor, &span) == LE_JSON_ARRAY && span_is(span, "["));
    CHECK(le_json_next_item(&cursor) == 1);
    CHECK(le_json_take(&cursor, &span) == LE_JSON_TRUE && span_is(span, "true"));
    CHECK(le_json_next_item(&cursor) == 1 && *cursor.at == '{' && le_json_skip(&cursor));
    CHECK(le_json_next_item(&cursor) == 1);
    CHECK(le_json_take(&cursor, &span) == LE_JSON_STRING && span_is(span, "q\\\""));
    CHECK(le_json_next_item(&cursor) == 0);
    CHECK(le_json_next_key(&cursor, &span) == 1 && span_is(span, "c"));
    const char *begin = cursor.at;
    CHECK(le_json_skip(&cursor) && cursor.at - begin == 9 && memcmp(begin, "{\"d\": 1 }", 9) == 0);
    CHECK(!le_json_at_end(&cursor));
    CHECK(le_json_next_key(&cursor, &span) == 1 && le_json_skip(&cursor));
    CHECK(le_json_next_key(&cursor, &span) == 0 && le_json_at_end(&cursor));
    CHECK(le_json_next_key(&cursor, &span) == -1);
}

static void means(const char *escaped, const char *wanted, size_t length, bool wanted_lone)
{
    struct le_buffer out = {0};
    bool lone = !wanted_lone;
    int before = failures;
    size_t escaped_length = strlen(escaped);
    char *copy = copy_of(escaped, escaped_length);
    NEED(le_buffer_append(&out, "x", 1));
    NEED(le_json_unescape((struct le_json_span){copy, escaped_length}, &out, &lone));
    NEED(le_json_unescape((struct le_json_span){copy, escaped_length}, &out, NULL));
    CHECK(out.length == 1 + 2 * length && memcmp(out.data + 1, wanted, length) == 0);
    CHECK(memcmp(out.data + 1 + length, wanted, length) == 0);
    CHECK(lone == wanted_lone);
    if (failures > before)
        fprintf(stderr, "of %s\n", escaped);
    free(copy);
    le_buffer_free(&out);
}

static void escapes_mean_characters(void)
{
    means("", "", 0, false);
    means("plain \xc3\xa9", "plain \xc3\xa9", 8, false);
    means("\\\"\\\\\\/\\b\\f\\n\\r\\t", "\"\\/\b\f\n\r\t", 8, false);
    means("a\\u0000b", "a\0b", 3, false);
    means("\\u007f\\u0080\\u07ff\\u0800", "\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80", 8, false);
    means("\\uFFFF\\uffff\\ud7FF\\ue000", "\xef\xbf\xbf\xef\xbf\xbf\xed\x9f\xbf\xee\x80\x80", 12,
          false);
    means("\\ud83d\\ude00", "\xf0\x9f\x98\x80", 4, false);
    means("\\ud800\\udc00\\uDBFF\\uDFFF", "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", 8, false);
    means("\\ud83d", "\xef\xbf\xbd", 3, true);
    means("\\ude00\\ud83d", "\xef\xbf\xbd\xef\xbf\xbd", 6, true);
    means("\\ud83dx", "\xef\xbf\xbdx", 4, true);
    means("\\ud83d\\n", "\xef\xbf\xbd\n", 4, true);
    means("\\ud83d\\u0041",
          "\xef\xbf\xbd"
          "A",
          4, true);
    means("\\ud83d\\ud83d\\ude00", "\xef\xbf\xbd\xf0\x9f\x98\x80", 7, true);
    means("\\ud83d\\\\ude00", "\xef\xbf\xbd\\ude00", 9, true);
}

/* --- documents ---------------------------------------------------------------------------------- */

static bool parses(const char *text, size_t length)
{
    struct logexport_error error = {0};
    struct le_json_document document;
    char *copy = copy_of(text, length);
    enum logexport_status status = le_json_parse(copy, length, place, &document, &error);
    free(copy);
    CHECK((status == LOGEXPORT_OK) == (document.object != NULL));
    if (status != LOGEXPORT_OK) {
        CHECK(status == LOGEXPORT_BUNDLE);
        CHECK(strstr(error.text, "dir/file.json is malformed") == error.text);
        CHECK(error.text[strlen(error.text) - 1] == '.');
    }
    le_json_free(&document);
    return status == LOGEXPORT_OK;
}

#define PARSES(text) parses(text, sizeof(text) - 1)

static void what_is_not_strictly_json_is_refused(void)
{
    CHECK(PARSES("{}"));
    CHECK(PARSES("{\"a\": \"\\u0000b\"}"));
    CHECK(PARSES("{\"a\": {\"a\": {\"a\": 1}}, \"b\": [{\"a\": 1}, {\"a\": 1}]}"));
    CHECK(PARSES("{\"b\": 1, \"a\": 1, \"ab\": 1, \"\": 1, \"B\": 1}"));
    CHECK(PARSES("{\"a\": 9223372036854775807, \"b\": -9223372036854775808, \"c\": -0}"));
    CHECK(PARSES("{\"a\": 1.7976931348623157e308, \"b\": 1e-999}"));
    CHECK(PARSES("{\"a\": \"\\ud83d\\ude00\"}"));
    CHECK(!PARSES(""));
    CHECK(!PARSES("[]"));
    CHECK(!PARSES("1"));
    CHECK(!PARSES("{\"a\": 1, \"a\": 2}"));
    CHECK(!PARSES("{\"a\": 1, \"b\": 2, \"\\u0061\": 3}"));
    CHECK(!PARSES("{\"\": 1, \"\": 2}"));
    CHECK(!PARSES("[{\"b\": 1, \"a\": [{\"c\": 0, \"d\": 0, \"c\": 0}]}]"));
    CHECK(!PARSES("{\"a\\u0000\": 1}"));
    CHECK(!PARSES("{\"a\": 1} x"));
    CHECK(!PARSES("{\"a\": NaN}"));
    CHECK(!PARSES("{\"a\": 1e999}"));
    CHECK(!PARSES("{\"a\": -1e999}"));
    CHECK(!PARSES("{\"a\": 99999999999999999999}"));
    CHECK(!PARSES("{\"a\": 9223372036854775808}"));
    CHECK(!PARSES("{\"a\": -9223372036854775809}"));
    CHECK(!PARSES("{\"a\": 18446744073709551617}"));
    CHECK(!PARSES("{\"a\": \"\\ud800\"}"));
    CHECK(!PARSES("{\"\\udc00\": 1}"));
    CHECK(!PARSES("{\"a\": \"\xff\"}"));
    CHECK(!PARSES("{\"a\": \"\xed\xa0\x80\"}"));
    CHECK(!PARSES("\xef\xbb\xbf{}"));
    CHECK(!PARSES("{\"a\": \"\0\"}"));
    CHECK(!PARSES("{'a': 1}"));
    struct le_json_document document;
    struct logexport_error error;
    CHECK(le_json_parse(NULL, 0, place, &document, &error) == LOGEXPORT_BUNDLE);
}

static void refused_with(const char *text, const char *wanted)
{
    struct logexport_error error;
    struct le_json_document document;
    CHECK(le_json_parse(text, strlen(text), place, &document, &error) == LOGEXPORT_BUNDLE);
    CHECK_TEXT(error.text, wanted);
}

static void a_refusal_says_where_and_why(void)
{
    refused_with("", "dir/file.json is malformed: not valid JSON, line 1: a value is missing at the"
                     " end.");
    refused_with("[1]", "dir/file.json is malformed: not an object.");
    refused_with("{\n\"a\": 01\n}",
                 "dir/file.json is malformed: not valid JSON, line 2: no comma or"
                 " bracket after a value.");
    refused_with("{\n\"a\": 1,\n\"b\": 2,\n\"a\": 3}",
                 "dir/file.json is malformed: not valid JSON, line 4: the key \"a\" stands twice.");
    refused_with("{\"a\":\n\"\xff\"}",
                 "dir/file.json is malformed: not valid JSON, line 2: not UTF-8.");
    refused_with("{\"a\":\n\"\\ud800\"}", "dir/file.json is malformed: not valid JSON, line 2: half"
                                          " of a surrogate pair.");
    refused_with("{\"a\\u0000b\": 1}",
                 "dir/file.json is malformed: not valid JSON, line 1: NUL in a key.");
    refused_with("{\"a\":\n\n1e400}",
                 "dir/file.json is malformed: not valid JSON, line 3: too big a number.");
    refused_with("{\"a\": 9223372036854775808}",
                 "dir/file.json is malformed: not valid JSON, line 1: too big an integer.");
    refused_with("{}\n{}", "dir/file.json is malformed: not valid JSON, line 2: something after the"
                           " end of the object.");
}

static void nesting_is_bounded(void)
{
    for (int depth = 60; depth <= 100000; depth = depth < 70 ? depth + 1 : depth * 10) {
        size_t length = (size_t)depth * 2 + 8;
        char *text = malloc(length);
        NEED(text != NULL);
        memcpy(text, "{\"a\": ", 6);
        memset(text + 6, '[', (size_t)depth);
        memset(text + 6 + depth, ']', (size_t)depth);
        text[length - 2] = '}';
        CHECK(parses(text, length - 1) == (depth + 1 <= LE_JSON_MAX_DEPTH));
        free(text);
    }
}

static void a_document_keeps_the_order_of_the_file(void)
{
    static const char text[] = "{\"z\": [1, [2.5, []], \"s\\u0000t\", {\"k\": -3, \"j\": null}],"
                               " \"\\u0061\\n\": {}, \"m\": true}";
    struct logexport_error error;
    struct le_json_document document;
    NEED(le_json_parse(text, sizeof text - 1, place, &document, &error) == LOGEXPORT_OK);
    const struct le_json_value *root = document.object, *z = le_json_first(root);
    CHECK(root->kind == LE_JSON_OBJECT && root->length == 3 && root->key == NULL);
    CHECK(le_json_next(root) == NULL && z == le_json_get(root, "z"));
    CHECK(le_json_is(z, LE_JSON_ARRAY) && z->length == 4 && le_json_first(z)->integer == 1);
    const struct le_json_value *inner = le_json_next(le_json_first(z));
    CHECK(inner->length == 2 && inner->key == NULL && !le_json_first(inner)->is_integer);
    CHECK(le_json_number(le_json_first(inner)) == 2.5);
    CHECK(le_json_first(le_json_next(le_json_first(inner))) == NULL);
    const struct le_json_value *string = le_json_next(inner), *object = le_json_next(string);
    CHECK(string->length == 3 && memcmp(le_json_text(string), "s\0t", 4) == 0);
    CHECK(le_json_next(object) == NULL && le_json_text(object) == NULL);
    CHECK(le_json_number(le_json_get(object, "k")) == -3);
    CHECK(le_json_is(le_json_get(object, "j"), LE_JSON_NULL) && le_json_get(string, "k") == NULL);
    CHECK(le_json_get(NULL, "k") == NULL && le_json_get(root, "k") == NULL);
    const struct le_json_value *second = le_json_next(z);
    CHECK_TEXT(second->key, "a\n");
    CHECK(second->key_length == 2 && second->length == 0 && le_json_first(second) == NULL);
    CHECK_TEXT(le_json_next(second)->key, "m");
    CHECK(le_json_next(le_json_next(second)) == NULL);
    le_json_free(&document);
}

/* Objects of keys that are drawn: whether one stands twice is found out by comparing each with each. */
static void keys_that_stand_twice_are_found(void)
{
    for (int round = 0; round < 2000; round++) {
        struct le_buffer text = {0};
        unsigned count = below(12), keys[12];
        bool twice = false;
        for (unsigned i = 0; i < count; i++) {
            char member[40];
            keys[i] = below(60);
            for (unsigned j = 0; j < i; j++)
                twice = twice || keys[i] == keys[j];
            snprintf(member, sizeof member, "%s\"%u\":%u", i == 0 ? "{" : ",", keys[i], i);
            NEED(le_buffer_append(&text, member, strlen(member)));
        }
        NEED(le_buffer_append(&text, count == 0 ? "{}" : "}", count == 0 ? 2 : 1));
        CHECK(parses(text.data, text.length) == !twice);
        le_buffer_free(&text);
    }
}

/* Quadratic work would take minutes. */
static void many_members_take_no_long_time(void)
{
    enum { MEMBERS = 100000 };
    for (int way = 0; way < 4; way++) {
        struct le_buffer text = {0};
        for (int i = 0; i < MEMBERS; i++) {
            char member[80];
            int number = way == 0 ? i : way == 1 ? MEMBERS - i : (i * 7919) % MEMBERS;
            snprintf(member, sizeof member, "%s\"%s%d\":0", i == 0 ? "{" : ",",
                     way == 3 ? "a-prefix-that-all-have-" : "", number);
            NEED(le_buffer_append(&text, member, strlen(member)));
        }
        CHECK(le_buffer_append(&text, "}", 1) && parses(text.data, text.length));
        text.length--;
        CHECK(le_buffer_append(&text, ",\"77\":0,\"77\":0}", 15));
        CHECK(!parses(text.data, text.length));
        le_buffer_free(&text);
    }
}

static void long_values_are_read(void)
{
    enum { LENGTH = 1 << 20 };
    char *text = malloc(LENGTH + 8);
    NEED(text != NULL);
    memset(text, 'x', LENGTH + 8);
    memcpy(text, "{\"a\":\"", 6);
    memcpy(text + LENGTH + 6, "\"}", 2);
    CHECK(parses(text, LENGTH + 8));
    text[LENGTH / 2] = '\n';
    CHECK(!parses(text, LENGTH + 8));
    memset(text + 5, '1', LENGTH + 2); /* an integer of a million digits, then a real */
    CHECK(!parses(text, LENGTH + 8));
    text[6] = '.';
    CHECK(parses(text, LENGTH + 8));
    free(text);
}

static void too_little_memory_is_said_and_leaks_nothing(void)
{
    static const char text[] =
        "{\"b\": {\"z\": 0, \"y\": 1.5}, \"a\": \"\\u00e9\", \"c\": ["
        "0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,"
        "0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]}";
    int count = 0;
    for (;; count++) {
        struct logexport_error error;
        struct le_json_document document;
        allocations_left = count;
        enum logexport_status status =
            le_json_parse(text, sizeof text - 1, place, &document, &error);
        allocations_left = -1;
        CHECK(status == LOGEXPORT_OK || (status == LOGEXPORT_MEMORY && document.object == NULL));
        if (status != LOGEXPORT_MEMORY) {
            le_json_free(&document);
            break;
        }
        CHECK_TEXT(error.text, "There is not enough memory.");
    }
    CHECK(count == 4); /* strings, values, more values, room to sort keys */
    struct le_buffer out = {0};
    allocations_left = 0;
    CHECK(!le_json_unescape((struct le_json_span){"abc", 3}, &out, NULL));
    allocations_left = -1;
}

static void reals_have_a_point_in_every_locale(void)
{
    static const char text[] = "{\"a\": 1.5, \"b\": 0.1, \"c\": -2.5e-3}";
    struct logexport_error error;
    struct le_json_document document;
    NEED(le_json_parse(text, sizeof text - 1, place, &document, &error) == LOGEXPORT_OK);
    CHECK(le_json_number(le_json_get(document.object, "a")) == 1.5);
    CHECK(le_json_number(le_json_get(document.object, "b")) == 0.1);
    CHECK(le_json_number(le_json_get(document.object, "c")) == -2.5e-3);
    le_json_free(&document);
}

static void members_are_checked(void)
{
    struct logexport_error error;
    struct le_json_document document;
    const struct le_json_value *object, *out;
    const char text[] = "{\"i\": 7, \"s\": \"x\", \"n\": \"a\\u0000\", \"o\": {}, \"f\": 1.5,"
                        " \"p\": \"../x\"}";
    NEED(le_json_parse(text, sizeof text - 1, place, &document, &error) == LOGEXPORT_OK);
    object = document.object;
    int64_t integer;
    double real;
    const char *string;
    CHECK(le_json_integer(object, "i", 0, 7, place, &integer, &error) == 0 && integer == 7);
    CHECK(le_json_integer(object, "i", 0, 6, place, &integer, &error) != 0);
    CHECK_TEXT(error.text, "dir/file.json is malformed: \"i\" is 7, not 0 to 6.");
    CHECK(le_json_integer(object, "f", 0, 9, place, &integer, &error) != 0);
    CHECK(le_json_integer(object, "none", 0, 9, place, &integer, &error) != 0);
    CHECK_TEXT(error.text, "dir/file.json is malformed: \"none\" is missing.");
    CHECK(le_json_real(object, "i", place, &real, &error) == 0 && real == 7);
    CHECK(le_json_real(object, "s", place, &real, &error) != 0);
    CHECK(le_json_name(object, "s", place, &string, &error) == 0);
    CHECK(le_json_name(object, "n", place, &string, &error) != 0);
    CHECK(le_json_file_name(object, "s", place, &string, &error) == 0);
    CHECK(le_json_file_name(object, "p", place, &string, &error) != 0);
    CHECK(le_json_object(object, "o", place, &out, &error) == 0);
    CHECK(le_json_array(object, "o", place, &out, &error) != 0);
    CHECK(le_json_as_integer(le_json_get(object, "i"), 7, 9, place, &integer, &error) == 0);
    CHECK(le_json_as_integer(le_json_get(object, "o"), 7, 9, place, &integer, &error) != 0);
    CHECK_TEXT(error.text, "dir/file.json is malformed: \"o\" is not an integer.");
    CHECK(le_json_as_file_name(le_json_get(object, "s"), place, &string, &error) == 0);
    CHECK(le_json_as_file_name(le_json_get(object, "i"), place, &string, &error) != 0);
    CHECK_TEXT(error.text, "dir/file.json is malformed: \"i\" is not a string.");
    CHECK(le_json_file_name(object, "none", place, &string, &error) != 0);
    CHECK_TEXT(error.text, "dir/file.json is malformed: \"none\" is missing.");
    le_json_free(&document);
}

/* --- out ---------------------------------------------------------------------------------------- */

static void writes_string(const char *text, size_t length, const char *wanted)
{
    struct le_buffer out = {0};
    NEED(le_json_append_string(&out, text, length) && le_buffer_append(&out, "", 1));
    CHECK_TEXT(out.data, wanted);
    le_buffer_free(&out);
}

static void strings_are_written_as_python_writes_them(void)
{
    writes_string("", 0, "\"\"");
    writes_string("a\"b\\c/", 6, "\"a\\\"b\\\\c/\"");
    writes_string("\n\r\t\f\b", 5, "\"\\n\\r\\t\\f\\b\"");
    writes_string("\0\x01\x1f\x7f", 4, "\"\\u0000\\u0001\\u001f\x7f\"");
    writes_string("\xC3\xA9\xE2\x80\xA8", 5, "\"\xC3\xA9\xE2\x80\xA8\"");
}

static void writes_number(double value, const char *wanted)
{
    locale_t c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    struct le_buffer out = {0};
    NEED(c_locale != (locale_t)0);
    NEED(le_json_append_real(&out, value, c_locale) && le_buffer_append(&out, "", 1));
    CHECK_TEXT(out.data, wanted);
    le_buffer_free(&out);
    freelocale(c_locale);
}

static void numbers_have_nine_digits_and_a_point_in_every_locale(void)
{
    static const char *const commas[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "de_DE.utf8", "C"};
    for (size_t i = 0; i < sizeof commas / sizeof commas[0]; i++)
        if (setlocale(LC_ALL, commas[i]) != NULL)
            break;
    reals_have_a_point_in_every_locale();
    writes_number(2.94840789, "2.94840789");
    writes_number(0.1f, "0.100000001");
    writes_number(3, "3");
    writes_number(-0.0, "-0");
    writes_number(1e-7, "1e-07");
    writes_number(123456789012.0, "1.23456789e+11");
    setlocale(LC_ALL, "C");
}

static void integers_are_decimal(void)
{
    struct le_buffer out = {0};
    NEED(le_json_append_integer(&out, 0) && le_json_append_integer(&out, -1) &&
         le_json_append_integer(&out, INT64_MAX) && le_json_append_integer(&out, INT64_MIN) &&
         le_buffer_append(&out, "", 1));
    CHECK_TEXT(out.data, "0-19223372036854775807-9223372036854775808");
    le_buffer_free(&out);
}

int main(void)
{
    the_grammar_is_that_of_rfc_8259();
    a_text_that_is_cut_is_malformed();
    sixty_four_may_be_open();
    a_value_is_taken_apart();
    escapes_mean_characters();
    what_is_not_strictly_json_is_refused();
    a_refusal_says_where_and_why();
    nesting_is_bounded();
    a_document_keeps_the_order_of_the_file();
    keys_that_stand_twice_are_found();
    many_members_take_no_long_time();
    long_values_are_read();
    too_little_memory_is_said_and_leaks_nothing();
    members_are_checked();
    strings_are_written_as_python_writes_them();
    numbers_have_nine_digits_and_a_point_in_every_locale();
    integers_are_decimal();
    return failures != 0;
}
