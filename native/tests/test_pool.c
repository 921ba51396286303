/* Jobs are each done once, by the workers and by the thread that waits; those of a ring come back in the
 * order in which they were sent. */
#include "in_flight.h"
#include "test.h"

enum { JOBS = 300 };

struct counted {
    struct le_job job;
    int done, worker, number;
};

static void count_job(struct le_job *job, int worker)
{
    struct counted *counted = (struct counted *)(void *)job;
    counted->done++;
    counted->worker = worker;
}

static void each_job_is_done_once(struct le_pool *pool, int threads)
{
    static struct counted jobs[JOBS];
    for (int i = 0; i < JOBS; i++) {
        jobs[i] = (struct counted){.job.run = count_job};
        le_pool_submit(pool, &jobs[i].job);
        if (i % 10 == 9)
            le_pool_wait(pool, &jobs[i - (int)below(10)].job);
    }
    for (int i = JOBS - 1; i >= 0; i--) {
        le_pool_wait(pool, &jobs[i].job);
        CHECK(le_pool_is_done(pool, &jobs[i].job));
        CHECK(jobs[i].done == 1 && jobs[i].worker >= 0 && jobs[i].worker < threads);
    }
    le_pool_submit(pool, &jobs[0].job); /* may be dropped, or done */
}

/* Takes one back, and checks that it is the one that was sent as number *next. */
static bool comes_back(struct le_in_flight *ring, bool wait, int threads, int *next)
{
    struct counted *counted = le_in_flight_take_back(ring, wait);
    if (counted == NULL)
        return false;
    CHECK(counted->done == 1 && counted->number == *next);
    CHECK(counted->worker >= 0 && counted->worker < threads);
    counted->done = 0;
    ++*next;
    return true;
}

static void a_ring_gives_back_in_order(struct le_pool *pool, int threads)
{
    struct le_in_flight ring;
    size_t most = threads == 1 ? 1 : (size_t)threads * 2 + 1;
    int sent = 0, back = 0;
    NEED(le_in_flight_init(&ring, pool, threads, 2, sizeof(struct counted)));
    CHECK(ring.count == most);
    CHECK(!comes_back(&ring, true, threads, &back)); /* nothing to wait for */
    while (sent < JOBS) {
        struct counted *counted = le_in_flight_filling(&ring);
        CHECK(counted->done == 0); /* taken back, or never sent */
        counted->number = sent++;
        le_in_flight_send(&ring, count_job);
        CHECK(ring.running == (size_t)(sent - back) && ring.running <= most);
        if (below(3) == 0)
            comes_back(&ring, false, threads, &back);
        if (le_in_flight_is_full(&ring))
            CHECK(comes_back(&ring, true, threads, &back));
    }
    while (comes_back(&ring, true, threads, &back))
        continue;
    CHECK(back == JOBS && ring.running == 0);
    le_in_flight_free(&ring);
    CHECK(ring.count == 0);
}

/* What is in flight when the pool goes is done or dropped: the ring is freed after it. */
static void a_ring_is_freed_with_jobs_in_flight(struct le_pool *pool, int threads)
{
    struct le_in_flight ring;
    NEED(le_in_flight_init(&ring, pool, threads, 2, sizeof(struct counted)));
    while (!le_in_flight_is_full(&ring))
        le_in_flight_send(&ring, count_job);
    le_pool_free(pool);
    for (size_t i = 0; i < ring.count; i++)
        CHECK(((const struct counted *)le_in_flight_at(&ring, i))->done <= 1);
    le_in_flight_free(&ring);
}

int main(void)
{
    a_ring_gives_back_in_order(NULL, 1);
    for (int threads = 2; threads <= 5; threads++) {
        struct logexport_error error;
        struct le_pool *pool;
        NEED(le_pool_new(&pool, threads, &error) == LOGEXPORT_OK);
        each_job_is_done_once(pool, threads);
        a_ring_gives_back_in_order(pool, threads);
        a_ring_is_freed_with_jobs_in_flight(pool, threads);
    }
    return failures != 0;
}
