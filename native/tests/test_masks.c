/* Patterns and masks. */
#include "masks.h"
#include "test.h"
#include "tokens.h"

/* Masks a text with masks given as pattern, replacement, …, NULL; with and without JIT. `marks`, if not
 * NULL, has a 1 for each byte that a mask writes. */
static void masks_to(const char *text, const char *wanted, const char *marks,
                     const char *const *rules)
{
    for (int jit = 0; jit < 2; jit++) {
        struct le_mask masks[4] = {{.text = NULL}};
        struct logexport_error error;
        struct le_match match;
        struct le_masking buffers[2] = {{{0}, {0}}, {{0}, {0}}};
        struct le_buffer out = {0};
        int count = 0;
        for (; rules[2 * count] != NULL; count++) {
            const char *pattern = rules[2 * count], *replacement = rules[2 * count + 1];
            NEED(le_pattern_compile(&masks[count].pattern, pattern, strlen(pattern), false,
                                    jit != 0, "here", "mask", &error) == LOGEXPORT_OK);
            NEED(le_mask_replacement(&masks[count], replacement, strlen(replacement), "here",
                                     "mask", &error) == LOGEXPORT_OK);
        }
        NEED(le_match_init(&match, 9));
        struct le_masked masked = {text, strlen(text), NULL};
        int endless;
        CHECK(le_masks_apply(masks, count, &match, buffers, marks != NULL, &masked, &endless) ==
              LE_MASKS_APPLIED);
        NEED(le_buffer_append(&out, masked.text, masked.length) && le_buffer_append(&out, "", 1));
        CHECK_TEXT(out.data, wanted);
        CHECK(marks != NULL || masked.marks == NULL);
        for (size_t i = 0; marks != NULL && i < masked.length; i++)
            CHECK((masked.marks != NULL && masked.marks[i] == 1) == (marks[i] == '1'));
        for (int i = 0; i < count; i++)
            le_mask_free(&masks[i]);
        le_match_free(&match);
        le_masking_free(&buffers[0]);
        le_masking_free(&buffers[1]);
        le_buffer_free(&out);
    }
}

#define MASKS_TO(text, wanted, ...)                                                                \
    masks_to(text, wanted, NULL, (const char *const[]){__VA_ARGS__, NULL, NULL})
#define MARKS(text, wanted, marks, ...)                                                            \
    masks_to(text, wanted, marks, (const char *const[]){__VA_ARGS__, NULL, NULL})

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

static void literal_parts_of_replacements_are_marked(void)
{
    MARKS("a<A>a", "<A><A><A>", "111000111", "a", "<A>");
    MARKS("bca", "b-b", "010", "(b)(c)?a", "\\1-\\1");
    MARKS("ba", "b-", "01", "(b)(c)?a", "\\1-\\2");
    MARKS("a.", "xzz.", "1110", "a", "xy", "y", "zz");
    MARKS("ab", "xb.", "101", "a", "xy", "(x)y(b)", "\\1\\2.");
    MARKS("no", "no", "00", "a", "b");
    MARKS("\xC3\xA9"
          "a",
          "\xE6\x97\xA5"
          "a",
          "1110", "\xC3\xA9", "\xE6\x97\xA5");
}

/* Cuts a masked text; `wanted` has the tokens, each after a character for its kind and a blank. */
static void cuts_to(const char *after, bool collapse, const char *text, const char *marks,
                    const char *wanted)
{
    struct le_token_rule rule;
    struct le_tokens tokens = {0};
    struct le_buffer flags = {0}, out = {0};
    for (size_t i = 0; i < strlen(marks); i++)
        NEED(le_buffer_fill(&flags, (char)(marks[i] == '1'), 1));
    struct le_masked masked = {text, strlen(text), *marks == '\0' ? NULL : flags.data};
    NEED(le_token_rule_init(&rule, after, strlen(after), collapse));
    NEED(le_tokens_cut(&rule, &masked, &tokens));
    for (size_t i = 0; i < tokens.count; i++)
        NEED(le_buffer_append(&out, &"wmv"[tokens.items[i].kind], 1) &&
             le_buffer_append(&out, tokens.items[i].data, tokens.items[i].length) &&
             le_buffer_append(&out, i + 1 < tokens.count ? " " : "", i + 1 < tokens.count));
    NEED(le_buffer_append(&out, "", 1));
    CHECK_TEXT(out.data, wanted);
    le_tokens_free(&tokens);
    le_buffer_free(&flags);
    le_buffer_free(&out);
}

static void tokens_are_cut_and_collapse(void)
{
    cuts_to("=:", true, "a=b Foo::bar a==b key: =x =", "",
            "wa= wb wFoo:: wbar wa== wb wkey: w= wx w=");
    cuts_to("", true, "a=b\t c", "", "wa=b wc");
    cuts_to("=:", true, "", "", "");
    cuts_to("=:", true, " \r", "", "");
    cuts_to("=:", true, "(N) N,N:N xN N", "01001010100101", "vN mxN vN");
    cuts_to("=:", false, "(N) N,N:N xN N", "01001010100101", "v(N) vN,N: vN mxN vN");
    cuts_to("=:", true, "a=N=M:b", "0011100", "wa= vN=M wb"); /* ":b" is not a mark's */
    cuts_to("=", true, "N=", "11", "vN=");
    cuts_to("-", true, "\xC3\xA9N", "001", "m\xC3\xA9N");
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
    literal_parts_of_replacements_are_marked();
    tokens_are_cut_and_collapse();
    an_empty_match_replaces_nothing();
    classes_are_ascii();
    bad_patterns_and_replacements_are_refused();
    a_pattern_that_backtracks_deeply_still_answers();
    return failures != 0;
}
