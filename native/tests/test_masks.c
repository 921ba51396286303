/* Patterns and masks. */
#include "masks.h"
#include "test.h"

/* Masks a text with masks given as pattern, replacement, …, NULL; with and without JIT. */
static void masks_to(const char *text, const char *wanted, const char *const *rules)
{
    for (int jit = 0; jit < 2; jit++) {
        struct le_mask masks[4] = {{.text = NULL}};
        struct logexport_error error;
        struct le_match match;
        struct le_buffer buffers[2] = {{0}, {0}}, out = {0};
        int count = 0;
        for (; rules[2 * count] != NULL; count++) {
            const char *pattern = rules[2 * count], *replacement = rules[2 * count + 1];
            NEED(le_pattern_compile(&masks[count].pattern, pattern, strlen(pattern), false,
                                    jit != 0, "here", "mask", &error) == LOGEXPORT_OK);
            NEED(le_mask_replacement(&masks[count], replacement, strlen(replacement), "here",
                                     "mask", &error) == LOGEXPORT_OK);
        }
        NEED(le_match_init(&match, 9));
        const char *masked = text;
        size_t length = strlen(text);
        int endless;
        CHECK(le_masks_apply(masks, count, &match, buffers, &masked, &length, &endless) ==
              LE_MASKS_APPLIED);
        NEED(le_buffer_append(&out, masked, length) && le_buffer_append(&out, "", 1));
        CHECK_TEXT(out.data, wanted);
        for (int i = 0; i < count; i++)
            le_mask_free(&masks[i]);
        le_match_free(&match);
        le_buffer_free(&buffers[0]);
        le_buffer_free(&buffers[1]);
        le_buffer_free(&out);
    }
}

#define MASKS_TO(text, wanted, ...)                                                                \
    masks_to(text, wanted, (const char *const[]){__VA_ARGS__, NULL, NULL})

static void masks_run_one_after_another(void)
{
    MASKS_TO("a 12 b3", "a <N> b<N>", "\\d+", "<N>");
    MASKS_TO("x7", "<B>", "7", "9", "x9", "<A>", "<A>", "<B>"); /* each on the last one's result */
    MASKS_TO("unchanged", "unchanged", "\\d", "N", "\\s", "S");
    MASKS_TO("aXbX", "a\\1-b\\1-", "X", "\\\\1-"); /* a doubled backslash is literal */
    MASKS_TO("pid=12", "pid=<ID>", "\\b(pid|tid)=\\d+\\b", "\\1=<ID>");
    MASKS_TO("ab b", "[a] []", "(a)?b", "[\\1]"); /* a group without part is nothing */
    MASKS_TO("ab", "\\0b\\q", "a", "\\0", "$", "never", "(b)", "\\1\\q");
    MASKS_TO("a", "", "a", "");
    MASKS_TO("", "", "x*", "X");
}

static void an_empty_match_replaces_nothing(void)
{
    MASKS_TO("axxb", "a<X>b", "x*", "<X>");
    MASKS_TO("aab", "||b", "a*?", "|"); /* the next way to match that is not empty */
    MASKS_TO("ab", "ab", "\\b", "|");
    MASKS_TO("ab", "aB", "(?=a)|b", "B");
}

static void classes_are_ascii(void)
{
    MASKS_TO("\xD9\xA3 7", "\xD9\xA3 N", "\\d", "N"); /* an Arabic digit */
    MASKS_TO("\xC3\xA9t\xC3\xA9", "\xC3\xA9[t]\xC3\xA9", "\\bt\\b", "[t]");
    MASKS_TO("a\xC2\xA0-b", "a\xC2\xA0-b", "\\s", "_");
    MASKS_TO("\xE6\x97\xA5", ".", ".", "."); /* one character, not three */
}

static void bad_patterns_and_replacements_are_refused(void)
{
    struct logexport_error error;
    struct le_pattern pattern;
    struct le_mask mask = {.text = NULL};
    CHECK(le_pattern_compile(&pattern, "(", 1, false, true, "f", "mask \"m\"", &error) ==
          LOGEXPORT_BUNDLE);
    CHECK(strstr(error.text, "f: the pattern of mask \"m\" does not compile: ") == error.text);
    CHECK(le_pattern_compile(&pattern, "(*UCP)a", 7, false, true, "f", "m", &error) != 0);
    CHECK(le_pattern_compile(&pattern, "\\C", 2, false, true, "f", "m", &error) != 0);
    CHECK(le_pattern_compile(&pattern, "\xff", 1, false, true, "f", "m", &error) != 0);
    NEED(le_pattern_compile(&mask.pattern, "(a)", 3, false, true, "f", "m", &error) == 0);
    CHECK(le_mask_replacement(&mask, "\\2", 2, "f", "m", &error) == LOGEXPORT_BUNDLE);
    le_mask_free(&mask);
}

static void a_pattern_that_backtracks_deeply_still_answers(void)
{
    enum { LENGTH = 200000 };
    char *text = malloc(LENGTH);
    struct logexport_error error;
    struct le_pattern pattern;
    struct le_match match;
    NEED(text != NULL);
    memset(text, 'a', LENGTH);
    for (int jit = 0; jit < 2; jit++) {
        NEED(le_pattern_compile(&pattern, "(?:a|b)*c", 9, true, jit != 0, "f", "m", &error) == 0);
        NEED(le_match_init(&match, 0));
        text[LENGTH - 1] = 'c';
        CHECK(le_pattern_find(&pattern, &match, text, LENGTH, 0, false) == LE_FOUND);
        text[LENGTH - 1] = 'a';
        CHECK(le_pattern_find(&pattern, &match, text, LENGTH, 0, false) == LE_NOT_FOUND);
        le_match_free(&match);
        le_pattern_free(&pattern);
    }
    free(text);
}

int main(void)
{
    masks_run_one_after_another();
    an_empty_match_replaces_nothing();
    classes_are_ascii();
    bad_patterns_and_replacements_are_refused();
    a_pattern_that_backtracks_deeply_still_answers();
    return failures != 0;
}
