import { PeerHostError } from '@peerhost/protocol'

/** MB that a jail takes while it waits: zygote, child and page tables, of which most is shared. */
export const IDLE_MB = 64

/** Counts the memory of all jails: 64 MB for one that waits, memorySize for one that runs a request. */
export class MemoryBudget {
  readonly #cap: number
  #used = 0
  readonly #queue: { amount: number; resolve: () => void }[] = []
  /** Frees the memory of something that only waits; false if there is nothing. */
  evict: () => boolean = () => false

  /** @param cap MB */
  constructor(cap: number) {
    this.#cap = cap
  }

  get used(): number {
    return this.#used
  }

  /** True if there is enough without ending anything. */
  hasRoom(amount: number): boolean {
    return this.#used + amount <= this.#cap && this.#queue.length === 0
  }

  /** Takes memory if there is enough, ending what only waits if need be. What is alone always fits. */
  tryTake(amount: number): boolean {
    while (this.#used + amount > this.#cap && this.#used > 0) if (!this.evict()) return false
    this.#used += amount
    return true
  }

  /**
   * Takes memory as soon as there is enough, first come first served. Throws PH_RUN_REFUSED where there never will be, the
   * signal's reason if it is aborted.
   */
  async take(amount: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted()
    if (amount > this.#cap && this.#cap > IDLE_MB) {
      throw new PeerHostError('PH_RUN_REFUSED', {
        detail: `it needs more memory than the ${this.#cap} MB of this worker`,
      })
    }
    if (this.#queue.length === 0 && this.tryTake(amount)) return
    await new Promise<void>((resolve, reject) => {
      const abort = () => {
        this.#queue.splice(this.#queue.indexOf(waiting), 1)
        reject(signal!.reason)
      }
      const waiting = {
        amount,
        resolve: () => {
          signal?.removeEventListener('abort', abort)
          resolve()
        },
      }
      this.#queue.push(waiting)
      signal?.addEventListener('abort', abort, { once: true })
    })
  }

  give(amount: number): void {
    this.#used -= amount
    while (this.#queue.length > 0 && this.tryTake(this.#queue[0]!.amount)) this.#queue.shift()!.resolve()
  }
}
