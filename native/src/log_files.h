/* Which file of a log a line stands in: the keys "file" and "file_line" of a record. */
#ifndef LE_LOG_FILES_H
#define LE_LOG_FILES_H

#include "buffer.h"
#include "errors.h"

struct le_log_file {
    int64_t first_line;
    char *json; /* its name as JSON text, with quotes */
    size_t json_length;
};

/* The files that were read so far, by the number of their first line. */
struct le_log_files {
    struct le_log_file *items;
    size_t count, capacity;
    bool with_file, with_file_line; /* which keys a record gets */
};

/* `keys`: names with commas between them, or NULL. */
enum logexport_status le_log_files_init(struct le_log_files *files, const char *keys,
                                        struct logexport_error *error);
void le_log_files_free(struct le_log_files *files);

/* A file begins whose first line, if it has one, has this number. False: out of memory. */
bool le_log_files_begin(struct le_log_files *files, const char *name, int64_t first_line);

/* The name of the file that began last, as JSON text; NULL if none did. */
const char *le_log_files_last(const struct le_log_files *files);

/* Another log begins: no file of it is known. */
void le_log_files_forget(struct le_log_files *files);

/* What a record about this line has after its fixed keys: `, "file": …` or nothing. False: out of
 * memory. */
bool le_log_files_append_keys(const struct le_log_files *files, int64_t line,
                              struct le_buffer *out);

#endif
