/* The commands. Each takes its arguments (argv[0] is the command's name) and returns the exit status. */
#ifndef COMMANDS_H
#define COMMANDS_H

int command_detect(int argc, char **argv);
int command_check(int argc, char **argv);
int command_info(int argc, char **argv);
int command_selftest(int argc, char **argv);

#endif
