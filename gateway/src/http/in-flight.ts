import { PeerHostError } from '@peerhost/protocol'

/** The calls of functions that are under way, by whatever route they came: so many at once, none where the gateway is broken. */
export class InFlight {
  readonly #limit: number
  #count = 0
  #closed: PeerHostError | undefined
  #onIdle: (() => void) | undefined

  constructor(limit: number) {
    this.#limit = limit
  }

  get count(): number {
    return this.#count
  }

  /** Takes one in; `leave` has to follow. Throws PH_GATEWAY_BUSY, or why nothing is taken any more. */
  enter(): void {
    if (this.#closed) throw this.#closed
    if (this.#count >= this.#limit) throw new PeerHostError('PH_GATEWAY_BUSY', {})
    this.#count++
  }

  leave(): void {
    this.#count--
    if (this.#count === 0) this.#onIdle?.()
  }

  /** Refuses everything from now on. */
  close(reason: PeerHostError): void {
    this.#closed ??= reason
  }

  /** Resolves when nothing is under way, or after `deadlineMs`. */
  async drain(deadlineMs: number): Promise<void> {
    if (this.#count === 0) return
    await new Promise<void>((resolve) => {
      const deadline = setTimeout(resolve, deadlineMs)
      this.#onIdle = () => {
        clearTimeout(deadline)
        resolve()
      }
    })
  }
}
