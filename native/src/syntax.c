#include "syntax.h"

#include <stdint.h>
#include <string.h>

enum {
    MAX_CHARACTERS = 4096,
    MAX_NESTING = 50,
    MAX_CAPTURES = 50,
    MAX_NAME = 32,
    MAX_REPEAT = 1000,
    MAX_COMPILED = 32 * 1024
};

#define TOO_MUCH (MAX_REPEAT + 1)
#define UNBOUNDED INT64_MAX     /* of `high` */
#define MUCH ((int64_t)1 << 50) /* where sums and products stop growing */

static const char punctuation[] = " !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";
static const char name_letters[] =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";

/* What is known of a part: how many characters it matches, what it costs PCRE2, what it holds. */
struct facts {
    int64_t low, high, size;
    int captures;
    bool looks;
};

struct parser {
    const char *at, *end;
    const char *why; /* set by the first refusal, after which nothing is read */
    int captures;
    const char *names[MAX_CAPTURES];
    size_t name_lengths[MAX_CAPTURES];
    int name_count;
};

enum kind { CHARACTER, GROUP, ASSERTION };

enum { A_CLASS = -1 }; /* where a set has a class, not a character */

static struct facts read_alternatives(struct parser *parser, int depth);

static struct facts refuse_pattern(struct parser *parser, const char *why)
{
    if (parser->why == NULL)
        parser->why = why;
    parser->at = parser->end;
    return (struct facts){0};
}

static int64_t bounded_sum(int64_t a, int64_t b)
{
    if (a == UNBOUNDED || b == UNBOUNDED)
        return UNBOUNDED;
    return a + b > MUCH ? MUCH : a + b;
}

static int64_t bounded_product(int64_t a, int64_t b)
{
    if (a == UNBOUNDED || b == UNBOUNDED)
        return UNBOUNDED;
    return a != 0 && b > MUCH / a ? MUCH : a * b;
}

static bool begins_with(const struct parser *parser, const char *with)
{
    size_t length = strlen(with);
    return (size_t)(parser->end - parser->at) >= length && memcmp(parser->at, with, length) == 0;
}

static bool take_character(struct parser *parser, char c)
{
    if (parser->at == parser->end || *parser->at != c)
        return false;
    parser->at++;
    return true;
}

static bool next_is(const struct parser *parser, char c)
{
    return parser->at < parser->end && *parser->at == c;
}

/* The next character, as a code point. Only called where there is one. */
static int32_t next_point(struct parser *parser)
{
    const unsigned char *s = (const unsigned char *)parser->at;
    int length = s[0] < 0x80 ? 1 : s[0] < 0xE0 ? 2 : s[0] < 0xF0 ? 3 : 4;
    int32_t point = length == 1 ? s[0] : s[0] & (0xFF >> (length + 1));
    for (int i = 1; i < length; i++)
        point = point << 6 | (s[i] & 0x3F);
    parser->at += length;
    return point;
}

/* One literal character: what PCRE2 compiles it to grows with its UTF-8. */
static struct facts facts_of_literal(int32_t point)
{
    int bytes = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    return (struct facts){.low = 1, .high = 1, .size = 1 + bytes};
}

/* A hexadecimal digit's value; false if it is none. */
static bool read_digit(char c, int32_t *value)
{
    if (c >= '0' && c <= '9')
        *value = c - '0';
    else if (c >= 'a' && c <= 'f')
        *value = c - 'a' + 10;
    else if (c >= 'A' && c <= 'F')
        *value = c - 'A' + 10;
    else
        return false;
    return true;
}

static bool is_ascii_of(int32_t point, const char *set)
{
    return point > 0 && point < 0x80 && strchr(set, (int)point) != NULL;
}

/* The character that an escape stands for; `point` follows the backslash. */
static int32_t literal_escape(struct parser *parser, int32_t point)
{
    int32_t high, low;
    if (is_ascii_of(point, punctuation))
        return point;
    switch (point) {
    case 't':
        return '\t';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 'f':
        return '\f';
    case 'a':
        return '\a';
    case 'x':
        if (parser->end - parser->at >= 2 && read_digit(parser->at[0], &high) &&
            read_digit(parser->at[1], &low)) {
            parser->at += 2;
            return high * 16 + low;
        }
        refuse_pattern(parser, "\\x is not followed by two hexadecimal digits");
        return 0;
    default:
        refuse_pattern(
            parser, "it holds an escape that is not the same, or not known, in Python and PCRE2");
        return 0;
    }
}

