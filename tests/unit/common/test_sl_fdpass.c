/* test_sl_fdpass.c - packets of a number and a descriptor: a peer that is another user, that sends
 * something else, that is gone or does not read. */
#include "sl_fdpass.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "shm_peer.h"

struct pair {
    int a, b; /* connected */
    int before;
};

static struct pair begin(void)
{
    struct pair p = {.before = shm_peer_open_count()};
    int fds[2];
    shm_peer_pair(fds);
    p.a = fds[0];
    p.b = fds[1];
    return p;
}

static void finish(struct pair *p)
{
    close(p->a);
    if (p->b >= 0)
        close(p->b);
    assert_int_equal(shm_peer_open_count(), p->before);
}

static void a_number_and_a_descriptor_arrive(void **state SL_UNUSED)
{
    struct pair p = begin();
    shm_peer_show(p.a, 7, shm_peer_memory(1));
    assert_ok(sl_fdpass_send(p.a, UINT64_MAX, -1));
    const int fd = shm_peer_take(p.b, 7);
    assert_true(fd >= 0);
    assert_ok(sl_memfd_check(fd, SHM_PEER_BYTES, false));
    close(fd);
    assert_int_equal(shm_peer_take(p.b, UINT64_MAX), -1);
    finish(&p);
}

static void assert_refused(struct pair *p)
{
    uint64_t number;
    int fd;
    assert_status(sl_fdpass_receive(p->b, &number, &fd), SL_EPROTO);
    assert_int_equal(fd, -1);
    finish(p);
}

static void packets_of_another_form_are_refused(void **state SL_UNUSED)
{
    uint64_t words[2] = {1, 1};
    for (size_t len = 1; len <= sizeof(words); len++) {
        if (len == sizeof(words[0]))
            continue;
        struct pair p = begin();
        assert_int_equal(send(p.a, words, len, 0), len);
        assert_refused(&p);
    }
}

static void two_descriptors_are_refused_and_closed(void **state SL_UNUSED)
{
    struct pair p = begin();
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(2 * sizeof(int))];
    } room = {0};
    uint64_t number = 1;
    const int fds[2] = {shm_peer_memory(1), shm_peer_memory(2)};
    struct iovec part = {&number, sizeof(number)};
    struct msghdr msg = {.msg_iov = &part,
                         .msg_iovlen = 1,
                         .msg_control = room.room,
                         .msg_controllen = sizeof(room.room)};
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(fds));
    memcpy(CMSG_DATA(c), fds, sizeof(fds));
    assert_int_equal(sendmsg(p.a, &msg, 0), sizeof(number));
    close(fds[0]);
    close(fds[1]);
    assert_refused(&p);
}

static void a_peer_that_is_gone_is_found_out(void **state SL_UNUSED)
{
    struct pair p = begin();
    uint64_t number;
    int fd;
    assert_status(sl_fdpass_receive(p.a, &number, &fd), SL_EAGAIN);
    close(p.b);
    p.b = -1;
    assert_status(sl_fdpass_receive(p.a, &number, &fd), SL_ENOENT);
    assert_status(sl_fdpass_send(p.a, 1, -1), SL_EIO);
    finish(&p);
}

static void sending_never_blocks(void **state SL_UNUSED)
{
    struct pair p = begin();
    sl_status st = SL_OK;
    for (uint64_t n = 1; st == SL_OK && n < 100000; n++)
        st = sl_fdpass_send(p.a, n, -1);
    assert_status(st, SL_EAGAIN);
    finish(&p);
}

/* ---- connections */

struct place {
    char dir[32], path[64];
    int listener;
};

static void listen_at(struct place *p)
{
    strcpy(p->dir, "/tmp/sluice-fdpass-XXXXXX");
    assert_non_null(mkdtemp(p->dir));
    snprintf(p->path, sizeof(p->path), "%s/s", p->dir);
    assert_ok(sl_fdpass_listen(p->path, &p->listener));
}

static void leave(struct place *p)
{
    close(p->listener);
    unlink(p->path);
    rmdir(p->dir);
}

static void only_this_user_may_come(void **state SL_UNUSED)
{
    struct place at;
    struct stat st;
    int client, server, second;
    listen_at(&at);
    assert_int_equal(stat(at.path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_status(sl_fdpass_accept(at.listener, &server), SL_EAGAIN);
    assert_ok(sl_fdpass_connect(at.path, &client));
    assert_ok(sl_fdpass_accept(at.listener, &server));
    struct pair p = {client, server, shm_peer_open_count() - 2};
    finish(&p);
    close(at.listener);
    assert_status(sl_fdpass_connect(at.path, &client), SL_EIO);
    assert_ok(sl_fdpass_listen(at.path, &second)); /* what an earlier process left is replaced */
    at.listener = second;
    leave(&at);
}

/* Another user who gets at the socket all the same. */
static void another_user_is_sent_away(void **state SL_UNUSED)
{
    struct place at;
    int server, client;
    if (geteuid() != 0)
        skip(); /* only root can become somebody else */
    listen_at(&at);
    assert_int_equal(chmod(at.dir, 0755), 0);
    assert_int_equal(chmod(at.path, 0666), 0);
    const pid_t child = fork();
    if (child == 0) {
        const bool is_other = setuid(65534) == 0;
        /* root listens, which is fine with everybody */
        _exit(is_other && sl_fdpass_connect(at.path, &client) == SL_OK ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_status(sl_fdpass_accept(at.listener, &server), SL_EPROTO);
    assert_status(sl_fdpass_accept(at.listener, &server), SL_EAGAIN);
    leave(&at);
}

static void a_path_that_is_too_long_is_said(void **state SL_UNUSED)
{
    char far[200];
    int fd;
    memset(far, 'x', sizeof(far) - 1);
    far[sizeof(far) - 1] = '\0';
    assert_status(sl_fdpass_listen(far, &fd), SL_ETOOBIG);
    assert_status(sl_fdpass_connect(far, &fd), SL_ETOOBIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_number_and_a_descriptor_arrive),
        cmocka_unit_test(packets_of_another_form_are_refused),
        cmocka_unit_test(two_descriptors_are_refused_and_closed),
        cmocka_unit_test(a_peer_that_is_gone_is_found_out),
        cmocka_unit_test(sending_never_blocks),
        cmocka_unit_test(only_this_user_may_come),
        cmocka_unit_test(another_user_is_sent_away),
        cmocka_unit_test(a_path_that_is_too_long_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
