#include "tokens.h"

#include <string.h>

enum { ORDINARY, SPACE, SPLIT };

static bool is_letter_or_digit(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

bool le_token_rule_init(struct le_token_rule *rule, const char *after, size_t length, bool collapse)
{
    *rule = (struct le_token_rule){.splits = length > 0, .collapse = collapse};
    for (int c = 0; c < 128; c++)
        rule->classes[c] = le_is_space((char)c) ? SPACE : ORDINARY;
    if (length > LE_MAX_SPLIT_AFTER)
        return false;
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)after[i];
        if (c <= ' ' || c >= 0x7f || is_letter_or_digit(c) || rule->classes[c] == SPLIT)
            return false;
        rule->classes[c] = SPLIT;
    }
    return true;
}

/* The kind of a token of which masks wrote something. */
static enum le_token_kind kind_of(const char *text, const char *marks, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        if (marks[i] == 0 && (c >= 0x80 || is_letter_or_digit(c)))
            return LE_MARKED;
    }
    return LE_VALUE;
}

/* Adds the token from `begin` to `end`, or what is left of it. */
static bool add_token(const struct le_token_rule *rule, const struct le_masked *masked,
                      size_t begin, size_t end, struct le_tokens *tokens)
{
    const char *text = masked->text, *marks = masked->marks;
    const char *mark = marks == NULL ? NULL : memchr(marks + begin, 1, end - begin);
    enum le_token_kind kind = LE_WORD;
    if (mark != NULL)
        kind = kind_of(text + begin, marks + begin, end - begin);
    if (kind == LE_VALUE && rule->collapse) {
        if (tokens->count > 0 && tokens->items[tokens->count - 1].kind == LE_VALUE)
            return true;
        begin = (size_t)(mark - marks);
        const char *behind = memchr(mark, 0, end - begin);
        end = behind == NULL ? end : (size_t)(behind - marks);
    }
    if (!le_tokens_add(tokens, (struct le_text){text + begin, end - begin}))
        return false;
    tokens->items[tokens->count - 1].kind = kind;
    return true;
}

bool le_tokens_cut(const struct le_token_rule *rule, const struct le_masked *masked,
                   struct le_tokens *tokens)
{
    const unsigned char *text = (const unsigned char *)masked->text;
    const char *marks = masked->marks;
    size_t at = 0, length = masked->length;
    while (at < length) {
        size_t begin = at;
        bool after = false; /* the byte before ends a token, if something follows */
        for (; at < length && rule->classes[text[at]] != SPACE; at++) {
            bool split = rule->classes[text[at]] == SPLIT && (marks == NULL || marks[at] == 0);
            if (after && !split) {
                if (!add_token(rule, masked, begin, at, tokens))
                    return false;
                begin = at;
            }
            after = split;
        }
        if (at > begin && !add_token(rule, masked, begin, at, tokens))
            return false;
        at++; /* white space */
    }
    return true;
}
