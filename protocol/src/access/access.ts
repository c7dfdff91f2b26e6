import { fromBase64Url, toBase64Url } from '../base64url.ts'
import { PeerHostError } from '../errors/peerhost-error.ts'
import type { Hex } from '../hex.ts'
import { keccak256 } from '../keccak.ts'
import { hashMessage } from '../messages/hash-message.ts'
import { messageFromJson, messageToJson } from '../messages/json.ts'
import type { Access, Domain } from '../messages/types.ts'
import type { MessageSigner, Recover } from '../signing/signer.ts'

/** Longest life of an access, in seconds. */
export const ACCESS_SECONDS = 300n

export interface AccessOptions {
  domain: Domain
  method: string
  /** Path and query. */
  target: string
  body?: Uint8Array
  /** Seconds since 1970. */
  now: number
}

/**
 * The value of `PEERHOST-AUTH`: base64url JSON of an Access, `address` and `signature`. Good for one minute.
 *
 * @example headers['PEERHOST-AUTH'] = signAccess(signer, { domain, method: 'POST', target: '/ipfs', body, now })
 */
export function signAccess(
  signer: Pick<MessageSigner, 'address' | 'sign'>,
  { domain, method, target, body = new Uint8Array(), now }: AccessOptions,
): string {
  const access: Access = { method, target, bodyHash: keccak256(body), deadline: BigInt(Math.floor(now)) + 60n }
  const signature = signer.sign(hashMessage(domain, 'Access', access))
  const json = JSON.stringify({ ...messageToJson('Access', access), address: signer.address, signature })
  return toBase64Url(new TextEncoder().encode(json))
}

/**
 * Checks a `PEERHOST-AUTH` header and returns the address that signed it. Throws PH_AUTH_MISSING, PH_AUTH_INVALID or
 * PH_AUTH_EXPIRED.
 */
export function verifyAccess(
  header: string | undefined,
  { domain, method, target, body = new Uint8Array(), now }: AccessOptions,
  recover: Recover,
): Hex {
  if (!header) throw new PeerHostError('PH_AUTH_MISSING', {})
  const invalid = (detail: string) => new PeerHostError('PH_AUTH_INVALID', { detail })
  let access: Access
  let json: { address?: unknown; signature?: unknown }
  try {
    json = JSON.parse(new TextDecoder().decode(fromBase64Url(header)))
    access = messageFromJson('Access', json)
  } catch {
    throw invalid('the header is not base64url JSON of an Access')
  }
  if (access.method !== method || access.target !== target) throw invalid('it is for another method or target')
  if (access.bodyHash !== keccak256(body)) throw invalid('it is for another body')
  const seconds = BigInt(Math.floor(now))
  if (access.deadline < seconds || access.deadline > seconds + ACCESS_SECONDS)
    throw new PeerHostError('PH_AUTH_EXPIRED', {})
  const signer = recover(hashMessage(domain, 'Access', access), String(json.signature).toLowerCase() as Hex)
  if (!signer || signer !== String(json.address).toLowerCase()) throw invalid('it was not signed by its address')
  return signer
}
