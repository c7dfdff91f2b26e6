import { PeerHostError } from '@peerhost/protocol'

/** Limits how much of something each caller may use in a window of time. In memory, and forgetful about many callers. */
export class Quota {
  readonly #limit: number
  readonly #windowMs: number
  readonly #maxCallers: number
  #used = new Map<string, number>()
  #windowEnds = 0

  constructor(limit: number, windowMs: number, maxCallers = 100_000) {
    this.#limit = limit
    this.#windowMs = windowMs
    this.#maxCallers = maxCallers
  }

  /** Counts `amount` for a caller; throws PH_GATEWAY_RATE_LIMITED where that is above the limit. */
  take(caller: string, amount = 1): void {
    this.check(caller, amount)
    if (this.#used.size >= this.#maxCallers) this.#used = new Map()
    this.#used.set(caller, (this.#used.get(caller) ?? 0) + amount)
  }

  /** Throws what `take` would, and counts nothing. */
  check(caller: string, amount = 1): void {
    const now = Date.now()
    if (now >= this.#windowEnds) {
      this.#used = new Map()
      this.#windowEnds = now + this.#windowMs
    }
    if ((this.#used.get(caller) ?? 0) + amount > this.#limit)
      throw new PeerHostError('PH_GATEWAY_RATE_LIMITED', { seconds: Math.ceil((this.#windowEnds - now) / 1000) })
  }
}
