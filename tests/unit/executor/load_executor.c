/* load_executor.c - how many small calls an executor and its workers do in a second, and what CPU time
 * a call costs them. Not a test: prints a line.
 *
 *   load_executor [CALLS [OUTSTANDING [BYTES]]]     of engine identity, on both slices */
#include <stdlib.h>
#include <unistd.h>

#include "gate_rig.h"
#include "sl_test.h"

enum { OUTSTANDING_MAX = 64, SLICES = 2 };

static struct gate gate;

/* User and system time of a process so far. */
static double cpu_seconds(pid_t pid)
{
    char path[64], text[1000] = "";
    unsigned long user = 0, system = 0;
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    assert_true(fread(text, 1, sizeof(text) - 1, f) > 0);
    fclose(f);
    const char *after_name = strrchr(text, ')');
    assert_non_null(after_name);
    assert_int_equal(
        sscanf(after_name, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system),
        2);
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

static double workers_cpu(void)
{
    pid_t pids[16];
    double sum = 0;
    const size_t count = gate_workers(&gate, pids, 16);
    for (size_t i = 0; i < count; i++)
        sum += cpu_seconds(pids[i]);
    return sum;
}

/* Sends what the slices may still take; lease % SLICES is the slice. */
static void feed(uint64_t *sent, uint64_t total, unsigned outstanding[SLICES], unsigned limit,
                 const void *bytes, size_t len)
{
    struct gate_call calls[SLICES * OUTSTANDING_MAX];
    size_t count = 0;
    for (uint32_t slice = 0; slice < SLICES; slice++) {
        for (; *sent < total && outstanding[slice] < limit; outstanding[slice]++) {
            const uint64_t lease = ++*sent * SLICES + slice;
            calls[count++] = (struct gate_call){
                .lease = lease, .slice = slice, .model = "echo", .bytes = bytes, .len = len};
        }
    }
    if (count > 0)
        gate_dispatch_many(&gate, calls, count);
}

static void run(uint64_t total, unsigned limit, const void *bytes, size_t len)
{
    unsigned outstanding[SLICES] = {0};
    uint64_t sent = 0, done = 0;
    while (done < total) {
        feed(&sent, total, outstanding, limit, bytes, len);
        do {
            const struct gate_event *e = gate_next(&gate, -1);
            if (e->kind != GATE_RESULT)
                continue;
            assert_string_equal(e->reason, "");
            outstanding[e->lease % SLICES]--;
            done++;
        } while (gate.taken < gate.queued);
    }
}

static void measure(uint64_t total, unsigned limit, size_t len)
{
    uint8_t *bytes = calloc(1, len);
    run(total / 20 + 1, limit, bytes, len);
    const double supervisor = cpu_seconds(gate.pid), workers = workers_cpu();
    const int64_t begin = gate_now_ms();
    run(total, limit, bytes, len);
    const double seconds = (double)(gate_now_ms() - begin) / 1000;
    const double calls = (double)total;
    printf("%.0f calls of %zu bytes, %u a slice: %.0f calls/s; CPU per call: supervisor %.2f us, "
           "workers %.2f us\n",
           calls, len, limit, calls / seconds, (cpu_seconds(gate.pid) - supervisor) / calls * 1e6,
           (workers_cpu() - workers) / calls * 1e6);
    free(bytes);
}

int main(int argc, char **argv)
{
    static const struct gate_model models[] = {{"echo", gate_echo_yaml}, {NULL, NULL}};
    const uint64_t total = argc > 1 ? strtoull(argv[1], NULL, 10) : 100000;
    const unsigned limit = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 32;
    const size_t len = argc > 3 ? strtoul(argv[3], NULL, 10) / 16 * 16 : 208;
    gate_start(&gate, models, "");
    gate_greet(&gate);
    measure(total, limit < OUTSTANDING_MAX ? limit : OUTSTANDING_MAX, len);
    gate_finish(&gate);
    return 0;
}
