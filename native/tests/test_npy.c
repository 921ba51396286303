/* .npy files: what NumPy writes is read, what it does not write is refused. */
#include <unistd.h>

#include "../program/npy.h"
#include "test.h"

static enum logexport_status parse_array(const char *header, size_t data, struct le_tensor *tensor)
{
    static char bytes[1024];
    struct logexport_error error;
    size_t offset, length = strlen(header);
    memcpy(bytes, "\x93NUMPY\x01\x00", 8);
    bytes[8] = (char)(length & 255);
    bytes[9] = (char)(length >> 8);
    memcpy(bytes + 10, header, length);
    return npy_parse("x.npy", bytes, 10 + length + data, tensor, &offset, &error);
}

static void headers_are_read(void)
{
    struct le_tensor tensor;
    CHECK(parse_array("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }  \n", 24,
                      &tensor) == 0);
    CHECK(tensor.type == LE_ORT_FLOAT && tensor.dimension_count == 2 && tensor.dimensions[0] == 2 &&
          tensor.dimensions[1] == 3 && tensor.size == 24);
    CHECK(parse_array("{'descr': '<i8', 'fortran_order': False, 'shape': (4,), }\n", 32, &tensor) ==
          0);
    CHECK(tensor.type == LE_ORT_INT64 && tensor.dimension_count == 1);
    CHECK(parse_array("{'descr': '<i8', 'fortran_order': False, 'shape': (), }\n", 8, &tensor) ==
          0);
    CHECK(tensor.dimension_count == 0);
}

static void what_does_not_fit_is_refused(void)
{
    static const char *const bad[] = {
        "",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (1,), }",
        "{'descr': '>f4', 'fortran_order': False, 'shape': (1,), }",
        "{'descr': '<f4', 'fortran_order': True, 'shape': (1,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296, 4), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1), }",
        "{'descr': '<f4', 'shape': (1,), }"};
    struct le_tensor tensor;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CHECK(parse_array(bad[i], 4, &tensor) == LOGEXPORT_USAGE);
}

static void what_is_written_is_read_again(void)
{
    float values[6] = {1, -2, 3.5f, 0, 1e30f, -0.0f};
    struct le_tensor tensor = {
        .type = LE_ORT_FLOAT, .dimension_count = 2, .dimensions = {3, 2}, .data = values};
    struct le_tensor again;
    struct logexport_error error;
    char path[] = "/tmp/logexport-npy-XXXXXX";
    int file = mkstemp(path);
    NEED(file >= 0);
    close(file);
    CHECK(npy_write(path, &tensor, &error) == LOGEXPORT_OK);
    CHECK(npy_read(path, &again, &error) == LOGEXPORT_OK);
    CHECK(again.size == sizeof values && memcmp(again.data, values, sizeof values) == 0);
    CHECK(again.dimension_count == 2 && again.dimensions[0] == 3 && again.dimensions[1] == 2);
    free(again.data);
    unlink(path);
    CHECK(npy_read(path, &again, &error) == LOGEXPORT_USAGE);
    CHECK(npy_read("/tmp", &again, &error) == LOGEXPORT_USAGE);
    CHECK(npy_write("/nowhere/x.npy", &tensor, &error) == LOGEXPORT_USAGE);
}

int main(void)
{
    headers_are_read();
    what_does_not_fit_is_refused();
    what_is_written_is_read_again();
    return failures != 0;
}
