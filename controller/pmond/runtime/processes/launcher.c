/* Becomes the program of a process that needs more than posix_spawn can set up: `launcher.py` in a tenth of
 * the time, for all but sandboxes. It stands in the new session, under the pid that the process will have.
 *
 * Usage: launcher ORDERS REPORT, both numbers of descriptors. ORDERS is a file in memory: a `struct orders`,
 * then the numbers and the texts that it counts. Nothing comes by arguments or by the environment, as those
 * belong to the program, and its owner is not to say anything to what runs with the rights of pmond.
 * REPORT is a pipe: it closes by itself when the program takes over; otherwise "STAGE ERRNO " is written to
 * it, and the exit code is 127.
 *
 * Whoever changes the orders changes VERSION in compiled_launcher.py too, and with it the name of this
 * program: another one that an older build has left is not used.
 */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NOT_LAUNCHED = 127 };

/* All have 64 bits, in the machine's order of bytes: writer and reader are on the same machine. */
struct orders {
    int64_t switches_user, uid, gid;
    int64_t sets_umask, umask;
    int64_t sets_priority, priority;
    int64_t sets_oom_score, oom_score;
    int64_t trusted; /* values are raised with pmond's rights for those who have them anyway */
    int64_t groups, limits, arguments, variables; /* how many of each follow */
};

struct limit {
    int64_t which, value;
};

static int report;

static void fail(const char *stage) {
    char text[64];
    int length = snprintf(text, sizeof text, "%s %d ", stage, errno);
    if (write(report, text, length) < 0) {
        /* Nobody listens any more; the exit code says it, too. */
    }
    _exit(NOT_LAUNCHED);
}

static void check(int result, const char *stage) {
    if (result < 0) fail(stage);
}

static void *allocate(size_t count, size_t size) {
    void *memory = calloc(count, size);
    if (memory == NULL) fail("exec");
    return memory;
}

static void write_to(const char *path, const char *text, const char *stage) {
    int file = open(path, O_WRONLY | O_CLOEXEC);
    check(file, stage);
    check(write(file, text, strlen(text)), stage);
    close(file);
}

/* Give back what memory pmond itself is worth more, which the user could not be made to do later. */
static void spend(const struct orders *orders) {
    if (!orders->sets_oom_score) return;
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)orders->oom_score);
    int file = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (file < 0 && errno != EACCES && errno != EPERM) fail("exec");
    if (file < 0) return; /* pmond was never allowed to change its own */
    if (write(file, text, strlen(text)) < 0 && errno != EACCES && errno != EPERM) fail("exec");
    close(file);
}

static void tune(const struct orders *orders, const struct limit *limits) {
    if (orders->sets_priority) check(setpriority(PRIO_PROCESS, 0, (int)orders->priority), "priority");
    for (int64_t i = 0; i < orders->limits; i++) {
        struct rlimit both = {(rlim_t)limits[i].value, (rlim_t)limits[i].value};
        check(setrlimit((int)limits[i].which, &both), "limits");
    }
}

static void become_user(const struct orders *orders, const int64_t *groups) {
    if (!orders->switches_user) return;
    gid_t *wanted = allocate(orders->groups + 1, sizeof *wanted);
    for (int64_t i = 0; i < orders->groups; i++) wanted[i] = (gid_t)groups[i];
    check(setgroups(orders->groups, wanted), "user");
    check(setresgid(orders->gid, orders->gid, orders->gid), "user");
    check(setresuid(orders->uid, orders->uid, orders->uid), "user");
}

/* Pointers to `count` texts, the last of them NULL; `text` goes behind them. */
static char **texts(char **text, int64_t count) {
    char **found = allocate(count + 1, sizeof *found);
    for (int64_t i = 0; i < count; i++) {
        found[i] = *text;
        *text += strlen(*text) + 1;
    }
    return found;
}

static char *read_all(int file) {
    struct stat status;
    check(fstat(file, &status), "exec");
    char *all = mmap(NULL, status.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
    if (all == MAP_FAILED) fail("exec");
    return all;
}

int main(int count, char **words) {
    if (count != 3) return NOT_LAUNCHED;
    int file = atoi(words[1]);
    report = atoi(words[2]);
    check(fcntl(report, F_SETFD, FD_CLOEXEC), "exec"); /* so that it closes when the program takes over */
    check(fcntl(file, F_SETFD, FD_CLOEXEC), "exec");

    const struct orders *orders = (const struct orders *)read_all(file);
    const int64_t *groups = (const int64_t *)(orders + 1);
    const struct limit *limits = (const struct limit *)(groups + orders->groups);
    char *text = (char *)(limits + orders->limits);
    char **places = texts(&text, 3);
    char *members = places[0], *folder = places[1], *program = places[2];
    char **arguments = texts(&text, orders->arguments);
    char **variables = texts(&text, orders->variables);

    spend(orders);
    /* Before anything of the program runs, so that whatever it forks is in there too. */
    if (*members != '\0') write_to(members, "0", "group");
    if (orders->trusted) tune(orders, limits);
    become_user(orders, groups);
    if (!orders->trusted) tune(orders, limits);
    if (orders->sets_umask) umask((mode_t)orders->umask);
    check(chdir(folder), "cwd");
    execve(program, arguments, variables);
    fail("exec");
}
