import type { Readable } from 'node:stream'
import { type Deferred, deferred } from '../deferred.ts'

/** Counts a zygote's steps (blank, ready, execution over): each is one byte that carries nothing else. */
export class StatusSteps {
  #received = 0
  #awaited = 0
  #next: Deferred<void> | undefined

  /** @param onSurplus called where a step comes that nobody waits for */
  constructor(pipe: Readable, onSurplus: () => void) {
    pipe.on('data', (bytes: Buffer) => {
      this.#received += bytes.length
      if (this.#received > this.#awaited) onSurplus()
      else if (this.#received === this.#awaited) this.#next?.resolve()
    })
  }

  /** Settles with the next step. To be called before the zygote is told to take it. */
  next(): Promise<void> {
    this.#awaited++
    this.#next = deferred()
    return this.#next.promise
  }
}
