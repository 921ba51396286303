#include "in_flight.h"

#include <stdlib.h>

bool le_in_flight_init(struct le_in_flight *ring, struct le_pool *pool, int threads,
                       size_t a_thread, size_t job_size)
{
    size_t count = threads == 1 ? 1 : (size_t)threads * a_thread + 1;
    *ring = (struct le_in_flight){.pool = pool, .job_size = job_size};
    ring->jobs = calloc(count, job_size);
    if (ring->jobs == NULL)
        return false;
    ring->count = count;
    return true;
}

void le_in_flight_free(struct le_in_flight *ring)
{
    free(ring->jobs);
    *ring = (struct le_in_flight){0};
}

void *le_in_flight_at(const struct le_in_flight *ring, size_t place)
{
    return ring->jobs + place * ring->job_size;
}

void *le_in_flight_filling(const struct le_in_flight *ring)
{
    return le_in_flight_at(ring, (ring->first + ring->running) % ring->count);
}

void le_in_flight_send(struct le_in_flight *ring, void (*run)(struct le_job *job, int worker))
{
    struct le_job *job = le_in_flight_filling(ring);
    job->run = run;
    ring->running++;
    if (ring->pool == NULL)
        run(job, 0);
    else
        le_pool_submit(ring->pool, job);
}

bool le_in_flight_is_full(const struct le_in_flight *ring)
{
    return ring->running == ring->count;
}

void *le_in_flight_take_back(struct le_in_flight *ring, bool wait)
{
    if (ring->running == 0)
        return NULL;
    struct le_job *job = le_in_flight_at(ring, ring->first);
    if (ring->pool != NULL) {
        if (wait)
            le_pool_wait(ring->pool, job);
        else if (!le_pool_is_done(ring->pool, job))
            return NULL;
    }
    ring->first = (ring->first + 1) % ring->count;
    ring->running--;
    return job;
}
