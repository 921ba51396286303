#include "errors.h"

#include <stdarg.h>
#include <stdio.h>

#include "utf8.h"

enum logexport_status le_fail(struct logexport_error *error, enum logexport_status status,
                              const char *format, ...)
{
    if (error == NULL)
        return status;
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
    error->status = status;
    if (length < 0)
        error->text[0] = '\0';
    for (char *c = error->text; *c != '\0'; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
    le_utf8_make_valid(error->text);
    return status;
}

enum logexport_status le_out_of_memory(struct logexport_error *error)
{
    return le_fail(error, LOGEXPORT_MEMORY, "There is not enough memory.");
}
