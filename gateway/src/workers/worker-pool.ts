import type { Duplex } from 'node:stream'
import type { RegisteredService, Registry } from '@peerhost/chain'
import { type Domain, encodeFrame, type Hex, PeerHostError, toPeerHostError } from '@peerhost/protocol'
import type { WebSocket } from 'ws'
import type { Log } from '../log.ts'
import { welcomeWorker } from './welcome-worker.ts'
import { WorkerConnection } from './worker-connection.ts'
import { WorkerFailures } from './worker-failures.ts'

export interface WorkerPoolOptions {
  registry: Registry
  domain: Domain
  gateway: Hex
  log: Log
  /** Milliseconds between heartbeats; a worker that is silent for two of them is given up. */
  heartbeatMs?: number
  /** Milliseconds that a stranger has to become a worker. */
  handshakeMs?: number
  /** Requests that may wait for a free worker. */
  maxWaiting?: number
  /** Milliseconds that a request waits for a free worker. */
  maxWaitMs?: number
}

/** What a request needs of a worker. */
export interface Need {
  runtimeId: Hex
  /** `<serviceId>:<version>`. */
  name: string
  /** Workers that failed this request. */
  excluded: ReadonlySet<Hex>
}

interface Waiting {
  need: Need
  resolve: (connection: WorkerConnection) => void
  reject: (error: PeerHostError) => void
  timer: NodeJS.Timeout
}

/** Strangers that may be introducing themselves at once, in all and from one source. */
const MAX_STRANGERS = 500
const MAX_STRANGERS_OF_ONE = 16
/** Bytes that a stranger may send: one introduction. */
const MAX_INTRODUCTION = 16 * 1024

/** Workers that make a new function ready. */
const PREPARED = 2

/** The workers that are connected, and who among them gets a request. */
export class WorkerPool {
  readonly #connections = new Map<Hex, WorkerConnection>()
  readonly #options: Required<WorkerPoolOptions>
  readonly #waiting: Waiting[] = []
  readonly #heartbeat: NodeJS.Timeout
  readonly #unsubscribe: () => void
  readonly #sockets = new Set<WebSocket>()
  readonly failures = new WorkerFailures()
  /** Connections that are not welcomed, by source. */
  readonly #strangers = new Map<string, number>()
  #strangerCount = 0
  #closed = false

  constructor(options: WorkerPoolOptions) {
    this.#options = { heartbeatMs: 4_000, handshakeMs: 10_000, maxWaiting: 1_000, maxWaitMs: 10_000, ...options }
    this.#heartbeat = setInterval(() => this.#beat(), this.#options.heartbeatMs)
    this.#heartbeat.unref()
    this.#unsubscribe = options.registry.onChange(() => this.#checkEligibility())
  }

  get size(): number {
    return this.#connections.size
  }

  get waiting(): number {
    return this.#waiting.length
  }

