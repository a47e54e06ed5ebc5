/* fiber.h - threads that take turns: the simulation's scheduler.
 *
 * A fiber has a stack of its own and runs until it waits, yields or ends; then the scheduler picks
 * another one, by the seed. All of them live in one thread of the operating system, so that nothing
 * but the seed decides what happens in which order. threads.c puts them in the place of POSIX
 * threads.
 *
 * Each fiber has its own copy of the program's thread-local variables, as a thread has. */
#ifndef STINT_TESTS_SIM_FIBER_H
#define STINT_TESTS_SIM_FIBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fiber;

struct fiber_options {
    uint64_t seed;
    /* One in so many steps at which another fiber may go first does so; 0: never. */
    uint32_t preempt_one_in;
    /* Lets the next thing happen from outside the fibers; with `now`, only if no time has to pass
     * for it. Called when every fiber waits (false: nothing ever will happen), and with `now` when
     * one was made to let others go first. */
    bool (*step)(bool now);
};

/* Runs body(arg) as the first fiber, until it and every other fiber has ended. */
void fibers_run(const struct fiber_options *opts, void *(*body)(void *arg), void *arg);

/* Whether the caller runs inside fibers_run; without, there are no fibers. */
bool fibers_active(void);

/* How often one fiber followed another since fibers_run began: the same for the same seed. */
uint64_t fibers_switches(void);

/* Numbers that depend on the seed only: what stands for the system's entropy. */
uint64_t fibers_entropy(void);

struct fiber *fiber_start(void *(*fn)(void *arg), void *arg);
struct fiber *fiber_self(void);
void *fiber_join(struct fiber *f);
void fiber_detach(struct fiber *f);

/* Lets the others go first. */
void fiber_yield(void);

/* A step at which the scheduler may let another fiber go first. */
void fiber_may_yield(void);

/* Waits until somebody calls fiber_wake for the same address; if `impatient`, also until time has
 * moved. */
void fiber_wait(const void *on, bool impatient);
/* Makes those ready that wait for the address: the one that has waited longest, or all. */
void fiber_wake(const void *on, bool all);
/* Makes the impatient ready. */
void fiber_wake_impatient(void);

/* The host on whose clock the fiber lives (skew.h). Inherited from who started it. */
int fiber_host(void);
void fiber_set_host(int host);

#endif
