#include "matching.h"

#include <stdlib.h>
#include <string.h>

#include "hash.h"

/* A template, split. A wildcard's token has data NULL. */
struct split {
    const struct le_token *tokens;
    size_t count, wildcards;
    const struct le_template *source;
    int32_t index;
    bool general;
};

struct slot {
    uint64_t hash;
    const struct le_token *tokens; /* NULL: free */
    int32_t index;
};

/* Templates with constants at the same places, found by the hash of their constants. */
struct shape {
    size_t *wildcards; /* their places */
    size_t wildcard_count;
    struct slot *slots;
    size_t mask; /* number of slots - 1, a power of two */
};

struct group {
    size_t token_count;
    struct shape *shapes; /* the preferred first */
    size_t shape_count;
};

struct le_matcher {
    struct group *groups; /* by token count */
    size_t group_count;
    struct le_token *tokens; /* of all templates */
};

/* The hash of a token at a place. A line's hash is the sum of its tokens' hashes, so that the hash of
 * its constants for a shape is that sum less the tokens at the wildcards. */
static uint64_t place_hash(struct le_token token, size_t place)
{
    return le_mix(le_hash(token.data, token.length) + place * UINT64_C(0x9e3779b97f4a7c15));
}

static bool is_wildcard(struct le_token token)
{
    return token.length == 3 && memcmp(token.data, "<*>", 3) == 0;
}

static bool same_token(struct le_token a, struct le_token b)
{
    return a.length == b.length && memcmp(a.data, b.data, a.length) == 0;
}

static int compare_bytes(const char *a, size_t a_length, const char *b, size_t b_length)
{
    size_t shorter = a_length < b_length ? a_length : b_length;
    int order = memcmp(a, b, shorter);
    return order != 0 ? order : (a_length > b_length) - (a_length < b_length);
}

/* Orders two templates of one token count by shape, the preferred shape first. */
static int compare_shapes(const struct split *a, const struct split *b)
{
    if (a->wildcards != b->wildcards)
        return (a->wildcards < b->wildcards) != a->general ? -1 : 1;
    for (size_t i = 0; i < a->count; i++)
        if ((a->tokens[i].data == NULL) != (b->tokens[i].data == NULL))
            return a->tokens[i].data == NULL ? 1 : -1; /* the constant wins */
    return 0;
}

/* Orders two templates of one shape by their constants. */
static int compare_constants(const struct split *a, const struct split *b)
{
    for (size_t i = 0; i < a->count; i++) {
        struct le_token x = a->tokens[i], y = b->tokens[i];
        if (x.data == NULL)
            continue;
        int order = compare_bytes(x.data, x.length, y.data, y.length);
        if (order != 0)
            return order;
    }
    return 0;
}

static int compare_templates(const void *left, const void *right)
{
    const struct split *a = left, *b = right;
    if (a->count != b->count)
        return a->count < b->count ? -1 : 1;
    int order = compare_shapes(a, b);
    if (order == 0)
        order = compare_constants(a, b);
    if (order == 0) /* they differ in white space: the first in code point order stands for both */
        order =
            compare_bytes(a->source->text, a->source->length, b->source->text, b->source->length);
    return order;
}

static void insert_template(struct shape *shape, const struct split *template)
{
    uint64_t hash = 0;
    for (size_t i = 0; i < template->count; i++)
        if (template->tokens[i].data != NULL)
            hash += place_hash(template->tokens[i], i);
    size_t at = le_mix(hash) & shape->mask;
    while (shape->slots[at].tokens != NULL)
        at = (at + 1) & shape->mask;
    shape->slots[at] = (struct slot){hash, template->tokens, template->index};
}

static bool make_shape(struct shape *shape, const struct split *templates, size_t count)
{
    const struct split *first = templates;
    size_t size = 4;
    while (size < count * 2)
        size *= 2;
    *shape = (struct shape){.wildcard_count = first->wildcards, .mask = size - 1};
    shape->slots = calloc(size, sizeof *shape->slots);
    shape->wildcards = malloc((first->wildcards + 1) * sizeof *shape->wildcards);
    if (shape->slots == NULL || shape->wildcards == NULL)
        return false;
    size_t n = 0;
    for (size_t i = 0; i < first->count; i++)
        if (first->tokens[i].data == NULL)
            shape->wildcards[n++] = i;
    for (size_t i = 0; i < count; i++)
        if (i == 0 || compare_constants(&templates[i - 1], &templates[i]) != 0)
            insert_template(shape, &templates[i]);
    return true;
}

static bool make_group(struct group *group, const struct split *templates, size_t count)
{
    size_t shapes = 0;
    for (size_t i = 0; i < count; i++)
        shapes += i == 0 || compare_shapes(&templates[i - 1], &templates[i]) != 0;
    group->token_count = templates->count;
    group->shapes = calloc(shapes, sizeof *group->shapes);
    if (group->shapes == NULL)
        return false;
    for (size_t begin = 0; begin < count;) {
        size_t end = begin + 1;
        while (end < count && compare_shapes(&templates[begin], &templates[end]) == 0)
            end++;
        group->shape_count++;
        if (!make_shape(&group->shapes[group->shape_count - 1], templates + begin, end - begin))
            return false;
        begin = end;
    }
    return true;
}

