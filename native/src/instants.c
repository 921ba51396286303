#include "instants.h"

#include <string.h>

#define SECOND INT64_C(1000000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

enum { BEFORE_1970 = 719162, DAYS = 3652059 }; /* since the beginning of the year 1; of all years */
#define FIRST (-BEFORE_1970 * DAY)
#define LAST ((DAYS - BEFORE_1970) * DAY - 1)
#define LATE (31 * DAY)

const char *const le_time_groups[LE_TIME_GROUPS] = {"year", "month",  "day",    "day_of_year",
                                                    "hour", "minute", "second", "fraction",
                                                    "half", "zone",   "epoch"};

static const char *const months[] = {
    "jan january janv janvier januar ene enero gen gennaio januari janeiro",
    "feb february fevr fevrier fev februar febrero febbraio februari fevereiro",
    "mar march mars marz mrz marzo mrt maart marco",
    "apr april avr avril abr abril aprile",
    "may mai mayo mag maggio mei maio",
    "jun june juin juni junio giu giugno junho",
    "jul july juil juillet juli julio lug luglio julho",
    "aug august aout ago agosto augustus",
    "sep sept september septembre septiembre set settembre setembro",
    "oct october octobre okt oktober octubre ott ottobre out outubro",
    "nov november novembre noviembre novembro",
    "dec december decembre dez dezember dic diciembre dicembre dezembro"};

static const char *const halves[] = {"am a 오전 上午 午前 πμ", "pm p 오후 下午 午後 μμ"};

static const char *const forms_of_times[LE_TIME_FORMS] = {
    "(?P<year>\\d{4})-(?P<month>\\d\\d)-(?P<day>\\d\\d)[T ](?P<hour>\\d\\d):(?P<minute>\\d\\d):"
    "(?P<second>\\d\\d)(?:[.,](?P<fraction>\\d{1,9}))?(?: ?(?P<zone>Z|[+-]\\d\\d:?\\d\\d))?$",
    "(?P<month>[A-Z][a-z]{2})\\s+(?P<day>\\d{1,2})\\s+"
    "(?P<hour>\\d\\d):(?P<minute>\\d\\d):(?P<second>\\d\\d)$",
    "[A-Z][a-z]{2} (?P<month>[A-Z][a-z]{2})\\s+(?P<day>\\d{1,2}) "
    "(?P<hour>\\d\\d):(?P<minute>\\d\\d):(?P<second>\\d\\d)(?:\\.(?P<fraction>\\d{1,6}))? "
    "(?P<year>\\d{4})$",
    "(?P<year>\\d\\d)(?P<month>\\d\\d)(?P<day>\\d\\d) "
    "(?P<hour>\\d\\d)(?P<minute>\\d\\d)(?P<second>\\d\\d)$",
    "(?P<epoch>\\d{10}(?:\\.\\d{1,9})?|\\d{13}|\\d{16}|\\d{19})$"};

/* --- texts ---------------------------------------------------------------------------------------- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static char small(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static struct le_text strip(struct le_text text)
{
    while (text.length > 0 && le_is_space(text.data[text.length - 1]))
        text.length--;
    while (text.length > 0 && le_is_space(*text.data)) {
        text.data++;
        text.length--;
    }
    return text;
}

static size_t count_digits(struct le_text text)
{
    size_t count = 0;
    while (count < text.length && is_digit(text.data[count]))
        count++;
    return count;
}

static struct le_text skip(struct le_text text, size_t bytes)
{
    return (struct le_text){text.data + bytes, text.length - bytes};
}

static bool begins_with(struct le_text text, const char *prefix)
{
    size_t length = strlen(prefix);
    return text.length >= length && memcmp(text.data, prefix, length) == 0;
}

/* A number of digits only, at most so many; false: this is not one, or not in the range. */
static bool read_number(struct le_text text, size_t digits, int low, int high, int *number)
{
    if (text.length == 0 || text.length > digits || count_digits(text) != text.length)
        return false;
    *number = 0;
    for (size_t i = 0; i < text.length; i++)
        *number = *number * 10 + (text.data[i] - '0');
    return *number >= low && *number <= high;
}

/* A text as the names below are written; its length, or 0 if it is none of them. */
enum { NAME_SIZE = 16 };

static size_t append(char name[NAME_SIZE], size_t length, const char *bytes, size_t count)
{
    if (length + count > NAME_SIZE)
        return NAME_SIZE + 1;
    memcpy(name + length, bytes, count);
    return length + count;
}

