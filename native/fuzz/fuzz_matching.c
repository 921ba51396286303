/* The matcher finds a template exactly when one matches, and prefers as defined. The input is lines:
 * templates up to an empty line, then lines to match. */
#include "fuzz.h"
#include "matching.h"

enum { MOST = 64 };

static bool is_wildcard(struct le_token token)
{
    return token.length == 3 && memcmp(token.data, "<*>", 3) == 0;
}

static bool matches_line(const struct le_tokens *template, const struct le_tokens *line,
                         size_t *wild)
{
    *wild = 0;
    if (template->count != line->count)
        return false;
    for (size_t i = 0; i < line->count; i++) {
        *wild += is_wildcard(template->items[i]);
        if (!is_wildcard(template->items[i]) &&
            (template->items[i].length != line->items[i].length ||
             memcmp(template->items[i].data, line->items[i].data, line->items[i].length) != 0))
            return false;
    }
    return true;
}

static void check_line(const struct le_vocab *vocab, const struct le_matcher *matcher,
                       const struct le_tokens *line, bool general)
{
    struct le_buffer hashes = {0};
    struct le_tokens template = {0};
    size_t wild, found_wild = 0, best = 0;
    bool any = false;
    int32_t found;
    HOLDS(le_matcher_find(matcher, line, &hashes, &found));
    for (int32_t i = 0; i < vocab->size; i++) {
        HOLDS(le_tokens_split(&template, vocab->templates[i].text, vocab->templates[i].length));
        if (!matches_line(&template, line, &wild)) {
            HOLDS(found != i);
            continue;
        }
        if (!any || (general ? wild > best : wild < best))
            best = wild;
        any = true;
        if (found == i)
            found_wild = wild;
    }
    HOLDS(any == (found != LE_UNSEEN));
    HOLDS(!any || found_wild == best);
    le_tokens_free(&template);
    le_buffer_free(&hashes);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct le_template templates[MOST];
    struct le_vocab vocab = {.templates = templates};
    struct le_matcher *matcher = NULL;
    struct le_tokens line = {0};
    bool general = length % 2 == 1;
    const char *at = (const char *)bytes, *end = at + length;
    while (at < end) {
        const char *feed = memchr(at, '\n', (size_t)(end - at));
        size_t size = (size_t)((feed == NULL ? end : feed) - at);
        if (matcher == NULL && size > 0 && vocab.size < MOST) {
            templates[vocab.size++] = (struct le_template){at, size, false};
        } else {
            if (matcher == NULL)
                matcher = le_matcher_new(&vocab, general);
            HOLDS(matcher != NULL && le_tokens_split(&line, at, size));
            check_line(&vocab, matcher, &line, general);
        }
        at = feed == NULL ? end : feed + 1;
    }
    le_matcher_free(matcher);
    le_tokens_free(&line);
    return 0;
}
