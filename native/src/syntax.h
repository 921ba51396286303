/* The subset of regular expressions that means the same in Python's re and in PCRE2.
 *
 * docs/verdicts.md lists it under "Patterns"; core/logexport/logs/syntax.py is the reference. A pattern
 * outside it is refused, because two engines would read it in two ways. */
#ifndef LE_SYNTAX_H
#define LE_SYNTAX_H

#include <stdbool.h>
#include <stddef.h>

/* NULL if the pattern (valid UTF-8) is in the subset, else why not: a part of a sentence. */
const char *le_syntax_refusal(const char *pattern, size_t length);

#endif
