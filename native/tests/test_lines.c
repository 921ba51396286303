/* Lines: where one ends; decoding with replacement, by the cases of the WHATWG algorithm and at the fast
 * path's borders; white space and tokens; kept fields; continuation lines; PostgreSQL's fields;
 * structured records. */
#include "continuation.h"
#include "decoding.h"
#include "kept.h"
#include "lines.h"
#include "pids.h"
#include "structured.h"
#include "test.h"
#include "utf8.h"

#define R "\xEF\xBF\xBD"

static void decodes(const char *bytes, size_t length, const char *wanted)
{
    struct le_buffer scratch = {0}, ended = {0};
    const char *text;
    size_t text_length;
    NEED(le_utf8_decode(bytes, length, &scratch, &text, &text_length));
    NEED(le_buffer_append(&ended, text, text_length) && le_buffer_append(&ended, "", 1));
    CHECK_TEXT(ended.data, wanted);
    CHECK(text_length == strlen(wanted));
    le_buffer_free(&scratch);
    le_buffer_free(&ended);
}

#define DECODES(bytes, wanted) decodes(bytes, sizeof(bytes) - 1, wanted)

static void invalid_parts_become_one_replacement_each(void)
{
    DECODES("", "");
    DECODES("plain", "plain");
    DECODES("caf\xC3\xA9 \xE6\x97\xA5 \xF0\x9F\x98\x80",
            "caf\xC3\xA9 \xE6\x97\xA5 \xF0\x9F\x98\x80");
    DECODES("\x80", R);                   /* a continuation that continues nothing */
    DECODES("\xC0\xAF", R R);             /* overlong */
    DECODES("\xE0\x9F\xBF", R R R);       /* overlong, three bytes */
    DECODES("\xED\xA0\x80", R R R);       /* a surrogate */
    DECODES("\xF4\x90\x80\x80", R R R R); /* above U+10FFFF */
    DECODES("\xF5\x80\x80\x80", R R R R);
    DECODES("\xE2\x82", R); /* cut off: one subpart */
    DECODES("\xE2\x82x", R "x");
    DECODES("\xF0\x9F\x98", R);
    DECODES("\xF0\x9F\x98\x41\xC3", R "A" R);
    DECODES("\xF1\x80\xE1\x80\xC2\x62\x80", R R R "b" R);
    DECODES("\xFE\xFF", R R);
    DECODES("\xEF\xBB\xBF", "\xEF\xBB\xBF"); /* a byte order mark is a character */
    DECODES("\xEF\xBF\xBF\xF4\x8F\xBF\xBF", "\xEF\xBF\xBF\xF4\x8F\xBF\xBF");
}

static void the_word_at_a_time_path_ends_where_it_must(void)
{
    for (size_t length = 0; length < 40; length++)
        for (size_t at = 0; at < length; at++) {
            char bytes[40], wanted[44];
            memset(bytes, 'a', sizeof bytes);
            bytes[at] = '\xFF';
            snprintf(wanted, sizeof wanted, "%.*s%s%.*s", (int)at, bytes, R, (int)(length - at - 1),
                     bytes + at + 1);
            decodes(bytes, length, wanted);
            CHECK(le_utf8_valid_prefix(bytes, length) == at);
        }
}

static void a_string_is_made_valid_in_place(void)
{
    char text[] = "ok \xE2\x82 \xC3\xA9 \xFF";
    le_utf8_make_valid(text);
    CHECK_TEXT(text, "ok ?? \xC3\xA9 ?");
}

static void ends_at(const char *bytes, size_t length, size_t line_length, size_t next)
{
    size_t found;
    const char *after = le_line_end(bytes, bytes + length, &found);
    CHECK(found == line_length && after == bytes + next);
}

static void a_line_ends_before_its_feed_and_one_return(void)
{
    ends_at("a\nb", 3, 1, 2);
    ends_at("a\r\nb", 4, 1, 3);
    ends_at("a\r\r\n", 4, 2, 4);
    ends_at("\n\n", 2, 0, 1);
    ends_at("\r\n", 2, 0, 2);
    ends_at("a\rb", 3, 3, 3);
    ends_at("a\r", 2, 2, 2); /* without a feed the return stays */
    ends_at("\r", 1, 1, 1);
}

