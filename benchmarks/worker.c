/* The supervised program of the benchmarks: says when it began, then sleeps until it is killed.
 *
 *     worker FIFO INDEX
 *
 * The first thing that main does is to read CLOCK_MONOTONIC, which all processes of a machine share.
 * The report is one write of three 64-bit integers in native order: pid, index, nanoseconds. It is
 * smaller than PIPE_BUF, so that reports of many workers never mix.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (argc != 3)
        return 2;
    int64_t report[3] = {getpid(), atoll(argv[2]), now.tv_sec * INT64_C(1000000000) + now.tv_nsec};
    int fifo = open(argv[1], O_WRONLY | O_CLOEXEC);
    if (fifo < 0 || write(fifo, report, sizeof report) != sizeof report)
        return 1;
    close(fifo);
    for (;;)
        pause();
}