static struct facts read_escape(struct parser *parser, enum kind *kind)
{
    if (parser->at == parser->end)
        return refuse_pattern(parser, "a lone \\ stands at its end");
    int32_t point = next_point(parser);
    if (is_ascii_of(point, "bBA")) {
        *kind = ASSERTION;
        return (struct facts){.size = 1};
    }
    if (is_ascii_of(point, "dwSDWs"))
        return (struct facts){.low = 1, .high = 1, .size = 1};
    return facts_of_literal(literal_escape(parser, point));
}

/* --- sets --------------------------------------------------------------------------------------- */

/* One member that begins with `point`: its character, or A_CLASS for one such as \d. */
static int32_t read_member(struct parser *parser, int32_t point, bool first)
{
    if (point == '\\') {
        if (parser->at == parser->end) {
            refuse_pattern(parser, "a lone \\ stands at its end");
            return 0;
        }
        int32_t escaped = next_point(parser);
        if (is_ascii_of(escaped, "dwSsDW"))
            return A_CLASS;
        if (is_ascii_of(escaped, "bBA")) {
            refuse_pattern(parser, "\\b, \\B or \\A stands in a set");
            return 0;
        }
        return literal_escape(parser, escaped);
    }
    if (point == '[')
        refuse_pattern(parser, "a [ in a set must be written \\[");
    else if (is_ascii_of(point, "-&|~") && next_is(parser, (char)point))
        refuse_pattern(parser, "a doubled -, &, | or ~ in a set is kept for set operations");
    else if (point == '-' && !first && !next_is(parser, ']'))
        refuse_pattern(parser, "a - in a set stands for itself only as first or last, or as \\-");
    return point;
}

/* Whether a - follows that is not the set's last character. */
static bool range_follows(const struct parser *parser)
{
    return next_is(parser, '-') && !(parser->end - parser->at >= 2 && parser->at[1] == ']');
}

static struct facts read_set(struct parser *parser)
{
    static const char unclosed[] = "a [ is never closed";
    static const char hyphen[] = "a - in a set stands for itself only as first or last, or as \\-";
    int64_t wide = 0;
    const char *start = ++parser->at;
    take_character(parser, '^');
    for (bool first = true;; first = false) {
        if (parser->at == parser->end)
            return refuse_pattern(parser, unclosed);
        int32_t point = next_point(parser);
        if (point == ']' && !first)
            break;
        int32_t low = read_member(parser, point, first), high = low;
        if (range_follows(parser)) {
            parser->at++;
            if (parser->at == parser->end)
                return refuse_pattern(parser, unclosed);
            int32_t upper = next_point(parser);
            high = read_member(parser, upper, false);
            if (low == A_CLASS || high == A_CLASS || upper == '-' || range_follows(parser))
                return refuse_pattern(parser, hyphen);
            if (high < low)
                return refuse_pattern(parser, "a range in a set is backwards");
        }
        if (parser->why != NULL)
            return (struct facts){0};
        wide += high > 127;
    }
    /* [.a.] and the like would be POSIX collating elements, of which PCRE2 wants to know nothing. */
    if (parser->at - 2 > start && strchr(".:=", *start) != NULL && *start != '\0' &&
        parser->at[-2] == *start)
        return refuse_pattern(parser, "a set that begins with ., : or = ends with it");
    return (struct facts){.low = 1, .high = 1, .size = 40 + 10 * wide};
}

/* --- groups ------------------------------------------------------------------------------------- */

/* Reads `(?P<name>`; the name is one of its own. */
static void read_name(struct parser *parser)
{
    parser->at += 4;
    const char *name = parser->at;
    size_t length = 0;
    while (length < MAX_NAME && name + length < parser->end && name[length] != '\0' &&
           strchr(name_letters, name[length]) != NULL)
        length++;
    if (length == 0 || (name[0] >= '0' && name[0] <= '9') || name + length == parser->end ||
        name[length] != '>') {
        refuse_pattern(parser, "a group's name is not [A-Za-z_][A-Za-z0-9_]* of at most 32");
        return;
    }
    for (int i = 0; i < parser->name_count; i++)
        if (parser->name_lengths[i] == length && memcmp(parser->names[i], name, length) == 0) {
            refuse_pattern(parser, "two of its groups have one name");
            return;
        }
    if (parser->name_count == MAX_CAPTURES) {
        refuse_pattern(parser, "it has more than 50 capturing groups");
        return;
    }
    parser->names[parser->name_count] = name;
    parser->name_lengths[parser->name_count++] = length;
    parser->at += length + 1;
}

