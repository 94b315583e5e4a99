/* test_ex_channel.c - control messages, descriptors, seals: what two processes give each other. */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ex_channel.h"
#include "sl_base.h"
#include "sl_memfd.h"
#include "sl_test.h"

static int a; /* two ends of a control socket */
static int b;

static int open_pair(void **state SL_UNUSED)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0)
        return 1;
    a = pair[0];
    b = pair[1];
    return 0;
}

static int close_pair(void **state SL_UNUSED)
{
    close(a);
    close(b);
    return 0;
}

static int open_descriptors(void)
{
    int count = 0;
    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* ---- messages */

static void messages_come_back_whole(void **state SL_UNUSED)
{
    struct ex_worker_message m;
    assert_status(ex_worker_receive(b, &m), SL_EAGAIN);
    assert_ok(ex_worker_send_text(a, EX_WORKER_FAILED, "no gr\xc3\xbc\xc3\x9f"));
    assert_ok(ex_worker_send(
        a, &(struct ex_worker_message){.kind = EX_WORKER_FORGET, .segment = 7, .fd = -1}));
    assert_ok(ex_worker_receive(b, &m));
    assert_int_equal(m.kind, EX_WORKER_FAILED);
    assert_string_equal(m.text, "no gr\xc3\xbc\xc3\x9f");
    assert_int_equal(m.fd, -1);
    assert_ok(ex_worker_receive(b, &m));
    assert_int_equal(m.kind, EX_WORKER_FORGET);
    assert_int_equal(m.segment, 7);
    assert_string_equal(m.text, "");
}

static void a_segment_brings_its_descriptor(void **state SL_UNUSED)
{
    struct ex_worker_message m;
    int fd;
    void *map;
    assert_ok(sl_memfd_create("x", 4096, &fd, &map));
    memcpy(map, "seen", 4);
    assert_ok(ex_worker_send_segment(a, 3, fd, 4096));
    close(fd);
    assert_ok(ex_worker_receive(b, &m));
    assert_int_equal(m.kind, EX_WORKER_SEGMENT);
    assert_int_equal(m.segment, 3);
    assert_int_equal(m.bytes, 4096);
    assert_true(m.fd >= 0);
    assert_true(fcntl(m.fd, F_GETFD) & FD_CLOEXEC);
    munmap(map, 4096);
    assert_ok(sl_memfd_map(m.fd, 4096, false, &map));
    assert_memory_equal(map, "seen", 4);
    munmap(map, 4096);
    close(m.fd);
}

static void long_texts_are_cut(void **state SL_UNUSED)
{
    static char text[5000];
    struct ex_worker_message m;
    memset(text, 'x', sizeof(text) - 1);
    assert_ok(ex_worker_send_text(a, EX_WORKER_FATAL, text));
    assert_ok(ex_worker_receive(b, &m));
    assert_int_equal(strlen(m.text), EX_WORKER_TEXT_MAX);
}

static void the_end_of_the_peer_is_seen(void **state SL_UNUSED)
{
    struct ex_worker_message m;
    assert_ok(ex_worker_send_text(a, EX_WORKER_STOP, ""));
    close(a);
    a = -1;
    assert_ok(ex_worker_receive(b, &m));
    assert_status(ex_worker_receive(b, &m), SL_ENOENT);
    assert_status(ex_worker_send_text(b, EX_WORKER_STOP, ""), SL_EIO);
}

static void a_full_socket_says_not_now(void **state SL_UNUSED)
{
    sl_status s = SL_OK;
    for (int i = 0; i < 1000000 && s == SL_OK; i++)
        s = ex_worker_send_text(a, EX_WORKER_STOP, "");
    assert_status(s, SL_EAGAIN);
}

/* A packet as no peer of ours sends it. fds may be 0 to 3 descriptors. */
static void send_raw(const void *bytes, size_t len, size_t fd_count)
{
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(3 * sizeof(int))];
    } control;
    memset(&control, 0, sizeof(control));
    struct iovec part = {(void *)(uintptr_t)bytes, len};
    struct msghdr msg = {.msg_iov = &part, .msg_iovlen = 1};
    if (fd_count > 0) {
        const int fds[3] = {0, 1, 2};
        msg.msg_control = control.room;
        msg.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
        struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
        memcpy(CMSG_DATA(c), fds, fd_count * sizeof(int));
    }
    assert_int_equal(sendmsg(a, &msg, 0), len);
}

