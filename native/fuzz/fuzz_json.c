/* Both ways through a text end at one place, what a string means is UTF-8, and a document is a text that
 * the cursor takes, with keys that differ. */
#include "fuzz.h"
#include "json.h"
#include "utf8.h"
#include "walk_json.h"

static void see_text(struct le_json_span span, void *utf8)
{
    struct le_buffer meant = {0};
    HOLDS(le_json_unescape(span, &meant, NULL));
    HOLDS(meant.length <= span.length);
    HOLDS(!*(const bool *)utf8 || le_utf8_valid_prefix(meant.data, meant.length) == meant.length);
    le_buffer_free(&meant);
}

/* The values that can be reached from the first one, each once. */
static size_t count_values(const struct le_json_value *value)
{
    size_t count = 1, members = 0;
    const struct le_json_value *member = le_json_first(value);
    for (; member != NULL; member = le_json_next(member), members++) {
        count += count_values(member);
        HOLDS((member->key != NULL) == (value->kind == LE_JSON_OBJECT));
        HOLDS(member->key == NULL || le_json_get(value, member->key) == member);
    }
    HOLDS(members == (value->kind >= LE_JSON_ARRAY ? value->length : 0));
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    char *text = malloc(length + (length == 0));
    HOLDS(text != NULL);
    if (length > 0)
        memcpy(text, bytes, length);
    bool utf8 = le_utf8_valid_prefix(text, length) == length;

    struct le_json_cursor walking, skipping;
    le_json_begin(&walking, text, length);
    le_json_begin(&skipping, text, length);
    bool valid = walk_json(&walking, see_text, &utf8) && le_json_at_end(&walking);
    HOLDS(valid == (le_json_skip(&skipping) && le_json_at_end(&skipping)));
    HOLDS(walking.at == skipping.at && walking.why == skipping.why);

    struct le_place place = {"dir", "file", ""};
    struct le_json_document document;
    struct logexport_error error;
    if (le_json_parse(text, length, place, &document, &error) == LOGEXPORT_OK) {
        HOLDS(valid && utf8 && count_values(document.object) <= length);
        le_json_free(&document);
    } else {
        HOLDS(document.object == NULL && error.status == LOGEXPORT_BUNDLE);
    }
    free(text);
    return 0;
}
