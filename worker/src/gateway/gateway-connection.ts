import {
  type ChallengeFrame,
  type Domain,
  decodeFrame,
  encodeFrame,
  type GatewayFrame,
  type Hex,
  MAX_FRAME,
  type MessageSigner,
  PeerHostError,
  signAccess,
  toPeerHostError,
  type WorkerFrame,
} from '@peerhost/protocol'
import { WebSocket } from 'ws'

export interface GatewayConnectionOptions {
  /** `http://` or `https://` base of the gateway. */
  url: string
  domain: Domain
  signer: MessageSigner
  /** Bonded address of the worker. */
  worker: Hex
  runtimeIds: Hex[]
  sandbox: number
  capacity: number
  onFrame: (frame: GatewayFrame) => void
  /** `welcome` true: the gateway takes this worker; false: the connection is gone, with the reason. */
  onState: (connected: boolean, reason?: PeerHostError) => void
}

const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 10_000
/** A gateway that is silent for two of these is given up. */
const HEARTBEAT_MS = 15_000

/** One lasting connection to a gateway: introduces the worker, and comes back whenever it breaks. */
export class GatewayConnection {
  readonly url: string
  connected = false
  /** The gateway's bonded address, as it says. */
  gateway: Hex | undefined
  readonly #options: GatewayConnectionOptions
  #socket: WebSocket | undefined
  #pause = FIRST_PAUSE_MS
  #retry: NodeJS.Timeout | undefined
  #heartbeat: NodeJS.Timeout | undefined
  #closed = false

  constructor(options: GatewayConnectionOptions) {
    this.#options = options
    this.url = options.url.replace(/\/+$/, '')
  }

  open(): void {
    const socket = new WebSocket(`${this.url.replace(/^http/, 'ws')}/ws`, {
      maxPayload: MAX_FRAME,
      perMessageDeflate: false,
      handshakeTimeout: 10_000,
    })
    this.#socket = socket
    let reason: PeerHostError | undefined
    let alive = true
    socket.on('message', (data: Buffer) => {
      alive = true
      try {
        const frame = decodeFrame<GatewayFrame>(data)
        if (frame.type === 'challenge') this.#introduce(frame)
        else if (frame.type === 'welcome') this.#welcomed()
        else if (frame.type === 'goodbye')
          reason = new PeerHostError('PH_GATEWAY_REFUSED', { detail: `${frame.code}: ${frame.message}` })
        else if (this.connected) this.#options.onFrame(frame)
      } catch (error) {
        reason = toPeerHostError(error)
        socket.terminate()
      }
    })
    socket.on('pong', () => {
      alive = true
    })
    socket.on('ping', () => {
      alive = true
    })
    socket.on('error', (error) => {
      reason ??= new PeerHostError('PH_GATEWAY_UNREACHABLE', { url: this.url, detail: error.message })
    })
    socket.on('close', () => this.#lost(reason))
    this.#heartbeat = setInterval(() => {
      if (!alive) return socket.terminate()
      alive = false
      if (socket.readyState === WebSocket.OPEN) socket.ping()
    }, HEARTBEAT_MS)
  }

  #introduce({ challenge, gateway, chainId, coordinator }: ChallengeFrame): void {
    const { domain, signer, worker, runtimeIds, sandbox, capacity } = this.#options
    if (chainId !== domain.chainId || coordinator.toLowerCase() !== domain.verifyingContract.toLowerCase()) {
      throw new PeerHostError('PH_GATEWAY_REFUSED', { detail: 'the gateway serves another chain or other contracts' })
    }
    this.gateway = gateway.toLowerCase() as Hex
    const auth = signAccess(signer, { domain, method: 'GET', target: '/ws', body: challenge, now: Date.now() / 1000 })
    this.send({ type: 'hello', auth, worker, runtimeIds, sandbox, capacity })
  }

  #welcomed(): void {
    this.connected = true
    this.#pause = FIRST_PAUSE_MS
    this.#options.onState(true)
  }

  #lost(reason: PeerHostError | undefined): void {
    clearInterval(this.#heartbeat)
    this.connected = false
    if (this.#closed) return
    this.#options.onState(false, reason)
    const pause = this.#pause * (0.75 + Math.random() / 2)
    this.#pause = Math.min(this.#pause * 2, LONGEST_PAUSE_MS)
    this.#retry = setTimeout(() => this.open(), pause)
  }

  /** Bytes that wait to be sent: who streams looks at it. */
  get buffered(): number {
    return this.#socket?.bufferedAmount ?? 0
  }

  /** Sends if the connection stands; returns whether it does. */
  send(frame: WorkerFrame): boolean {
    return this.sendBytes(encodeFrame(frame))
  }

  sendBytes(bytes: Uint8Array): boolean {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false
    this.#socket.send(bytes)
    return true
  }

  async close(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#retry)
    clearInterval(this.#heartbeat)
    const socket = this.#socket
    if (!socket || socket.readyState === WebSocket.CLOSED) return
    const gone = new Promise<void>((resolve) => socket.once('close', () => resolve()))
    socket.close(1001)
    const deadline = setTimeout(() => socket.terminate(), 1_000)
    await gone
    clearTimeout(deadline)
  }
}
