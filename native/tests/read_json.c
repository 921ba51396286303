/* For tests/native/test_json.py: says in one line for each text what it means, or "malformed". A text
 * comes on standard input as its length, four bytes in the machine's order, and its bytes. */
#include <stdio.h>

#include "json_cursor.h"

static void print_string(char sign, struct le_json_span span)
{
    struct le_buffer meant = {0};
    if (!le_json_unescape(span, &meant, NULL))
        exit(2);
    putchar(sign);
    for (size_t i = 0; i < meant.length; i++)
        printf("%02x", (unsigned)(unsigned char)meant.data[i]);
    putchar(' ');
    le_buffer_free(&meant);
}

/* Recurses as deep as the cursor goes. False: malformed. */
static bool print_value(struct le_json_cursor *cursor)
{
    struct le_json_span span;
    int more;
    switch (le_json_take(cursor, &span)) {
    case LE_JSON_BAD:
        return false;
    case LE_JSON_STRING:
        print_string('s', span);
        return true;
    case LE_JSON_ARRAY:
        printf("[ ");
        while ((more = le_json_next_item(cursor)) == 1)
            if (!print_value(cursor))
                return false;
        printf("] ");
        return more == 0;
    case LE_JSON_OBJECT:
        printf("{ ");
        while ((more = le_json_next_key(cursor, &span)) == 1) {
            print_string('k', span);
            if (!print_value(cursor))
                return false;
        }
        printf("} ");
        return more == 0;
    default:
        printf("%.*s ", (int)span.length, span.text);
        return true;
    }
}

int main(void)
{
    uint32_t length;
    while (fread(&length, sizeof length, 1, stdin) == 1) {
        /* Not a byte more than the text, so that a sanitizer sees what is read beyond it. */
        char *text = malloc(length > 0 ? length : 1);
        if (text == NULL || fread(text, 1, length, stdin) != length)
            return 2;
        struct le_json_cursor walking, skipping;
        le_json_begin(&walking, text, length);
        le_json_begin(&skipping, text, length);
        bool walked = print_value(&walking) && le_json_at_end(&walking);
        bool skipped = le_json_skip(&skipping) && le_json_at_end(&skipping);
        puts(walked != skipped ? "torn" : walked ? "" : "malformed");
        free(text);
    }
    return 0;
}
