/* White space and tokens: space, TAB, VT, FF and CR divide, nothing else. */
#ifndef LE_TOKENS_H
#define LE_TOKENS_H

#include <stdbool.h>
#include <stddef.h>

struct le_token {
    const char *data;
    size_t length;
};

struct le_tokens {
    struct le_token *items;
    size_t count, capacity;
};

static inline bool le_is_space(char c)
{
    return c == ' ' || c == '\t' || (c >= '\v' && c <= '\r');
}

/* Whether there is white space only. */
bool le_is_blank(const char *text, size_t length);

/* Splits; the tokens lie in `text`. False: out of memory. */
bool le_tokens_split(struct le_tokens *tokens, const char *text, size_t length);
void le_tokens_free(struct le_tokens *tokens);

#endif
