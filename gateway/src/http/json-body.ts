import { PeerHostError } from '@peerhost/protocol'

/** Reads a body as JSON; throws PH_REQUEST_INVALID. */
export function jsonBody(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
  } catch {
    throw new PeerHostError('PH_REQUEST_INVALID', { detail: 'its body is not JSON' })
  }
}