struct raw {
    uint32_t kind, text_bytes, segment, zero;
    uint64_t bytes;
    char text[4096];
};

static void refuse(const struct raw *raw, size_t len, size_t fd_count)
{
    struct ex_worker_message m;
    const int before = open_descriptors();
    send_raw(raw, len, fd_count);
    assert_status(ex_worker_receive(b, &m), SL_EPROTO);
    assert_int_equal(m.fd, -1);
    assert_int_equal(open_descriptors(), before); /* what came along is closed */
}

static void what_is_no_message_is_refused(void **state SL_UNUSED)
{
    refuse(&(struct raw){.kind = EX_WORKER_LOADED}, 23, 0);
    refuse(&(struct raw){.kind = 0}, 24, 0);
    refuse(&(struct raw){.kind = EX_WORKER_STOP + 1}, 24, 0);
    refuse(&(struct raw){.kind = EX_WORKER_STOP, .zero = 1}, 24, 0);
    refuse(&(struct raw){.kind = EX_WORKER_FAILED, .text_bytes = 5}, 24 + 4, 0);
    refuse(&(struct raw){.kind = EX_WORKER_FAILED, .text_bytes = 3}, 24 + 4, 0);
    refuse(&(struct raw){.kind = EX_WORKER_FAILED, .text_bytes = 2, .text = "\xff\xfe"}, 26, 0);
    refuse(&(struct raw){.kind = EX_WORKER_FAILED, .text_bytes = 2, .text = "a\0"}, 26, 0);
    refuse(&(struct raw){.kind = EX_WORKER_FAILED, .text_bytes = EX_WORKER_TEXT_MAX + 1},
           24 + EX_WORKER_TEXT_MAX + 1, 0);
    refuse(&(struct raw){.kind = EX_WORKER_SEGMENT, .segment = 1}, 24, 0);
    refuse(&(struct raw){.kind = EX_WORKER_STOP}, 24, 1);
    refuse(&(struct raw){.kind = EX_WORKER_SEGMENT, .segment = 1}, 24, 2);
    refuse(&(struct raw){.kind = EX_WORKER_SEGMENT, .segment = 1}, 24, 3);
}

/* ---- channels */

static void sizes_are_checked(void **state SL_UNUSED)
{
    struct ex_channel c;
    int fds[EX_WORKER_FD_COUNT];
    const int before = open_descriptors();
    assert_status(ex_channel_open(1000, EX_RING_DATA_MIN, &c, fds), SL_EINVAL);
    assert_status(ex_channel_open(EX_RING_DATA_MIN, 3 * EX_RING_DATA_MIN, &c, fds), SL_EINVAL);
    assert_int_equal(open_descriptors(), before);
}

static void nothing_is_left_after_close(void **state SL_UNUSED)
{
    struct ex_channel c;
    int fds[EX_WORKER_FD_COUNT];
    const int before = open_descriptors();
    assert_ok(ex_channel_open(EX_RING_DATA_MIN, 2 * EX_RING_DATA_MIN, &c, fds));
    ex_channel_close_worker_fds(fds);
    ex_channel_close(&c);
    ex_channel_close(&c); /* twice is fine */
    assert_int_equal(open_descriptors(), before);
}

