#include "onnx_model.h"

#include <stdbool.h>
#include <stdint.h>

enum { MAX_DEPTH = 64 };

enum message { MODEL, TRAINING, FUNCTION, GRAPH, NODE, ATTRIBUTE, TENSOR, SPARSE };

/* Every way from a model to a tensor, by onnx.proto's field numbers. */
static const struct {
    enum message in;
    uint32_t field;
    enum message holds;
} nested[] = {{MODEL, 7, GRAPH},         {MODEL, 20, TRAINING},   {MODEL, 25, FUNCTION},
              {TRAINING, 1, GRAPH},      {TRAINING, 2, GRAPH},    {FUNCTION, 7, NODE},
              {FUNCTION, 11, ATTRIBUTE}, {GRAPH, 1, NODE},        {GRAPH, 5, TENSOR},
              {GRAPH, 15, SPARSE},       {NODE, 5, ATTRIBUTE},    {ATTRIBUTE, 5, TENSOR},
              {ATTRIBUTE, 6, GRAPH},     {ATTRIBUTE, 10, TENSOR}, {ATTRIBUTE, 11, GRAPH},
              {ATTRIBUTE, 22, SPARSE},   {ATTRIBUTE, 23, SPARSE}, {SPARSE, 1, TENSOR},
              {SPARSE, 2, TENSOR}};

enum { EXTERNAL_DATA = 13, DATA_LOCATION = 14 }; /* fields of a tensor */

enum finding { FINE, EXTERNAL, MALFORMED };

struct span {
    const unsigned char *at, *end;
};

static bool read_varint(struct span *span, uint64_t *value)
{
    *value = 0;
    for (int shift = 0; shift < 70; shift += 7) {
        if (span->at == span->end)
            return false;
        unsigned char byte = *span->at++;
        if (shift < 64)
            *value |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80)
            return true;
    }
    return false;
}

static enum finding walk_message(struct span span, enum message message, int depth);

static enum finding walk_field(struct span content, enum message message, uint32_t field, int depth)
{
    if (message == TENSOR && field == EXTERNAL_DATA)
        return EXTERNAL;
    for (size_t i = 0; i < sizeof nested / sizeof nested[0]; i++)
        if (nested[i].in == message && nested[i].field == field)
            return walk_message(content, nested[i].holds, depth + 1);
    return FINE;
}

static enum finding walk_message(struct span span, enum message message, int depth)
{
    if (depth > MAX_DEPTH)
        return MALFORMED;
    while (span.at < span.end) {
        uint64_t key, value;
        if (!read_varint(&span, &key) || key > UINT32_MAX)
            return MALFORMED;
        uint32_t field = (uint32_t)(key >> 3);
        size_t left = (size_t)(span.end - span.at), skip = 0;
        enum finding finding;
        switch (key & 7) {
        case 0:
            if (!read_varint(&span, &value))
                return MALFORMED;
            if (message == TENSOR && field == DATA_LOCATION && value != 0)
                return EXTERNAL;
            break;
        case 1:
            skip = 8;
            break;
        case 2:
            if (!read_varint(&span, &value) || value > (uint64_t)(span.end - span.at))
                return MALFORMED;
            left = (size_t)(span.end - span.at);
            skip = (size_t)value;
            finding = walk_field((struct span){span.at, span.at + skip}, message, field, depth);
            if (finding != FINE)
                return finding;
            break;
        case 5:
            skip = 4;
            break;
        default: /* groups, which onnx.proto has none of */
            return MALFORMED;
        }
        if (skip > left)
            return MALFORMED;
        span.at += skip;
    }
    return FINE;
}

enum logexport_status le_onnx_model_check(const void *bytes, size_t length, const char *file,
                                          struct logexport_error *error)
{
    static const unsigned char nothing;
    const unsigned char *begin = length == 0 ? &nothing : bytes;
    switch (walk_message((struct span){begin, begin + length}, MODEL, 0)) {
    case EXTERNAL:
        return le_fail(error, LOGEXPORT_BUNDLE,
                       "%.300s has weights in another file; a bundle's graph holds its own.", file);
    case MALFORMED:
        return le_fail(error, LOGEXPORT_BUNDLE, "%.300s is not an ONNX graph.", file);
    case FINE:
        break;
    }
    return LOGEXPORT_OK;
}
