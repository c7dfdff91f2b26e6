import { parseEgress } from '@peerhost/protocol'

/** Lower case, without brackets and without the dot of an absolute name. */
export function normaliseHost(host: string): string {
  return host
    .toLowerCase()
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/\.$/, '')
}

/**
 * What a manifest's egress list allows, entry by entry as `parseEgress` reads them. An entry that it refuses allows nothing.
 */
export class EgressList {
  readonly #allowed = new Set<string>()

  constructor(entries: readonly string[]) {
    for (const entry of entries) {
      try {
        const { host, ports } = parseEgress(entry)
        for (const port of ports) this.#allowed.add(`${host} ${port}`)
      } catch {
        // a manifest that no deploy of ours has written
      }
    }
  }

  allows(host: string, port: number): boolean {
    return this.#allowed.has(`${normaliseHost(host)} ${port}`)
  }
}
