/* Instants: from timestamps, and from lines by rules with and without times. What Python has too is
 * compared with it by tests/native/test_instants.py. */
#include "instants.h"

#include "events.h"
#include "make_bundle.h"
#include "test.h"

#define NONE INT64_MIN
#define SECONDS(number) (INT64_C(number) * 1000000)

/* The instant of a timestamp by the fixed forms; NONE: it is null. */
static int64_t instant_of(struct le_instants *instants, const char *timestamp)
{
    struct le_time_forms forms;
    struct le_match match;
    struct le_written written;
    int64_t instant;
    NEED(le_time_forms_compile(&forms, true, NULL) == LOGEXPORT_OK);
    NEED(le_match_init(&match, LE_TIME_GROUPS));
    struct le_text text = {timestamp, strlen(timestamp)};
    enum le_search found = le_time_forms_read(&forms, &match, text, &written);
    CHECK(found == LE_FOUND || (found == LE_NOT_FOUND && !written.known));
    bool known = le_instants_place(instants, &written, &instant);
    le_match_free(&match);
    le_time_forms_free(&forms);
    return known ? instant : NONE;
}

static void timestamps_are_instants_in_microseconds(void)
{
    struct le_instants instants = {.year = 0};
    CHECK(instant_of(&instants, "1970-01-01T00:00:00Z") == 0);
    CHECK(instant_of(&instants, "1969-12-31 23:59:59.999999") == -1);
    CHECK(instant_of(&instants, "2000-02-29 00:00:00 +01:00") == SECONDS(951778800));
    CHECK(instant_of(&instants, "2016-12-31T23:59:60Z") == SECONDS(1483228800));
    CHECK(instant_of(&instants, "2016-12-31T24:00:00Z") == SECONDS(1483228800));
    CHECK(instant_of(&instants, "9999-12-31T23:59:59.999999Z") == SECONDS(253402300800) - 1);
    CHECK(instant_of(&instants, "9999-12-31T24:00:00Z") == NONE);
    CHECK(instant_of(&instants, "0001-01-01T00:00:00Z") == SECONDS(-62135596800));
    CHECK(instant_of(&instants, "0001-01-01T00:00:00+00:01") == NONE);
    CHECK(instant_of(&instants, "1900-02-29 00:00:00") == NONE);
    CHECK(instant_of(&instants, "1700000000123456789") == INT64_C(1700000000123456));
    CHECK(instant_of(&instants, "Jan  1 00:00:00") == NONE);
    CHECK(instant_of(&instants, "tomorrow") == NONE);
    CHECK(instant_of(&instants, "") == NONE);
}

static void the_year_turns_with_the_lines(void)
{
    struct le_instants instants = {.year = 1970};
    CHECK(instant_of(&instants, "Dec 31 00:00:00") == SECONDS(364 * 86400));
    CHECK(instant_of(&instants, "Jan  1 00:00:00") == SECONDS(365 * 86400));
    CHECK(instant_of(&instants, "Dec 31 00:00:00") == SECONDS(364 * 86400));
    CHECK(instant_of(&instants, "Feb 29 00:00:00") == NONE); /* of 1971 */
    CHECK(instant_of(&instants, "Mar  1 00:00:00") == SECONDS((365 + 59) * 86400));
    CHECK(instants.day == 365 + 59);
}

#define GROUPED "(?P<timestamp>(?P<hour>[0-9]+)h(?P<minute>[0-9]*)) (?P<message>.*)$"
#define UNGROUPED "(?P<hour>[0-9]+)h (?P<message>.*)$"
#define HEADERS(pattern)                                                                                              \
    "\"headers\": [{\"name\": \"h\", \"pattern\": \"" pattern                                                         \
    "\"}], \"masks\": [], \"tokens\": {\"split_after\": \"\", \"collapse\": false}, "                                 \
    "\"matching\": {\"prefer\": \"general\", \"inner\": false}, \"session\": {\"by\": \"none\", \"pattern\": null}, " \
    "\"max_line_bytes\": 100}"