static void strips_to(const char *text, const char *wanted)
{
    struct le_buffer scratch = {0}, ended = {0};
    size_t length = strlen(text);
    NEED(le_strip_escapes(&text, &length, &scratch));
    NEED(le_buffer_append(&ended, text, length) && le_buffer_append(&ended, "", 1));
    CHECK_TEXT(ended.data, wanted);
    le_buffer_free(&scratch);
    le_buffer_free(&ended);
}

static void escape_sequences_are_dropped(void)
{
    strips_to("plain", "plain");
    strips_to("\033[1;31mred\033[0m", "red");
    strips_to("\033]0;title\007x\033]8;;u\033\\y", "xy");
    strips_to("\033(Bx\0337", "x");
    strips_to("\033", "\033");
    strips_to("a\033[12", "a\033[12");
    strips_to("a\033]0;\033[1mb", "a\033]0;b");
    strips_to("\033\033[1mx", "\033x");
    strips_to("\033[0m", "");
}

/* Appends what a file of these bytes is, pushed in pieces of at most `piece` bytes. */
static enum logexport_status decode_file(struct le_decoding *decoding, const char *bytes,
                                         size_t length, size_t piece, struct le_buffer *out)
{
    const char *text;
    size_t text_length;
    enum logexport_status status = LOGEXPORT_OK;
    for (size_t at = 0; at < length && status == LOGEXPORT_OK;) {
        size_t take = 1 + below((unsigned)piece);
        if (take > length - at)
            take = length - at;
        status = le_decoding_push(decoding, bytes + at, take, &text, &text_length, NULL);
        if (status == LOGEXPORT_OK)
            NEED(le_buffer_append(out, text, text_length));
        at += take;
    }
    if (status == LOGEXPORT_OK)
        status = le_decoding_end(decoding, &text, &text_length, NULL);
    if (status == LOGEXPORT_OK)
        NEED(le_buffer_append(out, text, text_length));
    return status;
}

static void a_file_is_decoded_however_it_is_cut(void)
{
    static const char *const marks[] = {"", "\xff\xfe", "\xfe\xff", "\xef\xbb\xbf", "\xef\xbb"};
    for (int round = 0; round < 3000; round++) {
        char file[700];
        const char *mark = marks[below(5)];
        size_t length = strlen(mark), more = below(600);
        memcpy(file, mark, length);
        for (size_t i = 0; i < more; i++)
            file[length++] = (char)(below(3) == 0   ? 0
                                    : below(4) == 0 ? 0xd8 + below(8)
                                                    : below(256));
        enum le_encoding encoding = LE_BYTES + (int)below(4);
        struct le_buffer whole = {0}, pieces = {0};
        struct le_decoding decoding;
        le_decoding_init(&decoding, encoding);
        enum logexport_status one = decode_file(&decoding, file, length, 700, &whole);
        le_decoding_free(&decoding);
        le_decoding_init(&decoding, encoding);
        enum logexport_status other = decode_file(&decoding, file, length, 1 + below(20), &pieces);
        le_decoding_free(&decoding);
        CHECK(one == other);
        if (one == LOGEXPORT_OK)
            CHECK(whole.length == pieces.length &&
                  (whole.length == 0 || memcmp(whole.data, pieces.data, whole.length) == 0));
        le_buffer_free(&whole);
        le_buffer_free(&pieces);
    }
}

