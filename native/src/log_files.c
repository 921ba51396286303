#include "log_files.h"

#include "json_text.h"
#include "utf8.h"

enum logexport_status le_log_files_init(struct le_log_files *files, const char *keys,
                                        struct logexport_error *error)
{
    *files = (struct le_log_files){0};
    for (const char *at = keys; at != NULL;) {
        size_t length = strcspn(at, ",");
        if (length == 4 && memcmp(at, "file", 4) == 0)
            files->with_file = true;
        else if (length == 9 && memcmp(at, "file_line", 9) == 0)
            files->with_file_line = true;
        else
            return le_fail(error, LOGEXPORT_USAGE,
                           "There is no key \"%.*s\" for records; there are file, file_line.",
                           length < 100 ? (int)length : 100, at);
        at = at[length] == ',' ? at + length + 1 : NULL;
    }
    return LOGEXPORT_OK;
}

void le_log_files_forget(struct le_log_files *files)
{
    for (size_t i = 0; i < files->count; i++)
        free(files->items[i].json);
    files->count = 0;
}

void le_log_files_free(struct le_log_files *files)
{
    le_log_files_forget(files);
    free(files->items);
    *files = (struct le_log_files){0};
}

bool le_log_files_begin(struct le_log_files *files, const char *name, int64_t first_line)
{
    struct le_buffer decoded = {0}, json = {0};
    const char *text;
    size_t length;
    bool ok = le_utf8_decode(name, strlen(name), &decoded, &text, &length) &&
              le_json_append_string(&json, text, length) && le_buffer_append(&json, "", 1);
    le_buffer_free(&decoded);
    if (ok && files->count == files->capacity) {
        size_t capacity = files->capacity == 0 ? 8 : files->capacity * 2;
        struct le_log_file *items = realloc(files->items, capacity * sizeof *items);
        ok = items != NULL;
        if (ok) {
            files->items = items;
            files->capacity = capacity;
        }
    }
    if (!ok) {
        le_buffer_free(&json);
        return false;
    }
    struct le_log_file *last = files->count > 0 ? &files->items[files->count - 1] : NULL;
    if (last != NULL && last->first_line == first_line)
        free(last->json); /* the file before had no line */
    else
        last = &files->items[files->count++];
    *last = (struct le_log_file){first_line, json.data, json.length - 1}; /* without its NUL */
    return true;
}

const char *le_log_files_last(const struct le_log_files *files)
{
    return files->count > 0 ? files->items[files->count - 1].json : NULL;
}

bool le_log_files_append_keys(const struct le_log_files *files, int64_t line, struct le_buffer *out)
{
    if (!files->with_file && !files->with_file_line)
        return true;
    size_t low = 0, high = files->count; /* files before `low` begin at the line or before it */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (files->items[middle].first_line <= line)
            low = middle + 1;
        else
            high = middle;
    }
    const struct le_log_file *file = low > 0 ? &files->items[low - 1] : NULL;
    static const char file_key[] = ", \"file\": ", line_key[] = ", \"file_line\": ";
    bool ok = true;
    if (files->with_file)
        ok = le_buffer_append(out, file_key, sizeof file_key - 1) &&
             (file != NULL ? le_buffer_append(out, file->json, file->json_length)
                           : le_buffer_append(out, "null", 4));
    if (files->with_file_line)
        ok = ok && le_buffer_append(out, line_key, sizeof line_key - 1) &&
             le_json_append_integer(out, file != NULL ? line - file->first_line + 1 : line);
    return ok;
}
