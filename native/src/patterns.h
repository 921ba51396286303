/* Regular expressions: PCRE2, UTF, ASCII classes (no UCP), newline LF. The text never holds LF. */
#ifndef LE_PATTERNS_H
#define LE_PATTERNS_H

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "errors.h"

/* A compiled pattern: read only, shared by threads. */
struct le_pattern {
    pcre2_code *code;
    uint32_t groups; /* capturing groups */
    bool jit;
    char name[104]; /* what it is the pattern of: mask "ip" */
};

/* What matching writes to; one a thread. `offsets[2 * g]` and `[2 * g + 1]` are group g's start and
 * end in the subject after a match, PCRE2_UNSET if it took no part. */
struct le_match {
    pcre2_match_data *data;
    pcre2_match_context *context;
    pcre2_jit_stack *stack;
    const size_t *offsets;
    /* The pattern that is running, or NULL. Any thread may look. */
    _Atomic(const struct le_pattern *) running;
};

/* What came of looking for a match. */
enum le_search {
    LE_NOT_FOUND,
    LE_FOUND,
    LE_ENDLESS /* PCRE2's limits ended it: whether there is a match is not known */
};

/* Compiles. `what` names the pattern in errors: "mask \"ip\"". */
enum logexport_status le_pattern_compile(struct le_pattern *pattern, const char *text,
                                         size_t length, bool anchored, bool jit, const char *where,
                                         const char *what, struct logexport_error *error);
void le_pattern_free(struct le_pattern *pattern);

/* Number of the group of that name, 0 if there is none. */
uint32_t le_pattern_group(const struct le_pattern *pattern, const char *name);

/* Room for patterns of at most `groups` groups. False: out of memory. */
bool le_match_init(struct le_match *match, uint32_t groups);
void le_match_free(struct le_match *match);

/* A group's text in the subject of the last match, or NULL if it took no part. */
const char *le_match_group(const struct le_match *match, const char *subject, uint32_t group,
                           size_t *length);

/* Finds the first match at or after `start`; `subject` is valid UTF-8. With `not_empty` a match takes
 * at least one character. PCRE2's limits are so high that only a pattern that would run for minutes
 * meets them: a verdict is never guessed. */
enum le_search le_pattern_find(const struct le_pattern *pattern, struct le_match *match,
                               const char *subject, size_t length, size_t start, bool not_empty);

#endif
