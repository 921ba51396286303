/* What the portable subset takes and refuses; the comparison with Python's is tests/native. */
#include "syntax.h"
#include "test.h"

static void is_portable(const char *pattern, bool portable)
{
    const char *why = le_syntax_refusal(pattern, strlen(pattern));
    if ((why == NULL) != portable) {
        fprintf(stderr, "%s: %s\n", pattern, why == NULL ? "was taken" : why);
        failures++;
    }
}

int main(void)
{
    /* clang-format off */
    static const char *const good[] = {
        "",          "a|b|",          "[]a-z-]+",       "[^]\\s-]",         "(?P<m>.*)$",
        "\\x41\\t",  "a{2,5}?b{3}c{1,}", "(?<!\\w)-?\\d+(?!\\w)", "(a)?b",  "(?:a|bc)*?",
        "(?<=ab)c",  "\xE6\x97\xA5+", "]}",             "\\{\\ \\-\\~",     "(?=a|b)c",     "[.,]",          "[^.a.]",          "[.]"};
    static const char *const bad[] = {
        "(",      ")",        "a**",      "a*+",        "a{,3}",    "{2}",       "x{2",
        "a{0}",   "a{3,2}",   "a{1001}",  "(a)*",       "(a)??",    "(?:a*)*",   "^*",
        "\\b+",   "(?i)a",    "(?>a)",    "(?#c)",      "(?P=n)",   "(?P<1>a)",  "(*UCP)",
        "\\1",    "\\0",      "\\v",      "\\Z",        "\\p{L}",   "\\x4",      "\\",
        "[a",     "[z-a]",    "[a--b]",   "[[:alpha:]]", "[a&&b]",  "[\\b]",     "[\\d-z]",
        "[a-c-e]", "(?<=a+)b", "(?<=(?=a))", "(?=(a))", "(?P<a>x)(?P<a>y)", "[",  "(?<n>a)",
        "[.a.]",  "[:x:]",    "[=\\=]",   "[.+-.]",
        "((((((((((((((((((((((((((((((((((((((((((((((((((((", "(?:(?:a{1,900}b){1,900}c){1,900}"};
    /* clang-format on */
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        is_portable(good[i], true);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        is_portable(bad[i], false);
    static char longest[4098];
    memset(longest, 'a', sizeof longest - 1);
    is_portable(longest + 1, true);
    is_portable(longest, false);
    return failures != 0;
}
