/*
 * tool_session_churn.c: a session kept busy, for tests that kill its process.
 *
 *     tool_session_churn write DIR     opens DIR for writing, says "ready", appends for
 *                                      ever and prints the number of each event once it
 *                                      is acknowledged
 *     tool_session_churn open DIR MODE opens (write, write-or-read, read) and prints what
 *                                      came of it
 *     tool_session_churn fill DIR LIMIT
 *                                      appends under a file size limit of LIMIT bytes
 *                                      until an event is not saved
 *     tool_session_churn kill DIR N    runs `write` on DIR and kills it, N times, at
 *                                      random moments; checks after each that nothing
 *                                      acknowledged is lost; prints what it saw
 *
 * A fourth argument of `open` is a user id to become first.
 */
#include "store_support.h"

#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>

extern char **environ;

static char err[ERR_MAX];

static int die(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, err);
    return 1;
}

/* One event of changing size, so that kills fall into long and short writes. */
static enum cai_status churn_step(struct cai_session *s, uint64_t i)
{
    static char text[20001];
    uint32_t id;

    memset(text, 'x', sizeof text - 1);
    snprintf(text, sizeof text, "event %llu ", (unsigned long long)i);
    text[strlen(text)] = 'x';
    text[20 + i * 7919 % 19980] = '\0';
    if (i % 16 == 0)
        return cai_session_add_chain(s, text, &id, err, sizeof err);
    if (i % 16 == 15)
        return cai_session_undo(s, NULL, err, sizeof err);
    return cai_session_set_prompt(s, (uint32_t)(1 + i / 16), text, err, sizeof err);
}

static int churn_write(const char *dir)
{
    struct cai_inbox *inbox = cai_inbox_new();
    struct cai_session *s = NULL;
    struct cai_event e;

    if (cai_session_open(&s, dir, CAI_SESSION_WRITE, inbox, err, sizeof err) != CAI_OK)
        return die("open");
    printf("ready %llu\n", (unsigned long long)cai_session_info(s)->seq);
    fflush(stdout);
    for (;;) {
        /* a few under way at once, as when several chains run */
        while (cai_session_info(s)->seq < cai_session_info(s)->stored_seq + 4)
            if (churn_step(s, cai_session_info(s)->seq) != CAI_OK)
                return die("append");
        cai_inbox_wait(inbox, 1000);
        while (cai_inbox_take(inbox, &e)) {
            if (e.kind != CAI_EVENT_STORED)
                return die(e.message);
            printf("%llu\n", (unsigned long long)e.seq);
            fflush(stdout);
            cai_event_clear(&e);
        }
    }
}

static int churn_open(const char *dir, const char *mode, const char *uid)
{
    struct cai_session *s = NULL;
    enum cai_session_mode m = strcmp(mode, "write") == 0  ? CAI_SESSION_WRITE
                              : strcmp(mode, "read") == 0 ? CAI_SESSION_READ
                                                          : CAI_SESSION_WRITE_OR_READ;
    enum cai_status st;

    if (uid && (setgid((gid_t)atol(uid)) != 0 || setuid((uid_t)atol(uid)) != 0))
        return die("setuid");
    st = cai_session_open(&s, dir, m, NULL, err, sizeof err);
    printf("%s\n", cai_status_name(st));
    if (st == CAI_OK)
        printf("read_only %d\nseq %llu\n%s\n", cai_session_info(s)->read_only,
               (unsigned long long)cai_session_info(s)->seq,
               cai_session_info(s)->read_only_reason);
    else
        printf("%s\n", err);
    cai_session_close(s);
    return 0;
}

static int churn_fill(const char *dir, const char *limit)
{
    struct rlimit r = {(rlim_t)atol(limit), (rlim_t)atol(limit)};
    struct cai_session *s = NULL;

    if (cai_session_open(&s, dir, CAI_SESSION_WRITE, NULL, err, sizeof err) != CAI_OK)
        return die("open");
    if (setrlimit(RLIMIT_FSIZE, &r) != 0)
        return die("setrlimit");
    for (int i = 0; i < 1000; i++)
        if (churn_step(s, cai_session_info(s)->seq) != CAI_OK ||
            cai_session_sync(s, err, sizeof err) != CAI_OK)
            break;
    printf("%llu\nread_only %d\n%s\n",
           (unsigned long long)cai_session_info(s)->stored_seq,
           cai_session_info(s)->read_only, err);
    cai_session_close(s);
    return 0;
}

/* ---------------------------------------------------------------- killing */

struct churn {
    pid_t pid;
    int out;
};

