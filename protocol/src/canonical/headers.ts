import type { HeaderField } from './types.ts'

/** Hop-by-hop fields (RFC 9110, 7.6.1): they speak of one connection, not of the message. */
const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])
/** What would identify a caller of a `public` service, whose requests are published (architecture.md). */
const CREDENTIALS = new Set(['authorization', 'cookie', 'forwarded', 'x-real-ip'])

const isTransport = (name: string) =>
  name === 'host' ||
  HOP_BY_HOP.has(name) ||
  name.startsWith('payment-') ||
  name.startsWith('x-payment') ||
  name.startsWith('peerhost-')

const isCredential = (name: string) => CREDENTIALS.has(name) || name.startsWith('x-forwarded-')

export interface CanonicalHeadersOptions {
  /** The service's verification is `public`. */
  isPublic?: boolean
  /** `publicHeaders` of the function: credential headers that it is given all the same. */
  publicHeaders?: readonly string[]
}

/**
 * The headers that are hashed and that the handler sees: all but host, hop-by-hop ones (also those that Connection names)
 * and those of payment and protocol; names lower-cased, sorted by name, repeated ones apart and in order.
 *
 * @param raw name, value, name, value ... as Node's `rawHeaders`
 */
export function canonicalHeaders(
  raw: readonly string[],
  { isPublic = false, publicHeaders = [] }: CanonicalHeadersOptions = {},
): HeaderField[] {
  const fields: HeaderField[] = []
  const named = new Set<string>()
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i]!.toLowerCase()
    if (name === 'connection') for (const token of raw[i + 1]!.split(',')) named.add(token.trim().toLowerCase())
    fields.push([name, raw[i + 1]!])
  }
  return fields
    .filter(([name]) => !isTransport(name) && !named.has(name))
    .filter(([name]) => !isPublic || !isCredential(name) || publicHeaders.includes(name))
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)) // stable: repeated ones stay in order
}
