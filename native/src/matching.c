#include "matching.h"

#include <stdlib.h>
#include <string.h>

#include "hash.h"

/* What a template's token is; the order is that in which they are preferred. */
enum part_kind { CONSTANT, MARK, ANY, GLOB };

/* A text between holes. */
struct literal {
    const char *data;
    size_t length;
};

struct part {
    enum part_kind kind;
    struct literal text;      /* of a CONSTANT and of a GLOB */
    struct literal *literals; /* of a GLOB: what stands around its holes */
    size_t literal_count;
};

/* A template, split. */
struct split {
    struct part *parts;
    size_t count;
    size_t kinds[GLOB + 1]; /* how many parts are of each */
    size_t characters;      /* of constants, and of globs outside of their holes */
    const struct le_template *source;
    int32_t index;
    size_t rank; /* the lower is preferred */
    struct le_matching matching;
};

/* Templates of one shape that have the same constants: a part of the matcher's, by rank. */
struct slot {
    uint64_t hash;
    const struct split *first;
    size_t count; /* 0: free */
};

struct shape {
    size_t *others; /* the places of all but constants; those of marks are the first */
    size_t other_count, mark_count;
    struct slot *slots;
    size_t mask; /* number of slots - 1, a power of two */
    size_t rank; /* the lowest of its templates */
};

struct group {
    size_t token_count;
    struct shape *shapes; /* by rank */
    size_t shape_count;
};

struct le_matcher {
    struct group *groups; /* by token count */
    size_t group_count;
    struct split *templates;
    size_t template_count;
    struct part *parts;       /* of all templates */
    struct literal *literals; /* of all globs */
    bool knows_marks;
};

/* The hash of a token at a place. A line's hash is the sum of its tokens' hashes, so that the hash of
 * its constants for a shape is that sum less the tokens at the other places. */
static uint64_t place_hash(const char *data, size_t length, size_t place)
{
    return le_mix(le_hash(data, length) + place * UINT64_C(0x9e3779b97f4a7c15));
}

static int compare_bytes(const char *a, size_t a_length, const char *b, size_t b_length)
{
    size_t shorter = a_length < b_length ? a_length : b_length;
    int order = memcmp(a, b, shorter);
    return order != 0 ? order : (a_length > b_length) - (a_length < b_length);
}

static int compare_sizes(size_t a, size_t b)
{
    return (a > b) - (a < b);
}

/* --- reading templates --- */

static bool is_name_byte(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' ||
           c == '-';
}

/* The length of the hole that a text begins with: <*> or <:NAME:>; 0 if it begins with none. */
static size_t hole_length(const char *text, size_t length)
{
    if (length >= 3 && memcmp(text, "<*>", 3) == 0)
        return 3;
    if (length < 5 || memcmp(text, "<:", 2) != 0)
        return 0;
    size_t at = 2;
    while (at < length && is_name_byte(text[at]))
        at++;
    return at > 2 && length - at >= 2 && memcmp(text + at, ":>", 2) == 0 ? at + 2 : 0;
}

static bool is_text(struct le_token token, const char *text)
{
    return token.length == strlen(text) && memcmp(token.data, text, token.length) == 0;
}

static size_t count_characters(const char *text, size_t length)
{
    size_t characters = 0;
    for (size_t i = 0; i < length; i++)
        characters += ((unsigned char)text[i] & 0xc0) != 0x80;
    return characters;
}

/* Reads a token of a template. Its literals are written to where there is room for one more than a
 * third of its bytes. */
static void read_part(struct part *part, struct le_token token, struct le_matching matching,
                      struct literal *literals)
{
    *part = (struct part){.kind = CONSTANT, .text = {token.data, token.length}};
    if (is_text(token, "<*>"))
        part->kind = ANY;
    else if (matching.typed && is_text(token, "<*:mark>"))
        part->kind = MARK;
    if (part->kind != CONSTANT || !matching.inner)
        return;
    size_t begin = 0, hole;
    for (size_t at = 0; at < token.length; at += hole > 0 ? hole : 1) {
        hole = hole_length(token.data + at, token.length - at);
        if (hole == 0)
            continue;
        literals[part->literal_count++] = (struct literal){token.data + begin, at - begin};
        begin = at + hole;
        if (at == 0 && begin == token.length) {
            *part = (struct part){.kind = ANY};
            return;
        }
    }
    if (part->literal_count == 0)
        return;
    literals[part->literal_count++] = (struct literal){token.data + begin, token.length - begin};
    part->kind = GLOB;
    part->literals = literals;
}

