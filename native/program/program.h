/* What the commands share. */
#ifndef PROGRAM_H
#define PROGRAM_H

#include <stdbool.h>

#include "logexport/engine.h"

enum { EXIT_DONE = 0, EXIT_DIFFERS = 1, EXIT_BAD = 2 };

/* Each takes its arguments (argv[0] is the command's name) and returns the exit status. */
int command_detect(int argc, char **argv);
int command_check(int argc, char **argv);
int command_info(int argc, char **argv);
int command_selftest(int argc, char **argv);

/* Prints "logexport-engine: SENTENCE" on standard error and returns EXIT_BAD. */
__attribute__((format(printf, 1, 2))) int complain(const char *format, ...);

/* An option's whole number, within bounds; false, with a complaint, if it is none. */
bool read_integer(const char *option, const char *text, long long low, long long high,
                  long long *value);

#endif
