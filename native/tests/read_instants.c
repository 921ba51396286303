/* For tests/native/test_instants.py: says the number and the instant of each record of a log, which
 * stands on standard input. Arguments: the first year (0: none is given), then patterns of headers; one
 * with "+" before it has its message on the next line. The forms docker, cri and json (its message is
 * "msg", its timestamp "time") are opened. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "joining.h"

enum { MAX_HEADERS = 8 };

static struct le_instants instants;

/* In the place of detector.c: the end of the way of a record. */
enum logexport_status le_detector_take_event(struct le_detector *detector, int64_t line,
                                             const struct le_event *event,
                                             struct logexport_error *error)
{
    int64_t instant;
    (void)detector;
    (void)error;
    printf("%lld ", (long long)line);
    if (le_instants_place(&instants, &event->time, &instant))
        printf("%lld\n", (long long)instant);
    else
        puts("null");
    return LOGEXPORT_OK;
}

/* In the place of matching.c: no record has a template. */
bool le_matcher_knows_marks(const struct le_matcher *matcher)
{
    (void)matcher;
    return false;
}

bool le_matcher_find(const struct le_matcher *matcher, const struct le_tokens *tokens,
                     struct le_buffer *hashes, int32_t *index)
{
    (void)matcher;
    (void)tokens;
    (void)hashes;
    *index = LE_UNSEEN;
    return true;
}

static void need(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "read_instants: %s\n", what);
    exit(2);
}

static struct le_json_span span(const char *text)
{
    return (struct le_json_span){text, strlen(text)};
}

static void add_form(struct le_preprocess *rules, enum le_form_kind kind, const char *message,
                     const char *time)
{
    struct le_form_names names = {.field_count = rules->field_count};
    if (message != NULL)
        names.message = span(message);
    names.fields[rules->field_count - 1] = span(time);
    need(le_structure_add(&rules->structure, kind, &names), "a form");
}

static void add_header(struct le_preprocess *rules, const char *pattern)
{
    struct le_header *header = &rules->headers[rules->header_count++];
    header->next_line = *pattern == '+';
    pattern += header->next_line;
    need(le_pattern_compile(&header->pattern, pattern, strlen(pattern), true, true, "here", "one",
                            NULL) == LOGEXPORT_OK,
         "a pattern");
    need(le_header_find_groups(header, false), "the groups of a pattern");
    le_header_want(header, rules->fields, rules->field_count);
    if (header->pattern.groups > rules->max_groups)
        rules->max_groups = header->pattern.groups;
}

int main(int count, char **arguments)
{
    struct le_header headers[MAX_HEADERS] = {{.next_line = false}};
    struct le_preprocess rules = {.headers = headers,
                                  .max_line_bytes = 1 << 20,
                                  .encoding = LE_UTF_8,
                                  .continuation = true,
                                  .fields = {NULL, "timestamp"},
                                  .field_count = 2,
                                  .times = true,
                                  .max_groups = LE_TIME_GROUPS};
    struct le_event_reader reader = {.rules = &rules};
    struct le_scratch scratch;
    struct le_joiner joiner;
    char *line = NULL;
    size_t room = 0;
    ssize_t length;
    need(count >= 2 && count - 2 <= MAX_HEADERS, "the arguments");
    instants.year = atoi(arguments[1]);
    need(le_time_forms_compile(&rules.time_forms, true, NULL) == LOGEXPORT_OK, "the forms");
    add_form(&rules, LE_FORM_DOCKER, NULL, "time");
    add_form(&rules, LE_FORM_CRI, NULL, "time");
    add_form(&rules, LE_FORM_JSON, "msg", "time");
    for (int i = 2; i < count; i++)
        add_header(&rules, arguments[i]);
    need(le_scratch_init(&scratch, &rules) && le_joiner_init(&joiner, &reader, NULL), "memory");
    for (int64_t number = 1; (length = getline(&line, &room, stdin)) > 0; number++) {
        struct le_event event;
        size_t bytes = (size_t)length - (line[length - 1] == '\n');
        /* Not a byte more than the line, so that a sanitizer sees what is read beyond it. */
        char *copy = malloc(bytes > 0 ? bytes : 1);
        need(copy != NULL, "memory");
        memcpy(copy, line, bytes);
        need(le_event_read(&reader, &scratch, copy, bytes, &event, NULL) == LOGEXPORT_OK, "a line");
        if (event.kind != LE_BLANK)
            need(le_joiner_take(&joiner, number, &event, NULL) == LOGEXPORT_OK, "a record");
        free(copy);
    }
    need(le_joiner_finish(&joiner, NULL) == LOGEXPORT_OK, "the last record");
    free(line);
    le_joiner_free(&joiner);
    le_scratch_free(&scratch);
    le_structure_free(&rules.structure);
    le_time_forms_free(&rules.time_forms);
    for (int i = 0; i < rules.header_count; i++)
        le_pattern_free(&headers[i].pattern);
    return 0;
}
