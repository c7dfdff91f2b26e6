import { setTimeout as sleep } from 'node:timers/promises'

/** A timer is late by up to a millisecond; the caller's own lateness beyond that is counted as waiting. */
const TIMER_MS = 1

/**
 * Open loop: starts a call every 1/rate seconds whether earlier ones have ended or not, so that a stall shows in the
 * figures of everything that waits behind it. Returns milliseconds from the planned start to the end of each call.
 */
export async function paced(rate: number, count: number, call: (index: number) => Promise<unknown>): Promise<number[]> {
  const began = performance.now()
  const samples: number[] = []
  const running: Promise<void>[] = []
  for (let index = 0; index < count; index++) {
    const planned = began + (index * 1000) / rate
    const wait = planned - performance.now()
    if (wait > 0) await sleep(wait)
    const now = performance.now()
    const start = now - planned > TIMER_MS ? planned : now
    running.push(
      call(index).then(() => {
        samples.push(performance.now() - start)
      }),
    )
  }
  await Promise.all(running)
  return samples
}

/** Closed loop: `concurrency` callers, each starting its next call when one ends. Returns calls per second. */
export async function sustained(concurrency: number, seconds: number, call: () => Promise<unknown>): Promise<number> {
  let done = 0
  const began = performance.now()
  const end = began + seconds * 1000
  await Promise.all(
    Array.from({ length: concurrency }, async () => {
      while (performance.now() < end) {
        await call()
        done++
      }
    }),
  )
  return (done * 1000) / (performance.now() - began)
}

/** `count` calls at once; milliseconds until the last has ended. */
export async function burst(count: number, call: (index: number) => Promise<unknown>): Promise<number> {
  const began = performance.now()
  await Promise.all(Array.from({ length: count }, (_, index) => call(index)))
  return performance.now() - began
}

/** Calls one after another; milliseconds of each. */
export async function oneByOne(count: number, call: (index: number) => Promise<unknown>): Promise<number[]> {
  const samples: number[] = []
  for (let index = 0; index < count; index++) samples.push(await burst(1, () => call(index)))
  return samples
}
