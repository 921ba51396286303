/* The matcher finds a template exactly when one matches, and prefers as defined. The input is lines:
 * templates up to an empty line, then lines to match, whose tokens have the kinds of their lengths. */
#include "fuzz.h"
#include "matching.h"

enum { MOST = 64 };

static bool is_text(struct le_token token, const char *text)
{
    return token.length == strlen(text) && memcmp(token.data, text, token.length) == 0;
}

/* 0: a constant, 1: <*:mark>, 2: <*> */
static int kind_of(struct le_token token)
{
    return is_text(token, "<*>") ? 2 : is_text(token, "<*:mark>") ? 1 : 0;
}

/* How little a template prefers itself: its <*>, and then its <*:mark>. */
static size_t order_of(const struct le_tokens *template)
{
    size_t order = 0;
    for (size_t i = 0; i < template->count; i++)
        order += kind_of(template->items[i]) == 2 ? 1 << 16 : (size_t)kind_of(template->items[i]);
    return order;
}

static bool matches_line(const struct le_tokens *template, const struct le_tokens *line)
{
    for (size_t i = 0; i < line->count && template->count == line->count; i++) {
        struct le_token part = template->items[i], token = line->items[i];
        int kind = kind_of(part);
        if (kind == 1 && token.kind == LE_WORD)
            return false;
        if (kind == 0 &&
            (part.length != token.length || memcmp(part.data, token.data, part.length) != 0))
            return false;
    }
    return template->count == line->count;
}

static void check_line(const struct le_vocab *vocab, const struct le_matcher *matcher,
                       const struct le_tokens *line, struct le_matching matching)
{
    struct le_buffer hashes = {0};
    struct le_tokens template = {0};
    size_t found_order = 0, best = 0;
    bool any = false;
    int32_t found;
    HOLDS(le_matcher_find(matcher, line, &hashes, &found));
    for (int32_t i = 0; i < vocab->size && !matching.inner; i++) {
        HOLDS(le_tokens_split(&template, vocab->templates[i].text, vocab->templates[i].length));
        if (!matches_line(&template, line)) {
            HOLDS(found != i);
            continue;
        }
        size_t order = order_of(&template);
        if (!any || (matching.general ? order > best : order < best))
            best = order;
        any = true;
        if (found == i)
            found_order = order;
    }
    HOLDS(matching.inner || any == (found != LE_UNSEEN));
    HOLDS(!any || found_order == best);
    le_tokens_free(&template);
    le_buffer_free(&hashes);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct le_template templates[MOST];
    struct le_vocab vocab = {.templates = templates};
    struct le_matcher *matcher = NULL;
    struct le_tokens line = {0};
    struct le_matching matching = {
        .general = length % 2 == 1, .typed = true, .inner = length % 3 == 1};
    const char *at = (const char *)bytes, *end = at + length;
    while (at < end) {
        const char *feed = memchr(at, '\n', (size_t)(end - at));
        size_t size = (size_t)((feed == NULL ? end : feed) - at);
        if (matcher == NULL && size > 0 && vocab.size < MOST) {
            templates[vocab.size++] = (struct le_template){at, size, false};
        } else {
            if (matcher == NULL)
                matcher = le_matcher_new(&vocab, matching);
            HOLDS(matcher != NULL && le_tokens_split(&line, at, size));
            for (size_t t = 0; t < line.count; t++)
                line.items[t].kind = (enum le_token_kind)(line.items[t].length % 3);
            check_line(&vocab, matcher, &line, matching);
        }
        at = feed == NULL ? end : feed + 1;
    }
    le_matcher_free(matcher);
    le_tokens_free(&line);
    return 0;
}
