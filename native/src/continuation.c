#include "continuation.h"

#include <string.h>

#include "lines.h"

/* A part of a text. */
struct part {
    const char *at;
    size_t length;
};

static inline bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static inline bool begins_with(struct part text, const char *with, size_t length)
{
    return text.length >= length && memcmp(text.at, with, length) == 0;
}

static inline bool ends_with(struct part text, const char *with, size_t length)
{
    return text.length >= length && memcmp(text.at + text.length - length, with, length) == 0;
}

static inline bool has(struct part text, const char *inside, size_t length)
{
    return memmem(text.at, text.length, inside, length) != NULL;
}

#define BEGINS(text, literal) begins_with(text, literal, sizeof(literal) - 1)
#define ENDS(text, literal) ends_with(text, literal, sizeof(literal) - 1)
#define HAS(text, literal) has(text, literal, sizeof(literal) - 1)
#define IS(text, literal) ((text).length == sizeof(literal) - 1 && BEGINS(text, literal))

static inline struct part cut(struct part text, size_t from, size_t to)
{
    return (struct part){text.at + from, to - from};
}

static inline struct part without(struct part text, size_t count)
{
    return cut(text, count, text.length);
}

static inline struct part without_space_at_end(struct part text)
{
    while (text.length > 0 && le_is_space(text.at[text.length - 1]))
        text.length--;
    return text;
}

static inline struct part without_digits_at_end(struct part text)
{
    while (text.length > 0 && is_digit(text.at[text.length - 1]))
        text.length--;
    return text;
}

static inline bool is_hex_or_x(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || c == 'x';
}

static struct part without_spaces(struct part text)
{
    while (text.length > 0 && *text.at == ' ')
        text = without(text, 1);
    return text;
}

static struct part without_digits(struct part text)
{
    while (text.length > 0 && is_digit(*text.at))
        text = without(text, 1);
    return text;
}

static struct part without_bars(struct part text)
{
    while (text.length > 0 &&
           (le_is_space(*text.at) || *text.at == '|' || *text.at == '+' || *text.at == '-'))
        text = without(text, 1);
    return text;
}

/* How many characters stand before the first that is white. */
static inline size_t first_white(struct part text)
{
    size_t i = 0;
    while (i < text.length && !le_is_space(text.at[i]))
        i++;
    return i;
}

/* ":" and digits at the end. */
static bool ends_with_place(struct part text)
{
    struct part rest = without_digits_at_end(text);
    return rest.length < text.length && ENDS(rest, ":");
}

/* --- what opens a state or is nothing ----------------------------------------------------------- */

enum { NOT_NOTHING = -1 }; /* what the functions here give instead of a state */

#define TRACEBACK "Traceback (most recent call last):"

static bool is_python_opener(struct part text)
{
    return IS(text, TRACEBACK) || IS(text, "Exception Group " TRACEBACK);
}

static bool is_between_exceptions(struct part text)
{
    return IS(text, "During handling of the above exception, another exception occurred:") ||
           IS(text, "The above exception was the direct cause of the following exception:");
}

static bool is_end_of(struct part text)
{
    return BEGINS(text, "--- End of ") && ENDS(text, "---") && HAS(text, "stack trace");
}

/* "... N more" and the like. */
static bool is_more(struct part text)
{
    if (!BEGINS(text, "... "))
        return false;
    struct part number = without(text, 4), rest = without_digits(number);
    return rest.length < number.length &&
           (IS(rest, " more") || IS(rest, " common frames omitted") ||
            IS(rest, " lines matching cause stack trace ...") ||
            BEGINS(rest, " frames truncated") || BEGINS(rest, " frames excluded"));
}

static bool is_loguru_place(struct part text)
{
    return BEGINS(text, "> File \"") && HAS(text, "\", line ");
}

/* "thread '… panicked at …:N:", perhaps with something before it. */
static bool is_rust_opener(struct part text)
{
    if (!ENDS(text, ":") || !ends_with_place(cut(text, 0, text.length - 1)))
        return false;
    const char *thread = memmem(text.at, text.length, "thread '", 8);
    return thread != NULL && HAS(without(text, (size_t)(thread - text.at)), " panicked at ");
}

