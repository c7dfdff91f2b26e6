import { createServer, type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { MAX_FRAME, PeerHostError, RESERVED_PROJECTS } from '@peerhost/protocol'
import { WebSocketServer } from 'ws'
import { handleCall } from '../call/handle-call.ts'
import type { Context } from '../context.ts'
import { firstSegment, functionTarget, parseTarget } from './request-target.ts'
import { errorBody, sendError } from './send-json.ts'
import { callerOf, sourceAddress } from './source-address.ts'

type OwnRoutes = (req: IncomingMessage, res: ServerResponse) => void

/** What a broken request is answered with, which Node would do without a body. */
function clientError(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy()
  const answer =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? new PeerHostError('PH_REQUEST_HEADERS_TOO_LARGE', {})
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? new PeerHostError('PH_REQUEST_TIMEOUT', {})
        : new PeerHostError('PH_REQUEST_INVALID', { detail: 'it is not HTTP/1.1' })
  refuse(socket, answer)
}

/** Milliseconds that the other side has to take an answer after which the connection ends. */
const LINGER_MS = 1_000

/** Answers on a socket that Node has handed over, and ends it: also where the other side leaves it open. */
function refuse(socket: Duplex, error: PeerHostError): void {
  const body = JSON.stringify(errorBody(error))
  socket.end(
    `HTTP/1.1 ${error.status} ${STATUS_CODES[error.status]}\r\ncontent-type: application/json\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  )
  const timer = setTimeout(() => socket.destroy(), LINGER_MS)
  socket.once('close', () => clearTimeout(timer))
  socket.resume()
}

export interface GatewayServer {
  server: Server
  /** Takes nothing new; resolves when the calls under way are answered, or after `deadlineMs`. */
  drain(deadlineMs: number): Promise<void>
}

/**
 * The gateway's HTTP server: functions straight from the socket, the gateway's own routes through express, workers'
 * WebSockets at `/ws`.
 */
export function createHttpServer(context: Context, ownRoutes: OwnRoutes): GatewayServer {
  const { inFlight } = context
  const { limits } = context.config
  const server = createServer(
    {
      maxHeaderSize: 16 * 1024,
      headersTimeout: limits.headersTimeoutMs,
      requestTimeout: limits.requestTimeoutMs,
      keepAliveTimeout: 75_000,
      connectionsCheckingInterval: Math.min(2_000, limits.headersTimeoutMs),
      noDelay: true,
    },
    (req, res) => {
      res.on('error', () => {}) // the client went away
      const target = parseTarget(req.url ?? '/')
      const call =
        firstSegment(target.rawPath) === 'run' || !RESERVED_PROJECTS.has(firstSegment(target.rawPath))
          ? functionTarget(target, req.headers.host)
          : undefined
      if (!call) return ownRoutes(req, res)
      try {
        inFlight.enter()
      } catch (error) {
        return sendError(req, res, error)
      }
      void handleCall(context, call, req, res).finally(() => inFlight.leave())
    },
  )
  server.maxConnections = limits.maxConnections
  server.on('clientError', clientError)

  const workers = new WebSocketServer({ noServer: true, maxPayload: MAX_FRAME, perMessageDeflate: false })
  server.on('upgrade', (req, socket, head) => {
    socket.on('error', () => socket.destroy())
    const { rawPath } = parseTarget(req.url ?? '/')
    if (rawPath !== '/ws')
      return refuse(socket, new PeerHostError('PH_REQUEST_NO_ROUTE', { path: rawPath.slice(0, 200) }))
    const { pool, isTrustedProxy } = context
    const source = callerOf(sourceAddress(req, isTrustedProxy))
    if (!pool.mayIntroduce(source)) return refuse(socket, new PeerHostError('PH_GATEWAY_BUSY', {}))
    workers.handleUpgrade(req, socket, head, (webSocket) => void pool.admit(webSocket, socket, source))
  })
  context.metrics.gauge('requests_in_flight', 'Calls of functions under way', () => inFlight.count)
  return {
    server,
    async drain(deadlineMs) {
      server.close()
      server.closeIdleConnections()
      await inFlight.drain(deadlineMs)
    },
  }
}
