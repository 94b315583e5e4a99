/* fault_vfs.h - a file system for SQLite that fails where a test wants it to, and that can lose its power.
 *
 * It stands in front of the system's and passes everything on. A sweep runs a scenario over and over, failing
 * the first deed of the chosen kinds, then the second, and so on:
 *
 *   for (size_t i = 1; fault_vfs_start(&(struct fault_vfs_plan){.deeds = FAULT_WRITE, .fail_at = i}); i++) {
 *       run_scenario("fault"); // gives FAULT_VFS_NAME to SQLite
 *   }
 *
 * It ends after the first run that no failure has reached.
 *
 * Threads  Any; counted under one lock.
 */
#ifndef FAULT_VFS_H
#define FAULT_VFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FAULT_VFS_NAME "fault"

enum {
    FAULT_WRITE = 1,
    FAULT_SYNC = 2,
    FAULT_TRUNCATE = 4,
    FAULT_OPEN = 8,
    FAULT_DELETE = 16,
    FAULT_READ = 32,
};

struct fault_vfs_plan {
    unsigned deeds;     /* which kinds are counted */
    size_t fail_at;     /* number (from 1) of the deed that fails; 0: none */
    bool keeps_failing; /* so do all after it */
    bool tears;         /* a write that fails has written half of its bytes */
    bool is_full;       /* a write that fails says SQLITE_FULL, not SQLITE_IOERR_WRITE */
    bool is_read_only;  /* files can be opened for reading alone */
    bool has_no_shm;    /* memory cannot be shared: no WAL */
    bool remembers;     /* what was not synced, for fault_vfs_cut_power */
};

/* Registers it when it is not yet, and begins to count. false: the plan before failed at a deed that was never
 * reached (and this one's fail_at is not 1), so a sweep is over. */
bool fault_vfs_start(const struct fault_vfs_plan *plan);
/* From now on nothing fails. */
void fault_vfs_stop(void);
size_t fault_vfs_failures(void);

/* No file is open: puts each back to what was synced of it. seed 0: exactly that; else some sectors that were
 * written since are there, too, chosen by seed. */
void fault_vfs_cut_power(uint64_t seed);

#endif