static bool is_postgres_field(struct part text)
{
    return BEGINS(text, "DETAIL:  ") || BEGINS(text, "HINT:  ") || BEGINS(text, "CONTEXT:  ") ||
           BEGINS(text, "QUERY:  ") || BEGINS(text, "STATEMENT:  ") ||
           BEGINS(text, "LOCATION:  ") || BEGINS(text, "BACKTRACE:  ");
}

static bool is_php_frame(struct part text)
{
    size_t digits = 1;
    while (digits < text.length && is_digit(text.at[digits]))
        digits++;
    if (*text.at != '#' || digits == 1 || digits == text.length || text.at[digits] != ' ')
        return false;
    struct part rest = without(text, digits + 1);
    if (BEGINS(rest, "{main}") || BEGINS(rest, "[internal function]") || BEGINS(rest, "0x"))
        return true;
    const char *end = memmem(rest.at, rest.length, "):", 2);
    if (end == NULL)
        return false;
    struct part before = cut(rest, 0, (size_t)(end - rest.at));
    struct part inside = without_digits_at_end(before);
    /* not "#5 order(7): accepted" */
    return inside.length < before.length && ENDS(inside, "(") &&
           (memchr(inside.at, '/', inside.length) != NULL ||
            memchr(inside.at, '\\', inside.length) != NULL);
}

/* "PHP   1. main() /a.php:0" */
static bool is_xdebug_frame(struct part text)
{
    if (!BEGINS(text, "PHP  "))
        return false;
    struct part number = without_spaces(without(text, 5)), after = without_digits(number);
    return after.length < number.length && BEGINS(after, ". ");
}

