import type { IncomingMessage } from 'node:http'
import { PeerHostError } from '@peerhost/protocol'

/** Limits the bytes of request bodies that are held in memory at once. */
export class ByteBudget {
  readonly #limit: number
  #used = 0

  constructor(limit: number) {
    this.#limit = limit
  }

  /**
   * Sets aside what a request's body may take, at most `most`; returns how to give it back. Throws PH_GATEWAY_BUSY where
   * too much is held already.
   */
  take(req: IncomingMessage, most: number): () => void {
    const announced = req.headers['content-length']
    const size = announced !== undefined ? Number(announced) : req.headers['transfer-encoding'] ? most : 0
    if (size === 0 || size > most) return () => {} // too large a body is refused before it is read
    if (this.#used + size > this.#limit) throw new PeerHostError('PH_GATEWAY_BUSY', {})
    this.#used += size
    return () => {
      this.#used -= size
    }
  }
}