/* Without capital letters and the accents that names have. */
static size_t fold_month(struct le_text text, char name[NAME_SIZE])
{
    static const char *const accented[] = {"éÉ", "ûÛ", "äÄ", "çÇ"};
    static const char plain[] = "euac";
    size_t length = 0;
    for (size_t i = 0; i < text.length && length <= NAME_SIZE; i++) {
        char c = small(text.data[i]);
        for (size_t j = 0; i + 1 < text.length && j < sizeof plain - 1; j++)
            if (memcmp(text.data + i, accented[j], 2) == 0 ||
                memcmp(text.data + i, accented[j] + 2, 2) == 0) {
                c = plain[j];
                i++;
                break;
            }
        length = append(name, length, &c, 1);
    }
    if (length > NAME_SIZE)
        return 0;
    return length > 0 && name[length - 1] == '.' ? length - 1 : length;
}

/* Without capital letters, dots and spaces. */
static size_t fold_half(struct le_text text, char name[NAME_SIZE])
{
    static const char *const dropped[] = {".", " ", "\xc2\xa0", "\xe2\x80\xaf"};
    size_t length = 0;
    while (text.length > 0 && length <= NAME_SIZE) {
        size_t drop = 0;
        for (size_t i = 0; i < sizeof dropped / sizeof dropped[0] && drop == 0; i++)
            drop = begins_with(text, dropped[i]) ? strlen(dropped[i]) : 0;
        if (drop == 0) {
            char c = small(*text.data);
            length = append(name, length, &c, 1);
            drop = 1;
        }
        text = skip(text, drop);
    }
    return length > NAME_SIZE ? 0 : length;
}

/* The place of the list of words that has a name; -1: none has. */
static int find_name(const char *const *lists, int count, const char *name, size_t length)
{
    for (int i = 0; i < count && length > 0; i++)
        for (const char *word = lists[i]; *word != '\0';) {
            size_t size = strcspn(word, " ");
            if (size == length && memcmp(word, name, length) == 0)
                return i;
            word += size + (word[size] == ' ');
        }
    return -1;
}

/* --- the groups ----------------------------------------------------------------------------------- */

static bool read_year(struct le_text text, int *year)
{
    if ((text.length != 2 && text.length != 4) || !read_number(text, 4, 0, 9999, year))
        return false;
    if (text.length == 2)
        *year += *year >= 69 ? 1900 : 2000;
    return *year > 0;
}

static bool read_month(struct le_text text, int *month)
{
    static const char sign[] = "月";
    char name[NAME_SIZE];
    if (is_digit(*text.data)) {
        size_t digits = count_digits(text);
        if (digits + sizeof sign - 1 == text.length && begins_with(skip(text, digits), sign))
            text.length = digits;
        return read_number(text, 2, 1, 12, month);
    }
    size_t length = fold_month(text, name);
    *month = find_name(months, 12, name, length) + 1;
    return *month > 0;
}

static bool read_date(const struct le_text *texts, struct le_written *written)
{
    bool has_year = texts[LE_YEAR].length > 0, has_month = texts[LE_MONTH].length > 0,
         has_day = texts[LE_DAY].length > 0;
    if (has_year && !read_year(texts[LE_YEAR], &written->year))
        return false;
    if (texts[LE_DAY_OF_YEAR].length > 0)
        return !has_month && !has_day &&
               read_number(texts[LE_DAY_OF_YEAR], 3, 1, 366, &written->day);
    if (has_month && has_day)
        return read_month(texts[LE_MONTH], &written->month) &&
               read_number(texts[LE_DAY], 2, 1, 31, &written->day);
    return !has_year && !has_month && !has_day;
}

static bool read_fraction(struct le_text text, int64_t *micros)
{
    if (text.length == 0 || count_digits(text) != text.length)
        return false;
    *micros = 0;
    for (size_t i = 0; i < 6; i++)
        *micros = *micros * 10 + (i < text.length ? text.data[i] - '0' : 0);
    return true;
}

static bool read_half(struct le_text text, int *hour)
{
    char name[NAME_SIZE];
    size_t length = fold_half(text, name);
    int half = find_name(halves, 2, name, length);
    *hour = *hour % 12 + 12 * half;
    return half >= 0;
}