static struct facts read_group(struct parser *parser, int depth, enum kind *kind)
{
    static const char *const openings[] = {"(?:", "(?=", "(?!", "(?<=", "(?<!"};
    const char *look = NULL;
    int captures = 1;
    if (begins_with(parser, "(*"))
        return refuse_pattern(parser, "(* begins a verb of PCRE2");
    if (!begins_with(parser, "(?")) {
        parser->at++;
    } else if (begins_with(parser, "(?P<")) {
        read_name(parser);
    } else {
        size_t i = 0;
        while (i < 5 && !begins_with(parser, openings[i]))
            i++;
        if (i == 5)
            return refuse_pattern(parser,
                                  "it holds an inline flag, a conditional, an atomic group, a "
                                  "comment or a construct that only one of Python and PCRE2 knows");
        look = i == 0 ? NULL : openings[i];
        parser->at += strlen(openings[i]);
        captures = 0;
    }
    parser->captures += captures;
    if (parser->captures > MAX_CAPTURES)
        return refuse_pattern(parser, "it has more than 50 capturing groups");
    struct facts inner = read_alternatives(parser, depth + 1);
    if (parser->why != NULL)
        return inner;
    if (!take_character(parser, ')'))
        return refuse_pattern(parser, "a ( is never closed");
    if (look == NULL) {
        *kind = GROUP;
        inner.size = bounded_sum(inner.size, 2);
        inner.captures += captures;
        return inner;
    }
    *kind = ASSERTION;
    if (inner.captures > 0)
        return refuse_pattern(parser, "a capturing group stands in a look-around; use (?:...)");
    if (look[2] == '<' && inner.low != inner.high)
        return refuse_pattern(parser, "a look-behind has no fixed width");
    if (look[2] == '<' && inner.looks)
        return refuse_pattern(parser, "a look-around stands in a look-behind");
    return (struct facts){.size = bounded_sum(inner.size, 4), .looks = true};
}

/* --- quantifiers and sequences -------------------------------------------------------------------- */

/* Reads the digits at *at; false if there are none. More than five are TOO_MUCH, whatever they say. */
static bool read_count(const struct parser *parser, const char **at, int64_t *count)
{
    int digits = 0;
    *count = 0;
    for (; *at < parser->end && **at >= '0' && **at <= '9'; ++*at, digits++)
        *count = digits < 5 ? *count * 10 + (**at - '0') : TOO_MUCH;
    return digits > 0;
}

/* The length of {n}, {n,} or {n,m} at the parser's place, and what it says; 0 if there is none. */
static size_t measure_braces(const struct parser *parser, int64_t *low, int64_t *high)
{
    const char *at = parser->at;
    if (at == parser->end || *at++ != '{' || !read_count(parser, &at, low))
        return 0;
    *high = *low;
    if (at < parser->end && *at == ',') {
        at++;
        if (!read_count(parser, &at, high))
            *high = UNBOUNDED;
    }
    return at < parser->end && *at == '}' ? (size_t)(at + 1 - parser->at) : 0;
}

/* Reads a quantifier; false if there is none. */
static bool read_quantifier(struct parser *parser, int64_t *low, int64_t *high)
{
    char c = parser->at < parser->end ? *parser->at : '\0';
    if (c == '*' || c == '+' || c == '?') {
        parser->at++;
        *low = c == '+';
        *high = c == '?' ? 1 : UNBOUNDED;
        return true;
    }
    if (!next_is(parser, '{'))
        return false;
    size_t length = measure_braces(parser, low, high);
    if (length == 0) {
        refuse_pattern(parser, "a { that begins no {n}, {n,} or {n,m} must be written \\{");
        return false;
    }
    if (*low > MAX_REPEAT || (*high != UNBOUNDED && *high > MAX_REPEAT)) {
        refuse_pattern(parser, "it repeats something more than 1,000 times");
        return false;
    }
    if (*high < *low || *high == 0) {
        refuse_pattern(parser, "a quantifier has no sensible upper bound");
        return false;
    }
    parser->at += length;
    return true;
}

