import type { IncomingMessage } from 'node:http'
import { PeerHostError } from '@peerhost/protocol'

const EMPTY = new Uint8Array()

/**
 * Reads a request's body as raw bytes. Throws PH_REQUEST_TOO_LARGE as soon as more than `limit` bytes are announced or
 * have come, PH_REQUEST_INVALID where it ends early.
 */
export function readBody(req: IncomingMessage, limit: number): Promise<Uint8Array> | Uint8Array {
  const length = req.headers['content-length']
  if (length === undefined && req.headers['transfer-encoding'] === undefined) return EMPTY
  if (length === '0') return EMPTY
  const tooLarge = () => new PeerHostError('PH_REQUEST_TOO_LARGE', { limit })
  if (length !== undefined && Number(length) > limit) return Promise.reject(tooLarge())
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = []
    let size = 0
    const stop = (error: PeerHostError) => {
      req.off('data', onData)
      reject(error)
    }
    const onData = (part: Buffer) => {
      size += part.length
      if (size > limit) stop(tooLarge())
      else parts.push(part)
    }
    req.on('data', onData)
    req.once('end', () => resolve(parts.length === 1 ? parts[0]! : Buffer.concat(parts, size)))
    req.once('error', () => stop(new PeerHostError('PH_REQUEST_INVALID', { detail: 'its body ended early' })))
    req.once('close', () => {
      if (!req.complete) stop(new PeerHostError('PH_REQUEST_INVALID', { detail: 'its body ended early' }))
    })
  })
}
