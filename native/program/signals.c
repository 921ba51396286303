#include "signals.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common.h"

enum {
    PATIENCE_MS = 2000, /* docs/verdicts.md has the same number */
    /* timeout(1) sends its signal to the process and then to its group, and some supervisors do the
     * like: two that come as close together are one. */
    SAME_MS = 50,
    DRAIN_MS = 50 /* how often what is complete is written, lest it depend on the last moment */
};

/* A handler can only do so much. It writes a byte to each pipe: the reader of the log polls the first
 * and leaves it there, the watching thread reads the second. */
static int reader_pipe[2] = {-1, -1}, watch_pipe[2] = {-1, -1};
static atomic_bool came;

static struct {
    pthread_t thread;
    atomic_bool ends;
    struct output *output;
    pthread_mutex_t lock; /* of the engine, which the main thread closes */
    const logexport_engine *engine;
} watch = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void put_byte(int fd)
{
    if (write(fd, "", 1) < 0)
        errno = 0; /* full: one byte is enough */
}

static void on_signal(int number)
{
    int before = errno;
    atomic_store(&came, true);
    put_byte(reader_pipe[1]);
    if (number == SIGTERM)
        put_byte(watch_pipe[1]);
    errno = before;
}

/* --- the watching thread ------------------------------------------------------------------------ */

static long long now_ms(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000LL + time.tv_nsec / 1000000;
}

/* Waits for a SIGTERM; at most so long, or without end if that is negative. */
static bool wait_for_signal(int milliseconds)
{
    char bytes[64];
    struct pollfd file = {.fd = watch_pipe[0], .events = POLLIN};
    return poll(&file, 1, milliseconds) > 0 && read(watch_pipe[0], bytes, sizeof bytes) > 0;
}

static void say_engine(char *text, size_t size, const struct logexport_activity *activity)
{
    char line[64] = "";
    const char *pattern = activity->pattern != NULL ? activity->pattern : "the bundle";
    switch (activity->doing) {
    case LOGEXPORT_MATCHING:
        if (activity->line > 0)
            snprintf(line, sizeof line, " from line %lld", (long long)activity->line);
        snprintf(text, size, "The pattern of %s did not come back%s", pattern, line);
        break;
    case LOGEXPORT_SCORING:
        snprintf(text, size, "ONNX Runtime did not come back with the windows up to line %lld",
                 (long long)activity->line);
        break;
    case LOGEXPORT_IDLE:
        snprintf(text, size, "What was read could not be finished");
        break;
    }
}

/* Says in one sentence why the program ends. It is one write, without stdio, whose lock another thread
 * may hold, and none if nobody reads. */
static void say_end(bool second)
{
    char what[300], sentence[400];
    struct logexport_activity activity = {.size = sizeof activity};
    pthread_mutex_lock(&watch.lock);
    if (watch.engine != NULL)
        logexport_get_activity(watch.engine, &activity);
    if (second)
        snprintf(what, sizeof what, "A second SIGTERM came before what was read was finished");
    else if (atomic_load(&watch.output->waiting))
        snprintf(what, sizeof what, "Nobody took the records from standard output");
    else
        say_engine(what, sizeof what, &activity);
    int length = snprintf(sentence, sizeof sentence, "logexport-engine: %s%s.\n", what,
                          second ? "" : " within two seconds of SIGTERM");
    struct pollfd file = {.fd = STDERR_FILENO, .events = POLLOUT};
    if (poll(&file, 1, 0) > 0 && write(STDERR_FILENO, sentence, (size_t)length) < 0)
        errno = 0; /* nobody is told then */
}

static _Noreturn void end_program(bool second)
{
    output_seal(watch.output);
    say_end(second);
    _exit(EXIT_TERMINATED);
}

static void *watch_until_end(void *argument)
{
    (void)argument;
    while (!wait_for_signal(-1))
        ;
    long long first = now_ms();
    while (!atomic_load(&watch.ends)) {
        long long passed = now_ms() - first;
        if (passed >= PATIENCE_MS)
            end_program(false);
        if (wait_for_signal(DRAIN_MS) && !atomic_load(&watch.ends) && now_ms() - first > SAME_MS)
            end_program(true);
        output_drain(watch.output);
    }
    return NULL;
}

/* --- the main thread ---------------------------------------------------------------------------- */

static bool start_thread(void)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* it inherits that all are blocked */
    errno = pthread_create(&watch.thread, NULL, watch_until_end, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return errno == 0;
}

bool signals_watch(const logexport_engine *engine, struct output *output)
{
    watch.engine = engine;
    watch.output = output;
    if (pipe2(reader_pipe, O_CLOEXEC | O_NONBLOCK) != 0 ||
        pipe2(watch_pipe, O_CLOEXEC | O_NONBLOCK) != 0 || !start_thread())
        return false;
    struct sigaction action = {.sa_handler = on_signal};
    sigemptyset(&action.sa_mask);
    if (sigaction(SIGTERM, &action, NULL) != 0)
        return false;
    action.sa_flags = (int)SA_RESETHAND;
    return sigaction(SIGINT, &action, NULL) == 0;
}

void signals_forget_engine(void)
{
    pthread_mutex_lock(&watch.lock);
    watch.engine = NULL;
    pthread_mutex_unlock(&watch.lock);
}

void signals_unwatch(void)
{
    atomic_store(&watch.ends, true);
    put_byte(watch_pipe[1]);
    pthread_join(watch.thread, NULL);
}

bool signals_came(void)
{
    return atomic_load(&came);
}

int signals_descriptor(void)
{
    return reader_pipe[0];
}
