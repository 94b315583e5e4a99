/* gw_conn_int.h - what the files of gw_conn share: gw_conn.c the socket, gw_conn_time.c the timers. */
#ifndef GW_CONN_INT_H
#define GW_CONN_INT_H

#include "gw_conn.h"
#include "gw_proxy_v2.h"
#include "gw_tls.h"

enum gw_conn_state { OPEN, LINGERING, CLOSING };

struct gw_conn {
    uv_tcp_t tcp;
    uv_write_t write;
    uv_shutdown_t shutdown;
    struct gw_conn_host *host;
    struct gw_tls *tls; /* NULL: plain TCP */
    struct gw_h2 *h2;
    struct gw_conn *prev, *next; /* host.conns */
    struct gw_conn *dirty_next;  /* host.dirty */
    enum gw_conn_state state;
    bool is_dirty;
    bool is_reading;
    bool is_writing;   /* libuv has write_bytes of ours */
    bool is_ready;     /* past the handshake: no longer one of host.unready_count */
    bool awaits_proxy; /* its PROXY header is not whole yet */
    bool is_pinged;    /* a PING of ours is out since pinged_at, and nothing has come since */
    enum { GW_CONN_YOUNG, GW_CONN_ANNOUNCED, GW_CONN_OLD } age;
    size_t turn_read_bytes; /* since it was last looked at in the end of a turn */
    size_t write_bytes;
    size_t write_left_bytes;   /* of them, when the timers looked last */
    struct gw_pace write_pace; /* how the socket takes them */
    sl_mono_ns opened_at;
    sl_mono_ns input_at; /* last bytes read */
    sl_mono_ns pinged_at;
    sl_mono_ns ends_at; /* by its age */
    sl_mono_ns lingers_since;
    struct gw_proxy_v2 proxy;
    struct gw_h2_peer peer;
};

/* At once, without a word. Again is fine. */
void gw_conn_close(struct gw_conn *c);
/* When a connection that opens now has reached its age. */
sl_mono_ns gw_conn_end_time(const struct gw_conn *c);

#endif
