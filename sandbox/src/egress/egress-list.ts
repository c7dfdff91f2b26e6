/** Ports of an entry that names none. */
const DEFAULT_PORTS = [443, 80]

const ENTRY = /^(\[[0-9a-f:.]+\]|[^:[\]]+)(?::(\d+))?$/

/** Lower case, without brackets and without the dot of an absolute name. */
export function normaliseHost(host: string): string {
  return host
    .toLowerCase()
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/\.$/, '')
}

/**
 * What a manifest's egress list allows: `host` means its ports 443 and 80, `host:port` that port alone. Names match
 * exactly. An entry that is not of this form allows nothing.
 */
export class EgressList {
  readonly #allowed = new Set<string>()

  constructor(entries: readonly string[]) {
    for (const entry of entries) {
      const match = ENTRY.exec(entry.toLowerCase())
      if (!match) continue
      const ports = match[2] === undefined ? DEFAULT_PORTS : [Number(match[2])]
      for (const port of ports) this.#allowed.add(`${normaliseHost(match[1]!)} ${port}`)
    }
  }

  allows(host: string, port: number): boolean {
    return this.#allowed.has(`${normaliseHost(host)} ${port}`)
  }
}
