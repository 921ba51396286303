/* Matching, against the definition tried on every template. */
#include "matching.h"
#include "test.h"

enum { MOST = 40 };

static const char *const words[] = {"a", "b", "<*>", "c", "<*:mark>", "<NUM>"};
static const char *const pieces[] = {"a",    "b",        "<*>",     "<*>",      "<:N_-9:>",
                                     "<::>", "\xC3\xA9", "<:N:>ab", "<*:mark>", "<"};

static bool is_text(struct le_token token, const char *text)
{
    return token.length == strlen(text) && memcmp(token.data, text, token.length) == 0;
}

/* The length of the hole that a text begins with, 0 if it begins with none. */
static size_t hole(const char *text, size_t length)
{
    static const char *const holes[] = {"<*>", "<:N_-9:>", "<:N:>"};
    for (int i = 0; i < 3; i++)
        if (length >= strlen(holes[i]) && memcmp(text, holes[i], strlen(holes[i])) == 0)
            return strlen(holes[i]);
    return 0;
}

/* Whether a template's token with holes stands for a token: every way is tried. */
static bool fits(const char *glob, size_t glob_length, const char *text, size_t length)
{
    size_t first = hole(glob, glob_length);
    if (glob_length == 0)
        return length == 0;
    if (first == 0)
        return length > 0 && *glob == *text &&
               fits(glob + 1, glob_length - 1, text + 1, length - 1);
    for (size_t taken = 1; taken <= length; taken++)
        if ((taken == length || ((unsigned char)text[taken] & 0xc0) != 0x80) &&
            fits(glob + first, glob_length - first, text + taken, length - taken))
            return true;
    return false;
}

/* 0: a constant, 1: <*:mark>, 2: <*> */
static int kind_of(struct le_token token, struct le_matching matching)
{
    if (is_text(token, "<*>"))
        return 2;
    return matching.typed && is_text(token, "<*:mark>") ? 1 : 0;
}

static bool stands_for(struct le_token part, struct le_token token, struct le_matching matching)
{
    int kind = kind_of(part, matching);
    if (kind != 0)
        return kind == 2 || token.kind != LE_WORD;
    if (matching.inner)
        return fits(part.data, part.length, token.data, token.length);
    return part.length == token.length && memcmp(part.data, token.data, part.length) == 0;
}

/* What is outside of holes, in characters. */
static size_t literal(const struct le_tokens *template, struct le_matching matching)
{
    size_t count = 0;
    for (size_t i = 0; i < template->count; i++) {
        struct le_token token = template->items[i];
        size_t skip = kind_of(token, matching) == 0 ? 0 : token.length;
        for (size_t at = skip; at < token.length; at += skip > 0 ? skip : 1) {
            skip = hole(token.data + at, token.length - at);
            count += skip == 0 && ((unsigned char)token.data[at] & 0xc0) != 0x80;
        }
    }
    return count;
}

/* Whether template a is to be taken rather than b; both match the line. */
static bool better(const struct le_tokens *a, const char *a_text, const struct le_tokens *b,
                   const char *b_text, struct le_matching matching)
{
    size_t counts[2][3] = {{0}, {0}};
    for (size_t i = 0; i < a->count; i++) {
        counts[0][kind_of(a->items[i], matching)]++;
        counts[1][kind_of(b->items[i], matching)]++;
    }
    if (matching.inner) {
        size_t of_a = literal(a, matching), of_b = literal(b, matching);
        return of_a != of_b ? (of_a > of_b) != matching.general : strcmp(a_text, b_text) < 0;
    }
    for (int kind = 2; kind > 0; kind--)
        if (counts[0][kind] != counts[1][kind])
            return (counts[0][kind] < counts[1][kind]) != matching.general;
    for (size_t i = 0; i < a->count; i++)
        if (kind_of(a->items[i], matching) != kind_of(b->items[i], matching))
            return kind_of(a->items[i], matching) < kind_of(b->items[i], matching);
    return strcmp(a_text, b_text) < 0;
}

