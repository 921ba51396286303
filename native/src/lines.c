#include "lines.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

const char *le_line_end(const char *bytes, const char *end, size_t *length)
{
    const char *feed = memchr(bytes, '\n', (size_t)(end - bytes));
    const char *line_end = feed == NULL ? end : feed;
    if (feed != NULL && line_end > bytes && line_end[-1] == '\r')
        line_end--;
    *length = (size_t)(line_end - bytes);
    return feed == NULL ? end : feed + 1;
}

size_t le_zeros(const char *bytes, size_t length)
{
    size_t count = 0;
    while (count < length && bytes[count] == '\0')
        count++;
    return count;
}

bool le_is_blank(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (!le_is_space(text[i]))
            return false;
    return true;
}

static bool grow(struct le_tokens *tokens)
{
    size_t capacity = tokens->capacity == 0 ? 64 : tokens->capacity * 2;
    if (capacity > SIZE_MAX / sizeof *tokens->items / 2)
        return false;
    struct le_token *items = realloc(tokens->items, capacity * sizeof *items);
    if (items == NULL)
        return false;
    tokens->items = items;
    tokens->capacity = capacity;
    return true;
}

bool le_tokens_add(struct le_tokens *tokens, struct le_text text)
{
    if (tokens->count == tokens->capacity && !grow(tokens))
        return false;
    tokens->items[tokens->count++] = (struct le_token){text.data, text.length, LE_WORD};
    return true;
}

bool le_tokens_append(struct le_tokens *tokens, const char *text, size_t length)
{
    const char *at = text, *end = text + length;
    for (;;) {
        while (at < end && le_is_space(*at))
            at++;
        if (at == end)
            return true;
        const char *begin = at;
        while (at < end && !le_is_space(*at))
            at++;
        if (!le_tokens_add(tokens, (struct le_text){begin, (size_t)(at - begin)}))
            return false;
    }
}

bool le_tokens_split(struct le_tokens *tokens, const char *text, size_t length)
{
    tokens->count = 0;
    return le_tokens_append(tokens, text, length);
}

void le_tokens_free(struct le_tokens *tokens)
{
    free(tokens->items);
    *tokens = (struct le_tokens){0};
}
