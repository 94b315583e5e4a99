/* gw_jwks_fetch.c - a thread around libcurl's multi interface. */
#include "gw_jwks_fetch.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sl_alloc.h"
#include "sl_buf.h"
#include "sl_text.h"
#include "utlist.h"

enum { REDIRECTS_MAX = 3, IDLE_POLL_MS = 60000 };

struct fetch {
    struct fetch *next; /* in one of the three lists */
    CURL *easy;
    char *url, *ca;
    int64_t timeout_ns;
    struct sl_buf body;
    char error[CURL_ERROR_SIZE];
    struct gw_fetched result;
};

struct gw_jwks_fetch {
    void (*wake)(void *ctx);
    void *wake_ctx;
    pthread_t thread;
    CURLM *multi;
    pthread_mutex_t lock; /* guards the next four */
    struct fetch *asked;
    struct fetch *over;
    size_t count; /* of all fetches */
    bool is_stopping;
    struct fetch *running; /* the thread's */
};

/* ---- a URL ---- */

static bool is_this_machine(const char *host)
{
    struct in_addr v4;
    if (inet_pton(AF_INET, host, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == 127;
    return strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0;
}

static const char *check_parts(CURLU *u)
{
    char *scheme = NULL, *host = NULL, *user = NULL;
    const char *why = NULL;
    if (curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
        curl_url_get(u, CURLUPART_HOST, &host, 0) != CURLUE_OK)
        why = "is no URL with a host";
    else if (curl_url_get(u, CURLUPART_USER, &user, 0) == CURLUE_OK)
        why = "has a user name; it would appear in the log";
    else if (strcmp(scheme, "https") != 0 && strcmp(scheme, "http") != 0)
        why = "is not https";
    else if (strcmp(scheme, "http") == 0 && !is_this_machine(host))
        why = "is not https: whoever stands between could give keys of their own";
    curl_free(scheme);
    curl_free(host);
    curl_free(user);
    return why;
}

const char *gw_jwks_fetch_check_url(const char *url)
{
    CURLU *u = curl_url();
    const char *why = u == NULL                                             ? "has no memory"
                      : curl_url_set(u, CURLUPART_URL, url, 0) != CURLUE_OK ? "is no URL"
                                                                            : check_parts(u);
    curl_url_cleanup(u);
    return why;
}

/* ---- how long an answer may be kept ---- */

static bool has_prefix(struct sl_span s, const char *prefix)
{
    return s.len >= strlen(prefix) &&
           strncasecmp((const char *)s.data, prefix, strlen(prefix)) == 0;
}

int64_t gw_jwks_fetch_max_age(struct sl_span cache_control)
{
    static const char max_age[] = "max-age=";
    struct sl_span item;
    int64_t found = -1, seconds;
    while (sl_text_next_item(&cache_control, &item)) {
        if (has_prefix(item, "no-store") || has_prefix(item, "no-cache"))
            return 0;
        if (!has_prefix(item, max_age))
            continue;
        item = sl_span_of(item.data + sizeof max_age - 1, item.len - (sizeof max_age - 1));
        if (sl_text_int(item, &seconds) == SL_OK && seconds >= 0)
            found = seconds;
    }
    return found;
}

static int64_t read_max_age_ns(CURL *easy)
{
    struct curl_header *h;
    int64_t least = -1;
    for (size_t i = 0;
         curl_easy_header(easy, "Cache-Control", i, CURLH_HEADER, -1, &h) == CURLHE_OK; i++) {
        int64_t one = gw_jwks_fetch_max_age(sl_span_str(h->value));
        if (one >= 0 && (least < 0 || one < least))
            least = one;
    }
    return least < 0 ? -1 : sl_sat_mul(least, SL_NS_PER_S);
}

/* ---- one fetch ---- */

static void destroy_fetch(struct fetch *t)
{
    curl_easy_cleanup(t->easy);
    sl_buf_finish(&t->body);
    gw_jwks_destroy(t->result.keys);
    free(t->url);
    free(t->ca);
    free(t);
}

static size_t on_body(char *bytes, size_t one, size_t count, void *ctx)
{
    struct fetch *t = ctx;
    if (sl_buf_append(&t->body, bytes, one * count) == SL_OK)
        return one * count;
    snprintf(t->result.why, sizeof t->result.why, "the answer is longer than %d bytes",
             GW_JWKS_BYTES_MAX);
    return 0;
}

#define SET(option, value) (curl_easy_setopt(t->easy, (option), (value)) == CURLE_OK)

static bool set_options(struct fetch *t)
{
    bool is_plain = strncasecmp(t->url, "http:", 5) == 0;
    long timeout_ms = (long)(t->timeout_ns / SL_NS_PER_MS);
    return SET(CURLOPT_URL, t->url) && SET(CURLOPT_PROTOCOLS_STR, is_plain ? "http" : "https") &&
           SET(CURLOPT_REDIR_PROTOCOLS_STR, "https") && SET(CURLOPT_FOLLOWLOCATION, 1L) &&
           SET(CURLOPT_MAXREDIRS, (long)REDIRECTS_MAX) && SET(CURLOPT_TIMEOUT_MS, timeout_ms) &&
           SET(CURLOPT_NOSIGNAL, 1L) && SET(CURLOPT_QUICK_EXIT, 1L) &&
           SET(CURLOPT_ERRORBUFFER, t->error) && SET(CURLOPT_WRITEFUNCTION, on_body) &&
           SET(CURLOPT_WRITEDATA, t) && SET(CURLOPT_PRIVATE, t) &&
           SET(CURLOPT_USERAGENT, "sluice/" SLUICE_VERSION) &&
           (!is_plain || SET(CURLOPT_PROXY, "")) &&
           (t->ca[0] == '\0' || SET(CURLOPT_CAINFO, t->ca));
}

#undef SET

static void read_answer(struct fetch *t, CURLcode code)
{
    struct gw_fetched *r = &t->result;
    struct sl_error error;
    long status = 0;
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    if (code != CURLE_OK) {
        if (r->why[0] == '\0')
            snprintf(r->why, sizeof r->why, "%s",
                     t->error[0] != '\0' ? t->error : curl_easy_strerror(code));
    } else if (status != 200) {
        snprintf(r->why, sizeof r->why, "the answer is HTTP status %ld, not 200", status);
    } else if (gw_jwks_parse(sl_buf_span(&t->body), false, &r->keys, &error) != SL_OK) {
        r->keys = NULL;
        snprintf(r->why, sizeof r->why, "%.*s", (int)sizeof r->why - 1, error.text);
    } else {
        r->max_age_ns = read_max_age_ns(t->easy);
    }
}

/* ---- the thread ---- */

static void hand_over(struct gw_jwks_fetch *f, struct fetch *t)
{
    sl_buf_finish(&t->body);
    pthread_mutex_lock(&f->lock);
    LL_APPEND(f->over, t);
    pthread_mutex_unlock(&f->lock);
    f->wake(f->wake_ctx);
}

static void begin(struct gw_jwks_fetch *f, struct fetch *t)
{
    t->easy = curl_easy_init();
    if (t->easy != NULL && set_options(t) && curl_multi_add_handle(f->multi, t->easy) == CURLM_OK) {
        LL_PREPEND(f->running, t);
        return;
    }
    snprintf(t->result.why, sizeof t->result.why, "the fetch cannot be begun: no memory, or no %s",
             t->ca[0] != '\0' ? "such ca" : "TLS");
    hand_over(f, t);
}

static void end(struct gw_jwks_fetch *f, const CURLMsg *m)
{
    char *private = NULL;
    CURLcode code = m->data.result;
    CURL *easy = m->easy_handle; /* m is gone with it */
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private);
    struct fetch *t = (struct fetch *)(void *)private;
    curl_multi_remove_handle(f->multi, easy);
    LL_DELETE(f->running, t);
    read_answer(t, code);
    hand_over(f, t);
}

/* false: the end. */
static bool begin_asked(struct gw_jwks_fetch *f)
{
    struct fetch *asked, *t, *next;
    pthread_mutex_lock(&f->lock);
    bool goes_on = !f->is_stopping;
    asked = f->asked;
    f->asked = NULL;
    pthread_mutex_unlock(&f->lock);
    LL_FOREACH_SAFE (asked, t, next)
        begin(f, t);
    return goes_on;
}

static void *run(void *ctx)
{
    struct gw_jwks_fetch *f = ctx;
    while (begin_asked(f)) {
        const CURLMsg *m;
        int running, left;
        curl_multi_perform(f->multi, &running);
        while ((m = curl_multi_info_read(f->multi, &left)) != NULL)
            if (m->msg == CURLMSG_DONE)
                end(f, m);
        curl_multi_poll(f->multi, NULL, 0, IDLE_POLL_MS, NULL);
    }
    return NULL;
}

/* ---- the owner's side ---- */

static struct fetch *make_fetch(uint64_t id, const char *url, const char *ca, int64_t timeout_ns)
{
    struct fetch *t = calloc(1, sizeof *t);
    if (t == NULL)
        return NULL;
    sl_buf_init(&t->body, &sl_alloc_malloc, GW_JWKS_BYTES_MAX);
    t->result = (struct gw_fetched){.id = id, .max_age_ns = -1};
    t->timeout_ns = timeout_ns;
    t->url = strdup(url);
    t->ca = strdup(ca);
    if (t->url != NULL && t->ca != NULL)
        return t;
    destroy_fetch(t);
    return NULL;
}

static sl_status start(void *ctx, uint64_t id, const char *url, const char *ca, int64_t timeout_ns)
{
    struct gw_jwks_fetch *f = ctx;
    struct fetch *t = make_fetch(id, url, ca, timeout_ns);
    if (t == NULL)
        return SL_ENOMEM;
    pthread_mutex_lock(&f->lock);
    bool is_full = f->count == GW_FETCHES_MAX;
    if (!is_full) {
        f->count++;
        LL_APPEND(f->asked, t);
    }
    pthread_mutex_unlock(&f->lock);
    if (is_full) {
        destroy_fetch(t);
        return SL_EFULL;
    }
    curl_multi_wakeup(f->multi);
    return SL_OK;
}

struct gw_fetch_port gw_jwks_fetch_port(struct gw_jwks_fetch *f)
{
    return (struct gw_fetch_port){f, start};
}

bool gw_jwks_fetch_take(struct gw_jwks_fetch *f, struct gw_fetched *out)
{
    pthread_mutex_lock(&f->lock);
    struct fetch *t = f->over;
    if (t != NULL) {
        LL_DELETE(f->over, t);
        f->count--;
    }
    pthread_mutex_unlock(&f->lock);
    if (t == NULL)
        return false;
    *out = t->result;
    t->result.keys = NULL;
    destroy_fetch(t);
    return true;
}

/* ---- life ---- */

static void finish_list(struct gw_jwks_fetch *f, struct fetch *list)
{
    struct fetch *t, *next;
    LL_FOREACH_SAFE (list, t, next) {
        if (t->easy != NULL)
            curl_multi_remove_handle(f->multi, t->easy);
        destroy_fetch(t);
    }
}

static void free_all(struct gw_jwks_fetch *f)
{
    finish_list(f, f->asked);
    finish_list(f, f->running);
    finish_list(f, f->over);
    curl_multi_cleanup(f->multi);
    pthread_mutex_destroy(&f->lock);
    free(f);
    curl_global_cleanup();
}

sl_status gw_jwks_fetch_create(void (*wake)(void *ctx), void *ctx, struct gw_jwks_fetch **out)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return SL_EIO;
    struct gw_jwks_fetch *f = calloc(1, sizeof *f);
    if (f == NULL) {
        curl_global_cleanup();
        return SL_ENOMEM;
    }
    f->wake = wake;
    f->wake_ctx = ctx;
    pthread_mutex_init(&f->lock, NULL);
    f->multi = curl_multi_init();
    if (f->multi == NULL || pthread_create(&f->thread, NULL, run, f) != 0) {
        free_all(f);
        return SL_EIO;
    }
    *out = f;
    return SL_OK;
}

void gw_jwks_fetch_destroy(struct gw_jwks_fetch *f)
{
    if (f == NULL)
        return;
    pthread_mutex_lock(&f->lock);
    f->is_stopping = true;
    pthread_mutex_unlock(&f->lock);
    curl_multi_wakeup(f->multi);
    pthread_join(f->thread, NULL);
    free_all(f);
}