static int32_t by_definition(const struct le_vocab *vocab, const struct le_tokens *line,
                             struct le_matching matching)
{
    struct le_tokens one = {0}, best_tokens = {0};
    int32_t best = LE_UNSEEN;
    for (int32_t i = 0; i < vocab->size; i++) {
        const struct le_template *template = &vocab->templates[i];
        NEED(le_tokens_split(&one, template->text, template->length));
        bool matches = !template->reserved && one.count == line->count;
        for (size_t t = 0; matches && t < line->count; t++)
            matches = stands_for(one.items[t], line->items[t], matching);
        if (!matches)
            continue;
        if (best != LE_UNSEEN)
            NEED(le_tokens_split(&best_tokens, vocab->templates[best].text,
                                 vocab->templates[best].length));
        if (best == LE_UNSEEN ||
            better(&one, template->text, &best_tokens, vocab->templates[best].text, matching))
            best = i;
    }
    le_tokens_free(&one);
    le_tokens_free(&best_tokens);
    return best;
}

static void draw_text(char *out, unsigned most, bool inner)
{
    unsigned count = below(most + 1);
    *out = '\0';
    for (unsigned i = 0; i < count; i++) {
        for (unsigned more = inner ? 1 + below(3) : 0; more > 0; more--)
            strcat(out, pieces[below(sizeof pieces / sizeof *pieces)]);
        if (!inner)
            strcat(out, words[below(sizeof words / sizeof *words)]);
        strcat(out, below(8) == 0 ? " \t" : " ");
    }
}

static void random_vocabularies_match_as_defined(void)
{
    static char texts[MOST][200];
    struct le_template templates[MOST];
    struct le_tokens line = {0};
    struct le_buffer hashes = {0};
    int seen[2] = {0, 0};
    for (int round = 0; round < 800; round++) {
        struct le_vocab vocab = {.templates = templates, .size = (int32_t)below(MOST) + 1};
        struct le_matching matching = {
            .general = round % 2 == 1, .typed = round % 4 > 1, .inner = round % 8 > 4};
        for (int32_t i = 0; i < vocab.size; i++) {
            draw_text(texts[i], matching.inner ? 2 : 5, matching.inner);
            templates[i] = (struct le_template){texts[i], strlen(texts[i]), below(10) == 0};
        }
        struct le_matcher *matcher = le_matcher_new(&vocab, matching);
        NEED(matcher != NULL);
        for (int i = 0; i < 50; i++) {
            char text[400];
            draw_text(text, matching.inner ? 2 : 6, matching.inner);
            NEED(le_tokens_split(&line, text, strlen(text)));
            for (size_t t = 0; matching.typed && t < line.count; t++)
                line.items[t].kind = (enum le_token_kind)below(3);
            int32_t wanted = by_definition(&vocab, &line, matching);
            int32_t found;
            NEED(le_matcher_find(matcher, &line, &hashes, &found));
            seen[matching.inner] += wanted != LE_UNSEEN;
            /* Equal strings may stand at two indices here, though not in a vocabulary. */
            CHECK(wanted == found ||
                  (wanted >= 0 && found >= 0 && strcmp(texts[wanted], texts[found]) == 0));
        }
        le_matcher_free(matcher);
    }
    CHECK(seen[0] > 2000);
    CHECK(seen[1] > 2000);
    le_tokens_free(&line);
    le_buffer_free(&hashes);
}

static void marks_are_asked_for_where_a_template_has_them(void)
{
    struct le_template one = {"a <*:mark>", 10, false};
    struct le_vocab vocab = {.templates = &one, .size = 1};
    for (int typed = 0; typed < 2; typed++) {
        struct le_matcher *matcher =
            le_matcher_new(&vocab, (struct le_matching){.typed = typed == 1});
        NEED(matcher != NULL);
        CHECK(le_matcher_knows_marks(matcher) == (typed == 1));
        le_matcher_free(matcher);
    }
}

static void an_empty_vocabulary_matches_nothing(void)
{
    struct le_template none = {"a", 1, true};
    struct le_vocab vocab = {.templates = &none, .size = 1};
    struct le_matcher *matcher = le_matcher_new(&vocab, (struct le_matching){0});
    struct le_tokens line = {0};
    struct le_buffer hashes = {0};
    NEED(matcher != NULL && le_tokens_split(&line, "a", 1));
    int32_t found = 0;
    NEED(le_matcher_find(matcher, &line, &hashes, &found));
    CHECK(found == LE_UNSEEN);
    le_matcher_free(matcher);
    le_tokens_free(&line);
    le_buffer_free(&hashes);
}

int main(void)
{
    random_vocabularies_match_as_defined();
    marks_are_asked_for_where_a_template_has_them();
    an_empty_vocabulary_matches_nothing();
    return failures != 0;
}
