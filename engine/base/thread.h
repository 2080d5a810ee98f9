/* thread.h: how every thread of the engine starts. */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include <pthread.h>

/* As pthread_create(), with its error numbers. The new thread takes no signal but those
 * that its own faults raise: all others are the front end's business, while a fault under
 * a blocked signal would end the process past the handler that restores the terminal. */
int thread_start(pthread_t *thread, void *(*run)(void *arg), void *arg);

#endif
