import type { Hex, PeerHostError } from '@peerhost/protocol'

interface Failure {
  times: number
  /** Milliseconds since 1970. */
  until: number
}

/** Milliseconds for which others come first, doubled with each failure in a row, up to the most. */
const FIRST_MS = 1_000
const MOST_MS = 60_000
const MAX_KEPT = 10_000
/** A function cannot make an honest worker do these; anything else counts for that function only, or its owner could slander. */
const OF_ALL_FUNCTIONS = new Set<string>(['PH_WORKER_BAD_RECEIPT', 'PH_WORKER_TIMEOUT', 'PH_WORKER_DISCONNECTED'])

/**
 * Which workers failed of late: others are preferred to them for a while. Without that a worker that fails at once is
 * always the least busy, and is asked first by every request.
 */
export class WorkerFailures {
  /** By worker, or worker and function. */
  readonly #failures = new Map<string, Failure>()

  /** @param name the function, as in `Need` */
  failed(worker: Hex, name: string, { code }: PeerHostError): void {
    const key = OF_ALL_FUNCTIONS.has(code) ? worker : `${worker}/${name}`
    const times = (this.#failures.get(key)?.times ?? 0) + 1
    this.#failures.delete(key)
    this.#failures.set(key, { times, until: Date.now() + Math.min(FIRST_MS * 2 ** (times - 1), MOST_MS) })
    if (this.#failures.size > MAX_KEPT) this.#failures.delete(this.#failures.keys().next().value!)
  }

  worked(worker: Hex, name: string): void {
    if (this.#failures.size === 0) return
    this.#failures.delete(worker)
    this.#failures.delete(`${worker}/${name}`)
  }

  /** Those that did not fail of late, or all where there is none. */
  preferred<T extends { identity: { worker: Hex } }>(workers: T[], name: string): T[] {
    if (this.#failures.size === 0) return workers
    const now = Date.now()
    const isOver = (key: string) => (this.#failures.get(key)?.until ?? 0) <= now
    const found = workers.filter(({ identity: { worker } }) => isOver(worker) && isOver(`${worker}/${name}`))
    return found.length > 0 ? found : workers
  }
}
