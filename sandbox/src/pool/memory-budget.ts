/** MB that a jail takes while it waits: zygote, child and page tables, of which most is shared. */
export const IDLE_MB = 64

/** Counts the memory of all jails: 64 MB for one that waits, memorySize for one that runs a request. */
export class MemoryBudget {
  readonly #cap: number
  #used = 0
  /** MB of jails that were told to end and are not gone yet. */
  #leaving = 0
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
    if (this.#used === 0 || this.#used + amount <= this.#cap) {
      this.#used += amount
      return true
    }
    // What was told to end gives its memory back a little later: as many are told as it takes, not all.
    while (this.#used + amount - this.#leaving > this.#cap && this.evict()) this.#leaving += IDLE_MB
    return false
  }

  /** Whether a request of that memorySize can ever run here. */
  canEverHold(memorySize: number): boolean {
    return Math.max(memorySize, IDLE_MB) <= this.#cap
  }

  /** Takes memory as soon as there is enough, first come first served. Throws the signal's reason if it is aborted. */
  async take(amount: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted()
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
    this.#leaving = Math.max(0, this.#leaving - amount)
    while (this.#queue.length > 0 && this.tryTake(this.#queue[0]!.amount)) this.#queue.shift()!.resolve()
  }
}