static void count_part(struct split *template, const struct part *part)
{
    template->kinds[part->kind]++;
    if (part->kind == CONSTANT)
        template->characters += count_characters(part->text.data, part->text.length);
    for (size_t i = 0; i < part->literal_count; i++)
        template->characters += count_characters(part->literals[i].data, part->literals[i].length);
}

/* Splits all templates. */
static bool read_templates(struct le_matcher *matcher, const struct le_vocab *vocab,
                           struct le_matching matching)
{
    struct le_tokens line = {0};
    size_t tokens = 0, bytes = 0;
    for (int32_t i = 0; i < vocab->size; i++) {
        if (!le_tokens_split(&line, vocab->templates[i].text, vocab->templates[i].length))
            goto failed;
        tokens += line.count;
        bytes += vocab->templates[i].length;
    }
    matcher->templates = malloc(((size_t)vocab->size + 1) * sizeof *matcher->templates);
    matcher->parts = malloc((tokens + 1) * sizeof *matcher->parts);
    /* A glob of n holes has n + 1 literals and at least 3n bytes. */
    matcher->literals =
        malloc(((matching.inner ? bytes / 3 + tokens : 0) + 1) * sizeof *matcher->literals);
    if (matcher->templates == NULL || matcher->parts == NULL || matcher->literals == NULL)
        goto failed;
    struct part *part = matcher->parts;
    struct literal *literals = matcher->literals;
    for (int32_t i = 0; i < vocab->size; i++) {
        const struct le_template *source = &vocab->templates[i];
        if (source->reserved)
            continue;
        if (!le_tokens_split(&line, source->text, source->length))
            goto failed;
        struct split *template = &matcher->templates[matcher->template_count++];
        *template = (struct split){
            .parts = part, .count = line.count, .source = source, .index = i, .matching = matching};
        for (size_t t = 0; t < line.count; t++, part++) {
            read_part(part, line.items[t], matching, literals);
            literals += part->literal_count;
            count_part(template, part);
        }
        matcher->knows_marks |= template->kinds[MARK] > 0;
    }
    le_tokens_free(&line);
    return true;
failed:
    le_tokens_free(&line);
    return false;
}

/* --- their order --- */

static int compare_kinds(const struct split *a, const struct split *b)
{
    for (size_t i = 0; i < a->count; i++)
        if (a->parts[i].kind != b->parts[i].kind)
            return a->parts[i].kind < b->parts[i].kind ? -1 : 1;
    return 0;
}

/* Orders two templates of one token count, the preferred one first. */
static int compare_preference(const void *left, const void *right)
{
    const struct split *a = left, *b = right;
    int sign = a->matching.general ? -1 : 1, order = compare_sizes(a->count, b->count);
    if (order == 0 && a->matching.inner)
        order = -sign * compare_sizes(a->characters, b->characters);
    if (order == 0 && !a->matching.inner) {
        order = sign * compare_sizes(a->kinds[ANY], b->kinds[ANY]);
        if (order == 0)
            order = sign * compare_sizes(a->kinds[MARK], b->kinds[MARK]);
        if (order == 0)
            order = compare_kinds(a, b);
    }
    return order != 0 ? order
                      : compare_bytes(a->source->text, a->source->length, b->source->text,
                                      b->source->length);
}

static int compare_constants(const struct split *a, const struct split *b)
{
    for (size_t i = 0; i < a->count; i++) {
        const struct literal *x = &a->parts[i].text, *y = &b->parts[i].text;
        int order = a->parts[i].kind == CONSTANT
                        ? compare_bytes(x->data, x->length, y->data, y->length)
                        : 0;
        if (order != 0)
            return order;
    }
    return 0;
}

