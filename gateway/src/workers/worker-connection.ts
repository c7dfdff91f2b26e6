import type { Duplex } from 'node:stream'
import {
  type AssignFrame,
  type ChunkFrame,
  decodeFrame,
  encodeFrame,
  fromHex,
  type GatewayFrame,
  type HeadFrame,
  type Hex,
  messageToArray,
  PeerHostError,
  type ProvedFrame,
  type ProveFrame,
  type ResultFrame,
  toPeerHostError,
  type WorkerFrame,
} from '@peerhost/protocol'
import type { RawData, WebSocket } from 'ws'
import type { SignedAcceptance } from '../call/completed-call.ts'

/** What a worker said of itself, checked. */
export interface WorkerIdentity {
  /** Bonded address. */
  worker: Hex
  hotKey: Hex
  runtimeIds: ReadonlySet<Hex>
  sandbox: number
  capacity: number
}

/** Told of a response that comes in parts. */
export interface StreamListener {
  onHead(frame: HeadFrame): void
  onChunk(frame: ChunkFrame): void
}

export interface AskOptions {
  /** Milliseconds. */
  timeoutMs: number
  stream?: StreamListener
}

interface Question {
  kind: 'result' | 'proved'
  resolve: (frame: ResultFrame | ProvedFrame) => void
  reject: (error: PeerHostError) => void
  timer: NodeJS.Timeout
  stream?: StreamListener
}

/** Bytes waiting for a worker's socket above which it gets nothing new. */
const MAX_BUFFERED = 16 * 1024 * 1024
const MAX_WARM = 4096
/** Milliseconds that an acceptance waits for another frame to go with. */
const FLUSH_MS = 20

/** One worker that was welcomed: asks it to run things, and fails what it owes when it goes. */
export class WorkerConnection {
  readonly identity: WorkerIdentity
  readonly warm = new Set<string>()
  /** Frames came since the last heartbeat looked. */
  alive = true
  readonly #socket: WebSocket
  /** What the WebSocket runs over. */
  readonly #transport: Duplex
  /** What the worker learns with the next frame. */
  readonly #acceptances: GatewayFrame[] = []
  #flushing: NodeJS.Timeout | undefined
  readonly #questions = new Map<number, Question>()
  readonly #onIdle: () => void
  #nextId = 1
  /** Slots that are promised to requests which are about to ask. */
  #held = 0
  #closed = false

  constructor(socket: WebSocket, transport: Duplex, identity: WorkerIdentity, onIdle: () => void) {
    this.#socket = socket
    this.#transport = transport
    this.identity = identity
    this.#onIdle = onIdle
    socket.on('message', (data, isBinary) => this.#receive(data, isBinary))
    socket.on('pong', () => {
      this.alive = true
    })
    socket.once('close', () => this.#end())
  }

  /** Executions that this gateway asked for and that are not over. */
  get busy(): number {
    return this.#questions.size + this.#held
  }

  /** Keeps a slot for whoever calls `execute` or `prove` next. */
  hold(): void {
    this.#held++
  }

  get isFree(): boolean {
    return this.isUsable && this.busy < this.identity.capacity
  }

  get isUsable(): boolean {
    return !this.#closed && this.#socket.readyState === this.#socket.OPEN && this.#socket.bufferedAmount < MAX_BUFFERED
  }

  /** Has the worker execute an assignment, in a slot that was held. Rejects with PH_WORKER_DISCONNECTED, PH_WORKER_TIMEOUT or PH_WORKER_REFUSED. */
  execute(frame: Omit<AssignFrame, 'type' | 'id'>, options: AskOptions): Promise<ResultFrame> {
    return this.#ask({ type: 'assign', ...frame, id: 0 }, 'result', options) as Promise<ResultFrame>
  }

  /** Has the worker try a bundle; the same errors. */
  prove(frame: Omit<ProveFrame, 'type' | 'id'>, options: AskOptions): Promise<ProvedFrame> {
    return this.#ask({ type: 'prove', ...frame, id: 0 }, 'proved', options) as Promise<ProvedFrame>
  }

  send(frame: GatewayFrame): void {
    this.#flush(frame)
  }

  /** Tells the worker that its receipt was promised to be anchored. */
  sendAcceptance({ acceptance, signature }: SignedAcceptance): void {
    this.#acceptances.push({
      type: 'acceptance',
      acceptance: messageToArray('Acceptance', acceptance, fromHex),
      signature,
    })
    this.#flushing ??= setTimeout(() => this.#flush(), FLUSH_MS)
  }

