/* Decoded text is valid UTF-8, decodes to itself, and keeps what was valid. */
#include "fuzz.h"
#include "utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct le_buffer scratch = {0}, again = {0};
    const char *text, *same;
    size_t text_length, same_length;
    HOLDS(le_utf8_decode((const char *)bytes, length, &scratch, &text, &text_length));
    HOLDS(le_utf8_valid_prefix(text, text_length) == text_length);
    HOLDS(le_utf8_decode(text, text_length, &again, &same, &same_length));
    HOLDS(same == text && same_length == text_length);
    size_t valid = le_utf8_valid_prefix((const char *)bytes, length);
    HOLDS(text_length >= valid && (valid == 0 || memcmp(text, bytes, valid) == 0));
    HOLDS(text_length <= 3 * length);

    char *string = malloc(length + 1);
    HOLDS(string != NULL);
    if (length > 0)
        memcpy(string, bytes, length);
    string[length] = '\0';
    le_utf8_make_valid(string);
    HOLDS(le_utf8_valid_prefix(string, strlen(string)) == strlen(string));
    free(string);
    le_buffer_free(&scratch);
    le_buffer_free(&again);
    return 0;
}
