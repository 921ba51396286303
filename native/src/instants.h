/* Instants: when a record says that it happened, in microseconds since 1970-01-01T00:00:00 UTC.
 *
 * The rules stand in core/logexport/logs/instants.py. Nothing here runs unless times are wanted. */
#ifndef LE_INSTANTS_H
#define LE_INSTANTS_H

#include "lines.h"
#include "patterns.h"

/* The groups of a header's pattern that say its time. */
enum {
    LE_YEAR,
    LE_MONTH,
    LE_DAY,
    LE_DAY_OF_YEAR,
    LE_HOUR,
    LE_MINUTE,
    LE_SECOND,
    LE_FRACTION,
    LE_HALF,
    LE_ZONE,
    LE_EPOCH,
    LE_TIME_GROUPS
};
extern const char *const le_time_groups[LE_TIME_GROUPS];

enum { LE_TIME_FORMS = 5 };

/* What a timestamp says by itself. */
struct le_written {
    bool known;    /* it says a time */
    int year;      /* 0: it has none */
    int month;     /* 0: the day is one of the year */
    int day;       /* 0: there is no date */
    int64_t clock; /* microseconds since midnight, at most a day and a second */
    int offset;    /* minutes ahead of UTC */
};

/* How timestamps are read that no groups of a header say; read only, shared by threads. */
struct le_time_forms {
    struct le_pattern patterns[LE_TIME_FORMS];
    uint32_t groups[LE_TIME_FORMS][LE_TIME_GROUPS];
};

/* What the times before the next one say: one a log. Zero is a good beginning, but for `year`. */
struct le_instants {
    int year;       /* of the first time without a year; 0: such times are null */
    bool any;       /* there was one */
    int64_t latest; /* of those without a year, as written */
    int64_t day;    /* of the last date, since 1970 */
};

/* The numbers of the groups of time that a pattern has; 0 for each that it lacks. False: it has none. */
bool le_time_find_groups(const struct le_pattern *pattern, uint32_t numbers[LE_TIME_GROUPS]);

/* What the groups of the last match in `subject` say. */
void le_time_read(const uint32_t numbers[LE_TIME_GROUPS], const struct le_match *match,
                  const char *subject, struct le_written *written);

enum logexport_status le_time_forms_compile(struct le_time_forms *forms, bool jit,
                                            struct logexport_error *error);
void le_time_forms_free(struct le_time_forms *forms);

/* What a timestamp says by the first form that fits it. LE_NOT_FOUND: none does. `match` has room for
 * LE_TIME_GROUPS groups. */
enum le_search le_time_forms_read(const struct le_time_forms *forms, struct le_match *match,
                                  struct le_text timestamp, struct le_written *written);

/* The instant of the next time of a log. False: it is null. */
bool le_instants_place(struct le_instants *instants, const struct le_written *written,
                       int64_t *instant);

#endif