  ping(): void {
    this.#socket.ping()
  }

  /** Says why, then closes; `terminate` at once where the other side cannot be trusted to listen. */
  close(error: PeerHostError): void {
    this.send({ type: 'goodbye', code: error.code, message: error.message })
    this.#socket.close(1000)
    this.#end()
  }

  terminate(): void {
    this.#socket.terminate()
    this.#end()
  }

  #ask(frame: AssignFrame | ProveFrame, kind: Question['kind'], { timeoutMs, stream }: AskOptions) {
    this.#held--
    return new Promise<ResultFrame | ProvedFrame>((resolve, reject) => {
      if (!this.isUsable) return reject(new PeerHostError('PH_WORKER_DISCONNECTED', {}))
      const id = this.#nextId++
      frame.id = id
      const timer = setTimeout(() => {
        this.send({ type: 'cancel', id })
        this.#settle(id)?.reject(new PeerHostError('PH_WORKER_TIMEOUT', {}))
      }, timeoutMs)
      this.#questions.set(id, { kind, resolve, reject, timer, stream })
      this.#flush(frame)
    })
  }

  /** Hands a frame to the socket, together with the acceptances that could wait for it: one system call for all. */
  #flush(frame?: GatewayFrame): void {
    clearTimeout(this.#flushing)
    this.#flushing = undefined
    const frames = this.#acceptances.splice(0)
    if (frame) frames.push(frame)
    if (!this.isUsable || frames.length === 0) return
    this.#transport.cork()
    for (const each of frames) this.#socket.send(encodeFrame(each), { binary: true })
    this.#transport.uncork()
  }

  #settle(id: number): Question | undefined {
    const question = this.#questions.get(id)
    if (!question) return undefined
    clearTimeout(question.timer)
    this.#questions.delete(id)
    this.#onIdle()
    return question
  }

  #receive(data: RawData, isBinary: boolean): void {
    this.alive = true
    try {
      if (!isBinary) throw new PeerHostError('PH_REQUEST_INVALID', { detail: 'a frame is not binary' })
      this.#handle(decodeFrame<WorkerFrame>(data as Buffer))
    } catch (error) {
      this.close(toPeerHostError(error)) // what it owes goes to other workers
    }
  }

  #handle(frame: WorkerFrame): void {
    switch (frame.type) {
      case 'status':
        this.warm.clear()
        for (const name of frame.warm.slice(0, MAX_WARM)) this.warm.add(String(name))
        return
      case 'result':
      case 'proved': {
        // An answer that nobody waits for any more is late, not wrong.
        if (this.#questions.get(frame.id)?.kind === frame.type) this.#settle(frame.id)!.resolve(frame)
        return
      }
      case 'refused':
        this.#settle(frame.id)?.reject(
          new PeerHostError('PH_WORKER_REFUSED', { detail: `${frame.code}: ${frame.message}`.slice(0, 300) }),
        )
        return
      case 'head':
        this.#questions.get(frame.id)?.stream?.onHead(frame)
        return
      case 'chunk':
        this.#questions.get(frame.id)?.stream?.onChunk(frame)
        return
      default:
        throw new PeerHostError('PH_REQUEST_INVALID', { detail: `a worker does not send ${frame.type}` })
    }
  }

  #end(): void {
    if (this.#closed) return
    this.#closed = true
    clearTimeout(this.#flushing)
    for (const id of [...this.#questions.keys()])
      this.#settle(id)?.reject(new PeerHostError('PH_WORKER_DISCONNECTED', {}))
  }
}
