/* preprocess.json: from the bytes of a line to masked text and a session. */
#ifndef LE_PREPROCESS_H
#define LE_PREPROCESS_H

#include "bundle.h"
#include "decoding.h"
#include "headers.h"
#include "masks.h"
#include "matching.h"
#include "metadata.h"
#include "structured.h"
#include "tokens.h"

enum le_session_by { LE_BY_NONE, LE_BY_HOST, LE_BY_FIELD, LE_BY_PATTERN };

/* Read only once loaded: shared by threads. */
struct le_preprocess {
    struct le_header *headers;
    int header_count;
    struct le_mask *masks;
    int mask_count;
    char (*mask_names)[65];
    struct le_token_rule tokens;
    struct le_matching matching;
    enum le_session_by by;
    struct le_pattern session;
    uint32_t session_group; /* whose text is the session: the first group, or 0 if there is none */
    struct le_buffer session_key; /* of LE_BY_FIELD */
    /* When a session ends, by rules of version 2. Sessions by LE_BY_NONE have none of it. */
    int64_t idle_lines;   /* after so many lines without one of its own; 0: it does not */
    int64_t idle_seconds; /* before a line that comes later by more than this; 0: it does not */
    bool closes;          /* with a line in which close_pattern is found */
    struct le_pattern close_pattern;
    size_t max_sessions; /* that are held: of version 1; by version 2 their ends bound them */
    size_t max_line_bytes;
    enum le_encoding encoding; /* LE_BYTES: these are rules of version 1 */
    struct le_structure structure;
    bool continuation;
    bool by_pid; /* a record may belong to another one of its pid (pids.h) */
    /* The fields that are wanted of a record, in this order everywhere: the one that sessions are by
     * (NULL: none is), then those that are kept, then the timestamp if times are wanted. */
    const char *fields[LE_MAX_FIELDS];
    int field_count;
    enum le_kept_form keep[LE_MAX_KEPT]; /* of each field but the first */
    int keep_count;
    bool times; /* what records say of their time is wanted */
    struct le_time_forms time_forms;
    bool holds;          /* a line may have to wait for the next one */
    uint32_t max_groups; /* of any pattern */
};

/* `session_by` replaces what the file says, if not NULL: "none", "host", a pattern, or for rules of
 * version 2 "field:NAME"; the rules of ends stay. A task that needs sessions is refused with others.
 * Without `times` no record says anything of its time, unless a session may end by it. */
enum logexport_status le_preprocess_load(struct le_preprocess *rules,
                                         const struct le_bundle *bundle,
                                         const struct le_metadata *metadata, const char *session_by,
                                         bool jit, bool times, struct logexport_error *error);
void le_preprocess_free(struct le_preprocess *rules);

#endif