  get busy(): number {
    let busy = 0
    for (const connection of this.#connections.values()) busy += connection.busy
    return busy
  }

  /** Whether one more stranger from there may introduce himself. */
  mayIntroduce(source: string): boolean {
    return this.#strangerCount < MAX_STRANGERS && (this.#strangers.get(source) ?? 0) < MAX_STRANGERS_OF_ONE
  }

  /** Takes a new WebSocket through the handshake. Never throws. */
  async admit(socket: WebSocket, transport: Duplex, source: string): Promise<void> {
    const { log } = this.#options
    const known = this.#meet(socket, transport, source)
    socket.on('error', () => socket.terminate())
    this.#sockets.add(socket)
    socket.once('close', () => this.#sockets.delete(socket))
    try {
      const identity = await welcomeWorker(socket, this.#options)
      known()
      if (this.#closed) throw new PeerHostError('PH_GATEWAY_STOPPING', {})
      // The same worker again: the old connection is dead, or it would not have come back.
      this.#connections.get(identity.worker)?.close(new PeerHostError('PH_WORKER_DISCONNECTED', {}))
      const connection = new WorkerConnection(socket, transport, identity, () => this.#serveWaiting())
      this.#connections.set(identity.worker, connection)
      socket.once('close', () => {
        if (this.#connections.get(identity.worker) === connection) this.#connections.delete(identity.worker)
        log('info', 'worker left', { worker: identity.worker })
      })
      connection.send({ type: 'welcome' })
      log('info', 'worker joined', { worker: identity.worker, capacity: identity.capacity })
      this.#serveWaiting()
    } catch (error) {
      const { code, message } = toPeerHostError(error)
      log('info', 'worker refused', { code, message })
      if (socket.readyState === socket.OPEN) socket.send(encodeFrame({ type: 'goodbye', code, message }))
      socket.close(1008)
    }
  }

  /** Counts a stranger, and ends the connection if he takes too long or says too much. Returns how to trust him. */
  #meet(socket: WebSocket, transport: Duplex, source: string): () => void {
    let bytes = 0
    const onData = (data: Buffer) => {
      bytes += data.length
      if (bytes > MAX_INTRODUCTION) socket.terminate()
    }
    const deadline = setTimeout(() => socket.terminate(), this.#options.handshakeMs)
    let isStranger = true
    const known = () => {
      if (!isStranger) return
      isStranger = false
      clearTimeout(deadline)
      transport.off('data', onData)
      this.#strangerCount--
      const others = this.#strangers.get(source)! - 1
      if (others > 0) this.#strangers.set(source, others)
      else this.#strangers.delete(source)
    }
    this.#strangerCount++
    this.#strangers.set(source, (this.#strangers.get(source) ?? 0) + 1)
    transport.on('data', onData)
    socket.once('close', known)
    return known
  }

  connection(worker: Hex): WorkerConnection | undefined {
    return this.#connections.get(worker)
  }

  /**
   * A worker for a request: one with the function warm, the least busy of them. Waits for one while all are busy.
   * A slot of it is held for the caller, who has to use it. Throws PH_GATEWAY_NO_WORKER where none could ever serve it,
   * PH_GATEWAY_BUSY where the wait is too long.
   */
  acquire(need: Need): WorkerConnection | Promise<WorkerConnection> {
    const free = this.#best(need)
    if (free) {
      free.hold()
      return free
    }
    if (!this.#candidates(need).some(({ isUsable }) => isUsable)) throw new PeerHostError('PH_GATEWAY_NO_WORKER', {})
    if (this.#waiting.length >= this.#options.maxWaiting) throw new PeerHostError('PH_GATEWAY_BUSY', {})
    return new Promise((resolve, reject) => {
      const waiting: Waiting = {
        need,
        resolve,
        reject,
        timer: setTimeout(() => {
          this.#forget(waiting)
          reject(new PeerHostError('PH_GATEWAY_BUSY', {}))
        }, this.#options.maxWaitMs),
      }
      this.#waiting.push(waiting)
    })
  }

  /** Has a few workers fetch a function and make a jail ready, ahead of its first request. */
  prepare({ owner, project, function: name, version, serviceId, spec }: RegisteredService): void {
    const need = { runtimeId: spec.runtimeId, name: `${serviceId}:${version}`, excluded: new Set<Hex>() }
    const workers = this.#candidates(need).sort((a, b) => a.busy - b.busy)
    for (const connection of workers.slice(0, PREPARED))
      connection.send({ type: 'prepare', owner, project, function: name, version })
  }

  close(): void {
    this.#closed = true
    clearInterval(this.#heartbeat)
    this.#unsubscribe()
    const stopping = new PeerHostError('PH_GATEWAY_STOPPING', {})
    for (const { reject, timer } of this.#waiting.splice(0)) {
      clearTimeout(timer)
      reject(stopping)
    }
    for (const connection of this.#connections.values()) connection.close(stopping)
    const sockets = [...this.#sockets]
    setTimeout(() => {
      for (const socket of sockets) socket.terminate()
    }, 500).unref()
  }

  #candidates({ runtimeId, excluded }: Need): WorkerConnection[] {
    const found: WorkerConnection[] = []
    for (const connection of this.#connections.values()) {
      const { worker, runtimeIds } = connection.identity
      if (runtimeIds.has(runtimeId) && !excluded.has(worker)) found.push(connection)
    }
    return found
  }

  #best(need: Need): WorkerConnection | undefined {
    const free = this.failures.preferred(
      this.#candidates(need).filter(({ isFree }) => isFree),
      need.name,
    )
    const warm = free.filter((connection) => connection.warm.has(need.name))
    return this.#least(warm.length > 0 ? warm : free)
  }

  #least(connections: WorkerConnection[]): WorkerConnection | undefined {
    let best: WorkerConnection | undefined
    let bestLoad = Number.POSITIVE_INFINITY
    for (const connection of connections) {
      const load = connection.busy / connection.identity.capacity
      if (load < bestLoad) {
        best = connection
        bestLoad = load
      }
    }
    return best
  }

  #serveWaiting(): void {
    for (let i = 0; i < this.#waiting.length; ) {
      const waiting = this.#waiting[i]!
      const free = this.#best(waiting.need)
      if (free) {
        free.hold()
        this.#forget(waiting)
        waiting.resolve(free)
        continue
      }
      if (this.#candidates(waiting.need).length === 0) {
        this.#forget(waiting)
        waiting.reject(new PeerHostError('PH_GATEWAY_NO_WORKER', {}))
      } else i++
    }
  }

  #forget(waiting: Waiting): void {
    clearTimeout(waiting.timer)
    const at = this.#waiting.indexOf(waiting)
    if (at >= 0) this.#waiting.splice(at, 1)
  }

  #beat(): void {
    for (const connection of this.#connections.values()) {
      if (!connection.alive) {
        connection.terminate()
        continue
      }
      connection.alive = false
      connection.ping()
    }
  }

  #checkEligibility(): void {
    const { registry } = this.#options
    for (const connection of this.#connections.values()) {
      const { worker, hotKey } = connection.identity
      const epoch = BigInt(Math.floor(Date.now() / 1000)) / registry.parameters.epochLength
      if (registry.isEligibleWorker(worker) && registry.hotKeyOwner(hotKey, epoch) === worker) continue
      const reason = registry.isJailed(worker) ? 'it is jailed' : 'it has not enough stake, or its key was revoked'
      connection.close(new PeerHostError('PH_WORKER_NOT_ELIGIBLE', { address: worker, reason }))
    }
  }
}
