/* Matching, against the definition tried on every template. */
#include "matching.h"
#include "test.h"

enum { MOST = 40 };

static const char *const words[] = {"a", "b", "<*>", "c"};

static bool is_wildcard(struct le_token token)
{
    return token.length == 3 && memcmp(token.data, "<*>", 3) == 0;
}

static bool equal(struct le_token a, struct le_token b)
{
    return a.length == b.length && memcmp(a.data, b.data, a.length) == 0;
}

/* Whether template a is to be taken rather than b; both match the line. */
static bool better(const struct le_tokens *a, const char *a_text, const struct le_tokens *b,
                   const char *b_text, bool general)
{
    size_t wild_a = 0, wild_b = 0;
    for (size_t i = 0; i < a->count; i++) {
        wild_a += is_wildcard(a->items[i]);
        wild_b += is_wildcard(b->items[i]);
    }
    if (wild_a != wild_b)
        return (wild_a < wild_b) != general;
    for (size_t i = 0; i < a->count; i++)
        if (!equal(a->items[i], b->items[i]))
            return is_wildcard(b->items[i]);
    return strcmp(a_text, b_text) < 0;
}

static int32_t by_definition(const struct le_vocab *vocab, const struct le_tokens *line,
                             bool general)
{
    struct le_tokens one = {0}, best_tokens = {0};
    int32_t best = LE_UNSEEN;
    for (int32_t i = 0; i < vocab->size; i++) {
        const struct le_template *template = &vocab->templates[i];
        NEED(le_tokens_split(&one, template->text, template->length));
        bool matches = !template->reserved && one.count == line->count;
        for (size_t t = 0; matches && t < line->count; t++)
            matches = is_wildcard(one.items[t]) || equal(one.items[t], line->items[t]);
        if (!matches)
            continue;
        if (best != LE_UNSEEN)
            NEED(le_tokens_split(&best_tokens, vocab->templates[best].text,
                                 vocab->templates[best].length));
        if (best == LE_UNSEEN ||
            better(&one, template->text, &best_tokens, vocab->templates[best].text, general))
            best = i;
    }
    le_tokens_free(&one);
    le_tokens_free(&best_tokens);
    return best;
}

static void draw_text(char *out, unsigned most)
{
    unsigned count = below(most + 1);
    *out = '\0';
    for (unsigned i = 0; i < count; i++) {
        strcat(out, words[below(4)]);
        strcat(out, below(8) == 0 ? " \t" : " ");
    }
}

static void random_vocabularies_match_as_defined(void)
{
    static char texts[MOST][80];
    struct le_template templates[MOST];
    struct le_tokens line = {0};
    struct le_buffer hashes = {0};
    int seen = 0;
    for (int round = 0; round < 400; round++) {
        struct le_vocab vocab = {.templates = templates, .size = (int32_t)below(MOST) + 1};
        bool general = round % 2 == 1;
        for (int32_t i = 0; i < vocab.size; i++) {
            draw_text(texts[i], 5);
            templates[i] = (struct le_template){texts[i], strlen(texts[i]), below(10) == 0};
        }
        struct le_matcher *matcher = le_matcher_new(&vocab, general);
        NEED(matcher != NULL);
        for (int i = 0; i < 50; i++) {
            char text[80];
            draw_text(text, 6);
            NEED(le_tokens_split(&line, text, strlen(text)));
            int32_t wanted = by_definition(&vocab, &line, general);
            int32_t found;
            NEED(le_matcher_find(matcher, &line, &hashes, &found));
            seen += wanted != LE_UNSEEN;
            /* Equal strings may stand at two indices here, though not in a vocabulary. */
            CHECK(wanted == found ||
                  (wanted >= 0 && found >= 0 && strcmp(texts[wanted], texts[found]) == 0));
        }
        le_matcher_free(matcher);
    }
    CHECK(seen > 2000);
    le_tokens_free(&line);
    le_buffer_free(&hashes);
}

static void an_empty_vocabulary_matches_nothing(void)
{
    struct le_template none = {"a", 1, true};
    struct le_vocab vocab = {.templates = &none, .size = 1};
    struct le_matcher *matcher = le_matcher_new(&vocab, false);
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
    an_empty_vocabulary_matches_nothing();
    return failures != 0;
}