static bool read_clock(const struct le_text *texts, int64_t *clock)
{
    int hour = 0, minute = 0, second = 0;
    int64_t micros = 0;
    bool half = texts[LE_HALF].length > 0;
    for (int i = LE_HOUR; i < LE_FRACTION; i++)
        if (texts[i].length == 0 && texts[i + 1].length > 0)
            return false;
    if (texts[LE_HOUR].length == 0) {
        *clock = 0;
        return !half;
    }
    if (!read_number(texts[LE_HOUR], 2, 0, half ? 12 : 24, &hour) ||
        (texts[LE_MINUTE].length > 0 && !read_number(texts[LE_MINUTE], 2, 0, 59, &minute)) ||
        (texts[LE_SECOND].length > 0 && !read_number(texts[LE_SECOND], 2, 0, 60, &second)) ||
        (texts[LE_FRACTION].length > 0 && !read_fraction(texts[LE_FRACTION], &micros)) ||
        (half && !read_half(texts[LE_HALF], &hour)))
        return false;
    int64_t rest = minute * MINUTE + second * SECOND + micros;
    *clock = hour * HOUR + rest;
    return hour < 24 || rest == 0;
}

/* Minutes ahead of UTC; false: there is a sign and no offset after it. */
static bool read_zone(struct le_text text, int *offset)
{
    static const char minus_sign[] = "\xe2\x88\x92"; /* U+2212 */
    int hours, minutes = 0;
    *offset = 0;
    if (text.length > 3) {
        const char prefix[] = {small(text.data[0]), small(text.data[1]), small(text.data[2])};
        if (memcmp(prefix, "utc", 3) == 0 || memcmp(prefix, "gmt", 3) == 0)
            text = skip(text, 3);
    }
    bool minus = begins_with(text, "-") || begins_with(text, minus_sign);
    if (!minus && !begins_with(text, "+"))
        return true;
    text = skip(text, begins_with(text, minus_sign) ? sizeof minus_sign - 1 : 1);
    size_t digits = count_digits(text);
    if (digits == 0 || digits == 3 || digits > 4)
        return false;
    struct le_text first = {text.data, digits == 4 ? 2 : digits};
    struct le_text second = skip(text, first.length);
    text = skip(text, digits);
    second.length = 2;
    bool has_minutes = digits == 4;
    if (!has_minutes && begins_with(text, ":")) {
        second = skip(text, 1);
        if (count_digits(second) != 2)
            return false;
        second.length = 2;
        text = skip(text, 3);
        has_minutes = true;
    }
    if (text.length > 0 && *text.data != '[' && *text.data != '(' && !le_is_space(*text.data))
        return false;
    if (!read_number(first, 2, 0, 23, &hours) ||
        (has_minutes && !read_number(second, 2, 0, 59, &minutes)))
        return false;
    *offset = hours * 60 + minutes;
    if (minus)
        *offset = -*offset;
    return true;
}

/* --- the calendar --------------------------------------------------------------------------------- */

