/* Masked messages to tokens by rules of version 2: where a token ends, what masks wrote of it, and what
 * collapses. */
#ifndef LE_TOKENS_H
#define LE_TOKENS_H

#include "lines.h"
#include "masks.h"

#define LE_MAX_SPLIT_AFTER 8

struct le_token_rule {
    uint8_t classes[256]; /* what a byte does to tokens, if no mask wrote it */
    bool splits;          /* a byte ends a token */
    bool collapse; /* values lose their punctuation, and of neighbouring ones the first stays */
};

/* False: `after` is not made of at most LE_MAX_SPLIT_AFTER different characters of ASCII punctuation. */
bool le_token_rule_init(struct le_token_rule *rule, const char *after, size_t length,
                        bool collapse);

/* The tokens of a masked message, after those that are there; they lie in its text. False: out of
 * memory. */
bool le_tokens_cut(const struct le_token_rule *rule, const struct le_masked *masked,
                   struct le_tokens *tokens);

#endif
