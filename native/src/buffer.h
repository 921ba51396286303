/* A growing run of bytes. Kept and reused by its owner, so that work on a line allocates nothing. */
#ifndef LE_BUFFER_H
#define LE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct le_buffer {
    char *data;
    size_t length, capacity;
};

/* Room for `extra` more bytes; false: out of memory, nothing changed. */
static inline bool le_buffer_reserve(struct le_buffer *buffer, size_t extra)
{
    if (extra <= buffer->capacity - buffer->length)
        return true;
    if (extra > SIZE_MAX / 4 - buffer->length)
        return false;
    size_t capacity = buffer->capacity < 256 ? 256 : buffer->capacity;
    while (capacity < buffer->length + extra)
        capacity *= 2;
    char *data = realloc(buffer->data, capacity);
    if (data == NULL)
        return false;
    buffer->data = data;
    buffer->capacity = capacity;
    return true;
}

static inline bool le_buffer_append(struct le_buffer *buffer, const void *bytes, size_t length)
{
    if (!le_buffer_reserve(buffer, length))
        return false;
    if (length > 0)
        memcpy(buffer->data + buffer->length, bytes, length);
    buffer->length += length;
    return true;
}

static inline bool le_buffer_fill(struct le_buffer *buffer, char byte, size_t length)
{
    if (!le_buffer_reserve(buffer, length))
        return false;
    if (length > 0)
        memset(buffer->data + buffer->length, byte, length);
    buffer->length += length;
    return true;
}

static inline void le_buffer_free(struct le_buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct le_buffer){0};
}

#endif
