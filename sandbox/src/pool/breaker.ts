import type { InitFailed } from '../jail/ends.ts'

const FIRST_PAUSE_MS = 1000
const LONGEST_PAUSE_MS = 60_000

/** A bundle that fails at load is not loaded for every request: for a while its error is the answer. */
export class Breaker {
  #failure: InitFailed | undefined
  #failures = 0
  #until = 0

  /** The error to answer with now; undefined: try. */
  failure(now = Date.now()): InitFailed | undefined {
    return now < this.#until ? this.#failure : undefined
  }

  failed(failure: InitFailed, now = Date.now()): void {
    this.#failure = failure
    this.#until = now + Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.#failures)
    this.#failures++
  }

  succeeded(): void {
    this.#failures = 0
    this.#failure = undefined
  }
}
