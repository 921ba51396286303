/* A pattern that is portable compiles, and matches a text without trouble, with and without JIT. */
#include "fuzz.h"
#include "patterns.h"
#include "syntax.h"
#include "utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    static const char text[] = "user bob(7) 10.0.0.1 caf\xC3\xA9 \xE6\x97\xA5";
    const char *pattern = (const char *)bytes;
    struct logexport_error error;
    if (length > 200 || le_utf8_valid_prefix(pattern, length) != length ||
        le_syntax_refusal(length == 0 ? "" : pattern, length) != NULL)
        return 0;
    size_t found[2][2] = {{0, 0}, {0, 0}};
    enum le_search result[2];
    for (int jit = 0; jit < 2; jit++) {
        struct le_pattern compiled;
        struct le_match match;
        HOLDS(le_pattern_compile(&compiled, length == 0 ? "" : pattern, length, false, jit != 0,
                                 "f", "p", &error) == LOGEXPORT_OK);
        HOLDS(le_match_init(&match, compiled.groups));
        result[jit] = le_pattern_find(&compiled, &match, text, sizeof text - 1, 0, false);
        if (result[jit] == LE_FOUND) {
            found[jit][0] = match.offsets[0];
            found[jit][1] = match.offsets[1];
            HOLDS(found[jit][0] <= found[jit][1] && found[jit][1] < sizeof text);
        }
        le_match_free(&match);
        le_pattern_free(&compiled);
    }
    HOLDS(result[0] == result[1] && memcmp(found[0], found[1], sizeof found[0]) == 0);
    return 0;
}
