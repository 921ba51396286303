/* Masks: what varies in a message is replaced by a name, one mask after another. */
#ifndef LE_MASKS_H
#define LE_MASKS_H

#include "buffer.h"
#include "patterns.h"

#define LE_MAX_REPLACEMENT 256          /* characters */
#define LE_MAX_MASKED ((size_t)1 << 28) /* bytes of a masked line */

/* A piece of a replacement: a group's text, or for group 0 bytes of `text`. */
struct le_piece {
    uint32_t group;
    size_t begin, length;
};

struct le_mask {
    struct le_pattern pattern;
    char *text; /* the replacement's literal bytes */
    struct le_piece *pieces;
    size_t piece_count;
};

/* Reads a replacement: \1 to \9 and \\, all else literal; the pattern is compiled already. `where`
 * and `what` name the mask in errors. */
enum logexport_status le_mask_replacement(struct le_mask *mask, const char *text, size_t length,
                                          const char *where, const char *what,
                                          struct logexport_error *error);
void le_mask_free(struct le_mask *mask);

enum le_masks_status {
    LE_MASKS_APPLIED,
    LE_MASKS_ENDLESS, /* one of them cannot be run to its end, or its text grows without bound */
    LE_MASKS_NO_MEMORY
};

/* A text, and which of its bytes masks put there. */
struct le_masked {
    const char *text;
    size_t length;
    const char *marks; /* for each byte 1 if a mask put it there, else 0; NULL: none did */
};

/* Where masking writes to; one mask reads one and writes the other. */
struct le_masking {
    struct le_buffer text, marks;
};

/* Masks a text, which has no marks: afterwards it is itself, or lies in one of the two buffers. Unless
 * marks are `wanted`, it has none. *endless is the number of the mask of LE_MASKS_ENDLESS, and only
 * then written. */
enum le_masks_status le_masks_apply(const struct le_mask *masks, int count, struct le_match *match,
                                    struct le_masking buffers[2], bool wanted,
                                    struct le_masked *masked, int *endless);
void le_masking_free(struct le_masking *masking);

#endif
