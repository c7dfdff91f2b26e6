import type { Socket } from 'node:net'
import { deferred } from '../deferred.ts'
import { getNatives } from '../host/natives.ts'
import type { ResponseStream } from '../types.ts'
import { type Answer, AnswerReader, MAX_FRAME, parseFailure } from './answer.ts'
import { AnswerTooLarge, BadAnswer, ChildEnded, type FunctionFailure } from './ends.ts'
import { FRAME, type Frame, FrameReader, FrameTooLong, MalformedFrame } from './frame.ts'
import { LogCollector } from './log-collector.ts'

const LOG_BUFFER = Buffer.allocUnsafeSlow(65_536)
const UNREAD_LOGS_MS = 20 // until then a socket's buffer holds them, and most executions need no event for their logs
const GO = Buffer.alloc(1)
const FREE_LOGS = 1024 * 1024
const LOG_PAUSE_MS = 10 // per FREE_LOGS / 16: a flood is slowed down to 6 MB/s instead of read at any price

const handleOf = (socket: Socket) => (socket as unknown as { _handle: { fd: number } | null })._handle

/** One child: its two connections, its readiness, its only answer. */
export class Execution {
  readonly pid: number
  readonly logs = new LogCollector()
  /** Both connections are there. */
  readonly connected = deferred()
  /** The child waits for its request; undefined, or why its bundle did not load. Its own claim, about itself. */
  readonly ready = deferred<FunctionFailure | undefined>()
  #answer = deferred<Answer>()
  #reader: AnswerReader | undefined
  readonly #frames = new FrameReader(MAX_FRAME)
  readonly #poison: (reason: string) => void
  readonly #pidfd: number
  #request: Socket | undefined
  #log: Socket | undefined
  #logTimer: NodeJS.Timeout | undefined
  #state: 'loading' | 'ready' | 'asked' | 'answered' | 'closed' = 'loading'

  readonly #loads: boolean

  /** @param loads true if it has yet to load its bundle, which it does when both connections are there */
  constructor(pid: number, loads: boolean, poison: (reason: string) => void) {
    this.pid = pid
    this.#loads = loads
    this.#poison = poison
    this.#pidfd = getNatives().openPidfd(pid)
  }

  /** The first connection is for the request, the second for the logs; there is no third. */
  add(socket: Socket): void {
    socket.on('error', () => {})
    if (!this.#request) {
      this.#request = socket
      socket.on('data', (bytes) => this.#receive(bytes))
      socket.on('close', () => this.#ended())
      socket.resume()
    } else if (!this.#log) {
      this.#log = socket
      socket.on('data', (bytes) => this.#receiveLogs(bytes))
      this.#logTimer = setTimeout(() => socket.resume(), UNREAD_LOGS_MS)
      if (this.#loads) this.#request.write(GO)
      this.connected.resolve()
    } else {
      socket.destroy()
      this.#poison('a third connection of one child')
    }
  }

  #receive(bytes: Buffer): void {
    if (this.#state === 'closed') return
    try {
      for (const frame of this.#frames.push(bytes)) this.#take(frame)
      if (this.#state === 'answered' && this.#frames.rest > 0) this.#poison('bytes after the answer')
    } catch (error) {
      if (!(error instanceof MalformedFrame || error instanceof BadAnswer || error instanceof AnswerTooLarge))
        throw error
      this.#refuse(error)
    }
  }

  #take(frame: Frame): void {
    if (this.#state === 'asked') {
      const answer = this.#reader!.take(frame)
      if (!answer) return
      this.#state = 'answered'
      this.#drainLogs()
      this.#answer.resolve(answer)
    } else if (this.#state === 'loading' && frame.type === FRAME.ready) {
      this.#state = 'ready'
      this.ready.resolve(undefined)
    } else if (this.#state === 'loading' && frame.type === FRAME.initFailed) {
      this.#state = 'answered'
      this.#drainLogs()
      this.ready.resolve(parseFailure(frame.head))
    } else {
      this.#poison('bytes that nobody asked for')
    }
  }

  #refuse(error: Error): void {
    this.#drainLogs()
    const reason = error instanceof FrameTooLong ? new AnswerTooLarge() : new BadAnswer(error.message)
    if (this.#state === 'asked') this.#answer.reject(error instanceof AnswerTooLarge ? error : reason)
    this.#state = 'answered'
    this.#poison(`a malformed answer: ${error.message}`)
  }

  /** The request connection is closed: by the child's end, as nothing else of the child's can be told from it. */
  #ended(): void {
    if (this.#state === 'answered' || this.#state === 'closed') return
    this.#drainLogs()
    if (this.#state === 'ready') this.#poison('the child ended before its request')
    const end = new ChildEnded('the child ended without an answer')
    this.ready.reject(end)
    this.#answer.reject(end)
    this.#state = 'answered'
  }

  #receiveLogs(bytes: Buffer): void {
    this.logs.add(bytes)
    if (this.logs.received < FREE_LOGS) return
    const log = this.#log!
    log.pause()
    this.#logTimer = setTimeout(() => log.resume(), LOG_PAUSE_MS)
  }

  /** Takes what the child has logged so far, without waiting: it wrote that before what has just been received. */
  #drainLogs(): void {
    const handle = this.#log && handleOf(this.#log)
    if (!handle) return
    while (this.logs.received < FREE_LOGS) {
      const count = getNatives().receive(handle.fd, LOG_BUFFER)
      if (count <= 0) return
      this.logs.add(Buffer.from(LOG_BUFFER.subarray(0, count)))
    }
  }

  /** Sends the only request. */
  ask(request: Buffer, kind: 'http' | 'event', stream: ResponseStream | undefined): Promise<Answer> {
    this.#reader = new AnswerReader(kind, stream)
    if (this.#state === 'ready') {
      this.#state = 'asked'
      this.#request!.write(request)
    } else this.#answer.reject(new ChildEnded('the child is gone'))
    return this.#answer.promise
  }

  /** True once nothing more is expected of it: it has answered, has told that its bundle did not load, or is gone. */
  get isOver(): boolean {
    return this.#state === 'answered' || this.#state === 'closed'
  }

  /** True while it has its request and has not answered. */
  get isAsked(): boolean {
    return this.#state === 'asked'
  }

  /** What the logs are when the execution ends by force. */
  finishLogs(): string {
    this.#drainLogs()
    return this.logs.text()
  }

  /** How the child ended (a wait status), where the kernel tells. After its end only. */
  exitStatus(): number | undefined {
    return this.#pidfd < 0 ? undefined : getNatives().exitStatus(this.#pidfd)
  }

  close(): void {
    if (this.#state === 'closed') return
    this.#ended()
    this.#state = 'closed'
    clearTimeout(this.#logTimer)
    this.#request?.destroy()
    this.#log?.destroy()
    if (this.#pidfd >= 0) getNatives().close(this.#pidfd)
  }
}
