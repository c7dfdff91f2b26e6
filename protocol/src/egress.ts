import { PeerHostError } from './errors/peerhost-error.ts'

/** Ports of an entry that names none. */
const DEFAULT_PORTS = [443, 80]
const ENTRY = /^(\[[0-9a-f:.]+\]|[^:[\]]+)(?::(\d{1,5}))?$/
const NAME = /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*$/

/** One entry of an egress list. */
export interface EgressEntry {
  /** Lower case, an IPv6 address without its brackets. */
  host: string
  ports: number[]
  /** As it stands in a manifest: `host` or `host:port`. */
  text: string
}

/**
 * Reads one entry of an egress list: `host` means its ports 443 and 80, `host:port` that port alone; an IPv6 address stands in
 * brackets. Names match exactly, in any case and with or without the dot of an absolute name.
 *
 * @throws PH_CONFIG_EGRESS_INVALID
 */
export function parseEgress(entry: string): EgressEntry {
  const invalid = (reason: string) => new PeerHostError('PH_CONFIG_EGRESS_INVALID', { host: entry, reason })
  const lower = entry.trim().toLowerCase()
  if (lower.includes('*')) throw invalid('it has a wildcard')
  if (lower.includes('/')) throw invalid('it is a URL or a network, not a host')
  const match = ENTRY.exec(lower)
  if (!match) throw invalid('it is no host name')
  const shown = match[1]!.replace(/\.$/, '')
  const isAddress = shown.startsWith('[')
  if (!(isAddress ? URL.canParse(`http://${shown}/`) : NAME.test(shown))) throw invalid('it is no host name')
  const host = isAddress ? shown.slice(1, -1) : shown
  if (match[2] === undefined) return { host, ports: DEFAULT_PORTS, text: shown }
  const port = Number(match[2])
  if (port < 1 || port > 65535) throw invalid('there is no such port')
  return { host, ports: [port], text: `${shown}:${port}` }
}
