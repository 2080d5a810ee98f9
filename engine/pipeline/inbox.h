/*
 * inbox.h: the workers' side of the inbox; the owner's side is in cai.h.
 */
#ifndef PIPELINE_INBOX_H
#define PIPELINE_INBOX_H

#include "cai.h"

enum { INBOX_MAX_EVENTS = 1024 };

/* Moves the event in and clears *take_e. Waits while the inbox is full, so a burst costs
 * the worker time and nobody an event. Any thread but the owner's.
 * CAI_NOMEM: the event was freed. */
enum cai_status inbox_put(struct cai_inbox *b, struct cai_event *take_e);

/* While at least one caller asks for it, inbox_put() never waits: the owner is about to
 * join a worker and cannot take events meanwhile. on: 1 begins, 0 ends. */
void inbox_unbounded(struct cai_inbox *b, int on);

#endif