/* Out of descriptors at each step: all or nothing. */
static void a_channel_that_cannot_be_opened_leaves_nothing(void **state SL_UNUSED)
{
    struct ex_channel c;
    int fds[EX_WORKER_FD_COUNT];
    const int before = open_descriptors();
    for (int room = 0; room < 20; room++) {
        const pid_t child = fork();
        if (child == 0) {
            const struct rlimit limit = {(rlim_t)(before + room), (rlim_t)(before + room)};
            if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
                _exit(2);
            const sl_status s = ex_channel_open(EX_RING_DATA_MIN, EX_RING_DATA_MIN, &c, fds);
            if (s == SL_OK) {
                ex_channel_close_worker_fds(fds);
                ex_channel_close(&c);
            }
            _exit(open_descriptors() == before && (s == SL_OK || s == SL_ENOMEM) ? 0 : 1);
        }
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
    }
}

/* The child's five descriptors are where they belong, whatever was there before, and no other. */
static bool are_placed(const int fds[])
{
    struct stat wanted[EX_WORKER_FD_COUNT];
    struct stat got;
    for (int i = 0; i < EX_WORKER_FD_COUNT; i++)
        fstat(fds[i], &wanted[i]);
    if (!ex_channel_place_worker_fds(fds))
        return false;
    for (int i = 0; i < EX_WORKER_FD_COUNT; i++) {
        const int fd = EX_WORKER_FD_CONTROL + i;
        if (fstat(fd, &got) != 0 || got.st_ino != wanted[i].st_ino ||
            (fcntl(fd, F_GETFD) & FD_CLOEXEC))
            return false;
    }
    for (int fd = EX_WORKER_FD_CONTROL + EX_WORKER_FD_COUNT; fd < 256; fd++) {
        if (fcntl(fd, F_GETFD) >= 0)
            return false;
    }
    return true;
}

static void descriptors_get_their_numbers(void **state SL_UNUSED)
{
    struct ex_channel c;
    int fds[EX_WORKER_FD_COUNT];
    int status;
    assert_ok(ex_channel_open(EX_RING_DATA_MIN, EX_RING_DATA_MIN, &c, fds));
    const pid_t child = fork();
    if (child == 0)
        _exit(are_placed(fds) ? 0 : 1);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    ex_channel_close_worker_fds(fds);
    ex_channel_close(&c);
}

static void bells_ring(void **state SL_UNUSED)
{
    struct ex_channel c;
    int fds[EX_WORKER_FD_COUNT];
    uint64_t count;
    assert_ok(ex_channel_open(EX_RING_DATA_MIN, EX_RING_DATA_MIN, &c, fds));
    const int worker_side = fds[EX_WORKER_FD_DOWN_BELL - EX_WORKER_FD_CONTROL];
    ex_worker_clear_bell(worker_side); /* was not rung: does not block */
    ex_worker_ring_bell(c.down_bell);
    ex_worker_ring_bell(c.down_bell);
    assert_int_equal(read(worker_side, &count, sizeof(count)), sizeof(count));
    assert_int_equal(count, 2);
    ex_worker_ring_bell(c.down_bell);
    ex_worker_clear_bell(worker_side);
    assert_int_equal(read(worker_side, &count, sizeof(count)), -1);
    assert_int_equal(errno, EAGAIN);
    ex_channel_close_worker_fds(fds);
    ex_channel_close(&c);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_pair, close_pair)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(messages_come_back_whole),
        TEST(a_segment_brings_its_descriptor),
        TEST(long_texts_are_cut),
        TEST(the_end_of_the_peer_is_seen),
        TEST(a_full_socket_says_not_now),
        TEST(what_is_no_message_is_refused),
        cmocka_unit_test(sizes_are_checked),
        cmocka_unit_test(nothing_is_left_after_close),
        cmocka_unit_test(a_channel_that_cannot_be_opened_leaves_nothing),
        cmocka_unit_test(descriptors_get_their_numbers),
        cmocka_unit_test(bells_ring),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
