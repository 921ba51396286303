#include "masks.h"

enum logexport_status le_mask_replacement(struct le_mask *mask, const char *text, size_t length,
                                          const char *where, const char *what,
                                          struct logexport_error *error)
{
    size_t characters = 0;
    for (size_t i = 0; i < length; i++)
        characters += ((unsigned char)text[i] & 0xc0) != 0x80;
    if (characters > LE_MAX_REPLACEMENT || (length > 0 && memchr(text, '\n', length) != NULL))
        return le_fail(error, LOGEXPORT_BUNDLE,
                       "%.300s: the replacement of %.100s is too long or holds a line feed.", where,
                       what);
    mask->text = malloc(length + 1);
    mask->pieces = malloc((length + 1) * sizeof *mask->pieces);
    if (mask->text == NULL || mask->pieces == NULL)
        return le_out_of_memory(error);
    size_t stored = 0;
    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        char next = i + 1 < length ? text[i + 1] : '\0';
        if (c == '\\' && next >= '1' && next <= '9') {
            uint32_t group = (uint32_t)(next - '0');
            if (group > mask->pattern.groups)
                return le_fail(error, LOGEXPORT_BUNDLE,
                               "%.300s: the replacement of %.100s refers to group %u, but its "
                               "pattern has %u.",
                               where, what, group, mask->pattern.groups);
            mask->pieces[mask->piece_count++] = (struct le_piece){.group = group};
            i++;
            continue;
        }
        if (c == '\\' && next == '\\')
            i++;
        struct le_piece *last = mask->piece_count > 0 ? &mask->pieces[mask->piece_count - 1] : NULL;
        if (last == NULL || last->group != 0) {
            last = &mask->pieces[mask->piece_count++];
            *last = (struct le_piece){.begin = stored};
        }
        mask->text[stored++] = c;
        last->length++;
    }
    return LOGEXPORT_OK;
}

void le_mask_free(struct le_mask *mask)
{
    le_pattern_free(&mask->pattern);
    free(mask->text);
    free(mask->pieces);
    *mask = (struct le_mask){0};
}

void le_masking_free(struct le_masking *masking)
{
    le_buffer_free(&masking->text);
    le_buffer_free(&masking->marks);
}

enum masking { UNCHANGED, CHANGED, ENDLESS, NO_MEMORY };

/* A text on its way through one mask. */
struct passage {
    const struct le_masked *from;
    struct le_masking *to;
    bool wanted; /* marks are */
};

/* Copies a part of the text, with the marks that it has. */
static bool copy_part(const struct passage *passage, size_t begin, size_t length)
{
    const struct le_masked *from = passage->from;
    struct le_buffer *marks = &passage->to->marks;
    if (!le_buffer_append(&passage->to->text, from->text + begin, length))
        return false;
    if (!passage->wanted)
        return true;
    return from->marks != NULL ? le_buffer_append(marks, from->marks + begin, length)
                               : le_buffer_fill(marks, 0, length);
}

static bool append_replacement(const struct passage *passage, const struct le_mask *mask,
                               const struct le_match *match)
{
    for (size_t i = 0; i < mask->piece_count; i++) {
        const struct le_piece *piece = &mask->pieces[i];
        const char *text = passage->from->text;
        size_t length = piece->length;
        if (piece->group != 0) {
            const char *group = le_match_group(match, text, piece->group, &length);
            /* a group that took no part stands for nothing */
            if (group != NULL && !copy_part(passage, (size_t)(group - text), length))
                return false;
        } else if (!le_buffer_append(&passage->to->text, mask->text + piece->begin, length) ||
                   (passage->wanted && !le_buffer_fill(&passage->to->marks, 1, length))) {
            return false;
        }
    }
    return true;
}

static enum masking apply_mask(const struct le_mask *mask, struct le_match *match,
                               const struct passage *passage)
{
    const char *text = passage->from->text;
    size_t length = passage->from->length, copied = 0;
    bool changed = false;
    for (;;) {
        enum le_search found = le_pattern_find(&mask->pattern, match, text, length, copied, true);
        if (found == LE_ENDLESS)
            return ENDLESS;
        if (found == LE_NOT_FOUND)
            break;
        if (!changed)
            passage->to->text.length = passage->to->marks.length = 0;
        changed = true;
        size_t begin = match->offsets[0], end = match->offsets[1];
        if (begin < copied || end <= begin) /* \K in a look-behind, from a foreign bundle */
            return ENDLESS;
        if (!copy_part(passage, copied, begin - copied) ||
            !append_replacement(passage, mask, match))
            return NO_MEMORY;
        if (passage->to->text.length > LE_MAX_MASKED)
            return ENDLESS;
        copied = end;
    }
    if (!changed)
        return UNCHANGED;
    return copy_part(passage, copied, length - copied) ? CHANGED : NO_MEMORY;
}

enum le_masks_status le_masks_apply(const struct le_mask *masks, int count, struct le_match *match,
                                    struct le_masking buffers[2], bool wanted,
                                    struct le_masked *masked, int *endless)
{
    struct passage passage = {masked, buffers, wanted};
    for (int i = 0; i < count; i++) {
        switch (apply_mask(&masks[i], match, &passage)) {
        case UNCHANGED:
            break;
        case CHANGED:
            *masked = (struct le_masked){passage.to->text.data, passage.to->text.length,
                                         wanted ? passage.to->marks.data : NULL};
            passage.to = passage.to == buffers ? buffers + 1 : buffers;
            break;
        case ENDLESS:
            *endless = i;
            return LE_MASKS_ENDLESS;
        case NO_MEMORY:
            return LE_MASKS_NO_MEMORY;
        }
    }
    return LE_MASKS_APPLIED;
}
