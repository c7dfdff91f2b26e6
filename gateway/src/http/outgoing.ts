import type { ServerResponse } from 'node:http'

/**
 * Limits the bytes of answers that wait in memory for clients to take them: above it, whoever has been taking his for
 * longest is cut off. A paid answer is kept in the store and can be asked for again.
 */
export class Outgoing {
  readonly #limit: number
  /** In the order in which they began. */
  readonly #waiting = new Map<ServerResponse, number>()
  #bytes = 0

  constructor(limit: number) {
    this.#limit = limit
  }

  /** Bytes that wait. */
  get bytes(): number {
    return this.#bytes
  }

  /** Says how many bytes of a response are in memory; forgotten when it is closed. */
  hold(res: ServerResponse, bytes: number): void {
    const before = this.#waiting.get(res)
    if (before === undefined) res.once('close', () => this.#forget(res))
    this.#waiting.set(res, bytes)
    this.#bytes += bytes - (before ?? 0)
    for (const oldest of this.#waiting.keys()) {
      if (this.#bytes <= this.#limit || this.#waiting.size === 1) return
      this.#forget(oldest)
      oldest.destroy()
    }
  }

  #forget(res: ServerResponse): void {
    this.#bytes -= this.#waiting.get(res) ?? 0
    this.#waiting.delete(res)
  }
}
