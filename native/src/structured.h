/* Structured records: a line that is JSON, Docker's json-file, CRI or logfmt, opened to its message.
 * The rules stand in core/logexport/logs/structured.py. Of a form's fields only wanted ones are read. */
#ifndef LE_STRUCTURED_H
#define LE_STRUCTURED_H

#include <stdbool.h>
#include <stddef.h>

#include "buffer.h"
#include "json_cursor.h"
#include "kept.h"

enum { LE_MAX_LEVELS = 4, LE_MAX_FORMS = 16 };

enum le_form_kind { LE_FORM_JSON, LE_FORM_DOCKER, LE_FORM_CRI, LE_FORM_LOGFMT };

struct le_form; /* one form of preprocess.json, its names prepared */

/* All zero at first. */
struct le_structure {
    struct le_form *forms;
    int form_count;
};

/* The names of a form. One without a text is one that is not there. */
struct le_form_names {
    struct le_json_span message;     /* for json and logfmt */
    struct le_json_span session_key; /* the name that sessions are by */
    struct le_json_span
        fields[LE_MAX_FIELDS]; /* those that are wanted, of docker and cri their keys */
    int field_count;
};

/* Adds a form; its names are copied. False: out of memory, nothing changed. */
bool le_structure_add(struct le_structure *structure, enum le_form_kind kind,
                      const struct le_form_names *names);
void le_structure_free(struct le_structure *structure);

/* What a form makes of a text, and the memory for it: all zero at first, kept and reused. */
struct le_opened {
    const char *message;
    size_t message_length;
    struct le_text fields[LE_MAX_FIELDS]; /* as many as the form has */
    const char *by;                       /* the value of the session key; NULL: null */
    size_t by_length;
    bool stands_alone; /* of a form without pieces: it cannot be a continuation line, since lines of
                        * the message were cut off, or since it is blank */
    bool piece;        /* the next line may hold more of the message */
    int source;        /* LE_FORM_DOCKER or LE_FORM_CRI; -1: a form without pieces */
    const char *stream; /* of a form with pieces; NULL: null */
    size_t stream_length;
    /* Of structured.c: */
    struct le_buffer message_text, field_texts[LE_MAX_FIELDS], by_text, stream_text;
    struct le_buffer spare; /* a message in between, a key without escapes */
    struct le_buffer seen;  /* a byte for each name of a form: whether the text had it */
};

/* Opens a text, which is valid UTF-8 and stays unchanged; what lies in `opened` then points into it, or
 * into the buffers there. 1: the first form that fits has opened it; 0: none fits; -1: out of
 * memory. */
int le_structure_open(const struct le_structure *structure, const char *text, size_t length,
                      struct le_opened *opened);
void le_opened_free(struct le_opened *opened);

#endif