#define RULES(pattern)                                                                             \
    "{\"schema_version\": 2, \"encoding\": \"utf-8\", \"structured\": [{\"form\": \"json\", "      \
    "\"message\": \"m\", \"timestamp\": \"t\"}], \"continuation\": true, \"keep\": [{\"field\": "  \
    "\"timestamp\", \"as\": \"text\"}], " HEADERS(pattern)
static const char rules[] = RULES(GROUPED);

/* Loads rules from a bundle. */
static enum logexport_status load_rules(struct le_preprocess *loaded, const char *text, bool times)
{
    char path[64];
    struct le_bundle bundle;
    struct le_metadata metadata;
    make_bundle(path, "events 6 wild", events_topk, text);
    NEED(le_bundle_open(&bundle, path, true, NULL) == LOGEXPORT_OK);
    NEED(le_metadata_load(&metadata, &bundle, "tiny", NULL) == LOGEXPORT_OK);
    enum logexport_status status =
        le_preprocess_load(loaded, &bundle, &metadata, NULL, true, times, NULL);
    le_metadata_free(&metadata);
    le_bundle_close(&bundle);
    remove_bundle(path);
    return status;
}

/* What a line says of its time. */
static struct le_written written_on(const struct le_preprocess *loaded, const char *line)
{
    static const struct le_vocab none = {.size = 0};
    struct le_event_reader reader = {loaded, le_matcher_new(&none, (struct le_matching){0})};
    struct le_scratch scratch;
    struct le_event event;
    NEED(reader.matcher != NULL && le_scratch_init(&scratch, loaded));
    CHECK(le_event_read(&reader, &scratch, line, strlen(line), &event, NULL) == LOGEXPORT_OK);
    struct le_written time = event.time;
    le_scratch_free(&scratch);
    le_matcher_free((struct le_matcher *)reader.matcher);
    return time;
}

static void lines_say_their_time_if_times_are_wanted(void)
{
    static const char *const versions[] = {rules, session_rules};
    static const char json[] = "{\"t\": \"2024-01-01 00:00:01\", \"m\": \"a\"}";
    for (int version = 0; version < 2; version++)
        for (int times = 0; times < 2; times++) {
            struct le_preprocess loaded;
            NEED(load_rules(&loaded, versions[version], times != 0) == LOGEXPORT_OK);
            bool reads = times != 0 && version == 0;
            CHECK(loaded.times == (times != 0));
            struct le_written head = written_on(&loaded, "13h5 a");
            CHECK(head.known == reads && head.day == 0);
            CHECK(head.clock == (reads ? SECONDS((13 * 60 + 5) * 60) : 0));
            struct le_written opened = written_on(&loaded, json);
            CHECK(opened.known == reads && opened.year == (reads ? 2024 : 0));
            CHECK(!written_on(&loaded, "25h5 a").known);
            CHECK(!written_on(&loaded, "a").known);
            le_preprocess_free(&loaded);
        }
}

static void groups_of_time_belong_to_version_2_and_to_a_timestamp(void)
{
    struct le_preprocess loaded;
    CHECK(load_rules(&loaded, "{\"schema_version\": 1, \"max_sessions\": 2, " HEADERS(GROUPED),
                     false) == LOGEXPORT_BUNDLE);
    CHECK(load_rules(&loaded, RULES(UNGROUPED), false) == LOGEXPORT_BUNDLE);
    CHECK(load_rules(&loaded, RULES(GROUPED), false) == LOGEXPORT_OK);
    le_preprocess_free(&loaded);
}

int main(void)
{
    timestamps_are_instants_in_microseconds();
    the_year_turns_with_the_lines();
    lines_say_their_time_if_times_are_wanted();
    groups_of_time_belong_to_version_2_and_to_a_timestamp();
    return failures != 0;
}
