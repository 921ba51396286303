/* The smallest of test frames: CHECK counts what fails, main returns whether anything did. */
#ifndef TEST_H
#define TEST_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failures;

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                \
            failures++;                                                                            \
        }                                                                                          \
    } while (0)

/* Compares two strings and shows them where they differ. */
#define CHECK_TEXT(got, wanted)                                                                    \
    do {                                                                                           \
        const char *got_ = (got), *wanted_ = (wanted);                                             \
        if (strcmp(got_, wanted_) != 0) {                                                          \
            fprintf(stderr, "%s:%d: got \"%s\", not \"%s\"\n", __FILE__, __LINE__, got_, wanted_); \
            failures++;                                                                            \
        }                                                                                          \
    } while (0)

/* For what the test itself cannot do without. */
#define NEED(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: the test needs: %s\n", __FILE__, __LINE__, #condition);        \
            exit(2);                                                                               \
        }                                                                                          \
    } while (0)

/* Numbers that are the same in every run (xorshift). */
static unsigned long long random_state = 88172645463325252ULL;

static inline unsigned below(unsigned bound)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (unsigned)(random_state >> 33) % bound;
}

#endif
