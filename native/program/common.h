/* What the commands share: what they end with, how they complain, and numbers of options. */
#ifndef COMMON_H
#define COMMON_H

#include <stdbool.h>

enum {
    EXIT_DONE = 0,
    EXIT_DIFFERS = 1,
    EXIT_BAD = 2,
    EXIT_TERMINATED = 143 /* what a shell has for a program that SIGTERM killed */
};

/* Prints "logexport-engine: SENTENCE" on standard error and returns EXIT_BAD. */
__attribute__((format(printf, 1, 2))) int complain(const char *format, ...);

/* An option's whole number, within bounds; false, with a complaint, if it is none. */
bool read_integer(const char *option, const char *text, long long low, long long high,
                  long long *value);

#endif
