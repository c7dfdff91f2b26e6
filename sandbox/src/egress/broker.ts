import { randomBytes } from 'node:crypto'
import { chmod, rm } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { basename, dirname } from 'node:path'
import { listenIn } from '../host/listen.ts'
import { peerOf } from '../jail/peer.ts'
import { type Connect, connectPublic, EgressRefusal, type Resolve } from './connect-public.ts'
import { EgressList } from './egress-list.ts'
import { readLine } from './read-line.ts'
import { splice } from './splice.ts'

export interface EgressLimits {
  /** Open connections of the slot, those being made included. */
  connections: number
  /** Connections in the broker's life between two calls of `endAll`, that is in one execution. */
  connectionsPerExecution: number
  /** Bytes, both directions together, in one execution. */
  bytesPerExecution: number
  /** Milliseconds to connect to one address. */
  connectMs: number
  /** Milliseconds in which a client has to say what it wants. */
  requestMs: number
}

export const EGRESS_LIMITS: EgressLimits = {
  connections: 32,
  connectionsPerExecution: 256,
  bytesPerExecution: 256 * 1024 * 1024,
  connectMs: 5_000,
  requestMs: 10_000,
}

export interface EgressBrokerOptions {
  /** Where it listens; the jail's mount shows this file as /run/egress.sock. */
  socketPath: string
  /** Entries of the function's egress list: `host` or `host:port`. */
  allowed: readonly string[]
  /** True for a process that may connect now: the slot's execution, while it has a request. */
  isAllowedPeer: (pid: number) => boolean
  /** Called with one line for each refusal: belongs in the function's log. */
  log?: (line: string) => void
  limits?: Partial<EgressLimits>
  /** For tests: how names are resolved and how addresses are connected to. No configuration leads here. */
  resolve?: Resolve
  connect?: Connect
}

export interface EgressBroker {
  /** Ends every connection and forgets what was counted: the execution is over. */
  endAll(): void
  close(): Promise<void>
}

interface Established {
  remote: Socket
  control: Socket
}

const LONGEST_REQUEST = 1024
/** One to ask, one for the bytes, and some that are ending. */
const SOCKETS_PER_CONNECTION = 4
const TOKEN_BYTES = 16
const LONGEST_HOST = 253

/**
 * Opens the network to a slot's function, host by host. A client first asks: `{"host", "port"}` and a newline on a
 * connection of its own, answered by `{"token"}` or `{"code"}`; by then the broker is connected to the host. Then it
 * opens another connection whose first line is the token, and everything after it goes to the host and back.
 *
 * The client is hostile: a request decides nothing but what is looked up in the list.
 */
export async function createEgressBroker(options: EgressBrokerOptions): Promise<EgressBroker> {
  const { socketPath, isAllowedPeer, log = () => {} } = options
  const limits = { ...EGRESS_LIMITS, ...options.limits }
  const list = new EgressList(options.allowed)
  const waiting = new Map<string, Established>()
  const sockets = new Set<Socket>()
  let execution = { abort: new AbortController(), connections: 0, open: 0, bytes: 0 }

  const track = (socket: Socket): Socket => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.once('close', () => sockets.delete(socket))
    return socket
  }

  const refuse = (control: Socket, host: string, port: number, { code, message }: EgressRefusal) => {
    log(`egress: no connection to ${host}:${port}: ${message}`)
    control.end(`${JSON.stringify({ code })}\n`)
  }

  async function establish(control: Socket, host: string, port: number): Promise<void> {
    const current = execution
    try {
      if (!list.allows(host, port)) throw new EgressRefusal('ECONNREFUSED', 'the egress list does not have it')
      if (current.open >= limits.connections) {
        throw new EgressRefusal('ECONNREFUSED', `${limits.connections} connections are open`)
      }
      if (++current.connections > limits.connectionsPerExecution) {
        throw new EgressRefusal('ECONNREFUSED', `it made ${limits.connectionsPerExecution} connections`)
      }
    } catch (error) {
      return refuse(control, host, port, error as EgressRefusal)
    }
    current.open++
    const gone = new AbortController()
    const signal = AbortSignal.any([current.abort.signal, gone.signal])
    const onGone = () => gone.abort()
    control.once('close', onGone)
    let remote: Socket
    try {
      const { resolve, connect } = options
      remote = track(await connectPublic(host, port, { resolve, connect, timeoutMs: limits.connectMs, signal }))
    } catch (error) {
      current.open--
      if (!control.destroyed && error instanceof EgressRefusal) refuse(control, host, port, error)
      else control.destroy()
      return
    }
    remote.once('close', () => current.open--)
    if (signal.aborted) {
      remote.destroy()
      return
    }
    control.off('close', onGone)
    const token = randomBytes(TOKEN_BYTES).toString('hex')
    waiting.set(token, { remote, control })
    const forget = () => {
      if (waiting.delete(token)) remote.destroy()
    }
    control.once('close', forget)
    remote.once('close', forget)
    control.write(`${JSON.stringify({ token })}\n`)
  }

  function claim(data: Socket, token: string): void {
    const established = waiting.get(token)
    if (established === undefined) {
      data.destroy()
      return
    }
    waiting.delete(token)
    established.control.destroy()
    const current = execution
    splice(data, established.remote, (count) => {
      current.bytes += count
      if (current.bytes <= limits.bytesPerExecution) return true
      log(`egress: ended a connection: more than ${limits.bytesPerExecution} bytes`)
      return false
    })
  }

  async function serve(socket: Socket): Promise<void> {
    track(socket)
    if (!isAllowedPeer(peerOf(socket))) {
      socket.destroy()
      return
    }
    const line = await readLine(socket, LONGEST_REQUEST, limits.requestMs)
    const request = line === undefined ? undefined : parseRequest(line)
    if (request === undefined) {
      log('egress: a connection to the broker did not say what it wants')
      socket.destroy()
    } else if ('token' in request) claim(socket, request.token)
    else {
      socket.resume() // so that its end is seen
      await establish(socket, request.host, request.port)
    }
  }

  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
    serve(socket).catch(() => socket.destroy())
  })
  server.maxConnections = SOCKETS_PER_CONNECTION * limits.connections
  await listen(server, socketPath)

  const endAll = () => {
    execution.abort.abort()
    execution = { abort: new AbortController(), connections: 0, open: 0, bytes: 0 }
    waiting.clear()
    for (const socket of sockets) socket.destroy()
  }
  return {
    endAll,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve))
      endAll()
      await closed
      await rm(socketPath, { force: true })
    },
  }
}

/** The jail's user has another id: every process that sees the file may connect, its pid is what counts. */
async function listen(server: Server, socketPath: string): Promise<void> {
  await rm(socketPath, { force: true })
  await listenIn(dirname(socketPath), basename(socketPath), server)
  await chmod(socketPath, 0o666)
}

type Request = { host: string; port: number } | { token: string }

function parseRequest(line: string): Request | undefined {
  if (/^[0-9a-f]{32}$/.test(line)) return { token: line }
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    return undefined
  }
  const { host, port } = (value ?? {}) as { host?: unknown; port?: unknown }
  if (typeof host !== 'string' || host.length === 0 || host.length > LONGEST_HOST || !/^[\x21-\x7e]+$/.test(host)) {
    return undefined
  }
  if (typeof port !== 'number' || !Number.isInteger(port) || port < 0 || port > 65_535) return undefined
  return { host, port }
}