/* Orders two templates by token count, shape, constants and rank. */
static int compare_places(const void *left, const void *right)
{
    const struct split *a = left, *b = right;
    int order = compare_sizes(a->count, b->count);
    if (order == 0)
        order = compare_kinds(a, b);
    if (order == 0)
        order = compare_constants(a, b);
    return order != 0 ? order : compare_sizes(a->rank, b->rank);
}

static int compare_shapes(const void *left, const void *right)
{
    const struct shape *a = left, *b = right;
    return compare_sizes(a->rank, b->rank);
}

/* --- where they are looked up --- */

static void insert_slot(struct shape *shape, const struct split *first, size_t count)
{
    uint64_t hash = 0;
    for (size_t i = 0; i < first->count; i++)
        if (first->parts[i].kind == CONSTANT)
            hash += place_hash(first->parts[i].text.data, first->parts[i].text.length, i);
    size_t at = le_mix(hash) & shape->mask;
    while (shape->slots[at].count > 0)
        at = (at + 1) & shape->mask;
    shape->slots[at] = (struct slot){hash, first, count};
}

static bool make_shape(struct shape *shape, const struct split *templates, size_t count)
{
    const struct split *first = templates;
    size_t size = 4, others = first->count - first->kinds[CONSTANT];
    while (size < count * 2)
        size *= 2;
    *shape = (struct shape){.mark_count = first->kinds[MARK], .mask = size - 1, .rank = SIZE_MAX};
    shape->slots = calloc(size, sizeof *shape->slots);
    shape->others = malloc((others + 1) * sizeof *shape->others);
    if (shape->slots == NULL || shape->others == NULL)
        return false;
    for (size_t i = 0; i < first->count; i++)
        if (first->parts[i].kind == MARK)
            shape->others[shape->other_count++] = i;
    for (size_t i = 0; i < first->count; i++)
        if (first->parts[i].kind != MARK && first->parts[i].kind != CONSTANT)
            shape->others[shape->other_count++] = i;
    for (size_t begin = 0, end; begin < count; begin = end) {
        for (end = begin + 1; end < count; end++)
            if (compare_constants(&templates[begin], &templates[end]) != 0)
                break;
        insert_slot(shape, &templates[begin], end - begin);
        if (templates[begin].rank < shape->rank)
            shape->rank = templates[begin].rank;
    }
    return true;
}

static bool make_group(struct group *group, const struct split *templates, size_t count)
{
    size_t shapes = 0;
    for (size_t i = 0; i < count; i++)
        shapes += i == 0 || compare_kinds(&templates[i - 1], &templates[i]) != 0;
    group->token_count = templates->count;
    group->shapes = calloc(shapes, sizeof *group->shapes);
    if (group->shapes == NULL)
        return false;
    for (size_t begin = 0, end; begin < count; begin = end) {
        for (end = begin + 1; end < count; end++)
            if (compare_kinds(&templates[begin], &templates[end]) != 0)
                break;
        group->shape_count++;
        if (!make_shape(&group->shapes[group->shape_count - 1], templates + begin, end - begin))
            return false;
    }
    qsort(group->shapes, group->shape_count, sizeof *group->shapes, compare_shapes);
    return true;
}

static bool make_groups(struct le_matcher *matcher)
{
    struct split *templates = matcher->templates;
    size_t groups = 0, count = matcher->template_count;
    qsort(templates, count, sizeof *templates, compare_preference);
    for (size_t i = 0; i < count; i++) {
        templates[i].rank = i;
        groups += i == 0 || templates[i - 1].count != templates[i].count;
    }
    qsort(templates, count, sizeof *templates, compare_places);
    matcher->groups = calloc(groups + 1, sizeof *matcher->groups);
    if (matcher->groups == NULL)
        return false;
    for (size_t begin = 0, end; begin < count; begin = end) {
        for (end = begin + 1; end < count; end++)
            if (templates[end].count != templates[begin].count)
                break;
        matcher->group_count++;
        if (!make_group(&matcher->groups[matcher->group_count - 1], templates + begin, end - begin))
            return false;
    }
    return true;
}