static void tokens_are_divided_by_five_characters_only(void)
{
    static const char text[] = " a\tb\vc\fd\re\xC2\xA0-f\x1cg\x85  ";
    static const char *const wanted[] = {"a", "b", "c", "d", "e\xC2\xA0-f\x1cg\x85"};
    struct le_tokens tokens = {0};
    NEED(le_tokens_split(&tokens, text, sizeof text - 1));
    CHECK(tokens.count == 5);
    for (size_t i = 0; i < tokens.count && i < 5; i++)
        CHECK(tokens.items[i].length == strlen(wanted[i]) &&
              memcmp(tokens.items[i].data, wanted[i], tokens.items[i].length) == 0);
    NEED(le_tokens_split(&tokens, " \t ", 3));
    CHECK(tokens.count == 0);
    NEED(le_tokens_split(&tokens, "", 0));
    CHECK(tokens.count == 0);
    CHECK(le_is_blank(" \t\v\f\r", 5) && le_is_blank("", 0));
    CHECK(!le_is_blank("\0", 1) && !le_is_blank("\xC2\xA0", 2) && !le_is_blank("\n", 1));
    le_tokens_free(&tokens);
}

static void is_kept_as(enum le_kept_form form, const char *text, const char *wanted)
{
    struct le_text value = {text, text == NULL ? 0 : strlen(text)};
    struct le_buffer space = {0};
    struct le_tokens tokens = {0};
    char ended[100];
    NEED(le_kept_tokens(&form, 1, &value, &space, &tokens));
    NEED(tokens.count == 1 && tokens.items[0].length < sizeof ended);
    memcpy(ended, tokens.items[0].data, tokens.items[0].length);
    ended[tokens.items[0].length] = '\0';
    CHECK_TEXT(ended, wanted);
    le_buffer_free(&space);
    le_tokens_free(&tokens);
}

