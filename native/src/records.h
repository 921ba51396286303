/* A verdict as a line of JSON; docs/verdicts.md fixes the format. */
#ifndef LE_RECORDS_H
#define LE_RECORDS_H

#include "json_text.h"
#include "log_files.h"
#include "memo.h"
#include "metadata.h"
#include "sessions.h"

/* What is the same in every record of a run. */
struct le_record_format {
    enum le_input input;
    enum le_decision decision;
    int32_t unseen_column; /* of an attribution: its template is null; -1: there is none */
    locale_t c_locale;
    struct le_buffer limit;           /* `, "top_k": 9` or `, "threshold": 2.5, "top": [` */
    const struct le_log_files *files; /* what stands after the fixed keys */
};

/* `files` is kept. False: out of memory. */
bool le_record_format_init(struct le_record_format *format, const struct le_metadata *metadata,
                           int64_t top_k, double threshold, const struct le_log_files *files);
void le_record_format_free(struct le_record_format *format);

/* Writes a record with its LF in place of what `out` holds. `session` is the record's session, or
 * NULL if it has none; `outcome` what the model said, or NULL. False: out of memory. */
bool le_record_write(const struct le_record_format *format, const struct logexport_record *record,
                     const struct le_session *session, const struct le_outcome *outcome,
                     struct le_buffer *out);

#endif
