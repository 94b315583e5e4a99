#include "sl_hold.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static cpu_set_t only(int cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    return set;
}

/* ---- holding */

static sl_status hold_thread(struct sl_hold *h, pid_t tid)
{
    cpu_set_t was, one = only(h->cpu);
    if (sched_getaffinity(tid, sizeof was, &was) != 0)
        return errno == ESRCH ? SL_ENOENT : SL_EINVAL;
    if (!CPU_ISSET((size_t)h->cpu, &was))
        return SL_EINVAL;
    if (sched_setaffinity(tid, sizeof one, &one) != 0)
        return errno == EPERM ? SL_EIO : errno == ESRCH ? SL_ENOENT : SL_EINVAL;
    h->threads[h->count].tid = tid;
    h->threads[h->count++].was = was;
    return SL_OK;
}

sl_status sl_hold_begin(struct sl_hold *h, pid_t pid, const pid_t tids[], size_t count, int cpu)
{
    if (h->count > 0 || count > SL_HOLD_THREADS_MAX || cpu < 0 || cpu >= CPU_SETSIZE)
        return SL_EINVAL;
    h->pid = pid;
    h->cpu = cpu;
    for (size_t i = 0; i < count; i++) {
        sl_status s = hold_thread(h, tids[i]);
        if (s != SL_OK) {
            sl_hold_end(h);
            return s;
        }
    }
    return SL_OK;
}

/* ---- letting go */

/* What a thread may run on: a new one has it from one of the held, which had all the same before. */
static const cpu_set_t *mask_of(const struct sl_hold *h, pid_t tid)
{
    for (size_t i = 0; i < h->count; i++)
        if (h->threads[i].tid == tid)
            return &h->threads[i].was;
    return &h->threads[0].was;
}

static void free_thread(const struct sl_hold *h, pid_t tid)
{
    cpu_set_t now, one = only(h->cpu);
    if (sched_getaffinity(tid, sizeof now, &now) == 0 && CPU_EQUAL(&now, &one))
        (void)sched_setaffinity(tid, sizeof now, mask_of(h, tid));
}

/* Opens the list of a process's threads; NULL: it is gone. */
static DIR *open_threads(pid_t pid)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    return opendir(path);
}

/* 0: there are no more. */
static pid_t next_thread(DIR *d)
{
    const struct dirent *e;
    while ((e = readdir(d)) != NULL) {
        pid_t tid = (pid_t)strtol(e->d_name, NULL, 10);
        if (tid > 0)
            return tid;
    }
    return 0;
}

void sl_hold_end(struct sl_hold *h)
{
    DIR *d = h->count > 0 ? open_threads(h->pid) : NULL;
    pid_t tid;
    while (d != NULL && (tid = next_thread(d)) != 0)
        free_thread(h, tid);
    if (d != NULL)
        closedir(d);
    for (size_t i = 0; d == NULL && i < h->count; i++)
        free_thread(h, h->threads[i].tid);
    h->count = 0;
}

void sl_hold_forget(struct sl_hold *h)
{
    h->count = 0;
}

void sl_hold_free_child(const struct sl_hold *h)
{
    if (h != NULL && h->count > 0)
        (void)sched_setaffinity(0, sizeof h->threads[0].was, &h->threads[0].was);
}

/* ---- finding */

static bool has_prefix(pid_t tid, const char *prefix)
{
    char path[64], name[32] = "";
    snprintf(path, sizeof path, "/proc/self/task/%d/comm", (int)tid);
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return false;
    bool matches =
        fgets(name, sizeof name, f) != NULL && strncmp(name, prefix, strlen(prefix)) == 0;
    fclose(f);
    return matches;
}

size_t sl_hold_find_threads(const char *prefix, pid_t tids[], size_t count, size_t max)
{
    DIR *d = opendir("/proc/self/task");
    pid_t tid;
    while (d != NULL && count < max && (tid = next_thread(d)) != 0)
        if (has_prefix(tid, prefix))
            tids[count++] = tid;
    if (d != NULL)
        closedir(d);
    return count;
}
