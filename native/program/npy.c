#include "npy.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "arrays are read as they lie in files");

#define MAX_FILE ((size_t)1 << 30)

static enum logexport_status refuse_file(const char *path, const char *what,
                                         struct logexport_error *error)
{
    return le_fail(error, LOGEXPORT_USAGE, "%.300s cannot be used: %s.", path, what);
}

/* The text after "'KEY':" and spaces in the header's dictionary, or NULL. */
static const char *value_of(const char *header, const char *key)
{
    char quoted[32];
    snprintf(quoted, sizeof quoted, "'%s':", key);
    const char *at = strstr(header, quoted);
    if (at == NULL)
        return NULL;
    at += strlen(quoted);
    return at + strspn(at, " ");
}

static bool read_shape(const char *at, struct le_tensor *tensor)
{
    if (at == NULL || *at++ != '(')
        return false;
    for (;;) {
        at += strspn(at, " ");
        if (*at == ')')
            return true;
        int64_t size = 0;
        size_t digits = strspn(at, "0123456789");
        if (digits == 0 || digits > 10 || tensor->dimension_count == LE_MAX_DIMENSIONS)
            return false;
        for (; digits > 0; digits--)
            size = size * 10 + (*at++ - '0');
        tensor->dimensions[tensor->dimension_count++] = size;
        at += strspn(at, " ");
        if (*at == ',')
            at++;
        else if (*at != ')')
            return false;
    }
}

enum logexport_status npy_parse(const char *path, char *bytes, size_t length,
                                struct le_tensor *tensor, size_t *data_offset,
                                struct logexport_error *error)
{
    *tensor = (struct le_tensor){0};
    if (length < 12 || memcmp(bytes, "\x93NUMPY", 6) != 0 || bytes[6] < 1 || bytes[6] > 3)
        return refuse_file(path, "it is not a .npy file", error);
    const unsigned char *size = (const unsigned char *)bytes + 8;
    size_t header_length = (size_t)size[0] | (size_t)size[1] << 8, begin = 10;
    if (bytes[6] > 1) {
        header_length |= (size_t)size[2] << 16 | (size_t)size[3] << 24;
        begin = 12;
    }
    char header[512];
    if (header_length >= sizeof header || header_length > length - begin)
        return refuse_file(path, "its header is too long", error);
    memcpy(header, bytes + begin, header_length);
    header[header_length] = '\0';

    const char *type = value_of(header, "descr"), *order = value_of(header, "fortran_order");
    if (type != NULL && strncmp(type, "'<f4'", 5) == 0)
        tensor->type = LE_ORT_FLOAT;
    else if (type != NULL && strncmp(type, "'<i8'", 5) == 0)
        tensor->type = LE_ORT_INT64;
    else
        return refuse_file(path, "it is not of type <f4 or <i8", error);
    if (order == NULL || strncmp(order, "False", 5) != 0)
        return refuse_file(path, "it is not in C order", error);
    if (!read_shape(value_of(header, "shape"), tensor))
        return refuse_file(path, "its shape cannot be read", error);

    *data_offset = begin + header_length;
    tensor->size = tensor->type == LE_ORT_FLOAT ? sizeof(float) : sizeof(int64_t);
    for (size_t i = 0; i < tensor->dimension_count; i++)
        if (__builtin_mul_overflow(tensor->size, (size_t)tensor->dimensions[i], &tensor->size))
            return refuse_file(path, "its shape is too large", error);
    if (tensor->size != length - *data_offset)
        return refuse_file(path, "it does not hold as many values as its shape says", error);
    return LOGEXPORT_OK;
}

enum logexport_status npy_read(const char *path, struct le_tensor *tensor,
                               struct logexport_error *error)
{
    struct stat status;
    FILE *file = fopen(path, "rbe");
    if (file == NULL)
        return refuse_file(path, strerror(errno), error);
    char *bytes = NULL;
    size_t length = 0, offset = 0;
    enum logexport_status result;
    if (fstat(fileno(file), &status) != 0 || !S_ISREG(status.st_mode) ||
        (uint64_t)status.st_size > MAX_FILE)
        result = refuse_file(path, "it is not a file of at most 1 GiB", error);
    else if ((bytes = malloc((size_t)status.st_size + 1)) == NULL)
        result = le_out_of_memory(error);
    else {
        length = fread(bytes, 1, (size_t)status.st_size, file);
        result = npy_parse(path, bytes, length, tensor, &offset, error);
    }
    fclose(file);
    if (result != LOGEXPORT_OK) {
        free(bytes);
        return result;
    }
    memmove(bytes, bytes + offset, tensor->size); /* so that the data are aligned */
    tensor->data = bytes;
    return LOGEXPORT_OK;
}

enum logexport_status npy_write(const char *path, const struct le_tensor *tensor,
                                struct logexport_error *error)
{
    char header[256];
    bool is_float = tensor->type == LE_ORT_FLOAT;
    if (!is_float && tensor->type != LE_ORT_INT64)
        return refuse_file(path, "the output is not float32 or int64", error);
    int at = snprintf(header, sizeof header, "{'descr': '%s', 'fortran_order': False, 'shape': (",
                      is_float ? "<f4" : "<i8");
    size_t size = is_float ? sizeof(float) : sizeof(int64_t);
    for (size_t i = 0; i < tensor->dimension_count; i++) {
        at +=
            snprintf(header + at, sizeof header - (size_t)at, "%lld,%s",
                     (long long)tensor->dimensions[i], i + 1 < tensor->dimension_count ? " " : "");
        size *= (size_t)tensor->dimensions[i];
    }
    at += snprintf(header + at, sizeof header - (size_t)at, "), }");
    while ((10 + at + 1) % 64 != 0)
        header[at++] = ' ';
    header[at++] = '\n';
    unsigned char begin[10] = {
        0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, (unsigned char)(at & 255), (unsigned char)(at >> 8)};
    FILE *file = fopen(path, "wbe");
    if (file == NULL)
        return le_fail(error, LOGEXPORT_USAGE, "%.300s cannot be written: %s.", path,
                       strerror(errno));
    bool ok = fwrite(begin, 1, sizeof begin, file) == sizeof begin &&
              fwrite(header, 1, (size_t)at, file) == (size_t)at &&
              fwrite(tensor->data, 1, size, file) == size;
    ok = fclose(file) == 0 && ok;
    if (!ok)
        return le_fail(error, LOGEXPORT_USAGE, "%.300s cannot be written: %s.", path,
                       strerror(errno));
    return LOGEXPORT_OK;
}