static int start(struct churn *c, const char *dir)
{
    char self[512];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    char mode[] = "write", *copy = strdup(dir), *argv[] = {self, mode, copy, NULL};
    posix_spawn_file_actions_t fa;
    int p[2], e;

    if (n < 0 || !copy || pipe2(p, O_CLOEXEC) != 0)
        return 0;
    self[n] = '\0';
    posix_spawn_file_actions_init(&fa);
    posix_spawn_file_actions_adddup2(&fa, p[1], 1);
    e = posix_spawn(&c->pid, self, &fa, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&fa);
    close(p[1]);
    free(copy);
    c->out = p[0];
    return e == 0;
}

/* Reads its lines for so long after "ready"; then kills it. The last whole line is the
 * last acknowledged event. 0: it never got ready. */
static int kill_after(struct churn *c, long after_us, uint64_t *acknowledged)
{
    struct strbuf b = STRBUF_INIT(64 << 20);
    double end = now_s() + 30;
    int ready = 0, status;
    char chunk[4096];
    ssize_t n;

    for (;;) {
        struct pollfd p = {c->out, POLLIN, 0};
        double left = end - now_s();
        if (left <= 0)
            break;
        if (poll(&p, 1, (int)(left * 1e3) + 1) > 0) {
            n = read(c->out, chunk, sizeof chunk);
            if (n <= 0)
                break;
            strbuf_add(&b, chunk, (size_t)n);
        }
        if (!ready && b.len && memchr(b.data, '\n', b.len)) {
            ready = 1;
            end = now_s() + (double)after_us * 1e-6;
        }
    }
    kill(c->pid, SIGKILL);
    waitpid(c->pid, &status, 0);
    while ((n = read(c->out, chunk, sizeof chunk)) > 0) /* said before it died */
        strbuf_add(&b, chunk, (size_t)n);
    close(c->out);
    while (b.len && b.data[b.len - 1] != '\n')
        b.len--;
    if (b.len) {
        const char *line;
        b.data[--b.len] = '\0';
        line = strrchr(b.data, '\n');
        line = line ? line + 1 : b.data;
        *acknowledged = strtoull(*line == 'r' ? line + 6 : line, NULL, 10);
    }
    strbuf_free(&b);
    return ready && WIFSIGNALED(status);
}

static int churn_kill(const char *dir, long times)
{
    unsigned long torn = 0, ahead = 0;
    uint64_t last = 0;
    unsigned seed = (unsigned)getpid();

    for (long i = 0; i < times; i++) {
        struct cai_session *s = NULL;
        struct churn c;
        uint64_t acknowledged = 0, seq;
        if (!start(&c, dir) || !kill_after(&c, rand_r(&seed) % 30000, &acknowledged)) {
            printf("FAIL: kill %ld: the writer ended by itself\n", i);
            return 1;
        }
        if (cai_session_open(&s, dir, CAI_SESSION_WRITE, NULL, err, sizeof err) !=
            CAI_OK) {
            printf("FAIL: kill %ld: %s\n", i, err);
            return 1;
        }
        seq = cai_session_info(s)->seq;
        torn += strstr(cai_session_info(s)->warning, "incomplete") != NULL;
        if (seq < acknowledged || seq < last ||
            strstr(cai_session_info(s)->warning, "damaged")) {
            printf("FAIL: kill %ld: %llu acknowledged, %llu recovered: %s\n", i,
                   (unsigned long long)acknowledged, (unsigned long long)seq,
                   cai_session_info(s)->warning);
            return 1;
        }
        ahead += seq > acknowledged;
        last = seq;
        for (size_t k = 0; k < cai_session_info(s)->n_chains; k++)
            if (strncmp(cai_session_chain(s, k)->prompt, "event ", 6) != 0) {
                printf("FAIL: kill %ld: a prompt was lost\n", i);
                return 1;
            }
        cai_session_close(s);
    }
    printf("%ld kills, %llu events, %lu torn lines, %lu times one event was on disk and "
           "not yet reported\n",
           times, (unsigned long long)last, torn, ahead);
    return 0;
}

int main(int argc, char **argv)
{
    cai_init();
    signal(SIGXFSZ, SIG_IGN);
    if (argc == 3 && strcmp(argv[1], "write") == 0)
        return churn_write(argv[2]);
    if (argc >= 4 && strcmp(argv[1], "open") == 0)
        return churn_open(argv[2], argv[3], argc > 4 ? argv[4] : NULL);
    if (argc == 4 && strcmp(argv[1], "fill") == 0)
        return churn_fill(argv[2], argv[3]);
    if (argc == 4 && strcmp(argv[1], "kill") == 0)
        return churn_kill(argv[2], atol(argv[3]));
    fprintf(stderr, "usage: tool_session_churn write|open|fill|kill DIR ...\n");
    return 2;
}