static struct facts read_atom(struct parser *parser, int depth, enum kind *kind)
{
    *kind = CHARACTER;
    switch (*parser->at) {
    case '(':
        return read_group(parser, depth, kind);
    case '[':
        return read_set(parser);
    case '\\':
        parser->at++;
        return read_escape(parser, kind);
    case '^':
    case '$':
        parser->at++;
        *kind = ASSERTION;
        return (struct facts){.size = 1};
    case '.':
        parser->at++;
        return (struct facts){.low = 1, .high = 1, .size = 1};
    case '*':
    case '+':
    case '?':
        return refuse_pattern(parser, "a quantifier has nothing before it");
    case '{':
        return refuse_pattern(parser, "a { that follows nothing to repeat must be written \\{");
    default:
        return facts_of_literal(next_point(parser));
    }
}

static struct facts read_quantified(struct parser *parser, int depth)
{
    enum kind kind;
    int64_t low = 0, high = 0, next_low, next_high;
    struct facts item = read_atom(parser, depth, &kind);
    if (parser->why != NULL || parser->at == parser->end || !read_quantifier(parser, &low, &high))
        return item;
    if (kind == ASSERTION)
        return refuse_pattern(parser, "an assertion is repeated");
    if (item.low == 0)
        return refuse_pattern(parser, "a group that can match the empty text is repeated");
    if (item.captures > 0 && !(low == 0 && high == 1))
        return refuse_pattern(parser,
                              "a capturing group is repeated; put the repetition inside it or use "
                              "(?:...)");
    if (next_is(parser, '?')) {
        if (item.captures > 0)
            return refuse_pattern(parser, "a capturing group is optional and lazy");
        parser->at++;
    }
    if (next_is(parser, '*') || next_is(parser, '+') || next_is(parser, '?') ||
        measure_braces(parser, &next_low, &next_high) > 0)
        return refuse_pattern(parser, "a second quantifier or a possessive + follows a quantifier");
    int64_t most = high == UNBOUNDED ? low : high;
    int64_t copies = kind == CHARACTER || most < 1 ? 1 : most;
    item.size = bounded_sum(bounded_product(bounded_sum(item.size, 6), copies), 6);
    item.low = bounded_product(item.low, low);
    item.high = bounded_product(item.high, high);
    return item;
}

static struct facts read_sequence(struct parser *parser, int depth)
{
    struct facts total = {0};
    while (parser->at < parser->end && *parser->at != '|' && *parser->at != ')') {
        struct facts item = read_quantified(parser, depth);
        total.low = bounded_sum(total.low, item.low);
        total.high = bounded_sum(total.high, item.high);
        total.size = bounded_sum(total.size, item.size);
        total.captures += item.captures;
        total.looks = total.looks || item.looks;
    }
    return total;
}

static struct facts read_alternatives(struct parser *parser, int depth)
{
    if (depth > MAX_NESTING)
        return refuse_pattern(parser, "its groups are nested deeper than 50");
    struct facts all = read_sequence(parser, depth);
    all.size = bounded_sum(all.size, 6);
    while (take_character(parser, '|')) {
        struct facts one = read_sequence(parser, depth);
        all.low = one.low < all.low ? one.low : all.low;
        all.high = one.high > all.high ? one.high : all.high;
        all.size = bounded_sum(all.size, bounded_sum(one.size, 3));
        all.captures += one.captures;
        all.looks = all.looks || one.looks;
    }
    return all;
}

const char *le_syntax_refusal(const char *pattern, size_t length)
{
    size_t characters = 0;
    for (size_t i = 0; i < length; i++)
        characters += ((unsigned char)pattern[i] & 0xC0) != 0x80;
    if (characters > MAX_CHARACTERS)
        return "it is longer than 4,096 characters";
    struct parser parser = {.at = pattern, .end = pattern + length};
    struct facts facts = read_alternatives(&parser, 0);
    if (parser.why != NULL)
        return parser.why;
    if (parser.at < parser.end)
        return "it has a ) without a (";
    if (facts.size > MAX_COMPILED)
        return "its repeated groups make it too large for PCRE2";
    return NULL;
}
