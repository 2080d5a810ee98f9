/* node.h: making nodes inside the engine; the public face is in cai.h. */
#ifndef PIPELINE_NODE_H
#define PIPELINE_NODE_H

#include "cai.h"

/* A node whose strings are all "" and owned by it; NULL when out of memory. */
struct cai_node *node_new(void);

/* Replaces one owned string of a node by a copy of text. 0 when out of memory. */
int node_set_string(char **field, const char *text);

/* Copies a list of segments; *dst is NULL when n is 0. 0 when out of memory. */
int node_dup_segments(struct cai_segment **dst, const struct cai_segment *src, size_t n);
void node_free_segments(struct cai_segment *segments, size_t n);

#endif
