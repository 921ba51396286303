/* Any bytes are an array that lies in them, or are refused. */
#include "../program/npy.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct le_tensor tensor;
    struct logexport_error error;
    size_t offset;
    char *copy = malloc(length + 1);
    HOLDS(copy != NULL);
    if (length > 0)
        memcpy(copy, bytes, length);
    if (npy_parse("x.npy", copy, length, &tensor, &offset, &error) == LOGEXPORT_OK)
        HOLDS(offset <= length && tensor.size == length - offset);
    else
        HOLDS(error.text[0] != '\0');
    free(copy);
    return 0;
}
