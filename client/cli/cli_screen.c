/* cli_screen.c - the other screen of a terminal, and its keys one by one. */
#include "cli_screen.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "cli.h"

/* The other screen without a cursor, and back. */
#define ENTER "\033[?1049h\033[?25l"
#define LEAVE "\033[?25h\033[?1049l"

/* What a signal handler must know. */
static struct termios before;
static volatile sig_atomic_t has_keys, is_open;

/* May be called by a signal handler. */
static void give_back(void)
{
    if (!is_open)
        return;
    is_open = 0;
    if (has_keys)
        tcsetattr(STDIN_FILENO, TCSANOW, &before);
    ssize_t n = write(STDOUT_FILENO, LEAVE, sizeof LEAVE - 1);
    (void)n; /* nobody is there to see it */
}

/* Ctrl-C is the way out, and no failure; others end us as they would have. */
static void on_end(int number)
{
    give_back();
    if (number == SIGINT)
        _exit(CLI_OK);
    signal(number, SIG_DFL);
    raise(number);
}

static void on_resize(int number)
{
    (void)number; /* it wakes who waits */
}

static void handle(int number, void (*handler)(int))
{
    struct sigaction action = {.sa_handler = handler};
    sigaction(number, &action, NULL);
}

static void take_keys(void)
{
    if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &before) != 0)
        return;
    struct termios raw = before;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    raw.c_cc[VSUSP] = _POSIX_VDISABLE; /* nobody would give the terminal back */
    has_keys = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
}

void cli_screen_open(void)
{
    take_keys();
    is_open = 1;
    handle(SIGINT, on_end);
    handle(SIGTERM, on_end);
    handle(SIGHUP, on_end);
    handle(SIGWINCH, on_resize);
    fputs(ENTER, stdout);
    fflush(stdout);
}

void cli_screen_close(void)
{
    fflush(stdout);
    give_back();
}

void cli_screen_size(int *out_width, int *out_height)
{
    struct winsize size = {0};
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0)
        size = (struct winsize){0};
    *out_width = size.ws_col;
    *out_height = size.ws_row;
}

/* Line by line over the old ones; without a line's end behind the last, which would scroll. */
void cli_screen_draw(const char *text)
{
    fputs("\033[H", stdout);
    while (*text != '\0') {
        size_t len = strcspn(text, "\n");
        bool has_more = text[len] == '\n' && text[len + 1] != '\0';
        printf("%.*s\033[K%s", (int)len, text, has_more ? "\n" : "");
        text += len + (text[len] == '\n');
    }
    fputs("\033[J", stdout);
    fflush(stdout);
}

enum cli_screen_event cli_screen_wait(int64_t ms)
{
    struct pollfd keys = {.fd = STDIN_FILENO, .events = POLLIN};
    char key;
    int n = poll(&keys, has_keys ? 1 : 0, ms > INT_MAX ? INT_MAX : (int)ms);
    if (n < 0)
        return errno == EINTR ? CLI_SCREEN_RESIZED : CLI_SCREEN_QUIT;
    if (n == 0)
        return CLI_SCREEN_TIME;
    if (read(STDIN_FILENO, &key, 1) != 1 || key == 'q' || key == 'Q')
        return CLI_SCREEN_QUIT;
    return CLI_SCREEN_KEY;
}