/* Splits all templates into one array of tokens. */
static bool split_templates(struct le_matcher *matcher, const struct le_vocab *vocab, bool general,
                            struct split *out, size_t *out_count)
{
    struct le_tokens line = {0};
    size_t total = 0;
    for (int32_t i = 0; i < vocab->size; i++) {
        if (!le_tokens_split(&line, vocab->templates[i].text, vocab->templates[i].length))
            goto failed;
        total += line.count;
    }
    matcher->tokens = malloc((total + 1) * sizeof *matcher->tokens);
    if (matcher->tokens == NULL)
        goto failed;
    struct le_token *next = matcher->tokens;
    *out_count = 0;
    for (int32_t i = 0; i < vocab->size; i++) {
        const struct le_template *source = &vocab->templates[i];
        if (source->reserved)
            continue;
        if (!le_tokens_split(&line, source->text, source->length))
            goto failed;
        struct split *split = &out[(*out_count)++];
        *split = (struct split){next, line.count, 0, source, i, general};
        for (size_t t = 0; t < line.count; t++) {
            *next = line.items[t];
            if (is_wildcard(*next)) {
                next->data = NULL;
                split->wildcards++;
            }
            next++;
        }
    }
    le_tokens_free(&line);
    return true;
failed:
    le_tokens_free(&line);
    return false;
}

struct le_matcher *le_matcher_new(const struct le_vocab *vocab, bool general)
{
    struct le_matcher *matcher = calloc(1, sizeof *matcher);
    struct split *templates = malloc(((size_t)vocab->size + 1) * sizeof *templates);
    size_t count;
    if (matcher == NULL || templates == NULL ||
        !split_templates(matcher, vocab, general, templates, &count))
        goto failed;
    qsort(templates, count, sizeof *templates, compare_templates);

    size_t groups = 0;
    for (size_t i = 0; i < count; i++)
        groups += i == 0 || templates[i - 1].count != templates[i].count;
    matcher->groups = calloc(groups + 1, sizeof *matcher->groups);
    if (matcher->groups == NULL)
        goto failed;
    for (size_t begin = 0; begin < count;) {
        size_t end = begin + 1;
        while (end < count && templates[end].count == templates[begin].count)
            end++;
        matcher->group_count++;
        if (!make_group(&matcher->groups[matcher->group_count - 1], templates + begin, end - begin))
            goto failed;
        begin = end;
    }
    free(templates);
    return matcher;
failed:
    free(templates);
    le_matcher_free(matcher);
    return NULL;
}

void le_matcher_free(struct le_matcher *matcher)
{
    if (matcher == NULL)
        return;
    for (size_t g = 0; g < matcher->group_count; g++) {
        struct group *group = &matcher->groups[g];
        for (size_t s = 0; s < group->shape_count; s++) {
            free(group->shapes[s].slots);
            free(group->shapes[s].wildcards);
        }
        free(group->shapes);
    }
    free(matcher->groups);
    free(matcher->tokens);
    free(matcher);
}

static const struct group *group_of(const struct le_matcher *matcher, size_t token_count)
{
    size_t low = 0, high = matcher->group_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (matcher->groups[middle].token_count < token_count)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == matcher->group_count || matcher->groups[low].token_count != token_count)
        return NULL;
    return &matcher->groups[low];
}

static bool fits_line(const struct le_token *template, const struct le_tokens *line)
{
    for (size_t i = 0; i < line->count; i++)
        if (template[i].data != NULL && !same_token(template[i], line->items[i]))
            return false;
    return true;
}

bool le_matcher_find(const struct le_matcher *matcher, const struct le_tokens *tokens,
                     struct le_buffer *hashes, int32_t *index)
{
    *index = LE_UNSEEN;
    const struct group *group = group_of(matcher, tokens->count);
    if (group == NULL)
        return true;
    hashes->length = 0;
    if (!le_buffer_reserve(hashes, tokens->count * sizeof(uint64_t)))
        return false;
    uint64_t *each = (uint64_t *)(void *)hashes->data, sum = 0;
    for (size_t i = 0; i < tokens->count; i++)
        sum += each[i] = place_hash(tokens->items[i], i);
    for (size_t s = 0; s < group->shape_count; s++) {
        const struct shape *shape = &group->shapes[s];
        uint64_t hash = sum;
        for (size_t w = 0; w < shape->wildcard_count; w++)
            hash -= each[shape->wildcards[w]];
        for (size_t at = le_mix(hash) & shape->mask; shape->slots[at].tokens != NULL;
             at = (at + 1) & shape->mask)
            if (shape->slots[at].hash == hash && fits_line(shape->slots[at].tokens, tokens)) {
                *index = shape->slots[at].index;
                return true;
            }
    }
    return true;
}
