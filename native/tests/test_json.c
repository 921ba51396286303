/* JSON in: what is refused, in one sentence. JSON out: Python's escapes, numbers in any locale. */
#include <math.h>

#include "json.h"
#include "json_text.h"
#include "test.h"

static const struct le_place place = {"dir", "file.json", ""};

static bool parses(const char *text, size_t length)
{
    struct logexport_error error = {0};
    json_t *object;
    enum logexport_status status = le_json_parse(text, length, place, &object, &error);
    CHECK((status == LOGEXPORT_OK) == (object != NULL));
    if (status != LOGEXPORT_OK) {
        CHECK(status == LOGEXPORT_BUNDLE);
        CHECK(strstr(error.text, "dir/file.json is malformed") == error.text);
        CHECK(error.text[strlen(error.text) - 1] == '.');
    }
    json_decref(object);
    return status == LOGEXPORT_OK;
}

#define PARSES(text) parses(text, sizeof(text) - 1)

static void what_is_not_strictly_json_is_refused(void)
{
    CHECK(PARSES("{}"));
    CHECK(PARSES("{\"a\": \"\\u0000b\"}"));
    CHECK(!PARSES(""));
    CHECK(!PARSES("[]"));
    CHECK(!PARSES("{\"a\": 1, \"a\": 2}"));
    CHECK(!PARSES("{\"a\": 1} x"));
    CHECK(!PARSES("{\"a\": NaN}"));
    CHECK(!PARSES("{\"a\": 1e999}"));
    CHECK(!PARSES("{\"a\": 99999999999999999999}"));
    CHECK(!PARSES("{\"a\": \"\\ud800\"}"));
    CHECK(!PARSES("{\"a\": \"\xff\"}"));
    CHECK(!PARSES("\xef\xbb\xbf{}"));
    CHECK(!PARSES("{\"a\": \"\0\"}"));
    CHECK(!PARSES("{'a': 1}"));
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
        CHECK(parses(text, length - 1) == (depth <= 64));
        free(text);
    }
}

static void members_are_checked(void)
{
    struct logexport_error error;
    json_t *object, *out;
    const char text[] = "{\"i\": 7, \"s\": \"x\", \"n\": \"a\\u0000\", \"o\": {}, \"f\": 1.5,"
                        " \"p\": \"../x\"}";
    NEED(le_json_parse(text, sizeof text - 1, place, &object, &error) == LOGEXPORT_OK);
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
    json_decref(object);
}

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
    what_is_not_strictly_json_is_refused();
    nesting_is_bounded();
    members_are_checked();
    strings_are_written_as_python_writes_them();
    numbers_have_nine_digits_and_a_point_in_every_locale();
    integers_are_decimal();
    return failures != 0;
}