static void a_kept_field_is_one_token(void)
{
    static const char *const cases[][4] = {
        /* the value, and as a text, a severity and a class */
        {NULL, "-\n", "-\n", "-\n"},
        {"", "-\n", "-\n", "-\n"},
        {" \t\n ", "-\n", "-\n", "-\n"},
        {"-", "-", "-", "-"},
        {"INFO", "INFO", "INFO", "INFO"},
        {" \n a \t\nb\r \n", "a_b", "a_b", "a_b"},
        {"a\xC2\xA0 b", "a\xC2\xA0_b", "a\xC2\xA0_b", "a\xC2\xA0_b"},
        {"0", "0", "emerg", "0"},
        {" 11 ", "11", "err", "11"},
        {"12", "12", "warning", "12"},
        {"165", "165", "notice", "1xx"},
        {" 404\t", "404", "warning", "4xx"},
        {"999999999", "999999999", "debug", "999999999"},
        {"1000000000", "1000000000", "1000000000", "1000000000"},
        {"1\n", "1", "1", "1"},
        {"\n404", "404", "404", "404"},
        {"+1", "+1", "+1", "+1"},
        {"40x", "40x", "40x", "40x"},
        {"1 2", "1_2", "1_2", "1_2"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        is_kept_as(LE_KEPT_TEXT, cases[i][0], cases[i][1]);
        is_kept_as(LE_KEPT_SEVERITY, cases[i][0], cases[i][2]);
        is_kept_as(LE_KEPT_CLASS, cases[i][0], cases[i][3]);
    }
}

static void kept_tokens_stand_before_those_of_the_message(void)
{
    static const enum le_kept_form forms[] = {LE_KEPT_TEXT, LE_KEPT_CLASS, LE_KEPT_TEXT};
    char text[1000];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = i % 2 == 0 ? 'x' : ' ';
    const struct le_text values[] = {{"a b", 3}, {NULL, 0}, {text, sizeof text}};
    struct le_buffer space = {0};
    struct le_tokens tokens = {0};
    for (int round = 0; round < 2; round++) { /* the memory is used again */
        NEED(le_kept_tokens(forms, 3, values, &space, &tokens));
        NEED(le_tokens_append(&tokens, " m  n", 5));
        NEED(tokens.count == 5);
        CHECK(tokens.items[0].length == 3 && memcmp(tokens.items[0].data, "a_b", 3) == 0);
        CHECK(tokens.items[1].length == 2 && memcmp(tokens.items[1].data, "-\n", 2) == 0);
        CHECK(tokens.items[2].length == sizeof text - 1);
        CHECK(tokens.items[2].data[1] == '_' && tokens.items[2].data[sizeof text - 2] == 'x');
        CHECK(tokens.items[3].length == 1 && *tokens.items[3].data == 'm');
        CHECK(tokens.items[4].length == 1 && *tokens.items[4].data == 'n');
    }
    le_buffer_free(&space);
    le_tokens_free(&tokens);
}

static void many_tokens_are_held(void)
{
    char text[2000];
    struct le_tokens tokens = {0};
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = i % 2 == 0 ? 'x' : ' ';
    NEED(le_tokens_split(&tokens, text, sizeof text));
    CHECK(tokens.count == sizeof text / 2);
    le_tokens_free(&tokens);
}

/* A line and the answer to it. */
struct answered {
    const char *line;
    enum le_answer answer;
};

/* Takes lines that follow an event with this message. */
static void trace_answers(const char *message, bool joins_indented, const struct answered *lines,
                          size_t count)
{
    enum le_trace_state state = le_trace_opens(message, strlen(message));
    for (size_t i = 0; i < count; i++) {
        const char *line = lines[i].line;
        struct le_look look;
        le_look_at(line, strlen(line), &look);
        enum le_trace_state opens = le_trace_opens(line, strlen(line));
        if (le_trace_take(&state, &look, opens, joins_indented) != lines[i].answer) {
            fprintf(stderr, "not the answer to \"%s\"\n", line);
            failures++;
        }
    }
}

#define TRACE_ANSWERS(message, joins_indented, lines)                                              \
    trace_answers(message, joins_indented, lines, sizeof(lines) / sizeof *(lines))

static void lines_of_stack_traces_are_nothing(void)
{
    static const struct answered python[] = {
        {"  File \"/srv/shop.py\", line 12, in place", LE_NOTHING},
        {"    return order.total()", LE_NOTHING},
        {"KeyError: 'x'", LE_NAMES},
        {"KeyError: 'x'", LE_PERHAPS_NAMES},
        {"a line", LE_EVENT},
        {"During handling of the above exception, another exception occurred:", LE_NOTHING},
        {"  + Exception Group Traceback (most recent call last):", LE_NOTHING},
        {"  +-+---------------- 1 ----------------", LE_NOTHING},
        {"    | ValueError: bad", LE_NAMES}};
    static const struct answered go[] = {{"goroutine 1 [running]:", LE_NOTHING},
                                         {"main.(*Shop).place(0xc0, {0x1, 0x2})", LE_NOTHING},
                                         {"exit status 2", LE_NOTHING},
                                         {"\t/src/main.go:12 +0x1d", LE_NOTHING},
                                         {"done", LE_EVENT},
                                         {"exit status 2", LE_EVENT}};
    static const struct answered node[] = {{"/srv/app/index.js:12", LE_NOTHING},
                                           {"throw new Failure()", LE_NOTHING},
                                           {"   ^", LE_NOTHING},
                                           {"Failure", LE_NAMES},
                                           {"    at place (/srv/app/index.js:12:3) {", LE_NOTHING},
                                           {"  code: 'X'", LE_NOTHING},
                                           {"}", LE_NOTHING},
                                           {"}", LE_EVENT}};
    static const struct answered rust[] = {{"index out of bounds", LE_NAMES},
                                           {"stack backtrace:", LE_NOTHING},
                                           {"   0: main", LE_NOTHING},
                                           {"started", LE_EVENT},
                                           {"   0: main", LE_EVENT}};
    TRACE_ANSWERS("failed: Traceback (most recent call last):", false, python);
    TRACE_ANSWERS("", false, go);
    TRACE_ANSWERS("", false, node);
    TRACE_ANSWERS("thread 'main' panicked at src/main.rs:2:5:", false, rust);
}

static void indented_lines_are_of_a_record_with_a_head(void)
{
    static const struct answered java[] = {
        {"java.lang.IllegalStateException: no", LE_NAMES},
        {"java.lang.IllegalStateException: [7] no", LE_NAMES},
        {"java.lang.IllegalStateException: (no)", LE_NAMES},
        {"\tat com.shop.Order.place(Order.java:12)", LE_NOTHING},
        {"\t... 12 more", LE_NOTHING},
        {"  anything", LE_NOTHING},
        {"   \xC3\xA0 Shop.Order.Place() dans C:\\src\\Order.cs:ligne 12", LE_NOTHING},
        {"Exception in thread \"main\" a.b.Fault", LE_NAMES},
        {"#0 /srv/x.php(12): foo()", LE_NOTHING},
        {"\"}", LE_NOTHING},
        {"app.rb:12:in `place': bad (RuntimeError)", LE_NAMES},
        {"DETAIL:  Key exists.", LE_NOTHING},
        {"\tcontinued", LE_NOTHING},
        {"not an Error, but a line", LE_EVENT}};
    TRACE_ANSWERS("", true, java);
}

/* A text whose length is told, or NULL. */
static void same_text(const char *text, size_t length, const char *wanted)
{
    if (text == NULL || wanted == NULL
            ? text != wanted
            : length != strlen(wanted) || memcmp(text, wanted, length) != 0) {
        fprintf(stderr, "got \"%.*s\", not \"%s\"\n", (int)length, text == NULL ? "null" : text,
                wanted == NULL ? "null" : wanted);
        failures++;
    }
}

static struct le_json_span span_of(const char *text)
{
    return (struct le_json_span){text, text == NULL ? 0 : strlen(text)};
}

/* What is wanted of a text. */
struct wanted {
    const char *text, *message, *field, *by;
    bool piece;
    const char *stream;
};

#define WHOLE false, NULL /* no piece, and of no stream */
#define REFUSED NULL, NULL, NULL, WHOLE

/* Adds a form with four wanted fields: no key, that of the field, that of the sessions, and that of the
 * field again. */
static bool adds(struct le_structure *structure, enum le_form_kind kind, const char *message,
                 const char *field, const char *session_key)
{
    const struct le_form_names names = {
        .message = span_of(message),
        .session_key = span_of(session_key),
        .fields = {span_of(NULL), span_of(field), span_of(session_key), span_of(field)},
        .field_count = 4};
    return le_structure_add(structure, kind, &names);
}

/* Opens texts by one form, with one memory for all. */
static void opens_to(enum le_form_kind kind, const char *message, const char *field,
                     const char *session_key, const struct wanted *wanted, size_t count)
{
    struct le_structure structure = {0};
    struct le_opened opened = {0};
    NEED(adds(&structure, kind, message, field, session_key));
    for (size_t i = 0; i < count; i++, wanted++) {
        int found = le_structure_open(&structure, wanted->text, strlen(wanted->text), &opened);
        bool pieces = kind == LE_FORM_DOCKER || kind == LE_FORM_CRI;
        if (found != (wanted->message != NULL)) {
            fprintf(stderr, "opened or not: %s\n", wanted->text);
            failures++;
        }
        if (found != 1)
            continue;
        same_text(opened.message, opened.message_length, wanted->message);
        same_text(opened.fields[0].data, opened.fields[0].length, NULL);
        same_text(opened.fields[1].data, opened.fields[1].length, wanted->field);
        same_text(opened.fields[2].data, opened.fields[2].length, wanted->by);
        same_text(opened.fields[3].data, opened.fields[3].length, wanted->field);
        same_text(opened.by, opened.by_length, wanted->by);
        same_text(opened.stream, opened.stream_length, wanted->stream);
        CHECK(opened.piece == wanted->piece && opened.source == (pieces ? (int)kind : -1));
    }
    le_opened_free(&opened);
    le_structure_free(&structure);
}

#define OPENS_TO(kind, message, field, session_key, wanted)                                        \
    opens_to(kind, message, field, session_key, wanted, sizeof(wanted) / sizeof *(wanted))

static void json_is_opened_to_its_message(void)
{
    static const struct wanted nested[] = {
        {" {\"a\":{\"m\":\"x\",\"n\":1.50},\"id\":true}\t", "x", "1.50", "true", WHOLE},
        {"{\"a.m\":\"first\",\"a\":{\"m\":\"x\"}}", "first", NULL, NULL, WHOLE},
        {"{\"a\":1,\"a\":{\"m\":\"x\"}}", REFUSED},
        {"{\"a\":{\"m\":null,\"m\":\"x\"}}", REFUSED},
        {"{\"a\":{\"m\":\"x\"},\"a\":{\"n\":\"y\"}}", "x", NULL, NULL, WHOLE},
        {"{\"\\u0061\":{\"m\":\"x\\r\\ny\"},\"id\":\"\\ud83d\"}", "x", NULL, R, WHOLE},
        {"{\"a\":{\"m\":[104,105,255],\"n\":[]},\"id\":null}", "hi" R, NULL, NULL, WHOLE},
        {"{\"a\":{\"m\":[27,91,109,104]}}", "h", NULL, NULL, WHOLE},
        {"{\"a\":{\"m\":\"\\u001b[1mh\\u001b[0m\"}}", "h", NULL, NULL, WHOLE},
        {"{\"a\":{\"m\":[104,256]}}", REFUSED},
        {"{\"a\":{\"m\":[]}}", REFUSED},
        {"{\"a\":{\"m\":\"x\"}} x", REFUSED},
        {"{\"a\":{\"m\":\"x\"},\"b\":01}", REFUSED},
        {"[{\"a\":{\"m\":\"x\"}}]", REFUSED},
        {"", REFUSED}};
    static const struct wanted docker[] = {
        {"{\"log\":\"a\\n\",\"stream\":\"stdout\",\"time\":\"t\"}", "a", "t", NULL, false,
         "stdout"},
        {"{\"log\":\"a\"}", "a", NULL, NULL, true, NULL},
        {"{\"log\":\"\"}", "", NULL, NULL, true, NULL},
        {"{\"log\":[97]}", REFUSED}};
    OPENS_TO(LE_FORM_JSON, "a.m", "a.n", "id", nested);
    OPENS_TO(LE_FORM_DOCKER, NULL, "time", NULL, docker);
}

static void json_is_64_deep_at_most(void)
{
    for (int depth = 60; depth < 70; depth++) {
        struct le_structure structure = {0};
        struct le_opened opened = {0};
        char text[200] = "{\"m\":\"x\",\"a\":", *at = text + strlen(text);
        for (int i = 1; i < depth; i++) {
            at[i - 1] = '[';
            at[depth + i - 2] = ']';
        }
        at[2 * (depth - 1)] = '}';
        NEED(adds(&structure, LE_FORM_JSON, "m", NULL, NULL));
        CHECK(le_structure_open(&structure, text, strlen(text), &opened) == (depth <= 64));
        le_opened_free(&opened);
        le_structure_free(&structure);
    }
}

static void cri_and_logfmt_are_opened(void)
{
    static const struct wanted cri[] = {
        {"2024-01-01T00:00:00.1Z stdout F a  b", "a  b", "2024-01-01T00:00:00.1Z", "stdout", false,
         "stdout"},
        {"2024-01-01T00:00:00+01:00 stderr P:x y", "y", "2024-01-01T00:00:00+01:00", "stderr", true,
         "stderr"},
        {"2024-01-01T00:00:00Z stdout F", "", "2024-01-01T00:00:00Z", "stdout", false, "stdout"},
        {"2024-01-01T00:00:00.1234567890Z stdout F a", REFUSED},
        {"2024-01-01T00:00:00Z stdout FP a", REFUSED},
        {"2024-01-01T00:00:00Z stdout", REFUSED}};
    static const struct wanted logfmt[] = {
        {" level=info msg=\"a \\\"b\\\" \\u00e9\\ud83d\\ude00\\x\\t\" id= ",
         "a \"b\" \xC3\xA9\xF0\x9F\x98\x80x\t", "info", "", WHOLE},
        {"msg=a\\n msg=b level=\"\\ud83d\\u12\"", "a\\n", R "u12", NULL, WHOLE},
        {"msg=\"a\\nb\"", "a", NULL, NULL, WHOLE},
        {"msg=\"a\\\\\"", "a\\", NULL, NULL, WHOLE},
        {"msg=\"a\\\"", REFUSED},
        {"msg=\"a\"b", REFUSED},
        {"msg=a b", REFUSED},
        {"level=info", REFUSED},
        {"=a msg=b", REFUSED}};
    OPENS_TO(LE_FORM_CRI, NULL, "time", "stream", cri);
    OPENS_TO(LE_FORM_LOGFMT, "msg", "level", "id", logfmt);
}

static void the_first_form_that_fits_wins(void)
{
    struct le_structure structure = {0};
    struct le_opened opened = {0};
    NEED(adds(&structure, LE_FORM_LOGFMT, "b", NULL, NULL));
    NEED(adds(&structure, LE_FORM_JSON, "a", NULL, NULL));
    NEED(adds(&structure, LE_FORM_JSON, "b", NULL, NULL));
    NEED(le_structure_open(&structure, "{\"b\":\"x\",\"a\":\"y\"}", 17, &opened) == 1);
    same_text(opened.message, opened.message_length, "y");
    NEED(le_structure_open(&structure, "{\"b\":\"x\",\"a\":1}", 15, &opened) == 1);
    same_text(opened.message, opened.message_length, "x");
    CHECK(le_structure_open(&structure, "{\"c\":\"x\"}", 9, &opened) == 0);
    le_opened_free(&opened);
    le_structure_free(&structure);
}

static struct le_text text_of(const char *text)
{
    return (struct le_text){text, text == NULL ? 0 : strlen(text)};
}

static void fields_belong_to_the_last_record_of_their_pid(void)
{
    struct le_pids *pids = calloc(1, sizeof *pids);
    NEED(pids != NULL);
    CHECK(!le_pids_take(pids, 1, text_of("7"), true));
    CHECK(!le_pids_take(pids, 2, text_of("7"), false));
    for (int64_t line = 3; line < 1002; line++) { /* as many as may stand between */
        char pid[8];
        snprintf(pid, sizeof pid, "%d", (int)line + 100);
        CHECK(!le_pids_take(pids, line, text_of(pid), false));
    }
    CHECK(le_pids_take(pids, 1002, text_of("7"), true));
    CHECK(!le_pids_take(pids, 1003, text_of("7"), true));
    CHECK(le_pids_take(pids, 1003, text_of("103"), true));
    CHECK(!le_pids_take(pids, 1003, text_of("10"), true));
    CHECK(!le_pids_take(pids, (INT64_C(1) << 40) + 2, text_of("7"), true));
    free(pids);
}

static void only_fields_have_their_levels_and_pids_are_short(void)
{
    char pid[66];
    memset(pid, 'x', sizeof pid - 1);
    pid[65] = '\0';
    CHECK(le_pid(text_of(pid)).data == NULL);
    pid[64] = '\0';
    CHECK(le_pid(text_of(pid)).length == 64);
    CHECK(le_pid(text_of("")).data == NULL);
    CHECK(le_pid(text_of(NULL)).data == NULL);
    CHECK(le_is_field_level(text_of("DETAIL")) && le_is_field_level(text_of("BACKTRACE")));
    CHECK(!le_is_field_level(text_of("DETAILS")) && !le_is_field_level(text_of("detail")));
    CHECK(!le_is_field_level(text_of("")) && !le_is_field_level(text_of(NULL)));
}

int main(void)
{
    a_line_ends_before_its_feed_and_one_return();
    invalid_parts_become_one_replacement_each();
    the_word_at_a_time_path_ends_where_it_must();
    a_string_is_made_valid_in_place();
    escape_sequences_are_dropped();
    a_file_is_decoded_however_it_is_cut();
    tokens_are_divided_by_five_characters_only();
    many_tokens_are_held();
    a_kept_field_is_one_token();
    kept_tokens_stand_before_those_of_the_message();
    lines_of_stack_traces_are_nothing();
    indented_lines_are_of_a_record_with_a_head();
    fields_belong_to_the_last_record_of_their_pid();
    only_fields_have_their_levels_and_pids_are_short();
    json_is_opened_to_its_message();
    json_is_64_deep_at_most();
    cri_and_logfmt_are_opened();
    the_first_form_that_fits_wins();
    return failures != 0;
}