/* The names of modules that Node has. */
static bool is_node_module(struct part name)
{
    static const char *const names[] = {
        "assert", "buffer",  "child_process", "cluster",  "crypto", "dgram",          "dns",
        "events", "fs",      "http",          "http2",    "https",  "module",         "net",
        "path",   "process", "querystring",   "readline", "repl",   "stream",         "timers",
        "tls",    "url",     "util",          "v8",       "vm",     "worker_threads", "zlib"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (name.length == strlen(names[i]) && begins_with(name, names[i], name.length))
            return true;
    return BEGINS(name, "internal/");
}

static bool is_script(struct part path)
{
    return ENDS(path, ".js") || ENDS(path, ".mjs") || ENDS(path, ".cjs") || ENDS(path, ".jsx") ||
           ENDS(path, ".ts") || ENDS(path, ".mts") || ENDS(path, ".cts") || ENDS(path, ".tsx");
}

static bool is_node_place(struct part text)
{
    if (!ends_with_place(text))
        return false;
    struct part path = without_digits_at_end(text);
    path.length--;
    if (first_white(text) != text.length)
        return false;
    if (!BEGINS(text, "node:"))
        return is_script(path);
    /* not "node:10" and "node:web-1:8080" */
    return path.length > 5 && is_node_module(without(path, 5));
}

/* The state after a line without indentation that is nothing. */
static int state_after_unindented(struct part text)
{
    switch (*text.at) {
    case 'E':
    case 'T':
        if (is_python_opener(text))
            return LE_TRACE_PYTHON;
        if (is_between_exceptions(text))
            return LE_TRACE_NONE;
        break;
    case 'D':
        if (is_between_exceptions(text))
            return LE_TRACE_NONE;
        /* fall through */
    case 'B':
    case 'C':
    case 'H':
    case 'L':
    case 'Q':
    case 'S':
        if (is_postgres_field(text))
            return LE_TRACE_POSTGRES;
        if (IS(text, "Stack trace:"))
            return LE_TRACE_PHP;
        if (IS(text, "Stack backtrace:"))
            return LE_TRACE_RUST;
        break;
    case '>':
        if (is_loguru_place(text))
            return LE_TRACE_PYTHON;
        break;
    case 'r':
        if (IS(text, "runtime stack:"))
            return LE_TRACE_GO;
        break;
    case 'P':
        if (IS(text, "PHP Stack trace:") || is_xdebug_frame(text))
            return LE_TRACE_PHP;
        break;
    case '#':
        if (is_php_frame(text))
            return LE_TRACE_PHP;
        break;
    case '[':
        if (IS(text, "[stacktrace]"))
            return LE_TRACE_PHP;
        if (BEGINS(text, "[signal SIG"))
            return LE_TRACE_NONE;
        break;
    case 'g':
        if (BEGINS(text, "goroutine ") && text.length > 10 && is_digit(text.at[10]) &&
            ENDS(text, "]:"))
            return LE_TRACE_GO;
        break;
    case 't':
        if (BEGINS(text, "thread '") && is_rust_opener(text))
            return LE_TRACE_RUST_NAME;
        break;
    case 's':
        if (IS(text, "stack backtrace:"))
            return LE_TRACE_RUST;
        break;
    case '-':
        if (is_end_of(text))
            return LE_TRACE_NONE;
        break;
    case 'N':
        if (BEGINS(text, "Node.js v") && text.length > 9 && is_digit(text.at[9]))
            return LE_TRACE_NONE;
        break;
    case 'n':
        if (BEGINS(text, "note: ") && HAS(text, "RUST_BACKTRACE"))
            return LE_TRACE_NONE;
        break;
    default:
        break;
    }
    return is_node_place(text) ? LE_TRACE_NODE_SOURCE : NOT_NOTHING;
}

/* --- names of exceptions ------------------------------------------------------------------------ */

static bool has_ending_of_exception(struct part name)
{
    return ENDS(name, "Exception") || ENDS(name, "ExceptionGroup") || ENDS(name, "Error") ||
           ENDS(name, "Throwable");
}

static bool is_exception(struct part name)
{
    if (has_ending_of_exception(name))
        return true;
    if (name.length == 0 || *name.at < 'a' || *name.at > 'z')
        return false;
    const char *dot = memrchr(name.at, '.', name.length);
    return dot != NULL && dot + 1 < name.at + name.length && dot[1] >= 'A' && dot[1] <= 'Z';
}

static inline bool is_of_name(char c)
{
    char small = (char)(c | 0x20);
    return (small >= 'a' && small <= 'z') || (c >= '0' && c <= ':') || c == '.' || c == '_' ||
           c == '$' || c == '\\';
}

/* The text after what may stand before a name. */
static struct part after_announcement(struct part text)
{
    if (text.length == 0)
        return text;
    switch (*text.at) {
    case 'C':
        return BEGINS(text, "Caused by: ") ? without(text, 11) : text;
    case 'S':
        return BEGINS(text, "Suppressed: ") ? without(text, 12) : text;
    case '-':
        return BEGINS(text, "---> ") ? without(text, 5) : text;
    case '[':
        return BEGINS(text, "[cause]: ") ? without(text, 9) : text;
    case 'U':
        if (BEGINS(text, "Unhandled exception. ") || BEGINS(text, "Unhandled Exception: "))
            return without(text, 21);
        return BEGINS(text, "Uncaught ") ? without(text, 9) : text;
    case 'W':
        return BEGINS(text, "Wrapped by: ") ? without(text, 12) : text;
    case 'N':
        return BEGINS(text, "Next ") ? without(text, 5) : text;
    default:
        return text;
    }
}

/* Whether text after a name is " (…)" or " […]", or one of them, a colon and more: .NET's
 * "(0x80004005): ", Node's "[ERR_X]: " and Rails' "(what is wrong):". */
static bool is_bracket_after_name(struct part text)
{
    if (BEGINS(text, " ("))
        return HAS(text, "):") || ENDS(text, ")");
    return BEGINS(text, " [") && (HAS(text, "]:") || ENDS(text, "]"));
}

/* Of a text without white space at its ends. */
static bool names_exception(struct part text)
{
    if (*text.at == '|' || *text.at == '+')
        text = without_bars(text);
    if (text.length == 0)
        return false;
    if (BEGINS(text, "panic: ") || BEGINS(text, "fatal error: "))
        return true;
    if (BEGINS(text, "thread '"))
        return HAS(text, " panicked at '");
    text = after_announcement(text);
    if (BEGINS(text, "(Inner Exception #")) {
        const char *end = memchr(text.at, ')', text.length);
        text = without_spaces(end == NULL ? text : without(text, (size_t)(end + 1 - text.at)));
    }
    if (BEGINS(text, "Exception in thread \"")) {
        text = without(text, 21);
        const char *end = memmem(text.at, text.length, "\" ", 2);
        if (end == NULL)
            return false;
        text = without(text, (size_t)(end + 2 - text.at));
    }
    size_t end = 0;
    while (end < text.length && is_of_name(text.at[end]))
        end++;
    bool colon = end > 0 && text.at[end - 1] == ':'; /* which is a character of names too */
    if (end < text.length && !colon && is_bracket_after_name(without(text, end)))
        return has_ending_of_exception(cut(text, 0, end));
    if (end < text.length && (!colon || !le_is_space(text.at[end])))
        return false;
    return is_exception(cut(text, 0, end - colon));
}

/* --- looks -------------------------------------------------------------------------------------- */

/* Where ":in " and a quote stand; NULL: nowhere. */
static const char *find_in(struct part text)
{
    const char *end = text.at + text.length;
    for (const char *at = text.at; (at = memmem(at, (size_t)(end - at), ":in ", 4)) != NULL; at++)
        if (at + 4 < end && (at[4] == '`' || at[4] == '\''))
            return at;
    return NULL;
}

/* Whether the text begins with a place of Ruby, PATH:N:in `…'; `white` is where its first white
 * character stands. */
static inline bool has_ruby_place(struct part text, size_t white)
{
    return white > 3 && white + 1 < text.length && memcmp(text.at + white - 3, ":in ", 4) == 0 &&
           (text.at[white + 1] == '`' || text.at[white + 1] == '\'') &&
           ends_with_place(cut(text, 0, white - 3));
}

static bool is_caret(struct part text)
{
    for (size_t i = 0; i < text.length; i++)
        if (text.at[i] != '^' && !le_is_space(text.at[i]))
            return false;
    return true;
}

/* "rax    0xca", as a crash of Go ends with; `white` is where the first white character stands. */
static bool is_register(struct part text, size_t white)
{
    if (white == 0 || white >= 8 || white >= text.length || text.at[white] != ' ')
        return false;
    struct part value = without_spaces(without(text, white));
    if (!BEGINS(value, "0x") || value.length == 2)
        return false;
    for (size_t i = 2; i < value.length; i++)
        if (!is_hex_or_x(value.at[i]) || value.at[i] == 'x')
            return false;
    return true;
}

/* Types may have white space, as in "main.(*Shop).place(0xc0, {0x1, 0x2})". */
static bool is_go_call(struct part text, size_t white)
{
    if (BEGINS(text, "created by ") || BEGINS(text, "exit status ") || is_register(text, white) ||
        (BEGINS(text, "...") && ENDS(text, " frames elided...")))
        return true;
    const char *bracket = ENDS(text, ")") ? memchr(text.at, '(', white) : NULL;
    if (bracket == NULL)
        return false;
    struct part name = cut(text, 0, (size_t)(bracket - text.at));
    return memchr(name.at, '.', name.length) != NULL || IS(name, "panic");
}

static void look_at_unindented(struct part text, struct le_look *look)
{
    int state = state_after_unindented(text);
    look->nothing = state != NOT_NOTHING;
    if (look->nothing) {
        look->opens = (uint8_t)state;
        return;
    }
    size_t white = first_white(text);
    if (has_ruby_place(text, white)) {
        look->nothing = ENDS(text, "'");
        look->names = !look->nothing && HAS(without(text, white), "': ");
        if (look->names)
            look->opens = LE_TRACE_RUBY;
        if (look->nothing || look->names)
            return;
    }
    look->names = names_exception(text);
    look->caret = *text.at == '^' && is_caret(text);
    look->closing = IS(text, "}") || IS(text, "\"}");
    look->call = is_go_call(text, white);
    look->brace = ENDS(text, "{");
}

/* Whether a text ends with a place: ":N", or ":", perhaps a space, a word, a space, N and perhaps a
 * dot. */
static bool ends_with_place_in_words(struct part text)
{
    if (ENDS(text, "."))
        text.length--;
    struct part rest = without_digits_at_end(text);
    if (rest.length == text.length)
        return false;
    if (ENDS(rest, " ")) {
        rest.length--;
        while (rest.length > 0 && rest.at[rest.length - 1] != ':' &&
               !le_is_space(rest.at[rest.length - 1]))
            rest.length--;
        if (ENDS(rest, " "))
            rest.length--;
    }
    return ENDS(rest, ":");
}

/* ":N)" or "(index N)" at the end, where a bracket is known to stand. */
static bool ends_with_place_in_brackets(struct part text)
{
    if (!ENDS(text, ")"))
        return false;
    struct part inside = cut(text, 0, text.length - 1), rest = inside;
    while (rest.length > 0 && is_hex_or_x(rest.at[rest.length - 1]))
        rest.length--;
    return rest.length < inside.length && (ENDS(rest, ":") || ENDS(rest, "(index "));
}

/* A name with a dot, no white space and no digit in front stands before the first bracket. */
static bool is_call(struct part text)
{
    const char *space = memchr(text.at, ' ', text.length);
    struct part name = without(text, (size_t)(space + 1 - text.at));
    if (BEGINS(name, "async "))
        name = without(name, 6);
    if (BEGINS(name, "new "))
        name = without(name, 4);
    const char *bracket = name.length == 0 ? NULL : memchr(name.at, '(', name.length);
    if (bracket == NULL)
        return false;
    name.length = (size_t)(bracket - name.at);
    if (first_white(name) < name.length)
        return false;
    return IS(name, "lambda_method") ||
           (name.length > 0 && !is_digit(*name.at) && memchr(name.at, '.', name.length) != NULL);
}

/* Of "at …"; the rules are those of _is_frame(). */
static bool is_frame(struct part text)
{
    bool bracket = false;
    for (size_t i = 0; i < text.length && !bracket; i++) {
        char c = text.at[i];
        bracket = c == '(' || c == '/' || c == '\\' || c == '<' || c == '[';
    }
    if (!bracket)
        return false;
    if (ENDS(text, "{"))
        text.length--;
    text = without_space_at_end(text);
    if (ENDS(text, "<anonymous>") || ENDS(text, "}") || ENDS(text, "<anonymous>)") ||
        ENDS(text, "native)"))
        return true;
    if (ENDS(text, ")") || ENDS(text, "]"))
        return ends_with_place_in_brackets(text) || is_call(text);
    return ends_with_place_in_words(text);
}

/* "….go:N", perhaps with white space and more after it. */
static bool is_go_place(struct part text)
{
    const char *place = memmem(text.at, text.length, ".go:", 4);
    if (place == NULL)
        return false;
    struct part number = without(text, (size_t)(place + 4 - text.at));
    struct part after = without_digits(number);
    return after.length < number.length && (after.length == 0 || le_is_space(*after.at));
}

/* The state after an indented line that is nothing. */
static int state_after_indented(struct part text, bool tab)
{
    struct part plain = without_bars(text);
    if (is_python_opener(plain) || (BEGINS(plain, "File \"") && HAS(plain, "\", line ")))
        return LE_TRACE_PYTHON;
    if (is_between_exceptions(plain))
        return LE_TRACE_NONE;
    if ((BEGINS(text, "at ") || BEGINS(text, "bei ") || BEGINS(text, "\xC3\xA0 ")) &&
        is_frame(text))
        return ENDS(text, "{") ? LE_TRACE_NODE_OBJECT : LE_TRACE_NONE;
    if (is_more(text) || BEGINS(text, "[CIRCULAR REFERENCE") || is_end_of(text) ||
        (tab && is_go_place(text)) || (BEGINS(text, "from ") && find_in(text) != NULL) ||
        (BEGINS(text, "thrown in ") && HAS(text, " on line ")))
        return LE_TRACE_NONE;
    return NOT_NOTHING;
}

static void look_at_indented(struct part text, struct le_look *look)
{
    int state = state_after_indented(text, look->tab);
    look->nothing = state != NOT_NOTHING;
    if (look->nothing) {
        look->opens = (uint8_t)state;
        return;
    }
    look->caret = *text.at == '^' && is_caret(text);
    if (look->caret)
        return;
    look->names = names_exception(text);
    look->bars = *text.at == '|' || *text.at == '+';
}

void le_look_at(const char *text, size_t length, struct le_look *look)
{
    struct part inside = without_space_at_end((struct part){text, length});
    *look = (struct le_look){.opens = LE_TRACE_NONE};
    if (!le_is_space(*text)) {
        look_at_unindented(inside, look);
        return;
    }
    look->indented = true;
    look->tab = *text == '\t';
    look->brace = ENDS(inside, "{");
    while (le_is_space(*inside.at)) /* ends before the end, since the text is not blank */
        inside = without(inside, 1);
    look_at_indented(inside, look);
}

/* --- states ------------------------------------------------------------------------------------- */

enum le_trace_state le_trace_opens(const char *text, size_t length)
{
    struct part message = without_space_at_end((struct part){text, length});
    if (!ENDS(message, ":"))
        return LE_TRACE_NONE;
    if (ENDS(message, TRACEBACK))
        return LE_TRACE_PYTHON;
    return is_rust_opener(message) ? LE_TRACE_RUST_NAME : LE_TRACE_NONE;
}

enum { NO_ANSWER = -1 };

/* The answer that the state gives to a line of any look, even to one that is nothing. */
static int answer_in_order(enum le_trace_state *state, const struct le_look *look)
{
    switch (*state) {
    case LE_TRACE_NODE_NAME:
        *state = look->brace ? LE_TRACE_NODE_OBJECT : LE_TRACE_NONE;
        return LE_NAMES;
    case LE_TRACE_RUST_NAME:
        *state = LE_TRACE_NONE;
        return LE_NAMES;
    case LE_TRACE_NODE_SOURCE:
        *state = LE_TRACE_NODE_CARET;
        return LE_NOTHING;
    case LE_TRACE_NODE_CARET:
        if (look->caret)
            *state = LE_TRACE_NODE_NAME;
        return look->caret || look->indented ? LE_NOTHING : NO_ANSWER;
    default:
        return NO_ANSWER;
    }
}

/* The answer that the state gives to a line that is not nothing by itself. */
static int answer_in_trace(enum le_trace_state *state, const struct le_look *look)
{
    bool nothing = false;
    switch (*state) {
    case LE_TRACE_PYTHON:
        if (look->indented && !(look->names && look->bars))
            return LE_NOTHING;
        *state = look->indented ? LE_TRACE_PYTHON_GROUP : (enum le_trace_state)look->opens;
        return LE_NAMES;
    case LE_TRACE_PYTHON_GROUP:
        if (!look->bars)
            break;
        return look->names ? LE_NAMES : LE_NOTHING;
    case LE_TRACE_NODE_OBJECT:
        if (look->closing)
            *state = LE_TRACE_NONE;
        else if (look->indented && look->names)
            return LE_NAMES;
        nothing = look->closing || look->indented;
        break;
    case LE_TRACE_GO:
        nothing = (look->indented && !look->names) || look->call;
        break;
    case LE_TRACE_RUST:
    case LE_TRACE_RUBY:
        nothing = look->indented && !look->names;
        break;
    case LE_TRACE_PHP:
        nothing = look->closing;
        break;
    case LE_TRACE_POSTGRES:
        nothing = look->tab;
        break;
    default:
        break;
    }
    return nothing ? LE_NOTHING : NO_ANSWER;
}

enum le_answer le_trace_take(enum le_trace_state *state, const struct le_look *look,
                             enum le_trace_state opens, bool joins_indented)
{
    if (look->stands_alone)
        return LE_EVENT;
    int answer = answer_in_order(state, look);
    if (answer == NO_ANSWER && look->nothing && look->indented && look->opens == LE_TRACE_NONE)
        return LE_NOTHING; /* a frame within a trace leaves its state as it is */
    if (answer == NO_ANSWER && !look->nothing)
        answer = answer_in_trace(state, look);
    if (answer != NO_ANSWER)
        return (enum le_answer)answer;
    *state = (enum le_trace_state)look->opens;
    if (look->nothing)
        return LE_NOTHING;
    if (look->names)
        return joins_indented ? LE_NAMES : LE_PERHAPS_NAMES;
    if (look->indented && joins_indented)
        return LE_NOTHING;
    *state = opens;
    return LE_EVENT;
}
