import type { IncomingMessage } from 'node:http'
import { BlockList, isIP } from 'node:net'

/** Writes an IP address as RFC 5952 or dotted text; undefined where it is none. */
export function canonicalAddress(text: string): string | undefined {
  const address = text
    .trim()
    .replace(/^\[|\]$/g, '')
    .replace(/%.*$/, '')
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1]
  if (mapped && isIP(mapped) === 4) return mapped
  const version = isIP(address)
  if (version === 4) return address
  if (version === 0) return undefined
  return new URL(`http://[${address}]`).hostname.slice(1, -1) // WHATWG writes IPv6 by RFC 5952
}

/** Who counts as one caller: an IPv6 address's /64, which one subscriber has all of; else the address. Takes canonical ones. */
export function callerOf(address: string): string {
  if (isIP(address) !== 6) return address
  const [start = '', end] = address.split('::')
  const groups = start === '' ? [] : start.split(':')
  if (end !== undefined) {
    const last = end === '' ? 0 : end.split(':').length
    while (groups.length + last < 8) groups.push('0')
  }
  return `${groups.slice(0, 4).join(':')}::/64`
}

/** Makes a list of proxies of addresses and CIDR ranges. */
export function trustedProxies(entries: readonly string[]): (address: string) => boolean {
  const list = new BlockList()
  for (const entry of entries) {
    const [address = '', prefix] = entry.split('/')
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4'
    if (prefix === undefined) list.addAddress(address, family)
    else list.addSubnet(address, Number(prefix), family)
  }
  return (address) => entries.length > 0 && list.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4')
}

const cache = new Map<string, string>()

function socketAddress(raw: string): string {
  let address = cache.get(raw)
  if (address === undefined) {
    address = canonicalAddress(raw) ?? ''
    if (cache.size > 10_000) cache.clear()
    cache.set(raw, address)
  }
  return address
}

/**
 * Who sent a request: the socket's other end, or, where that is a trusted proxy, the last address in
 * `x-forwarded-for` that is none.
 */
export function sourceAddress(req: IncomingMessage, isTrusted: (address: string) => boolean): string {
  let address = socketAddress(req.socket.remoteAddress ?? '')
  const forwarded = req.headers['x-forwarded-for']
  if (forwarded === undefined || !isTrusted(address)) return address
  for (const hop of String(forwarded).split(',').slice(-32).reverse()) {
    const next = canonicalAddress(hop)
    if (next === undefined) return address
    address = next
    if (!isTrusted(address)) return address
  }
  return address
}