struct le_matcher *le_matcher_new(const struct le_vocab *vocab, struct le_matching matching)
{
    struct le_matcher *matcher = calloc(1, sizeof *matcher);
    if (matcher == NULL)
        return NULL;
    if (!read_templates(matcher, vocab, matching) || !make_groups(matcher)) {
        le_matcher_free(matcher);
        return NULL;
    }
    return matcher;
}

void le_matcher_free(struct le_matcher *matcher)
{
    if (matcher == NULL)
        return;
    for (size_t g = 0; g < matcher->group_count; g++) {
        struct group *group = &matcher->groups[g];
        for (size_t s = 0; s < group->shape_count; s++) {
            free(group->shapes[s].slots);
            free(group->shapes[s].others);
        }
        free(group->shapes);
    }
    free(matcher->groups);
    free(matcher->templates);
    free(matcher->parts);
    free(matcher->literals);
    free(matcher);
}

bool le_matcher_knows_marks(const struct le_matcher *matcher)
{
    return matcher->knows_marks;
}

/* --- looking lines up --- */

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

/* Whether the token is the literals with texts between; each is taken where it comes first. */
static bool fits_glob(const struct part *part, struct le_token token)
{
    const struct literal *first = part->literals, *last = first + part->literal_count - 1;
    if (token.length <= first->length + last->length ||
        memcmp(token.data, first->data, first->length) != 0 ||
        memcmp(token.data + token.length - last->length, last->data, last->length) != 0)
        return false;
    const char *at = token.data + first->length, *end = token.data + token.length - last->length;
    for (const struct literal *literal = first + 1; literal < last; literal++) {
        if (at == end)
            return false;
        do /* a hole holds a character at least */
            at++;
        while (at < end && ((unsigned char)*at & 0xc0) == 0x80);
        if (literal->length > 0)
            at = memmem(at, (size_t)(end - at), literal->data, literal->length);
        if (at == NULL)
            return false;
        at += literal->length;
    }
    return at < end;
}

static bool fits_constants(const struct split *template, const struct le_tokens *line)
{
    for (size_t i = 0; i < line->count; i++) {
        const struct part *part = &template->parts[i];
        if (part->kind == CONSTANT &&
            (part->text.length != line->items[i].length ||
             memcmp(part->text.data, line->items[i].data, part->text.length) != 0))
            return false;
    }
    return true;
}

static bool fits_globs(const struct split *template, const struct le_tokens *line)
{
    for (size_t i = 0; template->kinds[GLOB] > 0 && i < line->count; i++)
        if (template->parts[i].kind == GLOB && !fits_glob(&template->parts[i], line->items[i]))
            return false;
    return true;
}

/* The template of the shape that the line matches, if there is one that goes before `best`; else
 * `best`. */
static const struct split *find_in_shape(const struct shape *shape, uint64_t hash,
                                         const struct le_tokens *line, const struct split *best)
{
    for (size_t at = le_mix(hash) & shape->mask; shape->slots[at].count > 0;
         at = (at + 1) & shape->mask) {
        const struct slot *slot = &shape->slots[at];
        if (slot->hash != hash || !fits_constants(slot->first, line))
            continue;
        for (const struct split *one = slot->first; one < slot->first + slot->count; one++) {
            if (best != NULL && one->rank > best->rank)
                return best;
            if (fits_globs(one, line))
                return one;
        }
        return best; /* no other slot has these constants */
    }
    return best;
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
        sum += each[i] = place_hash(tokens->items[i].data, tokens->items[i].length, i);
    const struct split *best = NULL;
    for (size_t s = 0; s < group->shape_count; s++) {
        const struct shape *shape = &group->shapes[s];
        if (best != NULL && best->rank < shape->rank)
            break;
        size_t other = 0;
        while (other < shape->mark_count && tokens->items[shape->others[other]].kind != LE_WORD)
            other++;
        if (other < shape->mark_count)
            continue;
        uint64_t hash = sum;
        for (other = 0; other < shape->other_count; other++)
            hash -= each[shape->others[other]];
        best = find_in_shape(shape, hash, tokens, best);
    }
    if (best != NULL)
        *index = best->index;
    return true;
}