static bool is_leap(int year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* The days of a month, or of the year for 0. */
static int length_of(int year, int month)
{
    static const int lengths[] = {365, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return lengths[month] + (month == 0 || month == 2 ? is_leap(year) : 0);
}

/* The days from 1970 to the beginning of a year. */
static int64_t days_to(int year)
{
    int before = year - 1;
    return (int64_t)365 * before + before / 4 - before / 100 + before / 400 - BEFORE_1970;
}

/* The days since 1970; a day that the month does not have is counted into the next one. */
static int64_t count_days(int year, const struct le_written *written)
{
    int64_t days = days_to(year) + written->day - 1;
    for (int month = 1; month < written->month; month++)
        days += length_of(year, month);
    return days;
}

/* The year of a day from the years 1 to 9999. */
static int year_of(int64_t day)
{
    int year = (int)((day + BEFORE_1970) * 400 / 146097) + 1;
    while (days_to(year) > day)
        year--;
    while (days_to(year + 1) <= day)
        year++;
    return year;
}

/* --- what a timestamp says ------------------------------------------------------------------------ */

static bool read_epoch(struct le_text text, struct le_written *written)
{
    size_t digits = count_digits(text);
    struct le_text rest = skip(text, digits);
    int64_t instant = 0, micros = 0;
    if (rest.length > 0) {
        if ((*rest.data != '.' && *rest.data != ',') || !read_fraction(skip(rest, 1), &micros))
            return false;
    }
    if (digits == 0 ||
        (digits > 12 && (rest.length > 0 || (digits != 13 && digits != 16 && digits != 19))))
        return false;
    size_t wanted = digits <= 12 ? digits : 16;
    for (size_t i = 0; i < wanted; i++)
        instant = instant * 10 + (i < digits ? text.data[i] - '0' : 0);
    if (digits <= 12)
        instant = instant * SECOND + micros;
    if (instant > LAST)
        return false;
    int64_t day = instant / DAY;
    written->clock = instant % DAY;
    written->year = year_of(day);
    written->month = 1;
    written->day = (int)(day - days_to(written->year)) + 1;
    for (; written->day > length_of(written->year, written->month); written->month++)
        written->day -= length_of(written->year, written->month);
    return true;
}

static bool read_texts(const struct le_text *texts, struct le_written *written)
{
    if (texts[LE_EPOCH].length > 0)
        return read_epoch(texts[LE_EPOCH], written);
    return read_date(texts, written) && read_clock(texts, &written->clock) &&
           read_zone(texts[LE_ZONE], &written->offset) &&
           (written->day > 0 || texts[LE_HOUR].length > 0);
}

bool le_time_find_groups(const struct le_pattern *pattern, uint32_t numbers[LE_TIME_GROUPS])
{
    bool any = false;
    for (int i = 0; i < LE_TIME_GROUPS; i++) {
        numbers[i] = le_pattern_group(pattern, le_time_groups[i]);
        any = any || numbers[i] != 0;
    }
    return any;
}

void le_time_read(const uint32_t numbers[LE_TIME_GROUPS], const struct le_match *match,
                  const char *subject, struct le_written *written)
{
    struct le_text texts[LE_TIME_GROUPS];
    for (int i = 0; i < LE_TIME_GROUPS; i++) {
        struct le_text text = {NULL, 0};
        if (numbers[i] != 0)
            text.data = le_match_group(match, subject, numbers[i], &text.length);
        texts[i] = text.data == NULL ? (struct le_text){"", 0} : strip(text);
    }
    *written = (struct le_written){.known = false};
    written->known = read_texts(texts, written);
}

enum logexport_status le_time_forms_compile(struct le_time_forms *forms, bool jit,
                                            struct logexport_error *error)
{
    *forms = (struct le_time_forms){.groups = {{0}}};
    for (int i = 0; i < LE_TIME_FORMS; i++) {
        const char *text = forms_of_times[i];
        enum logexport_status status = le_pattern_compile(&forms->patterns[i], text, strlen(text),
                                                          true, jit, "the engine", "a time", error);
        if (status != LOGEXPORT_OK)
            return status;
        le_time_find_groups(&forms->patterns[i], forms->groups[i]);
    }
    return LOGEXPORT_OK;
}

void le_time_forms_free(struct le_time_forms *forms)
{
    for (int i = 0; i < LE_TIME_FORMS; i++)
        le_pattern_free(&forms->patterns[i]);
}

enum le_search le_time_forms_read(const struct le_time_forms *forms, struct le_match *match,
                                  struct le_text timestamp, struct le_written *written)
{
    *written = (struct le_written){.known = false};
    for (int i = 0; i < LE_TIME_FORMS; i++) {
        enum le_search found =
            le_pattern_find(&forms->patterns[i], match, timestamp.data, timestamp.length, 0, false);
        if (found == LE_FOUND)
            le_time_read(forms->groups[i], match, timestamp.data, written);
        if (found != LE_NOT_FOUND)
            return found;
    }
    return LE_NOT_FOUND;
}

/* --- what the lines before say -------------------------------------------------------------------- */

/* The year of a date that has none; 0 if it is not known. */
static int find_year(const struct le_instants *instants, const struct le_written *written)
{
    if (!instants->any)
        return instants->year;
    int64_t earliest = instants->latest - LATE;
    if (earliest < FIRST)
        earliest = FIRST;
    int year = year_of((earliest - FIRST) / DAY - BEFORE_1970);
    return year + (count_days(year, written) * DAY + written->clock < earliest);
}

static bool is_in_range(int64_t instant)
{
    return instant >= FIRST && instant <= LAST;
}

bool le_instants_place(struct le_instants *instants, const struct le_written *written,
                       int64_t *instant)
{
    if (!written->known)
        return false;
    if (written->day == 0) {
        *instant = instants->day * DAY + written->clock - written->offset * MINUTE;
        return is_in_range(*instant);
    }
    int year = written->year > 0 ? written->year : find_year(instants, written);
    if (year < 1 || year > 9999 || written->day > length_of(year, written->month))
        return false;
    int64_t day = count_days(year, written), local = day * DAY + written->clock;
    *instant = local - written->offset * MINUTE;
    if (!is_in_range(*instant))
        return false;
    instants->day = day;
    if (written->year == 0) {
        instants->latest = instants->any && instants->latest > local ? instants->latest : local;
        instants->any = true;
    }
    return true;
}
