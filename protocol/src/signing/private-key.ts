import { PeerHostError } from '../errors/peerhost-error.ts'
import type { Hex } from '../hex.ts'

/**
 * Reads a private key as people paste it: 64 hexadecimal digits in any case, with or without `0x`, with blanks around. An error
 * never shows it.
 *
 * @throws PH_CONFIG_KEY_INVALID
 */
export function parsePrivateKey(text: string): Hex {
  const match = /^\s*(?:0x)?([0-9a-f]{64})\s*$/i.exec(text)
  if (!match) throw new PeerHostError('PH_CONFIG_KEY_INVALID', {})
  return `0x${match[1]!.toLowerCase()}`
}
