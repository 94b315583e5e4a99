/* sl_daemon.c - getopt_long over the options of both and those of one; the limit on descriptors. */
#include "sl_daemon.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "sl_text.h"

enum { OWN = 256 }; /* the first of the own options; those of both are letters */

static const struct option of_both[] = {
    {"config", required_argument, NULL, 'c'}, {"check-config", no_argument, NULL, 'k'},
    {"print-config", no_argument, NULL, 'p'}, {"config-reference", no_argument, NULL, 'r'},
    {"version", no_argument, NULL, 'v'},      {"help", no_argument, NULL, 'h'}};

enum { BOTH_COUNT = SL_ARRAY_LEN(of_both) };

static void list_options(const struct sl_daemon *d, struct option out[])
{
    size_t n = 0;
    for (; n < BOTH_COUNT; n++)
        out[n] = of_both[n];
    for (int i = 0; i < SL_DAEMON_OWN_MAX && d->own[i].name != NULL; i++)
        out[n++] = (struct option){d->own[i].name,
                                   d->own[i].flag != NULL ? no_argument : required_argument, NULL,
                                   OWN + i};
    out[n] = (struct option){0};
}

int sl_daemon_wrong_usage(const struct sl_daemon *d, const char *why)
{
    fprintf(stderr, "%s: %s\n%s", d->program, why, d->usage);
    return SL_DAEMON_WRONG_USAGE;
}

static int refuse(const struct sl_daemon *d, const char *why, const char *what)
{
    fprintf(stderr, "%s: %s '%s'\n%s", d->program, why, what, d->usage);
    return SL_DAEMON_WRONG_USAGE;
}

static int take_own(const struct sl_daemon *d, const struct sl_daemon_own *own, const char *value)
{
    int64_t fd;
    if (own->flag != NULL) {
        *own->flag = true;
        return -1;
    }
    if (sl_text_int(sl_span_str(value), &fd) != SL_OK || fd < 0 || fd > SL_DAEMON_FD_MAX)
        return refuse(d, "no descriptor:", value);
    *own->fd = (int)fd;
    return -1;
}

static int take(const struct sl_daemon *d, int option, const char *value,
                struct sl_daemon_options *out)
{
    switch (option) {
    case 'c':
        out->config = value;
        return -1;
    case 'k':
        out->check = true;
        return -1;
    case 'p':
        out->print = true;
        return -1;
    case 'r':
        out->reference = true;
        return -1;
    case 'v':
        printf("%s %s\n", d->program, SLUICE_VERSION);
        return EXIT_SUCCESS;
    case 'h':
        fputs(d->usage, stdout);
        return EXIT_SUCCESS;
    default:
        fputs(d->usage, stderr); /* getopt_long has said why */
        return SL_DAEMON_WRONG_USAGE;
    }
}

int sl_daemon_read(const struct sl_daemon *d, int argc, char **argv, struct sl_daemon_options *out)
{
    struct option options[BOTH_COUNT + SL_DAEMON_OWN_MAX + 1];
    int code = -1;
    *out = (struct sl_daemon_options){.config = ""};
    list_options(d, options);
    for (int o; code < 0 && (o = getopt_long(argc, argv, "", options, NULL)) != -1;)
        code = o >= OWN ? take_own(d, &d->own[o - OWN], optarg) : take(d, o, optarg, out);
    if (code < 0 && optind < argc)
        return refuse(d, "unexpected argument", argv[optind]);
    return code;
}

int sl_daemon_print(sl_status made, const struct sl_buf *text)
{
    if (made != SL_OK || fwrite(text->data, 1, text->len, stdout) != text->len)
        return EXIT_FAILURE;
    return EXIT_SUCCESS;
}

void sl_daemon_raise_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}
