/* Starts /bin/true inside a control group, N times, and prints the microseconds of each start and end.

   usage: into_group clone3|join|plain N GROUP

   clone3: CLONE_INTO_CGROUP, as a program in C can; join: the child writes itself there before execve;
   plain: no group. All as vfork does it. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char *const words[] = {"true", NULL};

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

int main(int argc, char **argv) {
    if (argc < 4) return 2;
    int into = !strcmp(argv[1], "clone3"), join = !strcmp(argv[1], "join");
    int group = open(argv[3], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (group < 0 && (into || join)) return 3;
    for (int left = atoi(argv[2]); left > 0; left--) {
        double begin = now();
        /* A fork where the memory is copied: a child that shares it would need a stack of its own here. This
           program is small, so that costs little; in a Python it would cost most. */
        struct clone_args args = {.flags = into ? CLONE_INTO_CGROUP : 0, .exit_signal = SIGCHLD, .cgroup = group};
        pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof args);
        if (pid < 0) return 4;
        if (pid == 0) {
            if (join) {
                int procs = openat(group, "cgroup.procs", O_WRONLY | O_CLOEXEC);
                if (procs < 0 || write(procs, "0", 1) != 1) _exit(126);
            }
            execv("/bin/true", words);
            _exit(127);
        }
        int status;
        if (waitpid(pid, &status, 0) != pid || status) return 5;
        printf("%.0f\n", now() - begin);
    }
    return 0;
}
