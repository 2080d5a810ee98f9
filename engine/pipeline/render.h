/*
 * render.h: the prompt of one link, as messages or as the paper's transcript.
 *
 * Source: Bai et al. 2022, section 3.1 and appendix E; stop rule of the transcript: ours.
 */
#ifndef PIPELINE_RENDER_H
#define PIPELINE_RENDER_H

#include "cai.h"
#include "pipeline/fewshots.h"
#include "provider/provider.h"

/* What stands so far. Texts a kind does not need may be NULL. */
struct render_link {
    enum cai_layout layout;
    enum cai_node_kind kind; /* of the link to be written */
    const char *prompt;
    const char *response;                  /* the answer to be criticised or revised */
    const char *critique;                  /* of that answer */
    const struct cai_principle *principle; /* NULL: an unguided initial response */
    const struct fewshots *fewshots;       /* NULL: none */
    int guided;
    enum cai_against against;
};

struct rendered {
    size_t n_segments, n_against;
    struct cai_segment *segments, *against; /* against: none when not guided */
};
void rendered_free(struct rendered *r);

/* Initial responses get no few-shots: those show how to criticise, with bad answers.
 *
 * Guided, context a has the principle's statement as its system turn (in the transcript:
 * as a paragraph at its head). Context b
 *   against the opposite: is the same with the opposite as its system turn;
 *   against nothing: has no system turn, and for a revision neither critique request nor
 *   critique (prompt, response, revision request), so that what differs is the statement
 *   and the critique. For a critique and an initial response it lacks only the statement.
 */
enum cai_status render_link(struct rendered *dst, struct provider *p,
                            const struct render_link *link, char *err, size_t errlen);

/* system (NULL: none) and one user turn, as `cai generate` sends it. */
enum cai_status render_turn(struct cai_segment **segments, size_t *n, struct provider *p,
                            const char *system, const char *prompt, char *err,
                            size_t errlen);

/* The strings that end a text of the transcript. */
size_t render_paper_stops(const char *const **stops);

#endif
