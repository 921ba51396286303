#include "vocab.h"

#include <string.h>

/* An index as the schema wants it: decimal, no sign, no leading zero, at most nine digits. */
static bool read_index(const char *key, int32_t *index)
{
    size_t length = strlen(key);
    if (length == 0 || length > 9 || strspn(key, "0123456789") != length ||
        (key[0] == '0' && length > 1))
        return false;
    *index = 0;
    for (size_t i = 0; i < length; i++)
        *index = *index * 10 + (key[i] - '0');
    return true;
}

static enum logexport_status read_reserved(struct le_vocab *vocab, const struct le_bundle *bundle,
                                           const struct le_metadata *metadata,
                                           struct logexport_error *error)
{
    struct le_place place = {bundle->path, metadata->file, "vocab/reserved"};
    const struct le_json_value *label = le_json_first(metadata->reserved);
    for (; label != NULL; label = le_json_next(label)) {
        int64_t index;
        enum logexport_status status =
            le_json_as_integer(label, 0, vocab->size - 1, place, &index, error);
        if (status != LOGEXPORT_OK)
            return status;
        vocab->templates[index].reserved = true;
        if (strcmp(label->key, "unknown") == 0)
            vocab->unknown = (int32_t)index;
    }
    return LOGEXPORT_OK;
}

/* The task's start and end must be labels of their own. */
static enum logexport_status check_boundaries(const struct le_vocab *vocab,
                                              const struct le_bundle *bundle,
                                              const struct le_metadata *metadata,
                                              struct logexport_error *error)
{
    const struct le_task *task = &metadata->task;
    struct le_place place = {bundle->path, metadata->file, "task"};
    const struct {
        const char *key;
        int64_t index;
    } boundaries[] = {{"start", task->start}, {"end", task->end}};
    for (size_t i = 0; i < 2; i++) {
        int64_t index = boundaries[i].index;
        if (index >= 0 &&
            (index >= vocab->size || !vocab->templates[index].reserved || index == vocab->unknown))
            return le_json_malformed(error, place,
                                     "\"%s\" is %lld, which is not a reserved index of its own",
                                     boundaries[i].key, (long long)index);
    }
    if (task->start >= 0 && task->start == task->end)
        return le_json_malformed(error, place, "\"start\" and \"end\" are the same index");
    return LOGEXPORT_OK;
}

static enum logexport_status read_templates(struct le_vocab *vocab,
                                            const struct le_metadata *metadata,
                                            struct le_place place, struct logexport_error *error)
{
    size_t size = vocab->document.object->length;
    if (size != (size_t)metadata->vocab_size)
        return le_json_malformed(error, place, "it has %zu entries, but %s's metadata says %lld",
                                 size, metadata->model, (long long)metadata->vocab_size);
    vocab->size = (int32_t)size;
    vocab->templates = calloc(size, sizeof *vocab->templates);
    if (vocab->templates == NULL)
        return le_out_of_memory(error);
    const struct le_json_value *entry = le_json_first(vocab->document.object);
    for (; entry != NULL; entry = le_json_next(entry)) {
        int32_t index;
        if (!read_index(entry->key, &index) || index >= vocab->size)
            return le_json_malformed(error, place, "\"%.40s\" is no index below %zu", entry->key,
                                     size);
        /* Keys are distinct and written in one way only, so all indices are there in the end. */
        if (!le_json_is(entry, LE_JSON_STRING))
            return le_json_malformed(error, place, "the template of index %s is not a string",
                                     entry->key);
        vocab->templates[index].text = entry->text;
        vocab->templates[index].length = entry->length;
    }
    return LOGEXPORT_OK;
}

enum logexport_status le_vocab_load(struct le_vocab *vocab, const struct le_bundle *bundle,
                                    const struct le_metadata *metadata,
                                    struct logexport_error *error)
{
    *vocab = (struct le_vocab){.unknown = -1};
    struct le_place place = {bundle->path, metadata->vocab_file, ""};
    struct le_buffer bytes = {0};
    enum logexport_status status =
        le_bundle_read(bundle, metadata->vocab_file, LE_MAX_VOCAB_BYTES, &bytes, error);
    if (status == LOGEXPORT_OK)
        status = le_json_parse(bytes.data, bytes.length, place, &vocab->document, error);
    le_buffer_free(&bytes);
    if (status == LOGEXPORT_OK)
        status = read_templates(vocab, metadata, place, error);
    if (status == LOGEXPORT_OK)
        status = read_reserved(vocab, bundle, metadata, error);
    if (status == LOGEXPORT_OK)
        status = check_boundaries(vocab, bundle, metadata, error);
    if (status != LOGEXPORT_OK)
        le_vocab_free(vocab);
    return status;
}

void le_vocab_free(struct le_vocab *vocab)
{
    le_json_free(&vocab->document);
    free(vocab->templates);
    *vocab = (struct le_vocab){0};
}
