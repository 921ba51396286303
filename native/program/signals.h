/* SIGTERM and SIGINT.
 *
 * The first of either stops the reading: what was read is finished. A second SIGTERM ends the program
 * at once, and so does a first one after two seconds, whatever is running by then; the exit status is
 * EXIT_TERMINATED, and what stands in the output ends with the last record that was complete. A second
 * SIGINT has its default action. */
#ifndef SIGNALS_H
#define SIGNALS_H

#include <stdbool.h>

#include "logexport/engine.h"
#include "output.h"

/* From now on the signals are watched, by a thread of its own: the others may be inside a pattern or
 * ONNX Runtime for as long as those like. False: errno says why they cannot be. */
bool signals_watch(const logexport_engine *engine, struct output *output);

/* The engine is about to be closed: nobody looks at what it is doing any more. */
void signals_forget_engine(void);

/* Ends that thread. The signals stay caught and mean nothing. */
void signals_unwatch(void);

/* Whether one of the signals came. */
bool signals_came(void);

/* A descriptor that can be read once one came, for poll(). */
int signals_descriptor(void);

#endif
