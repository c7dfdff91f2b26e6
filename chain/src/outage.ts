import type { PeerHostError } from '@peerhost/protocol'

export interface OutageOptions {
  /** Told of the first failure and of one of another code, then at most every so often how many there were. */
  onFailure: (error: PeerHostError, count: number) => void
  /** Told once that it works again, and after how many failures. */
  onOver?: (count: number) => void
  /** Milliseconds between two reports of the same. */
  everyMs?: number
}

/** Something that fails again and again as long as something else is down: said once, not at each attempt. */
export class Outage {
  readonly #options: OutageOptions
  #code: string | undefined
  #count = 0
  #toldAt = 0

  constructor(options: OutageOptions) {
    this.#options = options
  }

  failed(error: PeerHostError): void {
    const { onFailure, everyMs = 60_000 } = this.#options
    this.#count++
    const now = Date.now()
    if (error.code === this.#code && now - this.#toldAt < everyMs) return
    this.#code = error.code
    this.#toldAt = now
    onFailure(error, this.#count)
  }

  worked(): void {
    if (this.#count === 0) return
    const count = this.#count
    this.#count = 0
    this.#code = undefined
    this.#options.onOver?.(count)
  }
}
