/* A ring of jobs: those that are in flight, in the order in which they were sent, then the one that is
 * being filled. They are done by whatever thread, and taken back in that order.
 *
 * A job's struct begins with a struct le_job; what else it holds is the caller's. */
#ifndef LE_IN_FLIGHT_H
#define LE_IN_FLIGHT_H

#include <stddef.h>

#include "pool.h"

struct le_in_flight {
    struct le_pool *pool; /* NULL: a job is done by the calling thread when it is sent */
    char *jobs;
    size_t job_size, count, first, running;
};

/* Room for `a_thread` jobs of each thread and one to fill, or with one thread for that alone. All
 * bytes of the jobs are zero. False: out of memory. */
bool le_in_flight_init(struct le_in_flight *ring, struct le_pool *pool, int threads,
                       size_t a_thread, size_t job_size);

/* The pool must have been freed before, so that no job is being done. */
void le_in_flight_free(struct le_in_flight *ring);

/* The job at a place from 0 to count - 1, to set it up or to free what it holds. */
void *le_in_flight_at(const struct le_in_flight *ring, size_t place);

/* The job that is being filled. There is none while the ring is full. */
void *le_in_flight_filling(const struct le_in_flight *ring);

/* Sends the job that is being filled, to be done by `run`; the next one is filled from now on. */
void le_in_flight_send(struct le_in_flight *ring, void (*run)(struct le_job *job, int worker));

/* Whether one must be taken back before another can be filled. */
bool le_in_flight_is_full(const struct le_in_flight *ring);

/* Takes back the job that was sent first. NULL: there is none, or, unless it may `wait`, that one is
 * not done. */
void *le_in_flight_take_back(struct le_in_flight *ring, bool wait);

#endif
