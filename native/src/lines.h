/* Lines: where one ends, whether it is blank, and its tokens.
 *
 * With utf8.c, which errors and options need as well, this is core/logexport/logs/lines.py. What that
 * reads from a file is pushed here: stream.c cuts it at the ends of lines. */
#ifndef LE_LINES_H
#define LE_LINES_H

#include <stdbool.h>
#include <stddef.h>

/* A text that may be null; NULL: it is. */
struct le_text {
    const char *data;
    size_t length;
};

/* What masks wrote of a token (tokens.h); words are what they wrote nothing of. */
enum le_token_kind { LE_WORD, LE_MARKED, LE_VALUE };

struct le_token {
    const char *data;
    size_t length;
    enum le_token_kind kind;
};

struct le_tokens {
    struct le_token *items;
    size_t count, capacity;
};

/* Where the line that begins at `bytes` ends: its length without its LF and without one CR before
 * that. Without an LF it ends at `end`, and a CR stays. Returns where the next line begins. */
const char *le_line_end(const char *bytes, const char *end, size_t *length);

/* How many bytes of a run of zeros stand at the beginning. */
size_t le_zeros(const char *bytes, size_t length);

/* Space, TAB, VT, FF and CR are white space, nothing else. */
static inline bool le_is_space(char c)
{
    return c == ' ' || c == '\t' || (c >= '\v' && c <= '\r');
}

/* Whether there is white space only. */
bool le_is_blank(const char *text, size_t length);

/* Splits into words; the tokens lie in `text`. Those that were there stay before them with le_tokens_append(),
 * and one text as it is follows them with le_tokens_add(). False: out of memory. */
bool le_tokens_add(struct le_tokens *tokens, struct le_text text);
bool le_tokens_append(struct le_tokens *tokens, const char *text, size_t length);
bool le_tokens_split(struct le_tokens *tokens, const char *text, size_t length);
void le_tokens_free(struct le_tokens *tokens);

#endif
