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

enum masking { UNCHANGED, CHANGED, ENDLESS, NO_MEMORY };

static bool append_replacement(const struct le_mask *mask, const struct le_match *match,
                               const char *subject, struct le_buffer *out)
{
    for (size_t i = 0; i < mask->piece_count; i++) {
        const struct le_piece *piece = &mask->pieces[i];
        const char *from = mask->text + piece->begin;
        size_t length = piece->length;
        if (piece->group != 0) {
            from = le_match_group(match, subject, piece->group, &length);
            if (from == NULL)
                continue; /* a group that took no part stands for nothing */
        }
        if (!le_buffer_append(out, from, length))
            return false;
    }
    return true;
}

static enum masking apply_mask(const struct le_mask *mask, struct le_match *match, const char *text,
                               size_t length, struct le_buffer *out)
{
    size_t copied = 0;
    bool changed = false;
    for (;;) {
        enum le_search found = le_pattern_find(&mask->pattern, match, text, length, copied, true);
        if (found == LE_ENDLESS)
            return ENDLESS;
        if (found == LE_NOT_FOUND)
            break;
        if (!changed)
            out->length = 0;
        changed = true;
        size_t begin = match->offsets[0], end = match->offsets[1];
        if (begin < copied || end <= begin) /* \K in a look-behind, from a foreign bundle */
            return ENDLESS;
        if (!le_buffer_append(out, text + copied, begin - copied) ||
            !append_replacement(mask, match, text, out))
            return NO_MEMORY;
        if (out->length > LE_MAX_MASKED)
            return ENDLESS;
        copied = end;
    }
    if (!changed)
        return UNCHANGED;
    return le_buffer_append(out, text + copied, length - copied) ? CHANGED : NO_MEMORY;
}

enum le_masks_status le_masks_apply(const struct le_mask *masks, int count, struct le_match *match,
                                    struct le_buffer buffers[2], const char **text, size_t *length,
                                    int *endless)
{
    int into = 0;
    for (int i = 0; i < count; i++) {
        switch (apply_mask(&masks[i], match, *text, *length, &buffers[into])) {
        case UNCHANGED:
            break;
        case CHANGED:
            *text = buffers[into].data;
            *length = buffers[into].length;
            into = 1 - into; /* the next mask reads this buffer and writes the other */
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
