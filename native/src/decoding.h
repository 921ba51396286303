/* Bytes of a log in other clothes: UTF-16, byte order marks, escape sequences of terminals. The rules
 * stand in docs/verdicts.md. */
#ifndef LE_DECODING_H
#define LE_DECODING_H

#include "buffer.h"
#include "errors.h"

enum le_encoding {
    LE_BYTES, /* rules of version 1: UTF-8, and marks are text */
    LE_UTF_8,
    LE_UTF_16LE,
    LE_UTF_16BE
};

/* The encoding of that name, or LE_BYTES if there is none. */
enum le_encoding le_encoding_of(const char *name);

enum { LE_LOOKED_AT = 512 }; /* bytes of a file by which UTF-16 without a mark is noticed */

/* Turns the bytes of files, as they come, into UTF-8 without marks. */
struct le_decoding {
    enum le_encoding encoding; /* of a file without a mark */
    enum le_encoding file;     /* of this one, once it is known */
    enum {
        LE_MARK_UNKNOWN,
        LE_MARK_NONE, /* of UTF-8: and it may still be UTF-16 */
        LE_MARK_FOUND
    } mark;
    unsigned char begin[LE_LOOKED_AT]; /* what is held back until it tells */
    size_t begin_length;
    unsigned char rest[4]; /* of UTF-16: bytes that are not a character yet */
    size_t rest_length;
    struct le_buffer out;
};

void le_decoding_init(struct le_decoding *decoding, enum le_encoding encoding);
void le_decoding_free(struct le_decoding *decoding);

/* More bytes of the file. Gives its text as far as it is known, which is `bytes` themselves or valid
 * until the next call. LOGEXPORT_TEXT: the file looks like UTF-16 and has no mark; the error's text is
 * a clause about it, and nothing of it was given before. */
enum logexport_status le_decoding_push(struct le_decoding *decoding, const char *bytes,
                                       size_t length, const char **text, size_t *text_length,
                                       struct logexport_error *error);

/* The end of the file: gives the rest of its text. Then another file begins. */
enum logexport_status le_decoding_end(struct le_decoding *decoding, const char **text,
                                      size_t *text_length, struct logexport_error *error);

/* The text without escape sequences: itself, or what lies in `scratch`. False: out of memory. */
bool le_strip_escapes(const char **text, size_t *length, struct le_buffer *scratch);

#endif
